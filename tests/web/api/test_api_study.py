"""All videos together."""

from __future__ import annotations

import csv
import hashlib
import io

import pyarrow.parquet as pq
import pytest

from visagram.cli import SAMPLE

TAG = "the study"


@pytest.fixture(scope="module")
def cohort(world):
    """Four analysed videos of two conditions, one of them with a window, and one that waits."""
    ids = []
    for number, condition in enumerate(("calm", "calm", "stress", "stress")):
        video, _ = world.fresh(f"study {number}.mp4")
        labels = {"participant": f"P{number}", "condition": condition, "tags": [TAG]}
        assert world.patch(f"/videos/{video}", labels).status_code == 200
        ids.append(video)
    world.post(f"/videos/{ids[0]}/windows", {"name": "question", "start": 0.5, "end": 1.5})
    waiting, _ = world.waiting()
    world.patch(f"/videos/{waiting}", {"tags": [TAG]})
    yield [*ids, waiting]
    for video in (*ids, waiting):
        world.delete(f"/videos/{video}?now=1")


def sheet(world, text, query=""):
    body = text if isinstance(text, bytes) else text.encode()
    return world.post(f"/study/import{query}", data={"file": (io.BytesIO(body), "sheet.csv")})


def test_the_table_has_a_row_per_video_person_and_window(world, cohort):
    table = world.get(f"/study/table?tag={TAG}").json
    assert [(row["video_id"], row["person"], row["window"]) for row in table["items"]] == [
        (cohort[0], 1, None),
        (cohort[0], 1, "question"),
        *((video, 1, None) for video in cohort[1:4]),
    ]
    assert table["items"][1]["measured"] == pytest.approx(1.0)
    assert table["total"] == 5
    assert set(table["items"][0]) == set(table["columns"])
    assert {row["content_id"] for row in table["items"]} == {hashlib.sha256(SAMPLE.read_bytes()).hexdigest()[:16]}
    assert table["excluded"] == [{"id": cohort[4], "name": "sample.mp4", "reason": "its analysis is waiting"}]
    assert len(world.get(f"/study/table?tag={TAG}&condition=calm").json["items"]) == 3


def test_a_page_of_the_table_is_a_part_of_it(world, cohort):
    whole = world.get(f"/study/table?tag={TAG}").json
    assert whole["windows"] == ["question"]
    paged = [world.get(f"/study/table?tag={TAG}&limit=2&offset={k}").json for k in (0, 2, 4)]
    assert [row for page in paged for row in page["items"]] == whole["items"]
    assert {(page["total"], page["limit"]) for page in paged} == {(5, 2)}
    assert world.get(f"/study/table?tag={TAG}&offset=9").json["items"] == []
    text = world.get(f"/study/table?tag={TAG}&format=csv&limit=1&offset=1").text
    assert [row["window"] for row in csv.DictReader(io.StringIO(text))] == ["question"]


def test_the_table_can_be_of_one_video(world, cohort, problem):
    found = world.get(f"/study/table?video={cohort[0]}").json
    assert [(row["video_id"], row["window"]) for row in found["items"]] == [(cohort[0], None), (cohort[0], "question")]
    assert world.get(f"/study/table?video={cohort[4]}").json["excluded"][0]["id"] == cohort[4]
    assert problem(world.get("/study/table?video=none"), 404)
    for query in ("limit=0", "limit=x", "offset=-1"):
        assert problem(world.get(f"/study/table?{query}"), 422, "validation")


def test_the_table_is_the_same_in_every_format(world, cohort):
    items = world.get(f"/study/table?tag={TAG}").json["items"]
    text = world.get(f"/study/table?tag={TAG}&format=csv")
    assert (text.mimetype, text.headers["Content-Disposition"]) == (
        "text/csv",
        "attachment; filename=visagram-study.csv",
    )
    rows = list(csv.DictReader(io.StringIO(text.text)))
    assert [row["video_id"] for row in rows] == [item["video_id"] for item in items]
    assert [float(row["share_neutral"]) for row in rows] == [item["share_neutral"] for item in items]
    binary = world.get(f"/study/table?tag={TAG}&format=parquet")
    assert pq.read_table(io.BytesIO(binary.data)).to_pylist() == items


def test_conditions_are_compared_with_figure_table_and_method(world, cohort):
    found = world.get(f"/study/compare?by=condition&measure=share&tag={TAG}").json
    assert [(group["name"], group["n"]) for group in found["groups"]] == [("calm", 2), ("stress", 2)]
    assert len(found["differences"]) == 7
    assert len(found["table"]) == 14
    assert found["figure"]["layout"]["yaxis"]["ticktext"][:2] == ["calm, n = 2", "stress, n = 2"]
    assert "participant" in found["method"]
    assert [video["id"] for video in found["excluded"]] == [cohort[4]]
    windows = world.get(f"/study/compare?tag={TAG}&window=question&least=0.1").json
    assert [(group["name"], group["n"]) for group in windows["groups"]] == [("calm", 1)]
    assert world.get("/study/compare?tag=nobody").json["groups"] == []


def test_the_difference_of_two_groups_is_drawn(world, cohort, problem):
    path = f"/study/compare/difference?tag={TAG}"
    found = world.get(f"/study/compare?tag={TAG}").json["differences"]
    figure = world.get(f"{path}&first=calm&second=stress").json
    (trace,) = figure["data"]
    assert trace["x"] == pytest.approx([each["value"] * 100 for each in found])
    assert [note["text"] for note in figure["layout"]["annotations"]] == ["← more in<br>calm", "more in →<br>stress"]
    turned = world.get(f"{path}&first=stress&second=calm").json
    assert turned["data"][0]["x"] == pytest.approx([-x for x in trace["x"]])
    for missing in ("first=calm&second=none", "first=calm&second=calm"):
        assert problem(world.get(f"{path}&{missing}"), 404)
    assert problem(world.get(f"{path}&first=calm"), 422, "validation")


@pytest.mark.parametrize(
    "path", ["compare?by=name", "compare?measure=median", "table?format=xlsx", f"methods?tag={'x' * 81}"]
)
def test_questions_that_make_no_sense_are_refused(world, problem, path):
    assert problem(world.get(f"/study/{path}"), 422, "validation")


def test_the_methods_paragraph_names_models_and_comparison(world, cohort):
    text = world.get(f"/study/methods?tag={TAG}").json["text"]
    assert "4 videos" in text
    assert "visagram-emotion" in text
    assert "Welch" in text
    assert "Welch" not in world.get(f"/study/methods?tag={TAG}&condition=calm").json["text"]
    assert world.get("/study/methods?tag=nobody").json["text"]


def test_the_methods_paragraph_speaks_of_the_comparison_that_is_made(world, cohort):
    def text(query):
        return world.get(f"/study/methods?tag={TAG}&{query}").json["text"]

    assert "The unit is the participant" in text("by=condition")
    assert "the unit is the video" in text("by=participant")
    assert "the unit is" not in text("by=tag").lower(), "all have the same tag"
    assert "the unit is" not in text("by=condition&window=question").lower(), "one condition has such a window"
    assert "for 1 event window in 1 video, where a frame" in text("by=condition")


def test_the_methods_paragraph_says_what_was_done_by_hand(world, cohort):
    analysis = world.get(f"/videos/{cohort[2]}").json["latest"]["id"]
    path = f"/analyses/{analysis}"
    assert world.patch(f"{path}/people/1", {"name": "Anna"}).status_code == 200
    assert "By hand" not in world.get(f"/study/methods?tag={TAG}").json["text"]
    assert world.post(f"{path}/people/split", {"person": 1, "at": 1.0}).status_code == 200
    text = world.get(f"/study/methods?tag={TAG}").json["text"]
    assert "5 people were found (after corrections by hand;" in text
    assert "By hand, people were split once (found as one, taken for several), in 1 video;" in text
    for _ in range(2):
        assert world.post(f"{path}/changes/undo").status_code == 200
    assert "By hand" not in world.get(f"/study/methods?tag={TAG}").json["text"]


def test_labels_are_imported_by_name_stem_or_id_and_a_dry_run_changes_nothing(world, cohort):
    text = f"video,participant,tags\nstudy 1.mp4,A1,{TAG};x\nstudy 2,A2,{TAG}\n{cohort[3]},A3,{TAG}\nnone.mp4,A4,\n"
    dry = sheet(world, text, "?dry_run=1")
    assert dry.status_code == 200, dry.text
    assert dry.json["kind"] == "labels"
    assert [row["video_id"] for row in dry.json["matched"]] == cohort[1:4]
    assert dry.json["unmatched"] == [{"line": 5, "video": "none.mp4"}]
    assert world.get(f"/videos/{cohort[1]}").json["participant"] == "P1"
    assert sheet(world, text).json["matched"] == dry.json["matched"]
    changed = world.get(f"/videos/{cohort[1]}").json
    assert (changed["participant"], changed["condition"], changed["tags"]) == ("A1", "calm", [TAG, "x"])


def test_windows_are_imported_once(world, cohort):
    text = "video;window;start;end\nstudy 1;q 1;0:00,5;1,5\nstudy 1;q 2;1;1.5\nstudy 1;bad;5;1\n"
    for _ in range(2):
        found = sheet(world, text).json
        assert (found["kind"], len(found["matched"])) == ("windows", 2)
        assert [error["line"] for error in found["errors"]] == [4]
    windows = world.get(f"/videos/{cohort[1]}/windows").json["items"]
    assert [(window["name"], window["start"], window["end"]) for window in windows] == [
        ("q 1", 0.5, 1.5),
        ("q 2", 1.0, 1.5),
    ]


def test_a_name_that_two_videos_have_is_an_error_of_its_line(world, cohort):
    twins = [world.fresh("twin.mp4")[0] for _ in range(2)]
    found = sheet(world, "video,participant\ntwin.mp4,P1\n").json
    assert (found["matched"], found["errors"][0]["line"]) == ([], 2)
    assert "2 videos" in found["errors"][0]["detail"]
    assert sheet(world, f"video,participant\n{twins[0]},P1\n").json["errors"] == []


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n\0", b'"open', b"a,b\n1,2\n", b"\xff\xfe\x00"])
def test_a_file_that_is_no_table_is_an_error_and_not_a_failure(world, content):
    found = sheet(world, content).json
    assert (found["matched"], len(found["errors"])) == ([], 1)


def test_an_import_without_a_file_is_refused(world, problem):
    assert problem(world.post("/study/import"), 422, "validation")
    form = {"data": {"file": "text"}, "content_type": "multipart/form-data"}
    assert problem(world.post("/study/import", **form), 422, "validation")
    assert problem(world.post("/study/import", {"file": "x"}), 415)


def test_what_was_measured_too_briefly_is_left_out_and_equivalence_is_tested(world, cohort):
    found = world.get(f"/study/compare?tag={TAG}&least=60").json
    assert found["groups"] == [] and found["least"] == 60
    assert any("measured for less than 60 s left out" in note for note in found["notes"])
    assert found["headline"] == "No difference can be judged."
    near = world.get(f"/study/compare?tag={TAG}&smallest=0.5").json
    assert near["smallest"] == 0.5 and "equivalence within 50 percentage points" in near["method"]
    assert "equivalence" not in world.get(f"/study/methods?tag={TAG}").json["text"]
    assert "equivalence within 50" in world.get(f"/study/methods?tag={TAG}&smallest=0.5").json["text"]


@pytest.mark.parametrize("query", ["least=-1", "least=x", "smallest=0", "smallest=1.5"])
def test_limits_that_make_no_sense_are_refused(world, problem, query):
    assert problem(world.get(f"/study/compare?{query}"), 422, "validation")


def test_a_plan_is_frozen_and_departures_are_told(world, cohort, problem):
    planned = {"tag": TAG, "contrasts": [["calm", "stress"]], "smallest": 0.1}
    plan = world.post("/study/plan", planned).json["plan"]
    assert world.get("/study/plan").json["plan"] == plan
    file = world.get("/study/plan.json")
    assert hashlib.sha256(file.data).hexdigest() == plan["sha256"]
    assert file.headers["Content-Disposition"] == "attachment; filename=visagram-plan.json"
    assert (plan["analysed"], plan["replaces"], plan["earlier"]) == (4, "", [])
    late = "When it was frozen, 4 videos were analysed already."
    as_planned = world.get(f"/study/compare?tag={TAG}&smallest=0.1").json
    assert (as_planned["plan"], as_planned["departures"]) == (plan, [late])
    other = world.get(f"/study/compare?tag={TAG}&measure=mean_posterior").json["departures"]
    assert other[0] == "Planned was the measure: share; here it is mean_posterior."
    # Another takes its place, and the old one is not changed.
    later = world.post("/study/plan", planned | {"contrasts": [["calm", "rest"]]}).json["plan"]
    assert later["replaces"] == plan["sha256"] != later["sha256"]
    assert later["earlier"] == [{"sha256": plan["sha256"], "frozen": plan["frozen"]}]
    missing = world.get(f"/study/compare?tag={TAG}&smallest=0.1").json
    assert missing["differences"] == []
    assert missing["departures"][0] == "The plan compares 'rest', of which nothing was measured."
    for wrong in ([["calm"]], [["calm", "calm"]], [["calm", "rest"], ["rest", "calm"]], [["calm", "\ud800"]]):
        assert problem(world.post("/study/plan", {"contrasts": wrong}), 422, "validation")
    assert problem(world.post("/study/plan", {"tag": "\ud800"}), 422, "validation")
    assert problem(world.post("/study/plan", {"by": "weather"}), 422, "validation")
