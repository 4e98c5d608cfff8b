"""Messages between a program and its worker processes: JSON plus raw arrays, so that nothing a worker sends can run."""

from __future__ import annotations

import dataclasses
import json
import struct
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from visagram.core.segments import Segment, Timeline
from visagram.core.types import COLUMNS, Observations, TrackSummary, VideoFacts

LARGEST = 1 << 30
_HEAD = struct.Struct(">I")
Arrays = dict[str, NDArray[Any]]


def send(stream: BinaryIO, kind: str, values: dict[str, Any] | None = None, arrays: Arrays | None = None) -> None:
    """Write one message and flush."""
    packed = {name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
    shapes = [[name, array.dtype.str, list(array.shape)] for name, array in packed.items()]
    head = json.dumps({"kind": kind, "values": values or {}, "arrays": shapes}).encode()
    stream.write(_HEAD.pack(len(head)) + head)
    for array in packed.values():
        stream.write(array.tobytes())
    stream.flush()


def receive(stream: BinaryIO) -> tuple[str, dict[str, Any], Arrays] | None:
    """Read one message; None at the end of the stream. Raises `ValueError` for what is not a message."""
    size = stream.read(_HEAD.size)
    if not size:
        return None
    if len(size) < _HEAD.size:
        raise ValueError("a message broke off")
    try:
        return _message(stream, _HEAD.unpack(size)[0])
    except (KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"not a message: {error}") from error


def _message(stream: BinaryIO, size: int) -> tuple[str, dict[str, Any], Arrays]:
    head = json.loads(_exactly(stream, size))
    if not isinstance(head["kind"], str) or not isinstance(head["values"], dict):
        raise ValueError("a message has a kind and values")
    arrays: Arrays = {}
    for name, dtype, shape in head["arrays"]:
        kind = np.dtype(dtype)
        if kind.hasobject or any(int(side) < 0 for side in shape):
            raise ValueError("a message may hold plain arrays only")
        count = int(np.prod(shape, dtype=object))
        arrays[name] = np.frombuffer(_exactly(stream, count * kind.itemsize), kind).reshape(shape)
    return head["kind"], head["values"], arrays


def _exactly(stream: BinaryIO, size: int) -> bytes:
    if size > LARGEST:
        raise ValueError(f"a message part of {size} bytes is refused")
    content = stream.read(size)
    if len(content) < size:
        raise ValueError("a message broke off")
    return content


def pack_facts(facts: VideoFacts) -> dict[str, Any]:
    values = dataclasses.asdict(facts)
    return {name: str(value) if isinstance(value, Fraction) else value for name, value in values.items()}


def unpack_facts(values: dict[str, Any]) -> VideoFacts:
    return VideoFacts(**(values | {name: Fraction(values[name]) for name in ("duration", "rate")}))


def pack_timeline(timeline: Timeline) -> tuple[dict[str, Any], Arrays]:
    values = {"base": str(timeline.base), "end": timeline.end, "origin": timeline.origin}
    return values, {"pts": timeline.pts, "keys": timeline.keys}


def unpack_timeline(values: dict[str, Any], arrays: Arrays) -> Timeline:
    return Timeline(Fraction(values["base"]), arrays["pts"], arrays["keys"], int(values["end"]), int(values["origin"]))


def pack_segment(segment: Segment) -> tuple[dict[str, Any], Arrays]:
    values = {"number": segment.number, "core": segment.core, "seek": segment.seek}
    return values, {"pts": segment.pts, "frames": segment.frames, "spans": segment.spans}


def unpack_segment(values: dict[str, Any], arrays: Arrays) -> Segment:
    return Segment(values["number"], arrays["pts"], arrays["frames"], arrays["spans"], values["core"], values["seek"])


def pack_observations(observations: Observations) -> Arrays:
    return {name: getattr(observations, name) for name in COLUMNS}


def unpack_observations(arrays: Arrays) -> Observations:
    """Raises `ValueError` where a column is missing or has another shape than it must."""
    rows = arrays["frame"].size if "frame" in arrays else 0
    for name, (dtype, shape) in COLUMNS.items():
        column = arrays.get(name)
        if column is None or column.shape != (rows, *shape) or column.dtype != dtype:
            raise ValueError(f"the column {name} does not fit")
    return Observations(**{name: arrays[name] for name in COLUMNS})


def pack_track(track: TrackSummary) -> tuple[dict[str, Any], Arrays]:
    values = {
        field.name: getattr(track, field.name)
        for field in dataclasses.fields(TrackSummary)
        if field.name not in ("embedding", "thumbnail")
    }
    arrays: Arrays = {"thumbnail": np.frombuffer(track.thumbnail, np.uint8)}
    if track.embedding is not None:
        arrays["embedding"] = track.embedding
    return values, arrays


def unpack_track(values: dict[str, Any], arrays: Arrays) -> TrackSummary:
    return TrackSummary(**values, embedding=arrays.get("embedding"), thumbnail=arrays["thumbnail"].tobytes())
