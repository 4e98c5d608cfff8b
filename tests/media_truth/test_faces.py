"""Faces are followed across held pictures and changes of shape, and one that lies on its side is called so."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from changing import RATE
from numpy.typing import NDArray

from media_factory import sample_frames, write_clip
from visagram.analysis import Analysis
from visagram.core.types import Reason
from visagram.report import Report
from visagram.settings import Settings
from visagram.workers import Workers

COUNT = 90
MS = Fraction(1, 1000)


def analysed(path: Path, workers: Workers, settings: Settings | None = None) -> Report:
    if settings is None:
        return Analysis(path, Settings(), workers=workers).report()
    return Analysis(path, settings).report()


def held(path: Path, holds: dict[int, float], container: str = "matroska") -> tuple[Path, list[float]]:
    """The sample's face, 33 ms a picture, but some stay for so many seconds. Returns the pictures' times as well."""
    times = np.cumsum([0, *(1000 * holds.get(k, 0.033) for k in range(COUNT - 1))]).round().astype(int)
    frames = sample_frames(COUNT)
    write_clip(path, frames, rate=30, pts=times.tolist(), time_base=MS, options={"bf": "0"}, container=container)
    return path, (times / 1000).tolist()


@pytest.mark.parametrize(
    "holds",
    [{21: 20.0, 43: 20.0, 65: 20.0}, {44: 1800.0}, {5: 2.0, 6: 3.0, 30: 1.5, 31: 1.5, 80: 60.0}, {1: 7200.0, 88: 30.0}],
    ids=["twenty seconds", "half an hour", "several", "hours at the beginning"],
)
def test_a_held_picture_loses_no_face(holds: dict[int, float], tmp_path: Path, workers: Workers) -> None:
    path, times = held(tmp_path / "a.mkv", holds)
    report = analysed(path, workers)
    rows = report.observations
    assert rows.frame.tolist() == list(range(COUNT))
    np.testing.assert_allclose(rows.time, times, atol=1e-6)
    assert len(report.people) == 1 and report.totals.coverage == 1.0
    assert report.people[0].unmeasured["not_visible"] == pytest.approx(0, abs=1e-6)


def test_faces_of_a_held_picture_are_those_that_looking_at_every_frame_finds(tmp_path: Path, workers: Workers) -> None:
    path, _ = held(tmp_path / "a.mkv", {10: 5.0, 40: 20.0, 62: 9.0})
    ours, theirs = analysed(path, workers), analysed(path, workers, Settings(detect_every=1, detect_size="full"))
    assert ours.observations.frame.tolist() == theirs.observations.frame.tolist()
    assert (ours.observations.emotion == theirs.observations.emotion).mean() > 0.95


def test_a_slide_show_keeps_its_person(tmp_path: Path, workers: Workers) -> None:
    """Every picture stays for seconds."""
    frames = sample_frames(40)[::2]
    path = write_clip(tmp_path / "a.mkv", frames, rate=1, pts=[4 * k for k in range(20)], time_base=Fraction(1))
    report = analysed(path, workers)
    assert len(report.people) == 1 and report.people[0].frames_seen == 20


def _turned(frame: av.VideoFrame, turns: int) -> av.VideoFrame:
    picture = np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), turns))
    return av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")


@pytest.mark.parametrize("turns", [1, 2, 3], ids=["left", "upside down", "right"])
def test_a_face_that_lies_on_its_side_is_not_called_turned_away(turns: int, tmp_path: Path, workers: Workers) -> None:
    frames = [_turned(frame, turns) for frame in sample_frames(40, 800, 600)]
    report = analysed(write_clip(tmp_path / "a.mp4", frames), workers)
    reasons = report.observations.reason
    # The detector was not taught such faces and finds some of them.
    assert len(reasons) > 0
    assert (reasons == Reason.LYING).mean() > 0.9
    assert not (reasons == Reason.TURNED).any()
    assert all(person.unmeasured["lying"] > 0 for person in report.people)
    assert "lying on its side" in report.summary()


def test_an_upright_and_a_tilted_face_do_not_lie(tmp_path: Path, workers: Workers) -> None:
    report = analysed(write_clip(tmp_path / "a.mp4", sample_frames(30)), workers)
    assert not (report.observations.reason == Reason.LYING).any()


def _padded(frames: Sequence[av.VideoFrame], width: int, height: int) -> list[NDArray[np.uint8]]:
    """The face's part of the sample in a picture of this shape, around the same middle."""
    pictures = []
    for frame in frames:
        shown = frame.to_ndarray(format="rgb24")
        top, left = max(0, 180 - height // 2), max(0, 205 - width // 2)
        part = shown[top : top + height, left : left + width]
        canvas = np.zeros((height, width, 3), np.uint8)
        canvas[: part.shape[0], : part.shape[1]] = part
        pictures.append(canvas)
    return pictures


def test_a_phone_that_is_turned_gives_what_both_parts_give_alone(tmp_path: Path, workers: Workers) -> None:
    frames = sample_frames(60)
    shapes = [(300, 220), (220, 300)]
    parts = [_padded(frames[:30], *shapes[0]), _padded(frames[30:], *shapes[1])]
    base = Fraction(1, RATE)
    whole, alone = tmp_path / "whole.webm", []
    with av.open(str(whole), "w") as output:
        stream = None
        clock = 0
        for pictures, (width, height) in zip(parts, shapes, strict=True):
            path = tmp_path / f"{width}.webm"
            written = [
                av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p") for picture in pictures
            ]
            write_clip(path, written, codec="libvpx", options={"crf": "4", "b": "4M", "g": "15"})
            alone.append(path)
            if stream is None:
                stream = output.add_stream("libvpx", rate=RATE)
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            with av.open(str(path)) as source:
                for packet in source.demux(video=0):
                    if packet.size:
                        packet.stream, packet.time_base, packet.pts, packet.dts = stream, base, clock, clock
                        packet.duration = 1
                        output.mux(packet)
                        clock += 1
    report = analysed(whole, workers)
    assert [(shape.width, shape.height, shape.frame) for shape in report.video.shapes] == [
        (300, 220, 0),
        (220, 300, 30),
    ]
    rows = report.observations
    assert rows.frame.tolist() == list(range(60)) and rows.usable.all()
    assert len(report.people) == 1
    apart = [analysed(path, workers).observations for path in alone]
    for first, other in ((0, apart[0]), (30, apart[1])):
        ours = rows[(rows.frame >= first) & (rows.frame < first + 30)]
        np.testing.assert_allclose(ours.box, other.box, atol=6)
        assert np.abs(ours.posterior - other.posterior).sum(axis=1).mean() / 2 < 0.05
