"""What a clip's coding must not change: people, times and posteriors. And what its length must not change: memory."""

from __future__ import annotations

import itertools
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from command import environment
from media_factory import FULL, LIMITED, SAMPLE, numbered, turn, write_clip, yuv
from visagram.analysis import Analysis
from visagram.report import Report
from visagram.settings import Settings

FRAMES = 40
SETTINGS = Settings(processes=1, detect_every=1)


@pytest.fixture(scope="module")
def greys() -> list[np.ndarray]:
    """Luma of the sample's first frames, stretched to the full range."""
    with av.open(str(SAMPLE)) as video:
        pictures = [
            f.to_ndarray(format="yuvj420p")[: f.height] for f in itertools.islice(video.decode(video=0), FRAMES)
        ]
    return [picture.copy() for picture in pictures]


@pytest.fixture(scope="module")
def reference(greys: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Report:
    clip = tmp_path_factory.mktemp("reference") / "full.mkv"
    return analysed(write_clip(clip, greys, options={"qp": "0"}, color_range=FULL))


def analysed(clip: Path) -> Report:
    return Analysis(clip, SETTINGS).report()


def limited(grey: np.ndarray) -> np.ndarray:
    return np.round(grey * (219 / 255) + 16).astype(np.uint8)


def alike(report: Report, reference: Report) -> None:
    """Assert the same person, in the same frames at the same times, with the same posteriors but for rounding."""
    ours, theirs = report.observations, reference.observations
    assert len(report.people) == len(reference.people) == 1
    assert np.array_equal(ours.frame, theirs.frame) and np.array_equal(ours.reason, theirs.reason)
    assert np.allclose(ours.time, theirs.time)
    assert np.abs(ours.landmarks - theirs.landmarks).max() < 0.6
    apart = np.abs(ours.posterior - theirs.posterior).max(axis=1)
    # Between two expressions a posterior is steep: a hundredth of a pixel shows there, and nowhere else.
    assert apart.mean() < 0.02
    assert (ours.emotion != theirs.emotion).sum() <= 2


def test_the_reference_shows_a_face_in_every_frame(reference: Report) -> None:
    assert reference.people[0].frames_usable == FRAMES


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format", "color_range"),
    [
        ("limited.mkv", "libx264", "yuv420p", LIMITED),
        ("deep.mkv", "libx264", "yuv420p10le", LIMITED),
        ("deep_full.mkv", "libx264", "yuv420p10le", FULL),
        ("rgb.mkv", "libx264rgb", "rgb24", FULL),
        ("grey.mkv", "ffv1", "gray", FULL),
    ],
)
def test_twins_of_a_clip_in_other_codings_have_equal_posteriors(
    name: str,
    codec: str,
    pixel_format: str,
    color_range: int,
    greys: list[np.ndarray],
    reference: Report,
    tmp_path: Path,
) -> None:
    pictures: list[np.ndarray | av.VideoFrame] = [*greys]
    if pixel_format == "rgb24":
        pictures = [yuv(grey, "yuvj420p", FULL).reformat(format="rgb24") for grey in greys]
    elif color_range == LIMITED:
        pictures = [limited(grey) for grey in greys]
    options = {} if codec == "ffv1" else {"qp": "0"}
    clip = write_clip(
        tmp_path / name, pictures, codec=codec, pixel_format=pixel_format, options=options, color_range=color_range
    )
    alike(analysed(clip), reference)


@pytest.mark.parametrize("clockwise", [90, 180, 270])
def test_a_recording_held_sideways_has_nearly_the_same_posteriors(
    clockwise: int, greys: list[np.ndarray], reference: Report, tmp_path: Path
) -> None:
    stored = [np.ascontiguousarray(np.rot90(limited(grey), clockwise // 90)) for grey in greys]
    report = analysed(turn(write_clip(tmp_path / "a.mp4", stored, options={"qp": "0"}), clockwise))
    assert (report.video.width, report.video.height) == (400, 300)
    alike(report, reference)


def test_pixels_that_are_not_square_do_not_squeeze_faces(
    greys: list[np.ndarray], reference: Report, tmp_path: Path
) -> None:
    narrow = [grey[:, ::2] for grey in greys]
    report = analysed(write_clip(tmp_path / "a.mkv", narrow, options={"qp": "0"}, color_range=FULL, aspect=Fraction(2)))
    assert (report.video.width, report.video.height) == (400, 300)
    boxes, expected = report.observations.box, reference.observations.box
    assert len(boxes) == len(expected)
    assert np.abs(boxes - expected).max() < 6


MEASURE = """
import resource, sys
from pathlib import Path
from visagram.core.segments import plan
from visagram.media.decode import SegmentFrames
from visagram.media.probe import probe
from visagram.settings import Settings
path, settings = Path(sys.argv[1]), Settings()
facts, timeline, _ = probe(path, settings)
count = 0
for segment in plan(timeline, 0, None, None):
    with SegmentFrames(path, facts, timeline, segment, settings, threads=2, depth=8) as frames:
        count += sum(1 for frame in frames)
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def decoded_and_peak(clip: Path) -> tuple[int, int]:
    """Frames decoded by a process of its own, and its peak memory in KiB."""
    command = [sys.executable, "-c", MEASURE, str(clip)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    count, peak = done.stdout.split()
    return int(count), int(peak)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs getrusage")
@pytest.mark.parametrize("name", ["a.mp4", "a.avi"])
def test_decoding_a_long_video_takes_no_more_memory_than_a_short_one(name: str, tmp_path: Path) -> None:
    options = {"preset": "ultrafast", "g": "250"} if name.endswith("mp4") else {"bf": "2", "preset": "ultrafast"}
    pictures = numbered(640, 360, 250)
    peaks = []
    for length in (500, 20_000):
        clip = write_clip(tmp_path / f"{length}{name}", (pictures[k % 250] for k in range(length)), options=options)
        count, peak = decoded_and_peak(clip)
        assert count >= length
        peaks.append(peak)
    assert peaks[1] < peaks[0] + 16 * 1024, f"{peaks} KiB for 500 and 20,000 frames"
