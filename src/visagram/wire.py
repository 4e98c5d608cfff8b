"""Messages between a program and its worker processes: JSON plus raw arrays, so that nothing a worker sends can run."""

from __future__ import annotations

import dataclasses
import json
import math
import struct
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from visagram.core.segments import Probed, Segment, Timeline
from visagram.core.types import COLUMNS, Observations, ResultWarning, Shape, TrackSummary, VideoFacts

LARGEST = 1 << 30
_HEAD = struct.Struct(">I")
Arrays = dict[str, NDArray[Any]]
TIMELINE = ("pts", "keys", "key_packets", "packets", "marks", "restarts", "loose")
SEGMENT = ("pts", "frames", "spans", "packets", "marks", "loose")
"""Fields that are arrays."""


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
        count = math.prod(map(int, shape))
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
    """Facts of an older version lack what it did not find out."""
    exact: dict[str, Any] = {name: Fraction(values[name]) for name in ("duration", "rate")}
    return VideoFacts(**(values | exact | {"shapes": tuple(Shape(**shape) for shape in values.get("shapes", ()))}))


def pack_probed(probed: Probed) -> tuple[dict[str, Any], Arrays]:
    values, arrays = pack_timeline(probed.timeline)
    warnings = [dataclasses.asdict(warning) for warning in probed.warnings]
    return {"facts": pack_facts(probed.facts), "timeline": values, "warnings": warnings}, arrays


def unpack_probed(values: dict[str, Any], arrays: Arrays) -> Probed:
    """What an older version probed has no warnings."""
    warnings = tuple(ResultWarning(**warning) for warning in values.get("warnings", ()))
    return Probed(unpack_facts(values["facts"]), unpack_timeline(values["timeline"], arrays), warnings)


def pack_timeline(timeline: Timeline) -> tuple[dict[str, Any], Arrays]:
    values = {name: getattr(timeline, name) for name in ("end", "origin", "seekable", "by_byte", "whole")}
    return values | {"base": str(timeline.base)}, {name: getattr(timeline, name) for name in TIMELINE}


def unpack_timeline(values: dict[str, Any], arrays: Arrays) -> Timeline:
    """A timeline of an older version has no marks, by which packets are told apart."""
    known: dict[str, Any] = {name: arrays[name] for name in TIMELINE if name in arrays}
    known |= {"seekable": bool(values.get("seekable", True)), "by_byte": bool(values.get("by_byte"))}
    known["whole"] = bool(values.get("whole", True))
    return Timeline(base=Fraction(values["base"]), end=int(values["end"]), origin=int(values["origin"]), **known)


def pack_segment(segment: Segment) -> tuple[dict[str, Any], Arrays]:
    values = {name: getattr(segment, name) for name in ("number", "core", "seek", "first_packet", "by_byte")}
    return values, {name: getattr(segment, name) for name in SEGMENT}


def unpack_segment(values: dict[str, Any], arrays: Arrays) -> Segment:
    return Segment(
        number=values["number"],
        core=values["core"],
        seek=values["seek"],
        first_packet=values["first_packet"],
        by_byte=values["by_byte"],
        **{name: arrays[name] for name in SEGMENT},
    )


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
