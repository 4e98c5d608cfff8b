"""A model's card that holds everything a card can hold, for what reads and shows cards."""

from __future__ import annotations

from typing import Any

from visagram.core.types import EXPRESSIONS

CONFUSION = [[60 if row == column else 5 + row for column in range(7)] for row in range(7)]
SHARES = {name: 0.9 - 0.05 * k for k, name in enumerate(EXPRESSIONS)}


def metrics(accuracy: float, faces: int) -> dict[str, Any]:
    return {
        "faces": faces,
        "accuracy": accuracy,
        "macro_recall": 0.811,
        "macro_f1": 0.824,
        "macro_f1_classes": list(EXPRESSIONS),
        "ece_15": 0.0113,
        "ece_debiased": 0.0082,
        "ece_perfect": {"mean": 0.0108, "low": 0.0061, "high": 0.017},
        "recall": SHARES,
        "intervals": {
            "accuracy": [accuracy - 0.01, accuracy + 0.009],
            "macro_recall": [0.77, 0.85],
            "recall": {name: [share - 0.08, min(1.0, share + 0.06)] for name, share in SHARES.items()},
        },
    }


def full_card() -> dict[str, Any]:
    """All optional facts; its threshold is p = 0.58."""
    return {
        "version": "0.2.0",
        "trained_on": "Photographs of faces with votes of ten people each",
        "intended_use": "Apparent facial expression in video, for research and review by people.",
        "apparent": "What a face looks like to people who label photographs, not what a person feels.",
        "misuse": ["Deciding about a person.", "Work and education in the EU.", "Telling lies from truth."],
        "data": [
            {"name": "FER+", "what": "Votes of ten people on each photograph.", "terms": "MIT, the votes alone."},
            {"name": "FER2013", "what": "35,887 photographs from the web.", "terms": "For research."},
        ],
        "limits": ["Fear is taken for surprise.", "Dark, turned and covered faces.", "Children and drawings."],
        "metrics": {"split": "test faces with a majority", **metrics(0.926, 2720)}
        | {
            "without_copies": metrics(0.921, 2655),
            "votes": {"faces": 3100, "kl": 0.231, "pearson": dict.fromkeys(EXPRESSIONS, 0.87)},
        },
        "temperature": 0.63,
        "unsure_below": 0.58,
        "calibration": {
            "kind": "temperature",
            "ece_15": 0.0113,
            "ece_15_uncalibrated": 0.108,
            "unsure_of_faces_without_majority": 0.41,
            "risk_coverage": {
                "risk": 0.05,
                "unsure_below": 0.58,
                "coverage": 0.93,
                "accuracy": 0.95,
                "points": [
                    [0.2, 1.0, 0.926],
                    [0.4, 0.98, 0.935],
                    [0.58, 0.93, 0.95],
                    [0.8, 0.8, 0.98],
                    [1.0, 0.1, 1.0],
                ],
            },
        },
        "reliability": [
            {
                "low": k / 15,
                "high": (k + 1) / 15,
                "faces": 40 * k,
                "confidence": (k + 0.5) / 15,
                "accuracy": (k + 0.2) / 15,
            }
            for k in range(3, 15)
        ],
        "confusion": CONFUSION,
        "total_variation": {
            "changes": "mirrored; moved by 1 pixel",
            "mirror": 0.031,
            "shift_1px": 0.045,
            "mean": 0.038,
        },
        "speed": {"threads": 1, "note": "fastest run", "one_face_ms": 0.93, "face_of_16_ms": 0.55},
        "recipe": {"name": "small", "widths": [32, 64]},
        "history": [{"epoch": k, "loss": 1.5 - k / 10, "accuracy": 0.5 + k / 20} for k in range(1, 7)],
        "reviewed_by": "somebody",
    }
