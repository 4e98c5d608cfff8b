"""Posteriors under another prior: kept under the everyday one, computed on reading."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visagram.core.prior import canonical, factors, is_prior, of_shares, reweighted
from visagram.core.types import EXPRESSIONS
from visagram.errors import UsageError
from visagram.settings import Settings

SHARES = st.lists(st.floats(0.01, 100), min_size=7, max_size=7)
JUDGE = {"task": "expression", "prior": dict(zip(EXPRESSIONS, [0.05, 0.05, 0.05, 0.25, 0.1, 0.1, 0.4], strict=True))}


@given(SHARES, SHARES, SHARES)
def test_bayes_holds(likelihood, own, wanted):
    """A posterior that was made with one prior becomes the one that the other would have made."""

    def posterior(prior):
        product = np.array(likelihood) * prior
        return (product / product.sum())[None].astype(np.float32)

    own, wanted = np.array(own) / np.sum(own), np.array(wanted) / np.sum(wanted)
    judge = {"task": "expression", "prior": dict(zip(EXPRESSIONS, own, strict=True))}
    by = factors(of_shares(dict(zip(EXPRESSIONS, wanted, strict=True))), [judge])
    np.testing.assert_allclose(reweighted(posterior(own), by), posterior(wanted), atol=1e-4)
    np.testing.assert_allclose(reweighted(reweighted(posterior(own), by), 1 / by), posterior(own), atol=1e-4)


def test_under_an_even_prior_a_rare_expression_needs_less_and_what_was_not_measured_stays_so():
    rows = np.array([[0.2, 0.02, 0.02, 0.05, 0.05, 0.06, 0.6], [np.nan] * 7], np.float32)
    found = reweighted(rows, factors("even", [{"task": "detection"}, JUDGE]))
    assert found[0].argmax() == 0 and found[0].sum() == pytest.approx(1, abs=1e-6)
    assert found[0, 0] / found[0, 6] == pytest.approx(0.2 / 0.05 / (0.6 / 0.4), rel=1e-5)
    assert np.isnan(found[1]).all()
    assert factors("everyday", []) is None and reweighted(rows, None) is rows


def test_without_a_stated_prior_there_is_no_other():
    with pytest.raises(ValueError, match="does not state"):
        factors("even", [{"task": "expression"}])


def test_the_setting_takes_names_shares_and_a_file(tmp_path):
    assert Settings().prior == "everyday" and Settings(prior="even").prior == "even"
    equal = ",".join(f"{name}=0.142857" for name in EXPRESSIONS)
    shuffled = ", ".join(f"{name}=2" for name in reversed(EXPRESSIONS))
    assert Settings(prior=shuffled).prior == equal == canonical(equal)
    path = tmp_path / "acted.json"
    path.write_text(json.dumps(dict.fromkeys(EXPRESSIONS, 5)))
    assert Settings.load(prior=str(path)).prior == equal
    # A request names no files: only whoever runs the program does.
    for wrong in (str(path), "odd", "angry=1", shuffled.replace("=2", "=0"), shuffled.replace("=2", "=nan")):
        with pytest.raises(UsageError, match="prior"):
            Settings(prior=wrong)
    for text in ("[]", '{"angry": 1}', "{", json.dumps(dict.fromkeys(EXPRESSIONS, "x"))):
        path.write_text(text)
        with pytest.raises(UsageError, match="prior"):
            Settings.load(prior=str(path))


def test_a_card_states_seven_shares_or_none():
    assert is_prior(None) and is_prior(JUDGE["prior"])
    for wrong in ({}, [1] * 7, {"angry": 1}, dict.fromkeys(EXPRESSIONS, 0), "even", dict.fromkeys(EXPRESSIONS, "a")):
        assert not is_prior(wrong)
