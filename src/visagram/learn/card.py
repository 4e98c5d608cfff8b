"""What the card of a trained network says of it: how good, how sure and how steady it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visagram.core.types import EXPRESSIONS
from visagram.evaluate.duplicates import Prints, held_too
from visagram.evaluate.intervals import Estimate
from visagram.evaluate.metrics import Figures, agreement, measure
from visagram.learn.calibrate import calibrate, clipped, fit_temperature, judge_thresholds, softmax64
from visagram.learn.data import Faces48
from visagram.learn.robust import DARK, SCALE, SHIFT, total_variation

SEED = 0
"""Of the intervals."""
VARIED = 1000
"""About as many faces are mirrored, moved, scaled and darkened."""

Answer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""(n, 48, 48) faces to (n, 7) logits."""


def judge(answer: Answer, faces: Faces48, held_out: Faces48, split: str) -> dict[str, Any]:
    """The parts of a card that are measured. faces: what the network learned from. held_out: what it is judged on, of
    which only faces with a majority count; split: its name. Accuracy, recalls, calibration and confusion are of
    posteriors whose temperature was not fitted to their own face; agreement with the votes and steadiness are of the
    temperature that ships."""
    logits, votes = answer(held_out.luma), held_out.votes
    clear, spoken = votes.majority, votes.informative
    luma, labels = held_out.luma[clear], votes.labels[clear]
    temperature, crossed, how = calibrate(logits[spoken], votes.seven[spoken], f"every vote of {split}")
    posteriors = softmax64(logits / temperature)
    judged = crossed[clear[spoken]]
    figures = measure(judged, labels, SEED)
    thresholds = judge_thresholds(logits[spoken], votes.seven[spoken], clear[spoken], labels)
    how |= {"ece_15": round(figures.ece.plug_in, 4), "risk_coverage": thresholds}
    below = thresholds["unsure_below"]
    doubted = posteriors[spoken & ~clear]
    unclear = doubted.max(axis=1) < np.array([below[name] for name in EXPRESSIONS])[doubted.argmax(axis=1)]
    own = ~held_too(Prints.of(luma), Prints.of(faces.luma))
    opinion = agreement(posteriors[spoken], votes.shares[spoken], SEED)
    varied = total_variation(lambda some: softmax64(answer(some) / temperature), luma[:: max(1, len(luma) // VARIED)])
    metrics = {
        "split": f"{split}, 7 classes, faces where one has more than half of all votes",
        **_figures(figures),
        "votes": {
            "faces": opinion.faces,
            "kl": round(opinion.kl.value, 4),
            "pearson": {name: round(found.value, 4) for name, found in opinion.pearson.items()},
        },
    }
    if own.any() and not own.all():
        metrics["without_copies"] = _figures(measure(judged[own], labels[own], SEED))
    return {
        "temperature": temperature,
        "unsure_below": below,
        "metrics": metrics,
        "confusion": figures.confusion.tolist(),
        "reliability": [
            {name: round(value, 4) for name, value in dataclasses.asdict(each).items()} for each in figures.reliability
        ],
        "calibration": how
        | {"unsure_of_faces_without_majority": round(float(unclear.mean()), 4) if len(unclear) else None},
        "total_variation": {
            "changes": f"mirrored; moved by {SHIFT:.0f} pixel; {SCALE:.0%} larger and smaller; {DARK} of the light",
            **{name: round(value, 4) for name, value in varied.items()},
        },
    }


def cost_of_rounding(exact: Answer, rounded: Answer, held_out: Faces48) -> dict[str, Any]:
    """What computing in 8-bit integers changes, on the faces that `judge` counts: share of the same answers, accuracy
    before and after, and mean total variation between the posteriors, each at its own temperature, with whether one of
    these is at the end of those that were tried."""
    clear = held_out.votes.majority
    luma, labels = held_out.luma[clear], held_out.votes.labels[clear]
    before, after = exact(luma), rounded(luma)
    wanted = np.eye(len(EXPRESSIONS))[labels]
    temperatures = [fit_temperature(logits, wanted) for logits in (before, after)]
    posteriors = [softmax64(logits / t) for logits, t in zip((before, after), temperatures, strict=True)]
    answers, rounded_answers = before.argmax(axis=1), after.argmax(axis=1)
    return {
        "accuracy_in_float": round(float((answers == labels).mean()), 4),
        "accuracy": round(float((rounded_answers == labels).mean()), 4),
        "same_answers": round(float((answers == rounded_answers).mean()), 4),
        "total_variation": round(float(np.abs(posteriors[0] - posteriors[1]).sum(axis=1).mean() / 2), 4),
        "temperature_clipped": clipped(*temperatures),
    }


def _figures(found: Figures) -> dict[str, Any]:
    main = {
        "accuracy": found.accuracy,
        "macro_recall": found.macro_recall,
        "macro_f1": found.macro_f1,
    }
    recalls = {each.expression: each.recall for each in found.classes}
    return {
        "faces": found.faces,
        **_values(main),
        "macro_f1_classes": list(found.macro_f1_classes),
        "ece_15": round(found.ece.plug_in, 4),
        "ece_debiased": round(found.ece.debiased, 4),
        "ece_perfect": {name: round(value, 4) for name, value in found.ece.perfect.to_json().items()},
        "recall": _values(recalls),
        "intervals": _intervals(main) | {"recall": _intervals(recalls)},
    }


def _values(found: dict[str, Estimate]) -> dict[str, float]:
    return {name: round(each.value, 4) for name, each in found.items()}


def _intervals(found: dict[str, Estimate]) -> dict[str, Any]:
    return {name: [round(each.low, 4), round(each.high, 4)] for name, each in found.items()}
