"""Which stream of a file is the film."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from av.stream import Disposition

from visagram.core.types import ResultWarning
from visagram.errors import UsageError
from visagram.media.bitstream import Holds
from visagram.media.packets import Packets
from visagram.media.streams import choose

NONE = Disposition(0)


@dataclass
class Context:
    name: str = "h264"


@dataclass
class Stream:
    index: int
    width: int | None = 64
    height: int | None = 48
    disposition: Disposition = NONE
    codec_context: Context = field(default_factory=Context)
    metadata: dict[str, str] = field(default_factory=dict)


def stream(index: int, pictures: int = 100, codec: str = "h264", **how: object) -> tuple[Stream, Packets]:
    zeros, flags = np.zeros(pictures + 1, np.int64), np.zeros(pictures + 1, bool)
    holds = np.full(pictures + 1, Holds.PICTURE, np.int8)
    holds[-1] = Holds.NOTHING
    packets = Packets(index, zeros, zeros, zeros, zeros, zeros, flags, flags, holds, ())
    return Stream(index, codec_context=Context(codec), **how), packets  # type: ignore[arg-type]


def chosen(*pairs: tuple[Stream, Packets], wanted: int | None = None) -> tuple[int, tuple[ResultWarning, ...]]:
    streams, packets = zip(*pairs, strict=True)
    found, its, warnings = choose(streams, packets, wanted, Path("a.mp4"))
    assert its.stream == found.index
    return found.index, warnings


def test_a_single_stream_needs_no_word() -> None:
    assert chosen(stream(3)) == (3, ())
    assert chosen(stream(3), wanted=3) == (3, ())
    assert chosen(stream(3, pictures=0)) == (3, ())
    assert chosen(stream(3, pictures=1, codec="mjpeg")) == (3, ())


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([stream(0), stream(1)], 0),
        ([stream(1), stream(0)], 0),
        ([stream(0), stream(1, width=65)], 1),
        ([stream(0, height=None), stream(1)], 1),
        ([stream(0, width=None), stream(1)], 1),
        ([stream(0, width=8, height=9), stream(1, width=9, height=8)], 0),
        ([stream(0, width=10, height=2), stream(1, width=6, height=5)], 1),
        ([stream(0, width=999), stream(1, disposition=Disposition.default)], 1),
        ([stream(0, disposition=Disposition.default), stream(1, width=99, disposition=Disposition.default)], 1),
    ],
)
def test_the_default_stream_comes_first_then_the_largest_then_the_first(
    pairs: list[tuple[Stream, Packets]], expected: int
) -> None:
    number, (warning,) = chosen(*pairs)
    assert number == expected
    assert (warning.code, warning.count) == ("several_videos", 2)


@pytest.mark.parametrize(
    "beside",
    [
        stream(1, width=999, disposition=Disposition.timed_thumbnails),
        stream(1, width=999, disposition=Disposition.still_image),
        stream(1, width=999, disposition=Disposition.dependent | Disposition.default),
        stream(1, width=999, pictures=0),
        stream(1, width=999, pictures=1),
        *(
            stream(1, width=999, pictures=10, codec=codec)
            for codec in ("mjpeg", "png", "apng", "bmp", "gif", "tiff", "webp", "jpegls", "jpeg2000")
        ),
    ],
)
def test_covers_thumbnails_and_empty_streams_are_no_films(beside: tuple[Stream, Packets]) -> None:
    assert chosen(stream(0), beside) == (0, ())
    assert chosen(beside, stream(0)) == (0, ())
    assert chosen(stream(0), beside, wanted=1)[0] == 1, "unless somebody wants them"


@pytest.mark.parametrize(("pictures", "codec"), [(11, "mjpeg"), (10, "h264"), (2, "h264")])
def test_a_short_film_is_a_film(pictures: int, codec: str) -> None:
    assert len(chosen(stream(0), stream(1, pictures, codec))[1]) == 1


def test_where_there_is_nothing_else_what_is_beside_a_film_is_one() -> None:
    thumbnails = stream(1, disposition=Disposition.timed_thumbnails)
    assert chosen(stream(0, pictures=0), thumbnails) == (1, ())
    assert chosen(stream(0, pictures=0), stream(1, pictures=0, width=99))[0] == 1
    # Two single pictures are two videos.
    assert chosen(stream(0, pictures=1), stream(1, pictures=1, width=99))[0] == 1
    # A marked film with more pictures than the only other one.
    assert chosen(stream(0, pictures=1), thumbnails) == (0, ())


def test_other_videos_are_named() -> None:
    second = stream(4, 1, "vp9", width=1920, height=1080, metadata={"title": "Camera 2"})
    third = stream(7, 60, "hevc", metadata={"TITLE": "Camera 3"})
    message = (
        "The file holds 3 videos. Analysed: stream 2 (h264, 64x48, 2 frames). Not analysed: stream 4 (vp9, 1920x1080, "
        "2 frames, 'Camera 2'); stream 7 (hevc, 64x48, 60 frames, 'Camera 3'). Choose another with --stream or in the "
        "form."
    )
    first = stream(2, 2, disposition=Disposition.default)
    second = stream(4, 2, "vp9", width=1920, height=1080, metadata={"title": "Camera 2"})
    assert chosen(third, first, second) == (2, (ResultWarning("several_videos", message, 3),))
    message = (
        "The file holds 3 videos. Analysed: stream 7 (hevc, 64x48, 60 frames, 'Camera 3'). Not analysed: stream 2 "
        "(h264, 64x48, 2 frames); stream 4 (vp9, 1920x1080, 2 frames, 'Camera 2'). Choose another with --stream or in "
        "the form."
    )
    assert chosen(third, first, second, wanted=7) == (7, (ResultWarning("several_videos", message, 3),))


def test_a_number_that_is_no_video_is_refused() -> None:
    words = "Stream 5 of a.mp4 is no video that can be read. It holds stream 0 (h264, 64x48, 1 frame); stream 2 (png, "
    with pytest.raises(UsageError) as error:
        chosen(stream(2, 7, "png"), stream(0, 1), wanted=5)
    assert str(error.value) == words + "64x48, 7 frames)."
