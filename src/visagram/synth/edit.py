"""A face of an analysed video with another expression, for people who agreed to it."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from visagram.core.types import Progress
from visagram.errors import Conflict, DataError, UsageError
from visagram.report import open_report
from visagram.synth.collection import Record, file_name, open_collection
from visagram.synth.generate import record_of
from visagram.synth.hub import ImageToImage

SIDE = 512
"""Longer side at which a face is edited: what most such models learned from."""
STEP = 8
"""Sides are multiples of this, as their autoencoders want."""
CONSENT = (
    "A real person's face is only edited with that person's consent: if you have it, say so with --consent. The images "
    "are marked as edited by a model."
)


def portrait(result: Path, person: int) -> NDArray[np.uint8]:
    """(h, w, 3) RGB, the face that a report shows of a person. Raises `DataError`, `UsageError`."""
    people = {each.id: each for each in open_report(result).people}
    if person not in people:
        known = ", ".join(map(str, people)) or "nobody"
        raise UsageError(f"{result} has no person {person}; it has {known}.")
    if not people[person].thumbnail:
        raise DataError(f"{result} holds no picture of person {person}.")
    try:
        with Image.open(io.BytesIO(people[person].thumbnail), formats=("JPEG",)) as image:
            scale = SIDE / max(image.size)
            width, height = (max(STEP, round(side * scale / STEP) * STEP) for side in image.size)
            return np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS))
    except (OSError, UnidentifiedImageError, ValueError) as error:
        raise DataError(f"The picture of person {person} in {result} cannot be read ({error}).") from error


def edit(
    editor: ImageToImage,
    picture: NDArray[np.uint8],
    expression: str,
    count: int,
    seed: int,
    folder: Path,
    progress: Progress,
    *,
    strength: float,
    consent: bool,
    guidance: float | None = None,
    steps: int | None = None,
) -> list[Record]:
    """`count` versions of a face in `folder`, with a manifest like that of generated ones. Raises `UsageError` without
    consent, `Conflict` where the folder holds faces of this seed already, and what the editor raises."""
    if not consent:
        raise UsageError(CONSENT)
    source, records = hashlib.sha256(picture.tobytes()).hexdigest(), []
    with open_collection(folder) as faces:
        if faces.get(file_name(expression, seed, 0)) is not None:
            raise Conflict(f"{folder} holds {expression} faces of seed {seed} already: choose another seed or folder.")
        made = editor.edit(picture, expression, count, seed, strength=strength, guidance=guidance, steps=steps)
        for done, face in enumerate(made, 1):
            record = record_of(face, expression, seed, editor, edited_from=source, consent=True)
            faces.add(face.image, record, composite=True)
            records.append(record)
            progress("edit", done, count)
    return records
