"""What a worker does for the web application's studio: it makes faces, and passes of the loop."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from filelock import FileLock, Timeout

from visagram.core.stages import EmotionClassifier
from visagram.core.types import Progress
from visagram.evaluate.duplicates import Prints
from visagram.learn.recipes import RECIPES
from visagram.models.card import TEACHER
from visagram.settings import Settings
from visagram.synth.catalog import EMBEDDED, check_extra, open_generator
from visagram.synth.collection import FACES, MANIFEST, open_collection
from visagram.synth.finder import FaceFinder
from visagram.synth.generate import generate
from visagram.synth.generator import expression_named, image_seed
from visagram.synth.selection import Selection, open_judge, select
from visagram.synth.shelf import BETWEEN_SECONDS, patiently


def fill(folder: Path, wanted: Mapping[str, Any], settings: Settings, progress: Progress) -> None:
    """Make the faces of a request and select among all of the folder. Here is no training data, so that copies of its
    faces are not looked for: `visagram synth select` does that before anything is trained.

    Raises what generators, judge and folder raise.
    """
    expression, count = expression_named(str(wanted["expression"])), int(wanted["count"])

    def wait() -> None:
        progress("wait", 0, count)
        time.sleep(BETWEEN_SECONDS)

    generator = open_generator(str(wanted["generator"]), settings.models_folder, offline=settings.offline)
    try:
        seed, guidance = int(wanted["seed"]), wanted["guidance"]
        patiently(lambda: generate(generator, expression, count, seed, folder, progress, guidance=guidance), wait)
    finally:
        generator.close()
    judge = open_judge(TEACHER, settings)
    try:
        patiently(lambda: _select(folder, judge), wait)
    finally:
        judge.close()


@dataclass(frozen=True, slots=True)
class Places:
    """Where a pass of the loop finds and leaves things. data: labelled sheets. faces: of the studio, with what people
    said of them. also: table of corrections, None where there are none. work: of the pass."""

    data: Path
    faces: Path
    also: Path | None
    work: Path


def improve(
    places: Places, wanted: Mapping[str, Any], settings: Settings, progress: Progress, say: Callable[[str], None]
) -> None:
    """One pass of the loop, up to its verdict. It begins with the studio's faces as they are when it first runs.

    Raises what the loop's parts raise.
    """
    check_extra("train", "The loop")
    # Imported here: it needs the extra.
    from visagram.synth.improve import Improvement, Wishes

    # Another one than any of the faces that are taken over, which may be of another generator.
    faces_seed = image_seed(int(wanted["seed"]), places.work.name, 0) >> 11
    wishes = Wishes(
        float(wanted["ratio"]),
        RECIPES["finetune"],
        TEACHER,
        int(wanted["seed"]),
        also=places.also,
        faces_seed=faces_seed,
    )

    def wait() -> None:
        progress("wait", 0, 0)
        time.sleep(BETWEEN_SECONDS)

    with _alone(places.work, wait):
        work = Improvement(places.data, places.work, settings, wishes, progress, say)
        patiently(lambda: _taken_over(places.faces, places.work / FACES), wait)
        generator = open_generator(EMBEDDED, settings.models_folder, offline=settings.offline)
        try:
            work.run(generator)
        finally:
            generator.close()


@contextmanager
def _alone(work: Path, wait: Callable[[], None]) -> Iterator[None]:
    """While nobody else works in a folder: whoever lost a lease may still be busy there for a moment."""
    work.mkdir(parents=True, exist_ok=True)
    lock = FileLock(work / ".lock", timeout=0)
    while True:
        try:
            lock.acquire()
            break
        except Timeout:
            wait()
    try:
        yield
    finally:
        lock.release()


def _taken_over(faces: Path, target: Path) -> None:
    """Copy a folder of faces, whole or not at all, to where nobody changes it."""
    if target.exists() or not (faces / MANIFEST).is_file():
        return
    with open_collection(faces, must_exist=True), TemporaryDirectory(dir=target.parent) as place:
        copy = Path(place) / FACES
        shutil.copytree(faces, copy, ignore=shutil.ignore_patterns(".*"))
        copy.rename(target)


def _select(folder: Path, judge: EmotionClassifier) -> None:
    with open_collection(folder, must_exist=True) as faces:
        select(faces, Selection(judge, FaceFinder(), Prints(0)), lambda *_: None)
