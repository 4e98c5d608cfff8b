"""An analysis under another prior: tables keep what was measured, everything else is computed from it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from command import visagram
from media_factory import SAMPLE
from visagram import open_report
from visagram.core.prior import reweighted
from visagram.core.types import EXPRESSIONS
from visagram.export.view import boxes


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("priors")
    acted = folder / "acted.json"
    acted.write_text(json.dumps(dict.fromkeys(EXPRESSIONS, 1)))
    for name, prior in (("everyday", "everyday"), ("even", "even"), ("file", str(acted))):
        given = ("--end", "2", "--prior", prior, "--format", "json", "--format", "parquet", "-q")
        outcome = visagram("analyze", SAMPLE, "-o", folder / name, *given)
        assert outcome.status == 0, outcome.err
    return {name: folder / name / SAMPLE.stem for name in ("everyday", "even", "file")}


def test_the_table_is_that_of_the_everyday_prior_and_the_statistics_are_not(results: dict[str, Path]) -> None:
    import pyarrow.parquet as pq

    found = {name: open_report(folder) for name, folder in results.items()}
    tables = {name: pq.read_table(folder / "observations.parquet").to_pandas() for name, folder in results.items()}
    columns = [name for name in tables["even"] if name.startswith("p_")] or list(tables["even"].columns[-30:])
    usable = tables["everyday"]["usable"].to_numpy()
    numbers = [name for name in columns if tables["even"][name].dtype.kind == "f"]
    for name in numbers:
        np.testing.assert_allclose(tables["even"][name][usable], tables["everyday"][name][usable], atol=2e-6)
    even, everyday = found["even"], found["everyday"]
    np.testing.assert_allclose(
        even.observations.posterior, reweighted(everyday.observations.posterior, even.prior), atol=1e-5
    )
    assert np.abs(even.observations.posterior - everyday.observations.posterior)[usable].max() > 0.05
    mean = even.observations.posterior[usable].mean(axis=0)
    assert even.people[0].mean_posterior == pytest.approx(mean.tolist(), abs=1e-5)
    np.testing.assert_allclose(found["file"].observations.posterior, even.observations.posterior, atol=1e-4)


def test_a_reader_is_told(results: dict[str, Path]) -> None:
    report = open_report(results["even"])
    assert [warning.code for warning in report.warnings] == ["other_prior"]
    assert "even prior" in report.summary()
    assert open_report(results["everyday"]).warnings == ()
    assert open_report(results["file"]).settings["prior"].startswith("angry=0.142857,")


def test_the_overlay_draws_what_the_statistics_count(results: dict[str, Path]) -> None:
    for name in ("everyday", "even"):
        report, drawn = open_report(results[name]), boxes(results[name], 0.0, 0.5)
        shown = np.array(drawn["posterior"]) / 255
        rows = report.observations[report.observations.time < 0.5]
        np.testing.assert_allclose(shown, rows.posterior, atol=0.003)


def test_a_model_that_states_no_prior_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    outcome = visagram("analyze", SAMPLE, "-o", tmp_path, "--prior", "even", "--emotion", "visagram-teacher", "-q")
    assert outcome.status == 2 and "does not state the prior" in outcome.err
