"""Generated faces as data to train on."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from visagram.core.geometry import CROP
from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError
from visagram.evaluate.data import Votes
from visagram.learn.data import Faces48
from visagram.learn.origin import Added
from visagram.synth.collection import MANIFEST, read_collection
from visagram.synth.finder import FaceFinder

VOTES = 10.0
"""A generated face counts as if ten people had agreed: as many as voted on each real one."""


def accepted_faces(folder: Path) -> Added:
    """The accepted faces of a folder. Raises `DataError` where there are none, or an image was exchanged."""
    faces = read_collection(folder)
    records = [record for record in faces if record.accepted]
    if not records:
        raise DataError(f"{folder} holds no accepted face: run visagram synth select, or accept some by hand.")
    luma, finder = np.empty((len(records), CROP, CROP), np.uint8), FaceFinder()
    for k, record in enumerate(records):
        picture = faces.picture(record)
        if picture.shape != (CROP, CROP):
            (look,) = finder.look([picture])
            if not look.faces:
                raise DataError(f"{folder / record.file} shows no face that could be trained on: reject it.")
            picture = look.crop
        luma[k] = picture
    labels = np.array([EXPRESSIONS.index(record.expression) for record in records])
    votes = Votes(VOTES * np.eye(len(EXPRESSIONS))[labels], np.zeros(len(records)))
    makers = sorted({(record.generator, record.generator_sha256) for record in records})
    return Added.of(
        Faces48(luma, votes),
        {
            "generators": [{"name": name, "sha256": digest} for name, digest in makers],
            "manifest_sha256": hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest(),
        },
    )
