"""What a card says in sentences: its mistakes are counted, not written by hand."""

from __future__ import annotations

import numpy as np

from visagram.core.types import EXPRESSIONS
from visagram.learn.words import MOST_CONFUSED, confusions, sentences


def _counts(**mistakes):
    """A hundred faces of each expression, all read rightly but for `label_answer=n`."""
    found = np.diag([100] * len(EXPRESSIONS))
    for pair, n in mistakes.items():
        label, answer = (EXPRESSIONS.index(name) for name in pair.split("_"))
        found[label, answer] += n
        found[label, label] -= n
    return found


def test_the_worst_mistakes_come_first():
    found = list(confusions(_counts(sad_neutral=12, fear_surprise=30)))
    assert found == [
        "Takes fear for surprise: 30 of 100 faces (30 %).",
        "Takes sad for neutral: 12 of 100 faces (12 %).",
    ]


def test_rare_mistakes_are_not_worth_a_sentence():
    assert list(confusions(_counts(sad_neutral=7))) == []


def test_there_are_no_more_than_a_few():
    many = {f"{name}_{'sad' if name != 'sad' else 'happy'}": 20 for name in EXPRESSIONS}
    assert len(list(confusions(_counts(**many)))) == MOST_CONFUSED


def test_an_expression_without_faces_has_no_mistakes():
    assert list(confusions(np.zeros((7, 7), int))) == []


def test_the_limits_begin_with_its_own_mistakes_and_name_those_of_known_data():
    said = sentences(_counts(fear_surprise=30), ferplus=True)
    assert said["limits"][0].startswith("Takes fear for surprise")
    assert all(isinstance(text, str) for text in [*said["limits"], *said["misuse"], said["apparent"]])
    assert any("web photographs" in text for text in said["limits"])
    assert not any("web photographs" in text for text in sentences(_counts(), ferplus=False)["limits"])
