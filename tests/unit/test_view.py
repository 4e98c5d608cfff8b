"""The view folder: written whole, read in pieces, edited without touching what the machine found."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factories import TINY_JPEG, VIDEO_ID, make_report, no_people, one_frame, posteriors, report_of, video_facts
from fakes import make_rows, make_track
from older import age
from visagram.core.certainty import unsure
from visagram.core.edits import Merge, Rename, Split
from visagram.core.moments import moments
from visagram.core.statistics import person_statistics
from visagram.core.tiles import pyramid
from visagram.core.types import EXPRESSIONS, Observations, Reason, TrackSummary
from visagram.errors import DataError, OutputError, UsageError
from visagram.export import save, table, view
from visagram.report import Report, open_report


def tracks_of(report: Report) -> list[TrackSummary]:
    found = []
    for number in np.unique(report.observations.track).tolist():
        rows = report.observations[report.observations.track == number]
        track = make_track(number, int(rows.frame[0]), int(rows.frame[-1]), quality=0.5)
        found.append(dataclasses.replace(track, thumbnail=TINY_JPEG + bytes([number])))
    return found


def written(folder: Path, report: Report | None = None) -> Path:
    report = report or make_report()
    view.write_view(report, tracks_of(report), folder)
    return folder


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("results") / "machine")


@pytest.fixture(scope="module")
def in_groups(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same table in row groups of seven rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "ROWS_AT_ONCE", 7)
        return written(tmp_path_factory.mktemp("results") / "groups")


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_view_holds_the_report_its_rows_tracks_moments_and_tiles(machine: Path) -> None:
    assert set(contents(machine)) == {
        *("report.json", "overall_statistics.json", "observations.parquet", "tracks.npz", "moments.json"),
        *("face_1.jpg", "face_1_statistics.json", "face_2.jpg", "face_2_statistics.json"),
        *("tiles/index.json", "tiles/0.bin"),
    }
    assert open_report(machine).people == make_report().people
    assert view.read_report_json(machine) == json.loads((machine / "report.json").read_text("utf-8"))


def test_equal_reports_give_equal_folders(machine: Path, tmp_path: Path) -> None:
    assert contents(written(tmp_path / "again")) == contents(machine)


@pytest.mark.parametrize("make", [no_people, one_frame])
def test_a_view_of_nobody_and_of_a_still_picture(make, tmp_path: Path) -> None:
    report = make()
    folder = written(tmp_path / "view", report)
    assert view.count(folder) == len(report.observations)
    assert len(view.boxes(folder, 0.0, 1.0)["time"]) == len(report.observations)
    index = view.tiles_index(folder)
    body = view.read_tile(folder, 0, 0)
    assert body is not None and len(body) == 2048 * len(report.people)
    assert index["end"] > index["start"]
    assert len(view.read_moments(folder)) == len(view.open_tracks(folder)) == len(report.people)


def test_rows_lie_in_time_order_in_small_groups(tmp_path: Path) -> None:
    rows = make_report().observations
    shuffled = dataclasses.replace(make_report(), observations=rows[np.random.default_rng(0).permutation(len(rows))])
    folder = written(tmp_path, shuffled)
    found = pq.read_table(folder / "observations.parquet")
    assert (np.diff(found["time_s"].to_numpy()) >= 0).all()
    assert found.equals(make_report().to_arrow())
    assert table.ROWS_AT_ONCE == 16_384


def test_tracks_come_back_without_embeddings(machine: Path) -> None:
    with np.load(machine / "tracks.npz", allow_pickle=False) as stored:
        assert "embedding" not in stored and "embeddings" not in stored
    assert view.open_tracks(machine) == [
        view.StoredTrack(7, 0, 99, 0.0, 4.0, 9, 0.99, 0.5, TINY_JPEG + b"\x07"),
        view.StoredTrack(8, 10, 99, 0.4, 4.0, 9, 0.99, 0.5, TINY_JPEG + b"\x08"),
    ]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 garbage", b"\x80\x04N.", None])
def test_damaged_tracks_are_refused(content: bytes | None, tmp_path: Path) -> None:
    folder = written(tmp_path)
    if content is None:
        (folder / "tracks.npz").unlink()
    else:
        (folder / "tracks.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"tracks\.npz"):
        view.open_tracks(folder)


def test_a_pickle_among_the_tracks_is_not_run(tmp_path: Path) -> None:
    folder = written(tmp_path)
    with (folder / "tracks.npz").open("wb") as file:
        np.savez(file, track=np.array([{}], dtype=object))
    with pytest.raises(DataError):
        view.open_tracks(folder)


times = st.none() | st.floats(-1, 5) | st.sampled_from([0.0, 0.4, 1.0, 1.2, 2.8, 3.96, 4.0])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(times, times, st.sampled_from([None, 1, 2, 9]), st.integers(0, 170), st.none() | st.integers(0, 200))
def test_a_page_is_what_filtering_the_whole_table_gives(
    in_groups: Path, start: float | None, end: float | None, person: int | None, offset: int, limit: int | None
) -> None:
    whole = make_report().to_arrow()
    chosen = np.ones(len(whole), bool)
    at = whole["time_s"].to_numpy()
    chosen &= at >= start if start is not None else True
    chosen &= at < end if end is not None else True
    chosen &= whole["person"].to_numpy() == person if person is not None else True
    expected = whole.filter(chosen)
    assert view.count(in_groups, start, end, person) == len(expected)
    found = view.read_observations(in_groups, start, end, person, offset=offset, limit=limit)
    assert found.schema == whole.schema
    assert found.to_pylist() == expected.slice(offset, limit).to_pylist()


def test_columns_can_be_chosen(in_groups: Path) -> None:
    found = view.read_observations(in_groups, 1.0, 1.1, columns=["p_happy", "frame"])
    assert found.column_names == ["p_happy", "frame"]
    assert found["frame"].to_pylist() == [25, 25, 26, 26, 27, 27]
    with pytest.raises(UsageError, match="no column 'nose'"):
        view.read_observations(in_groups, columns=["nose"])


def test_boxes_are_compact_columns(machine: Path) -> None:
    found = view.boxes(machine, 1.0, 1.3)
    assert list(found) == ["start", "end", "time", "span", "person", "box", "posterior"]
    assert (found["start"], found["end"]) == (1.0, 1.3)
    assert found["time"][:4] == [1.0, 1.0, 1.04, 1.04] and found["span"][0] == 0.04
    assert found["person"] == [1, 2] * 8
    assert found["box"][0] == [43.1, 33.1, 83.1, 103.1]
    assert found["posterior"][0] == [10, 10, 10, 194, 10, 10, 10]
    turned = [p for p, who, at in zip(found["posterior"], found["person"], found["time"], strict=True) if who == 1]
    assert turned[5:] == [None] * 3 and None not in turned[:5]
    assert json.loads(json.dumps(found)) == found


def test_boxes_begin_with_the_faces_that_are_still_on_the_screen(machine: Path) -> None:
    assert view.boxes(machine, 1.01, 1.05)["time"] == [1.0, 1.0, 1.04, 1.04]
    assert view.boxes(machine, 1.0, 1.0001)["time"] == [1.0, 1.0]
    assert view.boxes(machine, 4.0, 9.0)["time"] == view.boxes(machine, -5.0, 0.0)["time"] == []


def test_rows_are_json_objects(machine: Path) -> None:
    first, *_ = view.observation_rows(machine, person=1, limit=1)
    assert tuple(first) == view.ROW_COLUMNS
    assert first == {
        **{"frame": 0, "time": 0.0, "span": 0.04, "person": 1, "track": 7, "box": [40.0, 30.0, 80.0, 100.0]},
        **{"score": 0.987, "detected": True, "reason": None, "quality": 0.5},
        "posterior": dict(zip(EXPRESSIONS, [0.04, 0.04, 0.04, 0.76, 0.04, 0.04, 0.04], strict=True)),
        "emotion": "happy",
    }
    turned, *_ = view.observation_rows(machine, 1.2, 1.4, 1, columns=["reason", "posterior", "emotion"])
    assert turned == {"reason": "turned", "posterior": None, "emotion": None}
    with pytest.raises(UsageError, match="no column 'landmarks'"):
        view.observation_rows(machine, columns=["landmarks"])


@pytest.mark.parametrize("name", ["talk.mp4", '=1+"1",\n.mp4'])
def test_filtered_files_are_cut_out_of_the_exports(name: str, tmp_path: Path) -> None:
    report = make_report(name)
    folder = written(tmp_path, report)
    save(report, folder, ["csv"])
    assert b"".join(view.filtered_csv(folder)) == (folder / "observations.csv").read_bytes()
    rows = list(csv.reader(io.StringIO(b"".join(view.filtered_csv(folder, 1.0, 2.0, 2)).decode(), newline="")))
    assert len(rows) == 1 + 15 and {row[4] for row in rows[1:]} == {"2"}
    assert rows[1][0] == table.neutral(name)
    whole = b"".join(view.filtered_parquet(folder))
    assert pq.read_table(pa.BufferReader(whole)).equals(report.to_arrow())
    part = pq.read_table(pa.BufferReader(b"".join(view.filtered_parquet(folder, 1.0, 2.0, 2))))
    assert part.to_pylist() == view.read_observations(folder, 1.0, 2.0, 2).to_pylist()
    assert part.schema.metadata[b"visagram.table"] == b"1.1"


def test_filtered_files_carry_another_name_where_one_is_given(machine: Path) -> None:
    rows = list(
        csv.DictReader(io.StringIO(b"".join(view.filtered_csv(machine, 1.0, 2.0, video="=1+1\ud800")).decode()))
    )
    assert rows and {row["video"] for row in rows} == {"'=1+1?"}
    named = pq.read_table(pa.BufferReader(b"".join(view.filtered_parquet(machine, 1.0, 2.0, video="=1+1"))))
    assert set(named["video"].to_pylist()) == {"=1+1"}
    assert named.drop(["video"]).equals(view.read_observations(machine, 1.0, 2.0).drop(["video"]))


def test_filtered_files_carry_another_id_where_one_is_given(machine: Path) -> None:
    text = b"".join(view.filtered_csv(machine, 1.0, 2.0, video_id="fedcba9876543210")).decode()
    assert {row["video_id"] for row in csv.DictReader(io.StringIO(text))} == {"fedcba9876543210"}
    named = pq.read_table(pa.BufferReader(b"".join(view.filtered_parquet(machine, video_id="fedcba9876543210"))))
    assert set(named["video_id"].to_pylist()) == {"fedcba9876543210"}
    assert named.drop(["video_id"]).equals(view.read_observations(machine).drop(["video_id"]))


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_the_rows_of_an_older_version_are_read_and_get_the_id_that_is_given(version: str, tmp_path: Path) -> None:
    folder = age(written(tmp_path), version)
    rows = view.read_observations(folder)
    assert rows.column_names == table.schema().names and rows["video_id"].null_count == len(rows) == 160
    whole = pq.read_table(pa.BufferReader(b"".join(view.filtered_parquet(folder, video_id=VIDEO_ID))))
    assert whole.equals(make_report().to_arrow())
    assert view.observation_rows(folder, 1.0, 1.1) == view.observation_rows(written(tmp_path / "new"), 1.0, 1.1)
    edited = view.write_edited_view(folder, [Rename(1, "Ada")], tmp_path / "edited")
    assert edited.people[0].name == "Ada"
    assert view.count(tmp_path / "edited") == 160


def test_files_of_nothing_have_a_header(machine: Path) -> None:
    assert len(b"".join(view.filtered_csv(machine, 90.0)).splitlines()) == 1
    assert pq.read_table(pa.BufferReader(b"".join(view.filtered_parquet(machine, 90.0)))).num_rows == 0


def test_long_files_come_in_parts(in_groups: Path) -> None:
    parts = list(view.filtered_csv(in_groups))
    assert len(parts) == 24 and all(len(part) < 4000 for part in parts)


@pytest.mark.parametrize("content", [b"", b"PAR1 garbage PAR1", None])
def test_damaged_rows_are_refused(content: bytes | None, tmp_path: Path) -> None:
    folder = written(tmp_path)
    if content is None:
        (folder / "observations.parquet").unlink()
    else:
        (folder / "observations.parquet").write_bytes(content)
    for read in (lambda: view.count(folder), lambda: view.boxes(folder, 0, 1), lambda: list(view.filtered_csv(folder))):
        with pytest.raises(DataError, match=r"observations\.parquet"):
            read()
    pq.write_table(pa.table({"time_s": [1.0]}), folder / "observations.parquet")
    with pytest.raises(DataError, match="columns"):
        view.count(folder)


def test_tiles_on_disk_are_those_of_the_rows(machine: Path) -> None:
    report = make_report()
    built = pyramid(report.observations, [1, 2], 0.0, 4.0, unsure(report.observations, 0.5))
    assert view.tiles_index(machine) == {
        **{"levels": [{"bin": 0.1, "tiles": 1}], "bins_per_tile": 256, "start": 0.0, "end": 4.0, "people": [1, 2]},
        "unsure_below": dict.fromkeys(EXPRESSIONS, 0.5),
    }
    assert view.read_tile(machine, 0, 0) == built.tile(0, 0)
    assert [view.read_tile(machine, *there) for there in ((0, 1), (1, 0), (-1, 0), (0, -1))] == [None] * 4


def test_tiles_that_were_cut_short_are_refused(tmp_path: Path) -> None:
    folder = written(tmp_path)
    tiles = folder / "tiles" / "0.bin"
    tiles.write_bytes(tiles.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"0\.bin is cut short"):
        view.read_tile(folder, 0, 0)


def test_tiles_are_smoothed_where_the_setting_says_and_nothing_else_is(machine: Path, tmp_path: Path) -> None:
    report = make_report()
    smooth = dataclasses.replace(report, settings=report.settings | {"smooth": 2.0})
    rows = smooth.smoothed()
    assert not np.array_equal(rows.posterior, report.observations.posterior, equal_nan=True)
    doubtful = unsure(report.observations, 0.5)
    folder = written(tmp_path, smooth)
    assert view.read_tile(folder, 0, 0) == pyramid(rows, [1, 2], 0.0, 4.0, doubtful).tile(0, 0)
    before, after = contents(machine), contents(folder)
    assert {name for name in after if after[name] != before[name]} == {"report.json", "tiles/0.bin"}
    assert open_report(folder).people == report.people
    assert open_report(folder).smooth == 2.0


def test_a_view_of_an_older_version_says_nothing_of_certainty_until_it_is_edited(tmp_path: Path) -> None:
    folder = age(written(tmp_path / "old"), "1.0")
    old = view.read_report_json(folder)
    assert [(part["certain_counts"], part["unsure"]) for part in [*old["people"], old["totals"]]] == [(None, None)] * 3
    view.write_edited_view(folder, [Rename(1, "Ada")], tmp_path / "edited")
    new = view.read_report_json(tmp_path / "edited")
    assert new["people"][0]["certain_counts"] == new["people"][0]["emotion_counts"]
    assert new["totals"]["unsure"] == 0.0


def test_a_view_of_an_older_version_is_handed_out_in_this_ones_form(tmp_path: Path) -> None:
    now = view.read_report_json(written(tmp_path / "now"))["schema_version"]
    for version in ("1.0", "1.1", "1.2"):
        assert view.read_report_json(age(written(tmp_path / version), version))["schema_version"] == now
    path = written(tmp_path / "later") / "report.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"schema_version": "1.9"}), "utf-8")
    assert view.read_report_json(path.parent)["schema_version"] == "1.9"


def test_tiles_cover_the_analysed_range(tmp_path: Path) -> None:
    report = make_report()
    part = dataclasses.replace(
        report,
        settings={"start": 2.0},
        totals=dataclasses.replace(report.totals, duration=2.0),
        observations=report.observations[report.observations.time >= 2.0],
    )
    index = view.tiles_index(written(tmp_path, part))
    assert (index["start"], index["end"]) == (2.0, 4.0)


def test_stored_moments_can_be_chosen(machine: Path) -> None:
    everything = view.read_moments(machine)
    assert everything == [dataclasses.asdict(m) for m in moments(make_report().observations, [1, 2])]
    assert {m["emotion"] for m in view.read_moments(machine, person=2)} == {"sad"}
    assert {m["person"] for m in view.read_moments(machine, emotion="happy")} == {1}
    assert view.read_moments(machine, limit=1) == everything[:1]


def test_without_edits_the_view_is_the_machines_to_the_byte(machine: Path, tmp_path: Path) -> None:
    view.write_edited_view(machine, [], tmp_path / "edited")
    expected = contents(machine)
    del expected["tracks.npz"]
    assert contents(tmp_path / "edited") == expected


def test_a_rename_touches_the_names_alone(machine: Path, tmp_path: Path) -> None:
    report = view.write_edited_view(machine, [Rename(2, "Ada")], tmp_path / "edited")
    assert [person.name for person in open_report(tmp_path / "edited").people] == ["Person 1", "Ada"]
    assert report.people[1].name == "Ada"
    before, after = contents(machine), contents(tmp_path / "edited")
    assert {name for name in after if after[name] != before[name]} == {"report.json"}


def test_a_split_is_everywhere_and_leaves_the_machines_view_alone(machine: Path, tmp_path: Path) -> None:
    before = contents(machine)
    view.write_edited_view(machine, [Split(2, at=2.0), Rename(3, "Ada")], tmp_path / "edited")
    assert contents(machine) == before
    found = open_report(tmp_path / "edited")
    assert [(p.id, p.name, p.frames_seen) for p in found.people] == [
        (1, "Person 1", 100),
        (2, "Person 2", 30),
        (3, "Ada", 30),
    ]
    assert view.count(tmp_path / "edited", person=3) == 30
    assert view.tiles_index(tmp_path / "edited")["people"] == [1, 2, 3]
    assert {m["person"] for m in view.read_moments(tmp_path / "edited")} == {1, 2, 3}
    assert view.boxes(tmp_path / "edited", 3.0, 3.01)["person"] == [1, 3]


def test_an_edited_view_takes_the_place_of_the_one_before_with_all_its_exports(machine: Path, tmp_path: Path) -> None:
    folder = tmp_path / "edits" / "a1"
    view.write_edited_view(machine, [Split(2, at=2.0)], folder)
    (folder / "observations.csv").write_text("old")
    view.write_edited_view(machine, [Rename(1, "Ada")], folder)
    assert not (folder / "observations.csv").exists() and not (folder / "face_3.jpg").exists()
    assert [entry.name for entry in folder.parent.iterdir()] == ["a1"]


def test_a_refused_edit_changes_nothing(machine: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a1"
    view.write_edited_view(machine, [Rename(1, "Ada")], folder)
    before = contents(folder)
    with pytest.raises(UsageError, match="side by side"):
        view.write_edited_view(machine, [Merge((1, 2))], folder)
    assert contents(folder) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a1"]


def test_a_place_that_cannot_be_written_is_an_output_error(machine: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        view.write_edited_view(machine, [], tmp_path / "file" / "a1")


@pytest.mark.slow
def test_two_hours_of_five_people_are_read_in_a_moment(tmp_path: Path) -> None:
    """900,000 rows: a stretch in less than 100 ms, a tile in less than 10 ms."""
    parts = []
    for person in range(1, 6):
        random = np.random.default_rng(person)
        labels = random.integers(0, 7, 1800).repeat(100)
        reason = np.where(random.random(1800) < 0.2, Reason.TURNED, Reason.NONE).repeat(100)
        rows = make_rows(range(180_000), person, reason=reason)
        posterior = posteriors(np.where(reason == Reason.NONE, labels, -1).tolist())
        parts.append(rows.with_columns(person=np.full(len(rows), person, np.int32), posterior=posterior))
    rows = Observations.concatenate(parts)
    rows = rows[np.lexsort((rows.person, rows.frame))]
    chosen = {"seed": 0, "unsure_below": 0.5}
    people = tuple(person_statistics(p, rows[rows.person == p], 7200.0, 0.0, TINY_JPEG, **chosen) for p in range(1, 6))
    light = report_of(rows[:0], video_facts(frames=180_000))
    report = dataclasses.replace(light, people=people, observations=rows)
    folder = written(tmp_path, report)

    def quickest(read) -> float:
        took = []
        for _ in range(3):
            began = time.perf_counter()
            read()
            took.append(time.perf_counter() - began)
        return min(took)

    assert len(view.boxes(folder, 3600.0, 3660.0)["time"]) == 7500
    assert quickest(lambda: view.read_observations(folder, 3600.0, 3660.0)) < 0.1
    assert quickest(lambda: view.boxes(folder, 3600.0, 3620.0)) < 0.1
    assert quickest(lambda: view.observation_rows(folder, person=3, offset=100_000)) < 0.3
    assert quickest(lambda: view.read_tile(folder, 2, 3)) < 0.01
    filters = [("time_s", ">=", 3600.0), ("time_s", "<", 3660.0)]
    assert quickest(lambda: pq.read_table(folder / "observations.parquet", filters=filters)) < 0.1
