"""What a worker sends is material, not truth: a hostile file may speak through it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import visagram.wire as wire
from visagram.core.geometry import CROP
from visagram.core.types import EXPRESSIONS

JPEG = b"\xff\xd8\xff"
MOST_SHEETS = 100


def check(kind: str, values: dict[str, Any], arrays: wire.Arrays) -> None:
    """Raise `ValueError`, `KeyError` or `TypeError` for observations, a picture or a preview that are none."""
    if kind == "observations":
        wire.unpack_observations(arrays)
    elif kind == "picture":
        picture(values, arrays)
    elif kind == "preview":
        jpeg(arrays["jpeg"])
        numbers = [values["time"], values["width"], values["height"]]
        for face in values["faces"]:
            numbers += [*face["box"], face["probability"]]
            if len(face["box"]) != 4 or face["emotion"] not in (None, *EXPRESSIONS):
                raise ValueError("a face has a box and one of the expressions")
        if not np.isfinite(np.array(numbers, np.float64)).all():
            raise ValueError("a number is wanted")


def picture(values: dict[str, Any], arrays: wire.Arrays) -> None:
    """Raise `ValueError`, `KeyError` or `TypeError` for what is no answer about a picture."""
    if not isinstance(values["faces"], int) or not isinstance(values["error"], str):
        raise ValueError("a picture has a number of faces and an error, which may be empty")
    if not isinstance(values["cropped"], bool):
        raise ValueError("a picture was taken as a face, or it was not")
    for name, array in arrays.items():
        if array.dtype != np.uint8 or array.shape[2:] != (() if name == "luma" else (3,)) or 0 in array.shape:
            raise ValueError("luma is a plane of bytes, a crop has three of them")


def jpeg(content: NDArray[Any]) -> bytes:
    """The bytes of a picture. Raises `ValueError` for anything else."""
    picture = content.tobytes()
    if not picture.startswith(JPEG):
        raise ValueError("a picture is a JPEG")
    return picture


def faces(arrays: wire.Arrays, most: int) -> NDArray[np.uint8]:
    """Faces of 48x48 bytes of luma, no more than `most`. Raises `ValueError` and `KeyError`."""
    luma = arrays["luma"]
    if luma.dtype != np.uint8 or luma.shape[1:] != (CROP, CROP) or len(luma) > most:
        raise ValueError("a face is 48x48 bytes, and there are no more than were asked for")
    return luma


def strip(values: dict[str, Any], arrays: wire.Arrays) -> tuple[dict[str, Any], dict[str, bytes]]:
    """`strip.json` and the files beside it. Raises `ValueError`, `KeyError` or `TypeError`."""
    facts: dict[str, Any] = {name: int(values[name]) for name in ("width", "height", "columns", "rows", "count")}
    sheets = -(-facts["count"] // max(1, facts["columns"] * facts["rows"]))
    if not 0 < sheets <= MOST_SHEETS:
        raise ValueError("a strip has some sheets")
    names = [f"strip-{number}.jpg" for number in range(sheets)]
    pictures = {"poster.jpg": jpeg(arrays["poster"])} | {name: jpeg(arrays[name]) for name in names}
    return facts | {"interval": float(values["interval"]), "files": names}, pictures
