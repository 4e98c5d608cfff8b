"""What a card of an expression network says in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visagram.core.types import EXPRESSIONS

APPARENT = (
    "Apparent expression is what a face looks like to people who label photographs. A scowl is not anger, and a smile "
    "is not happiness: faces say little about what somebody feels (Barrett et al. 2019, doi 10.1177/1529100619832930)."
)
INTENDED = "Apparent facial expression in video, for research and review by people."
MISUSE = (
    "To say what a person feels, thinks or intends, or to decide about a person.",
    "At work or in education in the EU: inferring emotions there is prohibited (AI Act, Art. 5(1)(f)). Elsewhere the "
    "people exposed to it must be told (Art. 50(3)).",
    "To compare groups of people by what it says of them: it was not tested for equal accuracy across skin tones, ages "
    "or head coverings, and its data have no such labels.",
)
OF_FERPLUS = ("Learned from web photographs, many of actors and stock models: everyday faces are calmer.",)
LIMITS = (
    "Dark, turned or covered faces are read less well; Visagram leaves strongly turned, blurred and cut-off faces out.",
    "Talking moves the mouth: single frames of a talking person can look surprised or happy. Statistics over seconds "
    "are steadier than frames.",
    "Not measured on children, drawings and painted faces by themselves.",
)
MOST_CONFUSED = 4
LEAST_SHARE = 0.08
"""Share of an expression's faces below which a confusion is not worth a sentence."""


def sentences(confusion: NDArray[np.integer[Any]], *, ferplus: bool) -> dict[str, Any]:
    """The keys of a card that are words. confusion: (7, 7) counts, rows are labels. ferplus: whether it learned from
    FER+, whose limits are known."""
    return {
        "intended_use": INTENDED,
        "misuse": list(MISUSE),
        "apparent": APPARENT,
        "limits": [*confusions(confusion), *(OF_FERPLUS if ferplus else ()), *LIMITS],
    }


def confusions(confusion: NDArray[np.integer[Any]]) -> Iterator[str]:
    """Its most frequent mistakes, as sentences, the largest share of an expression's faces first."""
    totals = confusion.sum(axis=1, keepdims=True)
    shares = np.divide(confusion, totals, out=np.zeros(confusion.shape), where=totals > 0)
    np.fill_diagonal(shares, 0)
    for place in np.argsort(-shares, axis=None, kind="stable")[:MOST_CONFUSED]:
        label, answer = divmod(int(place), len(EXPRESSIONS))
        if shares[label, answer] < LEAST_SHARE:
            return
        yield (
            f"Takes {EXPRESSIONS[label]} for {EXPRESSIONS[answer]}: {int(confusion[label, answer])} of "
            f"{int(totals[label, 0])} faces ({100 * shares[label, answer]:.0f} %)."
        )
