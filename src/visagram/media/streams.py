"""Which of a file's streams is the film."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from av.stream import Disposition
from av.video.stream import VideoStream

from visagram.core.types import ResultWarning
from visagram.errors import UsageError
from visagram.media.packets import Packets

PICTURE_CODECS = frozenset({"mjpeg", "png", "apng", "bmp", "gif", "tiff", "webp", "jpegls", "jpeg2000"})
"""Codings in which files carry covers and thumbnails beside a film."""
RARE = 10
"""A track of pictures with this many times fewer of them than the film holds thumbnails."""
BESIDE = Disposition.timed_thumbnails | Disposition.still_image | Disposition.dependent
"""Streams that are marked as something beside the film."""


def choose(
    streams: Sequence[VideoStream], packets: Sequence[Packets], wanted: int | None, path: Path
) -> tuple[VideoStream, Packets, tuple[ResultWarning, ...]]:
    """The stream to analyse, its packets, and a warning where the file holds other videos too.

    wanted: a stream's number, None for the one that players choose: of the films the default one, else the largest.
    Raises `UsageError` for a number that is no video stream.
    """
    pairs = sorted(zip(streams, packets, strict=True), key=lambda pair: pair[0].index)
    films = _films(pairs)
    if wanted is not None:
        chosen = next((pair for pair in pairs if pair[0].index == wanted), None)
        if chosen is None:
            names = "; ".join(_words(*pair) for pair in pairs)
            raise UsageError(f"Stream {wanted} of {path} is no video that can be read. It holds {names}.")
    else:
        chosen = max(films, key=lambda pair: (_is_default(pair[0]), _area(pair[0]), -pair[0].index))
    warnings: tuple[ResultWarning, ...] = ()
    others = [pair for pair in films if pair[0] is not chosen[0]]
    if others:
        names = "; ".join(_words(*pair) for pair in others)
        message = (
            f"The file holds {len(others) + 1} videos. Analysed: {_words(*chosen)}. Not analysed: {names}. Choose "
            "another with --stream or in the form."
        )
        warnings = (ResultWarning("several_videos", message, len(others) + 1),)
    return *chosen, warnings


def _films(pairs: Sequence[tuple[VideoStream, Packets]]) -> list[tuple[VideoStream, Packets]]:
    """Without covers, thumbnails and empty streams, marked or not, unless there is nothing else."""
    most = max(found.pictures for _, found in pairs)
    unmarked = [pair for pair in pairs if pair[1].pictures and not pair[0].disposition & BESIDE]
    moving = [pair for pair in unmarked if not _is_beside(*pair, most)]
    return moving or unmarked or [pair for pair in pairs if pair[1].pictures] or list(pairs)


def _is_beside(stream: VideoStream, packets: Packets, most: int) -> bool:
    """A single picture beside a film, or thumbnails of it."""
    few = packets.pictures * RARE <= most and stream.codec_context.name in PICTURE_CODECS
    return most > 1 and (packets.pictures == 1 or few)


def _is_default(stream: VideoStream) -> bool:
    return bool(stream.disposition & Disposition.default)


def _area(stream: VideoStream) -> int:
    return (stream.width or 0) * (stream.height or 0)


def _words(stream: VideoStream, packets: Packets) -> str:
    title = stream.metadata.get("title") or stream.metadata.get("TITLE")
    named = f", '{title}'" if title else ""
    count = "1 frame" if packets.pictures == 1 else f"{packets.pictures} frames"
    return f"stream {stream.index} ({stream.codec_context.name}, {stream.width}x{stream.height}, {count}{named})"
