"""What others call our seven expressions: names of class folders, of table columns and of other models' outputs."""

from __future__ import annotations

from collections.abc import Iterable

from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError

NAMES: dict[str, tuple[str, ...]] = {
    "angry": ("angry", "anger"),
    "disgust": ("disgust", "disgusted"),
    "fear": ("fear", "fearful", "afraid", "scared"),
    "happy": ("happy", "happiness", "joy", "joyful"),
    "sad": ("sad", "sadness"),
    "surprise": ("surprise", "surprised"),
    "neutral": ("neutral", "neutrality"),
}
"""Each expression with every name it is known by. Numbers are not among them: data sets number differently."""

OTHERS = ("contempt", "unknown", "nf", "not_a_face")
"""Columns of votes for something else; they count in the majority and in nothing more."""

_KNOWN = {name: expression for expression, names in NAMES.items() for name in names}


def expression_of(label: str) -> str | None:
    """The expression that a foreign label means, None where it is none of them. Case and outer blanks do not matter."""
    return _KNOWN.get(label.strip().casefold())


def mapped(labels: Iterable[str], where: str, skip: Iterable[str] = ()) -> dict[str, str]:
    """Each label to its expression. Labels in `skip` are left out. Raises `DataError` that lists the unknown ones."""
    left_out = {name.strip().casefold() for name in skip}
    kept = sorted({label for label in labels if label.strip().casefold() not in left_out})
    found = {label: expression_of(label) for label in kept}
    unknown = [repr(label) for label, expression in found.items() if expression is None]
    if unknown:
        listed = ", ".join(unknown[:10]) + (f" and {len(unknown) - 10} more" if len(unknown) > 10 else "")
        raise DataError(
            f"{where} has labels that are none of the seven expressions: {listed}. "
            f"Known are {', '.join('/'.join(NAMES[name]) for name in EXPRESSIONS)}; rename them, or leave them out."
        )
    return {label: expression for label, expression in found.items() if expression is not None}
