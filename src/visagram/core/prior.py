"""Posteriors under another prior: how frequent each expression is thought to be before a face is seen.

A network's posterior holds under the prior of what it learned from: everyday life, mostly neutral and happy. Acted or
selected material is not like that. posterior'(k) is proportional to posterior(k) * prior'(k) / prior(k) (Saerens et al.
2002, doi 10.1162/089976602753284446).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visagram.core.types import EXPRESSIONS

EVERYDAY, EVEN = "everyday", "even"
ROUNDING = 1e-5
"""How far rounded shares may be from summing to 1."""
Factors = NDArray[np.float64]
"""(7,) by what each expression's posterior is multiplied before all are made to sum to 1."""


def canonical(text: str) -> str:
    """`everyday`, `even`, or seven shares as 'angry=0.1,disgust=0.05,...' in their order, summing to 1. Raises
    `ValueError`."""
    if text in (EVERYDAY, EVEN):
        return text
    pairs = [part.split("=") for part in text.split(",")]
    if any(len(pair) != 2 for pair in pairs) or len(pairs) != len(EXPRESSIONS):
        raise ValueError("seven shares are wanted")
    return of_shares({name.strip(): float(share) for name, share in pairs})


def of_shares(shares: Mapping[str, Any]) -> str:
    """The canonical text of shares by expression, in any unit. Raises `ValueError`."""
    if set(shares) != set(EXPRESSIONS):
        raise ValueError(f"a share for each of {', '.join(EXPRESSIONS)} is wanted")
    values = np.array([float(shares[name]) for name in EXPRESSIONS])
    if not (np.isfinite(values).all() and (values > 0).all()):
        raise ValueError("shares are above 0")
    # What was rounded to six digits stays as it is, so that the text of a text is the same.
    if abs(values.sum() - 1) > ROUNDING:
        values = np.maximum(values / values.sum(), 1e-6)
    return ",".join(f"{name}={share:.6f}" for name, share in zip(EXPRESSIONS, values, strict=True))


def stored_prior(models: Iterable[Mapping[str, Any]]) -> NDArray[np.float64] | None:
    """(7,) the prior of the model that judged expressions, as its card states it; None where it does not."""
    stated = next((model.get("prior") for model in models if model.get("task") == "expression"), None)
    if not isinstance(stated, Mapping):
        return None
    return np.array([float(stated[name]) for name in EXPRESSIONS])


def factors(wanted: Any, models: Iterable[Mapping[str, Any]]) -> Factors | None:
    """What takes stored posteriors to a prior; None where they stay. wanted: the setting. models: those of a report.

    Raises `ValueError` where the model's own prior is not known.
    """
    if wanted in (None, EVERYDAY):
        return None
    own = stored_prior(models)
    if own is None:
        raise ValueError("the card of this model does not state the prior of its posteriors")
    text = canonical(str(wanted))
    shares = np.ones(len(EXPRESSIONS)) if text == EVEN else np.array([float(p.split("=")[1]) for p in text.split(",")])
    return np.asarray(shares / shares.sum() / own, np.float64)


def reweighted(posteriors: NDArray[np.float32], by: Factors | None) -> NDArray[np.float32]:
    """(n, 7) posteriors, each expression multiplied by its factor; NaN stays."""
    if by is None:
        return posteriors
    products = posteriors * by.astype(np.float32)
    return np.asarray(products / products.sum(axis=1, keepdims=True), np.float32)


def is_prior(stated: Any) -> bool:
    """Whether that is what a card may state as `prior`."""
    if stated is None:
        return True
    try:
        return isinstance(stated, Mapping) and bool(of_shares(stated))
    except (TypeError, ValueError):
        return False
