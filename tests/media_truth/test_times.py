"""One bad time costs one frame, gaps stay as long as they are, and a new clock goes on where the old one ended."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from patching import mark_discontinuity, set_flv_times, set_mkv_times, set_mp4_deltas, set_ts_times, shift_ts, ts_times
from truth import Truth, check_everything

from media_factory import grey, numbered, write_clip, yuv
from visagram.workers import Workers

Make = Callable[[Path], Truth]
COUNT, MS = 36, Fraction(1, 1000)
REPAIRED, RESTARTED = frozenset({"times_repaired"}), frozenset({"clock_restarted"})
PLAIN = {"bf": "0", "g": "9"}
REORDERED = {"bf": "3", "g": "12", "b-adapt": "0", "b-pyramid": "normal"}


def even(count: int = COUNT, step: float = 0.04, start: float = 0.0) -> list[float]:
    return [start + step * k for k in range(count)]


def mkv(folder: Path, name: str, pts: list[int], options: dict[str, str] = PLAIN) -> Path:
    return write_clip(
        folder / name, numbered(96, 64, len(pts)), rate=25, pts=pts, time_base=MS, options=options, container="matroska"
    )


def ts(
    folder: Path, name: str, count: int = COUNT, rate: int = 25, options: dict[str, str] = PLAIN, first: int = 0
) -> Path:
    frames = numbered(96, 64, first + count)[first:]
    return write_clip(folder / name, frames, rate=rate, options=options, container="mpegts")


def equal_to_its_neighbour(folder: Path) -> Truth:
    """The rate changes on the way, and one block has the time of the one before."""
    times = [*range(0, 18 * 66, 66), *range(18 * 66, 18 * 66 + 18 * 33, 33)]
    path = set_mkv_times(mkv(folder, "equal.mkv", times), {25: -33})
    return Truth(
        path,
        range(COUNT),
        [t / 1000 for t in times],
        (times[-1] + 33) / 1000,
        basis="repaired",
        codes=REPAIRED,
        close=0.008,
    )


def equal_to_the_next(folder: Path) -> Truth:
    path = set_mkv_times(mkv(folder, "next.mkv", [40 * k for k in range(COUNT)]), {20: 40})
    return Truth(path, range(COUNT), even(), 1.44, basis="repaired", codes=REPAIRED)


def three_that_are_equal(folder: Path) -> Truth:
    path = set_mkv_times(mkv(folder, "three.mkv", [40 * k for k in range(COUNT)]), {20: -40, 21: -80})
    return Truth(path, range(COUNT), even(), 1.44, basis="repaired", codes=REPAIRED)


def far_ahead(folder: Path) -> Truth:
    path = set_mkv_times(mkv(folder, "ahead.mkv", [40 * k for k in range(COUNT)]), {11: 20_000})
    return Truth(path, range(COUNT), even(), 1.44, basis="repaired", codes=REPAIRED)


def far_back(folder: Path) -> Truth:
    path = set_mkv_times(mkv(folder, "back.mkv", [40 * k for k in range(COUNT)]), {30: -1100})
    return Truth(path, range(COUNT), even(), 1.44, basis="repaired", codes=REPAIRED)


def several_astray(folder: Path) -> Truth:
    moves = {5: 3000, 6: 3000, 17: -400, 30: 10_000}
    path = set_mkv_times(mkv(folder, "astray.mkv", [40 * k for k in range(COUNT)]), moves)
    return Truth(path, range(COUNT), even(), 1.44, basis="repaired", codes=REPAIRED)


def negative(folder: Path) -> Truth:
    path = set_flv_times(
        write_clip(folder / "negative.flv", numbered(96, 64, COUNT), codec="flv", options={"g": "9"}), {14: -2000}
    )
    return Truth(path, range(COUNT), even(), 1.44, basis="repaired", codes=REPAIRED)


def first_negative(folder: Path) -> Truth:
    clip = ts(folder, "first.ts")
    (_, first, _), *_ = ts_times(clip)
    path = set_ts_times(shift_ts(clip, -first), {0: -5 * 90_000})
    return Truth(path, range(COUNT), even(), 1.44, basis="repaired", codes=REPAIRED)


def reordered_and_ahead(folder: Path) -> Truth:
    clip = ts(folder, "reordered.ts", options=REORDERED)
    times = ts_times(clip)
    path = set_ts_times(clip, {20: times[20][1] + 90_000 * 30})
    return Truth(path, range(COUNT), even(), 1.44, basis="repaired", codes=REPAIRED)


def variable_and_ahead(folder: Path) -> Truth:
    """All other times stay exact, whatever the steps between them."""
    steps = np.random.default_rng(3).integers(12, 90, COUNT)
    times = np.cumsum(steps) - steps[0]
    path = set_mkv_times(mkv(folder, "variable.mkv", times.tolist()), {12: 9000})
    right = (times / 1000).tolist()
    right[12] = (right[11] + right[13]) / 2
    return Truth(path, range(COUNT), right, right[-1] + 0.04, basis="repaired", codes=REPAIRED)


def missing(folder: Path) -> Truth:
    path = set_ts_times(ts(folder, "missing.ts"), dict.fromkeys((4, 13, 14, 15, 29)))
    return Truth(path, range(COUNT), even(), 1.44, basis="repaired", codes=REPAIRED)


def gap_of_two_hours(folder: Path) -> Truth:
    """Two parts that motion triggered: 90 frames, 7,201 s in the large."""
    times = [*range(0, 18 * 40, 40), *range(7_200_000, 7_200_000 + 18 * 40, 40)]
    return Truth(mkv(folder, "gap.mkv", times), range(COUNT), [t / 1000 for t in times], (times[-1] + 40) / 1000)


def gap_in_a_transport_stream(folder: Path) -> Truth:
    clip = ts(folder, "gap.ts", options=REORDERED)
    stamps = {k: pts + 90_000 * 3000 for k, (_, pts, _) in enumerate(ts_times(clip)) if k >= 24}
    times = even(24) + even(12, start=24 * 0.04 + 3000)
    return Truth(set_ts_times(clip, stamps), range(COUNT), times, times[-1] + 0.04)


def three_gaps(folder: Path) -> Truth:
    times = np.cumsum([0, *[40] * 8, 4000, *[40] * 8, 30_000, *[40] * 8, 900_000, *[40] * 8]).tolist()
    return Truth(mkv(folder, "gaps.mkv", times), range(COUNT), [t / 1000 for t in times], (times[-1] + 40) / 1000)


def joined(folder: Path) -> Truth:
    """Two transport streams behind each other, the second of another rate."""
    first, second = ts(folder, "1.ts"), ts(folder, "2.ts", rate=50, first=COUNT)
    path = folder / "joined.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    times = even() + even(step=0.02, start=1.44)
    return Truth(path, range(2 * COUNT), times, 1.44 + 0.72, basis="repaired", codes=RESTARTED)


def joined_reordered(folder: Path) -> Truth:
    parts = [ts(folder, f"{k}.ts", options=REORDERED, first=k * COUNT) for k in range(3)]
    path = folder / "three.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return Truth(path, range(3 * COUNT), even(3 * COUNT), 3 * 1.44, basis="repaired", codes=RESTARTED)


def joined_forwards(folder: Path) -> Truth:
    """The second part's clock is ahead of the first's; only a flag says that it is another clock."""
    first, second = ts(folder, "1.ts"), shift_ts(ts(folder, "2.ts", first=COUNT), 90_000 * 500)
    path = folder / "forwards.ts"
    path.write_bytes(first.read_bytes() + mark_discontinuity(second.read_bytes()))
    return Truth(path, range(2 * COUNT), even(2 * COUNT), 2.88, basis="repaired", codes=RESTARTED)


def joined_from_late_to_early(folder: Path) -> Truth:
    """The first part began hours after its clock; FFmpeg takes the second for one whose counter turned over."""
    first, second = shift_ts(ts(folder, "1.ts"), 90_000 * 3600 * 5), ts(folder, "2.ts", first=COUNT)
    path = folder / "late.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    return Truth(path, range(2 * COUNT), even(2 * COUNT), 2.88, basis="repaired", codes=RESTARTED)


def turned_over(folder: Path) -> Truth:
    """The 33 bits of the counter begin anew on the way: nothing is wrong with that."""
    clip = ts(folder, "over.ts")
    (_, first, _), *_ = ts_times(clip)
    return Truth(shift_ts(clip, (1 << 33) - first - 20 * 3600), range(COUNT), even(), 1.44)


def camera_that_restarts(folder: Path) -> Truth:
    clip = write_clip(folder / "camera.flv", numbered(96, 64, COUNT), codec="flv", options={"g": "9"})
    path = set_flv_times(clip, dict.fromkeys(range(18, COUNT), -18 * 40))
    return Truth(path, range(COUNT), even(), 1.44, basis="repaired", codes=RESTARTED)


def clock_that_is_set_back(folder: Path) -> Truth:
    """By a tenth of a second: five frames' time, over and over again."""
    clip = write_clip(folder / "set.flv", numbered(96, 64, COUNT), codec="flv", options={"g": "9"})
    path = set_flv_times(clip, {k: -5 * 40 * (k // 12) for k in range(COUNT)})
    return Truth(path, range(COUNT), even(), 1.44, basis="repaired", codes=RESTARTED)


def long_steps_in_mp4(folder: Path) -> Truth:
    clip = write_clip(
        folder / "steps.mp4",
        numbered(96, 64, COUNT),
        options=PLAIN,
        pts=[k * (k + 1) // 2 for k in range(COUNT)],
        time_base=Fraction(1, 1000),
        container_options={"use_editlist": "0"},
    )
    deltas = [640] * 12 + [64_000] + [320] * 10 + [6_400_000] + [640] * 12
    path = set_mp4_deltas(clip, deltas)
    ticks = np.cumsum([0, *deltas[:-1]])
    with_base = _mp4_base(path)
    return Truth(
        path,
        range(COUNT),
        [float(t * with_base) for t in ticks.tolist()],
        float((int(ticks[-1]) + deltas[-1]) * with_base),
    )


def _mp4_base(path: Path) -> Fraction:
    import struct

    from patching import box

    content = path.read_bytes()
    start, _ = box(content, b"moov", b"trak", b"mdia", b"mdhd")
    return Fraction(1, struct.unpack(">I", content[start + 12 : start + 16])[0])


def first_far_ahead(folder: Path) -> Truth:
    clip = ts(folder, "first-ahead.ts")
    times = ts_times(clip)
    path = set_ts_times(clip, {0: times[0][1] + 90_000 * 4000})
    return Truth(path, range(COUNT), even(), 1.44, basis="repaired", codes=REPAIRED)


def last_far_ahead(folder: Path) -> Truth:
    clip = ts(folder, "last-ahead.ts")
    path = set_ts_times(clip, {35: ts_times(clip)[35][1] + 90_000 * 4000})
    return Truth(path, range(COUNT), even(), 1.44, basis="repaired", codes=REPAIRED)


def missing_where_pictures_are_reordered(folder: Path) -> Truth:
    """Around a key frame too, several in a row: there the decoder's order tells which is which."""
    path = set_ts_times(ts(folder, "several.ts", options=REORDERED), dict.fromkeys((5, 12, 24, 25, 26)))
    return Truth(path, range(COUNT), even(), 1.44, basis="repaired", codes=REPAIRED)


def equal_where_pictures_are_reordered(folder: Path) -> Truth:
    clip = ts(folder, "equal.ts", options=REORDERED)
    path = set_ts_times(clip, {17: ts_times(clip)[16][1]})
    return Truth(path, range(COUNT), even(), 1.44, basis="repaired", codes=REPAIRED)


def all_equal(folder: Path) -> Truth:
    """Nothing but the rate is left to go by: that is a guess."""
    clip = ts(folder, "all.ts")
    path = set_ts_times(clip, dict.fromkeys(range(COUNT), ts_times(clip)[0][1]))
    return Truth(path, range(COUNT), even(), 1.44, basis="guessed", codes=REPAIRED)


def no_length_in_mp4(folder: Path) -> Truth:
    clip = write_clip(
        folder / "none.mp4",
        numbered(96, 64, COUNT),
        options=PLAIN,
        pts=[k * (k + 1) // 2 for k in range(COUNT)],
        time_base=MS,
        container_options={"use_editlist": "0"},
    )
    set_mp4_deltas(clip, [640] * 10 + [0, 1280] + [640] * 24)
    base = 640 * _mp4_base(clip)
    times = [float(k * base) for k in range(COUNT)]
    return Truth(clip, range(COUNT), times, float(COUNT * base), basis="repaired", codes=REPAIRED)


def restart_where_pictures_are_reordered(folder: Path) -> Truth:
    clip = ts(folder, "restart.ts", options=REORDERED | {"sc_threshold": "0"})
    times = ts_times(clip)
    path = set_ts_times(clip, {k: times[k][1] - 20 * 3600 for k in range(24, COUNT)})
    return Truth(path, range(COUNT), even(), 1.44, basis="repaired", codes=RESTARTED)


def turned_over_late(folder: Path) -> Truth:
    """The counter turns over a quarter of an hour after the beginning."""
    frames = numbered(96, 64, 200)
    clip = write_clip(folder / "late-over.ts", frames, rate=Fraction(1, 10), options=PLAIN, container="mpegts")
    (_, first, _), *_ = ts_times(clip)
    path = shift_ts(clip, (1 << 33) - first - 90_000 * 1000)
    return Truth(path, range(200), [10.0 * k for k in range(200)], 2000.0)


CASES = [
    first_far_ahead,
    last_far_ahead,
    missing_where_pictures_are_reordered,
    equal_where_pictures_are_reordered,
    all_equal,
    no_length_in_mp4,
    restart_where_pictures_are_reordered,
    turned_over_late,
    equal_to_its_neighbour,
    equal_to_the_next,
    three_that_are_equal,
    far_ahead,
    far_back,
    several_astray,
    negative,
    first_negative,
    reordered_and_ahead,
    variable_and_ahead,
    missing,
    gap_of_two_hours,
    gap_in_a_transport_stream,
    three_gaps,
    joined,
    joined_reordered,
    joined_forwards,
    joined_from_late_to_early,
    turned_over,
    camera_that_restarts,
    clock_that_is_set_back,
    long_steps_in_mp4,
]


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_every_picture_is_there_once_at_its_time(make: Make, tmp_path: Path, workers: Workers) -> None:
    check_everything(make(tmp_path), workers, tmp_path)


def test_the_sound_of_joined_parts_stays_with_their_pictures(tmp_path: Path, workers: Workers) -> None:
    """Each part has a tone in its second half only; in the copy it is heard over the same pictures."""
    parts = []
    for k in range(2):
        path = tmp_path / f"{k}.ts"
        with av.open(str(path), "w", format="mpegts") as output:
            film, voice = output.add_stream("libx264", rate=25, options=PLAIN), output.add_stream("mp2", rate=48000)
            film.width, film.height, film.pix_fmt = 96, 64, "yuv420p"
            packets = []
            for number in range(50):
                frame = yuv(grey(96, 64, 50 * k + number))
                frame.pts, frame.time_base = number, Fraction(1, 25)
                packets += film.encode(frame)
            packets += film.encode(None)
            for number in range(83):
                loud = number >= 42
                wave = (np.sin(np.arange(1152) * 0.06) * 12_000 * loud).astype(np.int16)
                tone = av.AudioFrame.from_ndarray(
                    np.stack([wave, wave]).T.reshape(1, -1), format="s16", layout="stereo"
                )
                tone.sample_rate, tone.pts, tone.time_base = 48000, number * 1152, Fraction(1, 48000)
                packets += voice.encode(tone)
            packets += voice.encode(None)
            for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
                output.mux(packet)
        parts.append(path)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(parts[0].read_bytes() + parts[1].read_bytes())
    workers.derive_proxy(joined, tmp_path / "copy.mp4", lambda *_: None)
    loud = []
    with av.open(str(tmp_path / "copy.mp4")) as container:
        for frame in container.decode(audio=0):
            if np.abs(frame.to_ndarray()).max() > 0.1:
                loud.append(frame.time)
    heard = np.array(loud)
    assert heard[0] == pytest.approx(1.0, abs=0.1)
    assert not ((heard > 2.1) & (heard < 2.9)).any()
    assert heard[heard > 2.5][0] == pytest.approx(3.0, abs=0.1)
    assert heard[-1] == pytest.approx(4.0, abs=0.12)
