"""Pictures that are shared out to workers: one that ends its worker costs no other."""

from __future__ import annotations

import numpy as np
import pytest

from visagram.core.stages import Framing
from visagram.workers.checks import check
from visagram.workers.pictures import CHUNK, look_at


class FragilePool:
    """A pool whose workers die of pictures called 'bad'."""

    def __init__(self):
        self.asked = []

    def run(self, tasks):
        for number, (_, values, _) in enumerate(tasks):
            self.asked.append(values["names"])
            for name in values["names"]:
                if name == "bad":
                    yield number, ("lost", {"reason": "the decoder crashed"}, {})
                    break
                yield (
                    number,
                    ("picture", {"faces": 1, "error": "", "cropped": False}, {"luma": np.zeros((48, 48), np.uint8)}),
                )
            else:
                yield number, ("done", {}, {})


def test_every_picture_is_answered_once_and_those_that_kill_are_named():
    names = [f"{k}" for k in range(CHUNK["cropped"] + 20)]
    for place in (0, 5, 6, len(names) - 1):
        names[place] = "bad"
    found = dict(look_at(FragilePool(), {}, names, "cropped", ()))
    assert sorted(found) == list(range(len(names)))
    assert {index for index, seen in found.items() if seen.error} == {0, 5, 6, len(names) - 1}
    assert found[5].error == "bad cannot be read: the decoder crashed."


def test_an_answer_without_what_was_asked_for_holds_no_face():
    ((_, seen),) = look_at(FragilePool(), {}, ["a"], "cropped", (Framing(aligned=False),))
    assert seen.luma is None


@pytest.mark.parametrize(
    ("values", "arrays"),
    [
        ({"faces": "1", "error": "", "cropped": False}, {}),
        ({"faces": 1, "error": None, "cropped": False}, {}),
        ({"faces": 1, "error": "", "cropped": 1}, {}),
        ({"faces": 1, "error": "", "cropped": False}, {"luma": np.zeros((48, 48))}),
        ({"faces": 1, "error": "", "cropped": False}, {"luma": np.zeros((48, 48, 3), np.uint8)}),
        ({"faces": 1, "error": "", "cropped": False}, {"crop0": np.zeros((48, 48), np.uint8)}),
        ({"faces": 1, "error": "", "cropped": False}, {"crop0": np.zeros((0, 48, 3), np.uint8)}),
    ],
)
def test_a_worker_that_answers_nonsense_is_not_believed(values, arrays):
    with pytest.raises(ValueError, match="a "):
        check("picture", values, arrays)
