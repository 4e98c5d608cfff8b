"""A result as JSON: the figures at the top, everything behind them below."""

from __future__ import annotations

from typing import Any

import numpy as np

from visagram import __version__
from visagram.core.types import EXPRESSIONS
from visagram.evaluate import compare, groups
from visagram.evaluate.compare import Comparison
from visagram.evaluate.groups import GroupFigures
from visagram.evaluate.metrics import Agreement, Curve, Figures
from visagram.evaluate.run import Evaluation, Result, Used

SCHEMA = "visagram-evaluation/1"
MOST_POINTS = 200
"""Of the risk-coverage curve."""
MOST_NAMED = 100
RISKS = (0.01, 0.02, 0.05, 0.1)
"""Risks whose thresholds are told."""


def to_json(result: Result) -> dict[str, Any]:
    """Of one model its figures stand at the top level; of two they stand in `models`, beside `comparison`. Figures
    without copies of other data stand in `without_copies` in the same way."""
    common = {"data": _data(result.data), "seed": result.seed, "schema": SCHEMA, "visagram": __version__}
    without = None if result.without is None else _measured(result.without)
    return _measured(result) | {"without_copies": without} | common


def _measured(result: Result) -> dict[str, Any]:
    models = [_evaluation(each) for each in result.evaluations]
    if result.comparison is None:
        return models[0]
    names = [each.name for each in result.evaluations]
    return {"comparison": _comparison(result.comparison, names), "models": models}


def _evaluation(each: Evaluation) -> dict[str, Any]:
    return {
        **_figures(each.figures),
        "unsure": _unsure(each),
        "votes": _agreement(each.agreement),
        "groups": _groups(each.groups),
        "model": {"asked_for": each.name} | each.model,
    }


def _figures(figures: Figures) -> dict[str, Any]:
    """Of all faces, and of each group."""
    names = ("accuracy", "macro_recall", "macro_f1", "nll", "brier", "aurc")
    estimates = {name: getattr(figures, name) for name in names}
    return {
        **{name: estimate.value for name, estimate in estimates.items()},
        "macro_f1_classes": list(figures.macro_f1_classes),
        "ece": figures.ece.plug_in,
        "ece_debiased": figures.ece.debiased,
        "ece_perfect": figures.ece.perfect.to_json(),
        "faces": figures.faces,
        "intervals": {name: [estimate.low, estimate.high] for name, estimate in estimates.items()},
        "per_class": _classes(figures),
        "confusion": {
            "rows": "labels",
            "columns": "answers",
            "expressions": list(EXPRESSIONS),
            "counts": figures.confusion.tolist(),
        },
        "reliability": [
            {"low": b.low, "high": b.high, "faces": b.faces, "confidence": b.confidence, "accuracy": b.accuracy}
            for b in figures.reliability
        ],
        "risk_coverage": _curve(figures.curve),
    }


def _classes(figures: Figures) -> dict[str, Any]:
    return {
        each.expression: {
            "faces": each.faces,
            "recall": each.recall.value,
            "recall_interval": [each.recall.low, each.recall.high],
            "precision": each.precision,
            "f1": each.f1,
        }
        for each in figures.classes
    }


def _curve(curve: Curve) -> dict[str, Any]:
    chosen = thinned(len(curve.risk))
    points = [
        {"coverage": float(curve.coverage[k]), "risk": float(curve.risk[k]), "threshold": float(curve.threshold[k])}
        for k in chosen
    ]
    return {"points": points, "at_risk": [_at_risk(curve, risk) for risk in RISKS]}


def _at_risk(curve: Curve, risk: float) -> dict[str, Any]:
    found = curve.at_risk(risk)
    if found is None:
        return {"most_risk": risk, "threshold": None, "coverage": 0.0, "risk": None}
    threshold, coverage, reached = found
    return {"most_risk": risk, "threshold": threshold, "coverage": coverage, "risk": reached}


def _unsure(each: Evaluation) -> dict[str, Any] | None:
    """What the threshold of the model's card does on these faces."""
    if (below := each.unsure_below) is None:
        return None
    coverage, risk = each.figures.answers.above(below)
    return {"below": each.model["unsure_below"], "coverage": coverage, "accuracy": None if risk is None else 1 - risk}


def thinned(points: int) -> list[int]:
    """Indices of at most `MOST_POINTS` points, the first and the last among them."""
    return [int(k) for k in np.unique(np.linspace(0, points - 1, min(points, MOST_POINTS)).round())]


def _agreement(found: Agreement | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "faces": found.faces,
        "kl": found.kl.value,
        "kl_interval": [found.kl.low, found.kl.high],
        "pearson": {
            name: {"value": each.value, "interval": [each.low, each.high]} for name, each in found.pearson.items()
        },
    }


def _groups(found: tuple[GroupFigures, ...] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    each = {
        group.name: _figures(group.figures)
        | {"expected_accuracy": group.expected, "p": group.p, "p_holm": group.p_holm}
        for group in found
    }
    return {"method": groups.METHOD, "groups": each}


def _comparison(found: Comparison, names: list[str]) -> dict[str, Any]:
    return {
        "method": compare.METHOD,
        "first": names[0],
        "second": names[1],
        "faces": found.faces,
        "both_right": found.both,
        "only_first_right": found.only_first,
        "only_second_right": found.only_second,
        "both_wrong": found.neither,
        "mcnemar_p": found.p,
        "second_minus_first": {
            **{name: getattr(found, name).to_json() for name in ("accuracy", "macro_recall", "macro_f1")},
            **{name: {"value": getattr(found, name)} for name in ("ece", "ece_debiased")},
            "recall": {name: each.to_json() for name, each in found.recalls.items()},
        },
    }


def _data(used: Used) -> dict[str, Any]:
    return {
        "name": used.name,
        "kind": used.kind,
        "split": used.split or None,
        "cropped": used.cropped == used.pictures,
        "cropped_pictures": used.cropped,
        "pictures": used.pictures,
        "judged": used.judged,
        "rule": used.rule,
        "faces_by_expression": used.counts,
        "faces_not_found": len(used.not_found),
        "pictures_without_a_face": list(used.not_found[:MOST_NAMED]),
        "pictures_with_several_faces": used.several,
        "copies": None if used.copies is None else {"of": used.copies.other, "pictures": used.copies.pictures},
        "labels": used.mapping,
        "left_out": used.skipped,
    }
