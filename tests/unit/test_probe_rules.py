"""What is found out about a file: rates, how even they are, changes, limits, each at its limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import pytest

import media_factory as media
from visagram.core.types import EXACT, ResultWarning, VideoFacts
from visagram.errors import EmptyInput, MissingInput, NotAFile, NotAVideo, NoVideoStream, TooLarge
from visagram.media.container import check_limits, check_path, open_container, open_video, video_streams
from visagram.media.probe import probe
from visagram.settings import Settings


def timed(path: Path, pts: Sequence[int], **how: object) -> Path:
    """Frames at these milliseconds."""
    frames = media.numbered(32, 24, len(pts))
    return media.write_clip(path, frames, pts=pts, time_base=Fraction(1, 1000), codec="ffv1", **how)  # type: ignore[arg-type]


def facts_of(path: Path) -> VideoFacts:
    return probe(path, Settings()).facts


@pytest.mark.parametrize(
    ("usual", "wide", "varies"),
    [
        (40, 40, False),
        (40, 42, False),
        (40, 43, True),
        (100, 105, False),
        (100, 106, True),
        (10, 12, False),
        (10, 13, True),
        (9, 9, False),
        (9, 10, True),
        (200, 190, False),
        (200, 189, True),
    ],
)
def test_a_rate_varies_where_steps_differ_by_more_than_rounding(
    tmp_path: Path, usual: int, wide: int, varies: bool
) -> None:
    pts = [usual * k for k in range(9)]
    facts = facts_of(timed(tmp_path / "a.mkv", [*pts, pts[-1] + wide]))
    assert facts.variable_rate == varies
    assert not facts_of(timed(tmp_path / "b.mkv", [0])).variable_rate


@pytest.mark.parametrize(
    ("step", "rate"),
    [
        (40, Fraction(25)),
        (79, Fraction(25)),
        (80, Fraction(25, 2)),
        (100, Fraction(10)),
        (21, Fraction(25)),
        (20, Fraction(50)),
    ],
)
def test_the_rate_is_the_containers_where_the_times_bear_it_out(tmp_path: Path, step: int, rate: Fraction) -> None:
    facts = facts_of(timed(tmp_path / "a.mkv", [step * k for k in range(12)]))
    assert facts.rate == rate
    assert (facts.frames, facts.time_basis) == (12, EXACT)


def test_where_times_are_uneven_the_rate_is_that_of_all_frames(tmp_path: Path) -> None:
    pts = [0, 100, 200, 300, 1300]
    assert facts_of(timed(tmp_path / "a.mkv", pts)).rate == Fraction(4) / Fraction(1300, 1000)


def test_facts_of_a_film_with_sound(tmp_path: Path) -> None:
    path = media.write_clip(tmp_path / "a.mp4", media.numbered(64, 48, 10), sound=True, options={"bf": "0"})
    facts, timeline, warnings = probe(path, Settings())
    assert warnings == ()
    assert (facts.name, facts.bytes) == ("a.mp4", path.stat().st_size)
    assert (facts.codec, facts.pixel_format) == ("h264", "yuv420p")
    assert (facts.frames, facts.duration, facts.rate) == (10, Fraction(2, 5), 25)
    assert (facts.has_audio, facts.still, facts.stream, facts.shapes) == (True, False, 0, ())
    assert timeline.whole
    still = facts_of(media.write_clip(tmp_path / "b.mp4", media.numbered(64, 48, 1)))
    assert (still.still, still.has_audio) == (True, False)


def test_an_elementary_stream_has_the_rate_in_its_headers(tmp_path: Path) -> None:
    for rate in (24, Fraction(30000, 1001), 50):
        path = media.write_clip(tmp_path / "a.h264", media.numbered(64, 48, 6), rate=rate, options={"bf": "0"})
        facts, timeline, warnings = probe(path, Settings())
        assert (facts.rate, timeline.base, facts.duration) == (rate, 1 / Fraction(rate), 6 / Fraction(rate))
        assert (warnings, facts.time_basis) == ((), EXACT)


@pytest.mark.parametrize("count", [2, 5, 6, 8])
def test_changes_of_the_picture_are_named(tmp_path: Path, count: int) -> None:
    sizes = [(96, 64) if k % 2 else (64, 48) for k in range(count)]
    parts = [media.write_clip(tmp_path / f"{k}.h264", media.numbered(*size, 5)) for k, size in enumerate(sizes)]
    (tmp_path / "a.h264").write_bytes(b"".join(part.read_bytes() for part in parts))
    facts, _, warnings = probe(tmp_path / "a.h264", Settings())
    shown = ", ".join(f"{w}x{h} from {0.2 * k:.2f} s" for k, (w, h) in enumerate(sizes[:5]))
    more = f" and {count - 5} more" if count > 5 else ""
    message = (
        f"The picture changes its shape or coding on the way ({shown}{more}): each part was analysed in its own shape."
    )
    assert warnings == (ResultWarning("picture_changes", message, count - 1),)
    assert [shape.frame for shape in facts.shapes] == [5 * k for k in range(count)]
    assert [shape.time for shape in facts.shapes] == pytest.approx([0.2 * k for k in range(count)])
    assert [(shape.width, shape.height) for shape in facts.shapes] == sizes
    assert (facts.width, facts.height) == (64, 48)


def test_a_file_may_be_as_long_and_as_large_as_the_settings_say(tmp_path: Path) -> None:
    path = media.write_clip(tmp_path / "a.mkv", media.numbered(64, 48, 75), options={"bf": "0"})
    assert probe(path, Settings(max_duration=3.0, max_pixels=64 * 48)).facts.frames == 75
    for settings in (Settings(max_duration=2.99), Settings(max_pixels=64 * 48 - 1)):
        with pytest.raises(TooLarge):
            probe(path, settings)


# Containers.


@dataclass
class Format:
    name: str = "mov,mp4"


@dataclass
class Container:
    duration: int | None = None
    format: Format = field(default_factory=Format)


@pytest.mark.parametrize(
    ("size", "duration", "name", "refusal"),
    [
        ((100, 50), 10_000_000, "mov,mp4", None),
        ((100, 51), None, "mov,mp4", "a claims 100x51 pixels; the setting max_pixels allows 5000 a frame."),
        ((100, 50), 10_000_001, "mov,mp4", "a claims to last 10 s; the setting max_duration allows 10 s."),
        ((100, 50), 25_000_000, "mov,mp4", "a claims to last 25 s; the setting max_duration allows 10 s."),
        ((100, 50), 25_000_000, "mpegts", None),
        ((100, 50), 25_000_000, "mpeg", None),
        ((100, 50), None, "mov,mp4", None),
        ((0, 0), 0, "mov,mp4", None),
    ],
)
def test_what_a_file_claims_is_checked(
    size: tuple[int, int], duration: int | None, name: str, refusal: str | None
) -> None:
    settings = Settings(max_pixels=5000, max_duration=10.0)

    def check() -> None:
        check_limits(Container(duration, Format(name)), size, Path("a"), settings)  # type: ignore[arg-type]

    if refusal is None:
        check()
        return
    with pytest.raises(TooLarge) as error:
        check()
    assert str(error.value) == refusal


def test_paths_that_are_no_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "short").write_bytes(b"x")
    check_path(tmp_path / "short")
    for name, kind in (("none", MissingInput), ("", NotAFile), ("empty", EmptyInput)):
        with pytest.raises(kind):
            check_path(tmp_path / name)
    with pytest.raises(NotAVideo), open_container(tmp_path / "short", Settings()):
        pass


def test_a_container_may_have_as_many_streams_as_the_settings_say(tmp_path: Path) -> None:
    path = media.write_clip(tmp_path / "a.mp4", media.numbered(64, 48, 5), sound=True)
    with open_container(path, Settings(max_streams=2)) as container:
        assert len(container.streams) == 2
        assert [stream.index for stream in video_streams(container, path)] == [0]
    with pytest.raises(TooLarge) as error, open_container(path, Settings(max_streams=1)):
        pass
    assert str(error.value) == f"{path} has 2 streams; the setting max_streams allows 1."
    with open_video(path, Settings(), 0) as (_, stream):
        assert stream.index == 0
    with pytest.raises(NotAVideo), open_video(path, Settings(), 1):
        pass


def test_sound_alone_and_its_cover_are_no_video(tmp_path: Path) -> None:
    for cover in (False, True):
        path = media.write_sound(tmp_path / "a.mp3", cover=cover)
        with open_container(path, Settings()) as container, pytest.raises(NoVideoStream):
            video_streams(container, path)
