"""One video from path to report: what limits a result is said with it."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

import media_factory as media
from visagram import __version__
from visagram.analysis import Part, analyze, assemble, plan_video
from visagram.settings import Settings
from visagram.workers import Workers

FRAMES = 40


def clip(path: Path, damaged: tuple[int, ...], frames: int = FRAMES) -> Path:
    """Frames of which each decodes alone; those that are `damaged` have lost their content but not their place."""
    options = {"slicecrc": "1", "g": "1"}
    media.write_clip(path, media.numbered(96, 64, frames), codec="ffv1", options=options)
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    for number in damaged:
        position, size = packets[number]
        content[position + 30 : position + size - 10] = bytes(size - 40)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("damaged", "said"),
    [((3, 4, 20), ["3 damaged frames skipped"]), ((7,), ["1 damaged frame skipped"]), ((), [])],
)
def test_frames_that_did_not_decode_are_counted_and_said(
    tmp_path: Path, damaged: tuple[int, ...], said: list[str]
) -> None:
    report = analyze(clip(tmp_path / "film.mkv", damaged), Settings(processes=1))
    warnings = [warning for warning in report.warnings if warning.code == "damaged_frames"]
    assert [warning.message.split(";")[0] for warning in warnings] == said
    assert [warning.count for warning in warnings] == [len(damaged)] * len(said)
    assert (report.totals.frames, report.totals.frames_damaged) == (FRAMES - len(damaged), len(damaged))
    assert report.totals.duration == pytest.approx(FRAMES / 25), "their time was to be analysed as well"
    assert ("damaged frame" in report.summary()) == bool(damaged)
    assert report.version == __version__


@pytest.mark.parametrize(("which", "begin", "end"), [(0, 0, 5), (1, 5, 12)])
def test_a_stretch_that_could_not_be_decoded_is_said_with_its_times(
    tmp_path: Path, which: int, begin: int, end: int
) -> None:
    path, settings = clip(tmp_path / "film.mkv", (), frames=300), Settings(processes=1)
    with Workers(settings) as workers:
        probed = workers.probe(path)
        parts = [Part(segment) for segment in plan_video("film", probed.facts, probed.timeline, settings)]
        lost, whole = (parts[which], parts[1 - which])
        for _, message in workers.analyse(path, probed.facts, probed.timeline, [whole.segment]):
            whole.take(message)
    lost.take(("lost", {"reason": "its worker ended three times"}, {}))
    report = assemble("film", probed, parts, settings, lambda *_: None).report
    (warning,) = [warning for warning in report.warnings if warning.code == "segment_lost"]
    assert warning.message == f"{begin}.0 s to {end}.0 s could not be decoded (its worker ended three times)."
    assert (warning.count, warning.seconds) == (25 * (end - begin), end - begin), "the overlap was analysed elsewhere"
    assert report.totals.frames == 300 - warning.count
    assert report.totals.duration == pytest.approx(12.0)
