"""Plans written down, limits from both sides, and what two segments' tracks come to."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from fakes import make_result, make_rows, make_track, steady_timeline
from visagram.core.segments import (
    LONGEST,
    OVERLAP,
    PICTURE,
    PLACE,
    SEGMENTS,
    SHORTEST,
    STAMP,
    UNKNOWN,
    Segment,
    SegmentResult,
    Timeline,
    collect,
    join,
    plan,
    segment,
    stitch,
)
from visagram.core.types import COLUMNS, Observations, TrackSummary


def outline(segments: list[Segment]) -> list[tuple[int, int, int]]:
    """First frame, frames that count, and all frames of each."""
    assert [each.number for each in segments] == list(range(len(segments)))
    return [(int(each.frames[0]), each.core, len(each.frames)) for each in segments]


def with_keys(count: int, keys: list[int], rate: int = 25) -> Timeline:
    return dataclasses.replace(
        steady_timeline(count, rate=rate), keys=np.array(keys), key_packets=np.array(keys, np.int64)
    )


def test_segments_begin_at_the_first_key_frame_five_seconds_after_the_one_before() -> None:
    assert (SEGMENTS, SHORTEST, LONGEST, OVERLAP) == (8, 5, 60, 0.3)
    # 40 seconds, a key frame every two: the eighth part is a little less than the shortest, which is 125 frames.
    assert outline(plan(steady_timeline(1000, key_every=50), 0, None, None)) == [
        *[(first, 150, 157) for first in (0, 150, 300, 450, 600, 750)],
        (900, 100, 100),
    ]


def test_a_video_of_minutes_becomes_eight_segments() -> None:
    found = plan(steady_timeline(4000, key_every=25), 0, None, None)
    assert outline(found) == [*[(500 * k, 500, 507) for k in range(7)], (3500, 500, 500)]


def test_no_segment_of_a_long_video_is_longer_than_it_must_be() -> None:
    # A frame a second: the overlap holds four frames at least.
    found = plan(steady_timeline(7200, key_every=10, rate=1), 0, None, None)
    assert outline(found) == [*[(60 * k, 60, 64) for k in range(119)], (7140, 60, 60)]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [([124], [0]), ([125], [0, 125]), ([125, 249], [0, 125]), ([125, 250], [0, 125, 250]), ([130, 255], [0, 130, 255])],
)
def test_a_segment_has_exactly_the_shortest_length_or_more(keys: list[int], expected: list[int]) -> None:
    assert [first for first, _, _ in outline(plan(with_keys(500, [0, *keys]), 0, None, None))] == expected


@pytest.mark.parametrize(("key", "expected"), [(136, [0, 136]), (137, [0])])
def test_the_last_segment_has_half_of_a_length_at_least(key: int, expected: list[int]) -> None:
    # 200 frames: the last is number 199, and half a length is 62.5 frames.
    assert [first for first, _, _ in outline(plan(with_keys(200, [0, key]), 0, None, None))] == expected


@pytest.mark.parametrize(("key", "expected"), [(969, [0, 969]), (970, [0])])
def test_the_last_segment_may_have_exactly_half_of_a_length(key: int, expected: list[int]) -> None:
    # A frame a second until 999, and a length of a minute.
    assert [first for first, _, _ in outline(plan(with_keys(1000, [0, key], 1), 0, None, None))] == expected


def test_a_part_of_a_video_is_cut_up_by_its_own_length() -> None:
    # 80 seconds, an eighth of which are 250 frames less a little.
    timeline = steady_timeline(8000, key_every=25)
    assert outline(plan(timeline, 80, 160, None)) == [*[(2000 + 250 * k, 250, 257) for k in range(7)], (3750, 250, 250)]


def test_the_overlap_lasts_0_3_seconds_and_holds_four_frames_as_far_as_there_are_any() -> None:
    key = 5000
    slow = np.array([0, 2500, key, 5100, 5299, 5300, 5301, 9000])
    timeline = Timeline(Fraction(1, 1000), slow, np.array([0, key]), 9500, 0)
    assert outline(plan(timeline, 0, None, None)) == [(0, 2, 6), (2, 6, 6)]
    fast = np.array([0, 2500, key, 5060, 5120, 5180, 5240, 5299, 5300, 9000])
    timeline = dataclasses.replace(timeline, pts=fast)
    assert outline(plan(timeline, 0, None, None)) == [(0, 2, 8), (2, 8, 8)]
    few = dataclasses.replace(timeline, pts=np.array([0, 2500, key, 9000]))
    assert outline(plan(few, 0, None, None)) == [(0, 2, 4), (2, 2, 2)]


def tenths(*pts: int, end: int = 40) -> Timeline:
    return Timeline(Fraction(1, 10), np.array(pts), np.array([0]), end, 0)


@pytest.mark.parametrize(
    ("start", "end", "pts", "spans"),
    [
        (0, None, [0, 10, 20, 30], [10, 10, 10, 10]),
        (0, 100, [0, 10, 20, 30], [10, 10, 10, 10]),
        (1, 3, [10, 20], [10, 10]),
        (0.9, 2.5, [10, 20], [10, 5]),
        (1.1, 3.5, [20, 30], [10, 5]),
        (0, 2.04, [0, 10, 20], [10, 10, 1]),
        (3, 3.01, [30], [1]),
        (3.5, None, [], []),
        (1.1, 1.9, [], []),
    ],
)
def test_a_range_takes_the_frames_that_begin_in_it_and_the_last_lasts_until_its_end(
    start: float, end: float | None, pts: list[int], spans: list[int]
) -> None:
    found = plan(tenths(0, 10, 20, 30), start, end, None)
    assert [each.pts.tolist() for each in found] == ([pts] if pts else [])
    assert [each.spans.tolist() for each in found] == ([spans] if spans else [])


@pytest.mark.parametrize(
    ("start", "rate", "frames"),
    [
        (0, 2.5, [0, 10, 20, 30, 40]),
        (0, 2, [0, 13, 25, 38]),
        (0.28, 2, [7, 13, 25, 38]),
        (0.28, 25, list(range(7, 50))),
        (0.28, 100, list(range(7, 50))),
        (1.96, 1, [49]),
    ],
)
def test_sampling_takes_the_first_frame_of_each_slot(start: float, rate: float, frames: list[int]) -> None:
    (found,) = plan(steady_timeline(50), start, None, rate)
    assert found.frames.tolist() == frames
    assert found.spans.tolist() == np.diff([*frames, 50]).tolist()


def test_every_third_of_the_chosen_frames() -> None:
    (found,) = plan(steady_timeline(50), 0.2, 1.2, None, 3)
    assert found.frames.tolist() == [5, 8, 11, 14, 17, 20, 23, 26, 29]
    assert found.spans.tolist() == [3] * 8 + [1]
    (found,) = plan(steady_timeline(50), 0, None, 5, 2)
    assert found.frames.tolist() == [0, 10, 20, 30, 40]


def test_what_a_timeline_and_a_segment_are_without_more_said() -> None:
    numbers = np.array([0, 40])
    timeline = Timeline(Fraction(1, 25), numbers, numbers[:1], 80, 7)
    assert (timeline.seekable, timeline.by_byte, timeline.whole) == (True, False, True)
    assert (timeline.marks.shape, timeline.restarts.shape) == ((0, 4), (0, 3))
    empty = (timeline.key_packets, timeline.packets, timeline.loose)
    assert [(each.shape, each.dtype) for each in empty] == [((0,), np.int64)] * 3
    assert timeline.seconds(40) == Fraction(8, 5)
    assert (PLACE, STAMP, PICTURE) == (0, 2, 3), "columns of the marks"
    whole = Segment(3, numbers, numbers, numbers, 2)
    assert (whole.seek, whole.first_packet, whole.by_byte, whole.marks.shape) == (None, 0, False, (0, 4))
    assert len(whole.packets) == len(whole.loose) == 0


def reordered() -> Timeline:
    """Ten pictures, stored in another order, in the first ten of a hundred packets; key frames are 0, 4 and 7."""
    k = np.arange(100)
    return Timeline(
        Fraction(1, 10),
        np.arange(10) * 10,
        np.array([0, 40, 70]),
        100,
        1000,
        key_packets=np.array([0, 4, 7]),
        packets=np.array([0, 2, 1, 3, 4, 6, 5, 7, 9, 8]),
        marks=np.stack([5 + 100 * k, k * 0 + 100, 1000 + 10 * k, k], axis=1),
        loose=np.array([2, 5, 8]),
    )


def entered(timeline: Timeline, *frames: int) -> tuple[int | None, int, int, int]:
    """Where the file is entered, with which packet, and the first and last number of the marks."""
    numbers = np.array(frames)
    found = segment(timeline, numbers, numbers * 0 + 10, len(frames), 6)
    assert (found.number, found.core, found.frames.tolist()) == (6, len(frames), list(frames))
    assert found.pts.tolist() == (numbers * 10).tolist()
    assert found.spans.tolist() == [10] * len(frames)
    return found.seek, found.first_packet, int(found.marks[0, 3]), int(found.marks[-1, 3])


def unknown(timeline: Timeline, packet: int, column: int, value: int) -> Timeline:
    marks = timeline.marks.copy()
    marks[packet, column] = value
    return dataclasses.replace(timeline, marks=marks)


def test_a_segment_enters_the_file_at_the_last_key_frame_that_one_can_get_to() -> None:
    timeline = reordered()
    # The marks reach 64 packets beyond the one of the last picture.
    assert entered(timeline, 5, 6) == (1040, 4, 4, 69)
    assert entered(timeline, 4, 8) == (1040, 4, 4, 72)
    assert entered(timeline, 3, 8) == (None, 0, 0, 72)
    assert entered(timeline, 7) == (1070, 7, 7, 70)
    assert entered(timeline, 8, 9) == (1070, 7, 7, 72)
    assert entered(unknown(timeline, 7, 2, UNKNOWN), 8) == (1040, 4, 4, 72)
    assert entered(unknown(timeline, 7, 0, -1), 8) == (1070, 7, 7, 72)
    early = unknown(unknown(timeline, 7, 2, UNKNOWN), 4, 2, UNKNOWN)
    assert entered(early, 8) == entered(unknown(early, 0, 2, UNKNOWN), 8) == (None, 0, 0, 72)


def test_by_byte_it_is_the_place_that_must_be_known() -> None:
    timeline = dataclasses.replace(reordered(), by_byte=True)
    assert entered(timeline, 5, 6) == (405, 4, 4, 69)
    assert entered(unknown(timeline, 7, 0, -1), 8) == (405, 4, 4, 72)
    assert entered(unknown(timeline, 7, 0, 0), 8) == (0, 7, 7, 72)
    assert entered(unknown(timeline, 7, 2, UNKNOWN), 8) == (705, 7, 7, 72)
    numbers = np.array([5])
    assert segment(timeline, numbers, numbers, 1).by_byte
    assert not segment(reordered(), numbers, numbers, 1).by_byte
    assert segment(timeline, numbers, numbers, 1).number == 0


def test_a_file_that_cannot_be_sought_in_is_read_from_its_beginning() -> None:
    assert entered(dataclasses.replace(reordered(), seekable=False), 5, 8) == (None, 0, 0, 72)
    without = dataclasses.replace(reordered(), packets=np.empty(0, np.int64))
    assert entered(without, 5, 8) == (None, 0, 0, 99)


def test_a_segment_knows_which_of_its_pictures_say_nothing_of_their_order() -> None:
    numbers = np.array([1, 2, 5, 6])
    found = segment(reordered(), numbers, numbers, 4)
    assert (found.packets.tolist(), found.loose.tolist()) == ([2, 1, 6, 5], [1, 2])
    early = segment(reordered(), numbers[:2], numbers[:2], 2)
    assert (early.packets.tolist(), early.loose.tolist()) == ([2, 1], [1])


def halves() -> tuple[Segment, Segment]:
    """Frames 0 to 249, and seven more; 250 to 499."""
    first, second = plan(steady_timeline(500, key_every=250), 0, None, None)
    return first, second


def boxes(rows: Observations, box: tuple[float, float, float, float]) -> Observations:
    return rows.with_columns(box=np.tile(np.float32(box), (len(rows), 1)))


WIDE, HALF, LESS = (0, 0, 20, 10), (0, 0, 10, 10), (0, 0, 9, 10)


@pytest.mark.parametrize(("box", "tracks"), [(HALF, 1), (LESS, 2)])
def test_tracks_that_overlap_by_half_in_the_mean_are_one(box: tuple[int, int, int, int], tracks: int) -> None:
    first, second = halves()
    results = [
        make_result(first, [boxes(make_rows(first.frames, 0), WIDE)], [make_track(0, 0, 256)]),
        make_result(second, [boxes(make_rows(second.frames, 0), box)], [make_track(0, 250, 499)]),
    ]
    rows, found = stitch(results)
    assert len(found) == tracks
    assert rows.track.tolist() == [0] * 250 + [tracks - 1] * 250


@pytest.mark.parametrize(("apart", "tracks"), [(3, 1), (4, 2)])
def test_the_mean_is_over_the_frames_that_both_were_seen_in(apart: int, tracks: int) -> None:
    first, second = halves()
    frames = second.frames
    mine = [make_rows(frames[:apart], 0, box=(200, 150, 60, 60)), make_rows(frames[apart:], 0)]
    results = [
        make_result(first, [make_rows(first.frames, 0)], [make_track(0, 0, 256)]),
        make_result(second, mine, [make_track(0, 250, 499)]),
    ]
    assert len(stitch(results)[1]) == tracks
    # Whoever is seen in one frame of the overlap alone is compared there alone.
    results[0] = make_result(first, [make_rows(first.frames[:251], 0)], [make_track(0, 0, 250)])
    assert len(stitch(results)[1]) == 2
    results[1] = make_result(second, [make_rows(frames, 0)], [make_track(0, 250, 499)])
    assert len(stitch(results)[1]) == 1


def vector(*values: float) -> NDArray[np.float32]:
    return np.float32(values)


def test_a_track_of_several_segments_has_the_best_of_each() -> None:
    first, second = halves()
    one = TrackSummary(4, 3, 256, 50, 0.75, 0.5, vector(1, 0), b"one")
    other = TrackSummary(2, 250, 499, 60, 0.5, 0.25, vector(0, 1), b"other")
    looked = np.arange(257) % 10 == 0
    results = [
        make_result(first, [make_rows(first.frames, 4).with_columns(detected=looked)], [one], damaged=2),
        make_result(
            second, [make_rows(second.frames, 2).with_columns(detected=np.arange(250) < 3)], [other], damaged=1
        ),
    ]
    joined = join(results)
    (track,) = joined.tracks
    assert dataclasses.replace(track, embedding=None) == TrackSummary(0, 3, 499, 25 + 3, 0.75, 0.5, None, b"one")
    assert track.embedding is not None
    assert track.embedding.tolist() == pytest.approx([0.5**0.5] * 2)
    assert (joined.frames, joined.damaged, joined.span) == (497, 3, pytest.approx(497 / 25))
    assert joined.row.tolist() == [*range(250), *range(257, 507)]
    assert joined.frame.tolist() == list(range(500))
    swapped = [
        dataclasses.replace(results[0], tracks=[dataclasses.replace(one, best_quality=0.1, embedding=None)]),
        dataclasses.replace(results[1], tracks=[dataclasses.replace(other, best_score=0.875)]),
    ]
    (track,) = join(swapped).tracks
    assert dataclasses.replace(track, embedding=None) == TrackSummary(0, 3, 499, 28, 0.875, 0.25, None, b"other")
    assert track.embedding is not None and track.embedding.tolist() == [0, 1]
    opposite = [
        dataclasses.replace(results[0], tracks=[dataclasses.replace(one, embedding=vector(1, 0))]),
        dataclasses.replace(results[1], tracks=[dataclasses.replace(other, embedding=vector(-1, 0))]),
    ]
    (track,) = join(opposite).tracks
    assert track.embedding is not None and track.embedding.tolist() == [0, 0]
    unknown = [dataclasses.replace(r, tracks=[dataclasses.replace(r.tracks[0], embedding=None)]) for r in results]
    assert join(unknown).tracks[0].embedding is None


def test_rows_are_by_frame_then_track_whatever_order_segments_found_them_in() -> None:
    first, second = halves()
    left, right = (20, 80, 60, 60), (200, 80, 60, 60)
    results = [
        make_result(
            first,
            [make_rows(range(257), 5, box=left), make_rows(range(240, 257), 3, box=right)],
            [make_track(3, 240, 256, who=1), make_track(5, 0, 256)],
        ),
        make_result(
            second,
            [make_rows(range(250, 260), 0, box=left), make_rows(range(250, 500), 1, box=right)],
            [make_track(0, 250, 259), make_track(1, 250, 499, who=1)],
        ),
    ]
    rows, tracks = stitch(results)
    # Numbers are given in the order of the first segment's list: 3 is the first.
    expected = [(k, 1) for k in range(240)]
    expected += [pair for k in range(240, 260) for pair in ((k, 0), (k, 1))]
    expected += [(k, 0) for k in range(260, 500)]
    assert list(zip(rows.frame.tolist(), rows.track.tolist(), strict=True)) == expected
    assert {(int(t), int(x)) for t, x in zip(rows.track, rows.box[:, 0], strict=True)} == {(0, 200), (1, 20)}
    assert [(t.track, t.first_frame, t.last_frame) for t in tracks] == [(0, 240, 499), (1, 0, 259)]
    assert [t.detections for t in tracks] == [260, 260]


def test_a_track_is_followed_through_many_segments() -> None:
    count = 130
    segments = [
        Segment(
            k,
            np.arange(10 * k, min(10 * k + 14, 10 * count)),
            *(np.arange(10 * k, min(10 * k + 14, 10 * count)),) * 2,
            core=10,
        )
        for k in range(count)
    ]
    results = [
        SegmentResult(
            s, make_rows(s.frames, s.number % 3), [make_track(s.number % 3, s.frames[0], s.frames[-1])], 10, 0, 0.4
        )
        for s in segments
    ]
    rows, tracks = stitch(results)
    assert rows.frame.tolist() == list(range(10 * count))
    assert not rows.track.any()
    assert [(t.track, t.first_frame, t.last_frame, t.detections) for t in tracks] == [(0, 0, 1299, 1300)]
    assert join(results).span == pytest.approx(52)


def test_collected_rows_are_those_asked_for_with_the_columns_that_are_known() -> None:
    first, second = halves()
    results = [
        make_result(first, [make_rows(first.frames, 0, expression=3)], [make_track(0, 0, 256)]),
        make_result(second, [make_rows(second.frames, 1, expression=4)], [make_track(1, 250, 499)]),
    ]
    places = np.array([5, 3, 256, 257, 300, 506])
    found = collect(results, places, person=np.arange(6, dtype=np.int32))
    assert found.frame.tolist() == [5, 3, 256, 250, 293, 499]
    assert found.track.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.emotion.tolist() == [3, 3, 3, 4, 4, 4]
    assert found.person.tolist() == [0, 1, 2, 3, 4, 5]
    for name, (dtype, shape) in COLUMNS.items():
        assert getattr(found, name).dtype == dtype
        assert getattr(found, name).shape == (6, *shape)
    with pytest.raises(ValueError, match="again"):
        collect(results[:1], places)
    with pytest.raises(ValueError, match="again"):
        collect(results, np.array([5, 507]))
    assert len(collect(results[:1], places[:3])) == 3
