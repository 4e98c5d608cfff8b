from __future__ import annotations

import numpy as np
import pytest

import visagram.wire as wire
from factories import video_facts
from fakes import make_result, make_rows, make_track, steady_timeline
from visagram.analysis import Part, assemble
from visagram.core.segments import Probed, plan
from visagram.errors import DecodeFailed, NoFrames
from visagram.export.view import open_tracks
from visagram.jobs.merge import merge
from visagram.report import open_report
from visagram.settings import Settings

FRAMES = 1000


def silent(stage, completed, total):
    pass


@pytest.fixture
def talk(tmp_path):
    """A probed video of two people, its segments, and for each the messages that its analysis sends."""
    timeline = steady_timeline(FRAMES, key_every=125)
    probed = Probed(video_facts(frames=FRAMES), timeline)
    messages = {}
    for segment in plan(timeline, 0, None, None):
        numbers = [3, 8] if segment.number % 2 else [8, 3]
        rows = [make_rows(segment.frames, k, box=(90 * j, 80, 60, 60)) for j, k in enumerate(numbers)]
        first, last = int(segment.frames[0]), int(segment.frames[-1])
        tracks = [make_track(k, first, last, who=j) for j, k in enumerate(numbers)]
        result = make_result(segment, rows, sorted(tracks, key=lambda track: track.track))
        table = result.observations
        messages[segment.number] = [
            ("observations", {"frames": 25}, wire.pack_observations(table[:50])),
            ("observations", {"frames": segment.core}, wire.pack_observations(table[50:])),
            *[("track", *wire.pack_track(track)) for track in result.tracks],
            ("done", {"frames": result.frames, "damaged": 0, "span": result.span}, {}),
        ]
    return probed, plan(timeline, 0, None, None), messages


def stored(folder, segments, messages):
    files = []
    for segment in segments:
        path = folder / f"segment-{segment.number}"
        with path.open("wb") as file:
            for message in messages[segment.number]:
                wire.send(file, *message)
        files.append((segment, path))
    return files


def test_what_lies_in_files_is_put_together_as_what_is_in_memory(talk, tmp_path):
    probed, segments, messages = talk
    parts = [Part(segment) for segment in segments]
    for part in parts:
        for kind, values, arrays in messages[part.segment.number]:
            part.take((kind, values, arrays))
    expected = assemble("talk", probed, parts, Settings(), silent)
    report = merge("talk", probed, stored(tmp_path, segments, messages), Settings(), tmp_path / "view", silent)
    assert len(segments) > 2
    assert (report.people, report.totals, report.warnings) == (
        expected.report.people,
        expected.report.totals,
        expected.report.warnings,
    )
    assert len(report.people) == 2
    assert [track.track for track in open_tracks(tmp_path / "view")] == [track.track for track in expected.tracks]
    written = open_report(tmp_path / "view")
    np.testing.assert_array_equal(written.observations.track, expected.report.observations.track)
    np.testing.assert_array_equal(written.observations.box, expected.report.observations.box)


def test_a_segment_that_was_lost_is_a_warning_and_time_that_was_not_decoded(talk, tmp_path):
    probed, segments, messages = talk
    messages[1] = [("lost", {"reason": "the worker died"}, {})]
    report = merge("talk", probed, stored(tmp_path, segments, messages), Settings(), tmp_path / "view", silent)
    assert [warning.code for warning in report.warnings] == ["segment_lost"]
    assert report.people[0].unmeasured["not_decoded"] == pytest.approx(segments[1].core / 25)


def test_a_file_that_broke_off_is_not_taken_for_a_result(talk, tmp_path):
    probed, segments, messages = talk
    messages[2].pop()
    with pytest.raises(DecodeFailed, match="segment 2 is incomplete"):
        merge("talk", probed, stored(tmp_path, segments, messages), Settings(), tmp_path / "view", silent)
    assert not (tmp_path / "view").exists()


def test_a_video_without_a_frame_or_a_segment_has_no_result(talk, tmp_path):
    probed, segments, messages = talk
    messages |= {segment.number: [("done", {"frames": 0, "damaged": 9, "span": 0.0}, {})] for segment in segments}
    with pytest.raises(NoFrames):
        merge("talk", probed, stored(tmp_path, segments, messages), Settings(), tmp_path / "view", silent)
    messages |= {segment.number: [("lost", {"reason": "the worker died"}, {})] for segment in segments}
    with pytest.raises(DecodeFailed, match="the worker died"):
        merge("talk", probed, stored(tmp_path, segments, messages), Settings(), tmp_path / "view", silent)
