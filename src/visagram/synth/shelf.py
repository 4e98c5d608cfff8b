"""The studio's faces as its page shows them and people judge them; the serving process imports this, so it is light."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from visagram.errors import Conflict, FolderInUse
from visagram.synth.collection import MANIFEST, Collection, open_collection, read_collection
from visagram.synth.review import overrule

BETWEEN_SECONDS = 0.2
WAIT_SECONDS = 5.0
"""For how long a person's judgement waits for whoever works on the folder."""


def shown(folder: Path) -> Collection:
    """The faces of a folder, none where nothing was made yet. Raises `DataError`."""
    return read_collection(folder) if (folder / MANIFEST).is_file() else Collection(folder, ())


def judge_by_hand(folder: Path, file: str, review: str) -> None:
    """Note what a person says of a face. Raises `Conflict` while faces are being made."""
    until = time.monotonic() + WAIT_SECONDS

    def wait() -> None:
        if time.monotonic() > until:
            raise Conflict("Faces are being made: judge them as soon as that is done.")
        time.sleep(BETWEEN_SECONDS)

    def note() -> None:
        with open_collection(folder, must_exist=True) as faces:
            overrule(faces, [file], review)

    patiently(note, wait)


def patiently(work: Callable[[], object], wait: Callable[[], None]) -> None:
    """Do it as soon as nobody else works on the folder. wait: called between two tries."""
    while True:
        try:
            work()
            return
        except FolderInUse:
            wait()
