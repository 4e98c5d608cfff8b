"""What a view folder holds beside its formats: exact ranges, tiles of several people, tracks, moments."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from factories import TINY_JPEG, doubtful_report, make_report, no_people, observations, report_of, video_facts
from fakes import make_track
from visagram.core.certainty import unsure
from visagram.core.tiles import pyramid
from visagram.core.types import EXPRESSIONS, Observations
from visagram.errors import DataError
from visagram.export import save, stored
from visagram.export.stored import StoredTrack
from visagram.report import Report

HAPPY, SAD = EXPRESSIONS.index("happy"), EXPRESSIONS.index("sad")


def part_of(report: Report, start: float, duration: float) -> Report:
    """A report of which so many seconds from `start` on were analysed."""
    totals = dataclasses.replace(report.totals, duration=duration)
    return dataclasses.replace(report, settings={"start": start}, totals=totals)


def tiled(report: Report, folder: Path) -> dict[str, object]:
    stored.write_tiles(report, folder)
    return stored.tiles_index(folder)


# --- Tiles -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("report", "start", "end"),
    [
        (part_of(make_report(), 0.0, 5.0), 0.0, 5.0),
        (part_of(make_report(), 0.0, 2.0), 0.0, 4.0),  # a last row beyond what was analysed
        (part_of(make_report(), 3.0, 0.0), 3.0, 4.0),
        (part_of(no_people(), 3.0, 2.0), 3.0, 5.0),
        (part_of(no_people(), 3.0, 0.0), 3.0, 4.0),  # a picture gets a second
    ],
)
def test_tiles_reach_from_the_start_to_the_last_row(report: Report, start: float, end: float, tmp_path: Path) -> None:
    index = tiled(report, tmp_path)
    assert (index["start"], index["end"]) == (start, end)


def three(frames: Sequence[int]) -> Report:
    """Three people with different expressions, over half a minute: more than one tile."""
    rows = Observations.concatenate([observations(k, frames, [(f // 60 + k) % 7 for f in frames]) for k in (1, 2, 3)])
    return report_of(rows[np.lexsort((rows.person, rows.frame))], video_facts(frames=1500))


def test_every_tile_of_every_level_is_where_it_belongs(tmp_path: Path) -> None:
    report = three(range(0, 1500, 3))
    index = tiled(report, tmp_path)
    assert index == {
        "levels": [{"bin": 0.1, "tiles": 3}, {"bin": pytest.approx(0.4), "tiles": 1}],
        "bins_per_tile": 256,
        "start": 0.0,
        "end": 60.0,
        "people": [1, 2, 3],
        "unsure_below": dict.fromkeys(EXPRESSIONS, 0.5),
    }
    rows = report.observations
    built = pyramid(rows, [1, 2, 3], 0.0, 60.0, unsure(rows, 0.5))
    bodies = {(level, number): stored.read_tile(tmp_path, level, number) for level in (0, 1) for number in range(3)}
    for (level, number), body in bodies.items():
        assert body == (None if level and number else built.tile(level, number))
    assert len(set(bodies.values())) == 5
    assert [(tmp_path / "tiles" / f"{level}.bin").stat().st_size for level in (0, 1)] == [3 * 6144, 6144]
    assert stored.read_tile(tmp_path, 2, 0) is stored.read_tile(tmp_path, -1, 0) is None
    assert stored.read_tile(tmp_path, 0, 3) is stored.read_tile(tmp_path, 0, -1) is None


def test_tiles_know_what_was_unsure(tmp_path: Path) -> None:
    report = doubtful_report()
    tiled(report, tmp_path)
    rows = report.observations
    assert stored.read_tile(tmp_path, 0, 0) == pyramid(rows, [1, 2], 0.0, 4.0, unsure(rows, 0.5)).tile(0, 0)
    assert stored.read_tile(tmp_path, 0, 0) != pyramid(rows, [1, 2], 0.0, 4.0, np.zeros(len(rows), bool)).tile(0, 0)


def test_a_tile_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    tiled(make_report(), tmp_path)
    path = tmp_path / "tiles" / "0.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError) as caught:
        stored.read_tile(tmp_path, 0, 0)
    assert str(caught.value) == f"{path} is cut short. Analyse the video again."
    path.unlink()
    with pytest.raises(DataError, match=r"0\.bin cannot be read \(No such file or directory\)\.$"):
        stored.read_tile(tmp_path, 0, 0)


@pytest.mark.parametrize("content", ["[]", "3", "{", "[" * 100_000])
def test_an_index_that_is_none_is_said(content: str, tmp_path: Path) -> None:
    (tmp_path / "tiles").mkdir()
    (tmp_path / "tiles" / "index.json").write_text(content)
    with pytest.raises(DataError, match=r"index\.json is damaged"):
        stored.tiles_index(tmp_path)


# --- Tracks ----------------------------------------------------------------------------------------------------------


def test_tracks_are_kept_by_number_with_their_times_and_pictures(tmp_path: Path) -> None:
    rows = make_report().observations  # tracks 7 and 8
    pictures = {8: TINY_JPEG, 7: b"", 3: b"\xff\xd8 three"}
    tracks = [
        dataclasses.replace(
            make_track(number, number * 2, number * 3, quality=number / 16),
            thumbnail=picture,
            detections=number * 5,
            best_score=number / 32,
        )
        for number, picture in pictures.items()
    ]
    stored.write_tracks(rows, tracks, tmp_path)
    none, *found = stored.open_tracks(tmp_path)
    assert found == [
        StoredTrack(7, 14, 21, 0.0, 4.0, 35, 7 / 32, 7 / 16, b""),
        StoredTrack(8, 16, 24, 0.4, 4.0, 40, 8 / 32, 8 / 16, TINY_JPEG),
    ]
    assert math.isnan(none.first_time) and math.isnan(none.last_time)
    assert dataclasses.replace(none, first_time=0.0, last_time=1.0) == (
        StoredTrack(3, 6, 9, 0.0, 1.0, 15, 3 / 32, 3 / 16, b"\xff\xd8 three")
    )
    known = stored.summaries(stored.open_tracks(tmp_path))
    assert known == [dataclasses.replace(track, embedding=None) for track in tracks[::-1]]


def test_no_tracks_are_none(tmp_path: Path) -> None:
    stored.write_tracks(no_people().observations, [], tmp_path)
    assert stored.open_tracks(tmp_path) == []


def test_a_track_of_one_row_lasts_as_long_as_that(tmp_path: Path) -> None:
    rows = observations(1, [5], [HAPPY]).with_columns(span=np.array([0.25]))
    stored.write_tracks(rows, [make_track(7, 5, 5, quality=0.5)], tmp_path)
    (track,) = stored.open_tracks(tmp_path)
    assert (track.first_time, track.last_time) == (0.2, 0.45)


# --- Moments ---------------------------------------------------------------------------------------------------------


def test_moments_are_of_a_person_and_an_expression(tmp_path: Path) -> None:
    written = [
        {"person": person, "emotion": emotion, "time": float(k)}
        for k, (person, emotion) in enumerate([(1, "sad"), (2, "sad"), (1, "happy"), (2, "fear"), (1, "sad")])
    ]
    (tmp_path / "moments.json").write_text(json.dumps(written))

    def times(**by: object) -> list[float]:
        return [moment["time"] for moment in stored.read_moments(tmp_path, **by)]  # type: ignore[arg-type]

    assert times() == [0, 1, 2, 3, 4]
    assert times(person=1) == [0, 2, 4] and times(emotion="sad") == [0, 1, 4]
    assert times(person=1, emotion="sad") == [0, 4] and times(person=2, emotion="happy") == []
    assert times(person=1, emotion="sad", limit=1) == [0] and times(limit=0) == []


def test_moments_of_everybody_are_written(tmp_path: Path) -> None:
    stored.write_moments(make_report(), tmp_path)
    assert {(moment["person"], moment["emotion"]) for moment in stored.read_moments(tmp_path)} == {
        *((1, "happy"), (1, "neutral"), (2, "sad"))
    }


# --- Reports ---------------------------------------------------------------------------------------------------------


def test_an_older_report_says_none_where_it_said_nothing(tmp_path: Path) -> None:
    old = {
        "schema_version": "1.0",
        "people": [3, {"id": 1}, {"unsure": 1.5}],
        "totals": {"certain_counts": {"sad": 1}},
        "video": {"name": "a", "path": "/a"},
        "warnings": ["2 damaged frames skipped; x", {"code": "other"}, 5],
        "more": 1,
    }
    (tmp_path / "report.json").write_text(json.dumps(old))
    nothing = {"certain_counts": None, "unsure": None}
    assert stored.read_report_json(tmp_path) == {
        "schema_version": "1.3",
        "visagram": None,
        "people": [3, {"id": 1} | nothing, nothing | {"unsure": 1.5}],
        "totals": {"certain_counts": {"sad": 1}, "unsure": None},
        "video": {
            **{"name": "a", "path": "/a", "stream": None, "time_basis": None, "shapes": None, "sha256": None},
            "video_id": None,
        },
        "warnings": [
            {"code": "damaged_frames", "message": "2 damaged frames skipped; x", "count": 2, "seconds": None},
            {"code": "other"},
            5,
        ],
        "more": 1,
    }


@pytest.mark.parametrize("version", ["1.3", "1.4", "0.9", None])
def test_another_version_is_left_as_it_is(version: str | None, tmp_path: Path) -> None:
    odd = {"schema_version": version, "people": {}, "totals": [], "video": None, "warnings": "none"}
    (tmp_path / "report.json").write_text(json.dumps(odd))
    assert stored.read_report_json(tmp_path) == odd


def test_a_report_of_today_is_as_it_was_written(tmp_path: Path) -> None:
    save(make_report(warnings=["One."]), tmp_path, ["json"])
    assert stored.read_report_json(tmp_path) == json.loads((tmp_path / "report.json").read_text("utf-8"))
