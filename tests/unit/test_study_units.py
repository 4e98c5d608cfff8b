"""What is compared out of a study's table, and its notes, of hand-written rows; the table column by column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from factories import SHA256, VIDEO_ID, doubtful_report, make_report, one_frame
from visagram.core.compare import Unit
from visagram.core.statistics import Window
from visagram.core.types import EXPRESSIONS
from visagram.errors import UsageError
from visagram.export import study, view
from visagram.export.study import StudyVideo, tidy_page, tidy_rows, units

SHARES = (0.0, 0.0, 0.0, 0.25, 0.0, 0.0, 0.75)
MEANS = (0.1, 0.1, 0.1, 0.2, 0.1, 0.1, 0.3)


def row(video: str = "v1", **changes: Any) -> dict[str, Any]:
    found = {"video_id": video, "participant": "ada", "condition": "film", "tags": "", "window": None, "models": "m ab"}
    found |= {"video": video, "person": 1, "person_name": "Person 1"}
    found |= {"still": False, "analysed": 10.0, "measured": 5.0, "frames_measured": 50}
    found |= {f"share_{name}": value for name, value in zip(EXPRESSIONS, SHARES, strict=True)}
    found |= {f"mean_{name}": value for name, value in zip(EXPRESSIONS, MEANS, strict=True)}
    return found | changes


NOTHING = {f"share_{name}": None for name in EXPRESSIONS}


def of(*rows: dict[str, Any], **by: Any) -> tuple[list[Unit], list[str]]:
    return units(pa.Table.from_pylist(list(rows), study.schema()), **by)


def test_a_row_is_a_unit_of_its_condition() -> None:
    assert of(row()) == ([Unit("film", "ada", SHARES, 5.0)], [])
    assert of(row(), measure="mean_posterior") == ([Unit("film", "ada", MEANS, 5.0)], [])
    assert of() == ([], [])


def test_rows_without_a_measure_are_left_out_in_silence() -> None:
    rows = [row("v1", **NOTHING), row("v2", measured=0.0), row("v3", measured=2.0), row("v4", window="w")]
    assert of(*rows) == ([Unit("film", "ada", SHARES, 2.0)], [])
    assert of(*rows, window="w") == ([Unit("film", "ada", SHARES, 5.0)], [])
    # Pictures last no time and count alike.
    assert of(row(measured=0.04, still=True)) == ([Unit("film", "ada", SHARES, 1.0, still=True)], [])


def test_rows_without_a_group_are_counted_as_videos() -> None:
    rows = [row("v1", condition=""), row("v1", condition=""), row("v2", condition=""), row("v3"), row("v4")]
    found, notes = of(*rows)
    assert [unit.group for unit in found] == ["film", "film"]
    assert notes == ["2 videos without a condition left out."]
    assert of(row("v1", condition=""), row("v2"))[1] == ["1 video without a condition left out."]


def test_rows_without_a_participant_are_their_own() -> None:
    found, notes = of(row("v1", participant=""), row("v1", participant=""), row("v2", participant=""), row("v3"))
    assert [unit.participant for unit in found] == ["(video v1)", "(video v1)", "(video v2)", "ada"]
    assert notes == ["2 videos without a participant taken for participants of their own."]


def test_bystanders_are_not_the_participant() -> None:
    rows = [row(person=1, measured=2.0), row(person=2, measured=9.0), row(person=3, measured=1.0)]
    assert of(*rows) == (
        [Unit("film", "ada", SHARES, 9.0)],
        [
            "In 1 video several people were seen: whoever was measured longest, or is named like the participant, "
            "counts as the participant, and nobody else."
        ],
    )
    # The same person in a window of the video, however short.
    windows = [row(person=1, measured=3.0, window="w"), row(person=2, measured=1.0, window="w")]
    assert of(*rows, *windows, window="w")[0] == [Unit("film", "ada", SHARES, 1.0)]
    named = [*rows[:2], row(person=3, measured=1.0, person_name="ada")]
    assert of(*named)[0] == [Unit("film", "ada", SHARES, 1.0)]
    # A video without a participant counts with all its people, and so do videos that are the unit themselves.
    assert len(of(*({**each, "participant": ""} for each in rows))[0]) == len(of(*rows, by="participant")[0]) == 3


def test_whoever_was_not_measured_is_not_the_participant() -> None:
    found, notes = of(row(person=1, still=True, **NOTHING), row(person=2, still=True, measured=0.04))
    assert found == [Unit("film", "ada", SHARES, 1.0, still=True)]
    assert notes == []


def test_a_close_choice_of_the_participant_is_told() -> None:
    found, notes = of(row(person=1, measured=5.0), row(person=2, measured=4.0))
    assert [unit.measured for unit in found] == [5.0]
    assert notes[1] == "In v1 somebody else was measured at least half as long. Name the participant there to be sure."
    assert len(of(row(person=1, measured=5.0), row(person=2, measured=4.0, person_name="ada"))[1]) == 1


def test_every_tag_is_a_group() -> None:
    rows = [row("v1", tags="a; b"), row("v2", tags=""), row("v3", tags="b", participant=""), row("v4", tags="; c")]
    found, notes = of(*rows, by="tag")
    assert [(unit.group, unit.participant) for unit in found] == [
        *(("a", "ada"), ("b", "ada"), ("b", "(video v3)"), ("c", "ada"))
    ]
    assert notes == [
        "1 video without a tag left out.",
        "1 video without a participant taken for participants of their own.",
    ]


def test_participants_are_compared_by_their_videos() -> None:
    found, notes = of(row("v1"), row("v2"), row("v3", participant=""), by="participant")
    assert [(unit.group, unit.participant) for unit in found] == [("ada", "(video v1)"), ("ada", "(video v2)")]
    assert notes == [
        "1 video without a participant left out.",
        "Participants are compared with each other: the unit is the video, not the participant.",
    ]


def test_other_models_are_warned_of_first() -> None:
    common, long = f"finder {'0' * 64}", f"reader {'123456789abc' + 'd' * 52}"
    rows = [
        row("v1", models=f"{common}; old reader {'ab' * 32}"),
        row("v2", models=f"{common}; {long}", participant=""),
        row("v3", models=f"{common}; {long}"),
        row("v3", models=f"{common}; {long}"),
        row("v4", models="never counted", **NOTHING),
        row("v5", models="never counted", condition=""),
    ]
    notes = of(*rows)[1]
    assert notes == [
        "These videos were not all analysed with the same models, so what differs may be the models and not the "
        "people: reader 123456789abc in 2 videos; old reader abababababab in 1 video.",
        "1 video without a condition left out.",
        "1 video without a participant taken for participants of their own.",
    ]
    tied = of(row("v1", models="b 12"), row("v2", models="a 34; c 56"))[1]
    assert tied[0].endswith("people: a 34, c 56 in 1 video; b 12 in 1 video.")
    assert of(row("v1"), row("v2"))[1] == []


def test_what_cannot_be_compared_is_said() -> None:
    with pytest.raises(UsageError) as caught:
        of(by="x" * 50)
    assert str(caught.value) == (
        f"Videos cannot be compared by '{'x' * 40}'; the choices are condition, tag, participant."
    )
    with pytest.raises(UsageError) as caught:
        of(measure="y" * 50)
    assert str(caught.value) == f"There is no measure '{'y' * 40}'; the choices are share, mean_posterior."


# --- The table -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("study") / "talk"
    view.write_view(doubtful_report(), None, made)
    return made


def test_the_columns_and_their_kinds() -> None:
    kinds = {name: str(kind) for name, kind in zip(study.schema().names, study.schema().types, strict=True)}
    texts = [
        *("video_id", "video", "content_id", "participant", "condition", "tags", "window"),
        "person_name",
        "models",
    ]
    assert [name for name, kind in kinds.items() if kind == "string"] == texts
    assert [name for name, kind in kinds.items() if kind == "int64"] == [
        *("frames", "frames_measured", "frames_certain"),
        *(f"share_{name}_episodes" for name in EXPRESSIONS),
    ]
    assert [name for name, kind in kinds.items() if kind == "int32"] == ["person"]
    reasons = ("too_small", "blurred", "turned", "cut_off", "lying", "not_decoded", "not_visible")
    assert list(kinds) == [
        *texts[:7],
        *(
            "window_start",
            "window_end",
            "person",
            "person_name",
            "still",
            "analysed",
            "screen_time",
            "measured",
            "unsure",
        ),
        *(f"unmeasured_{reason}" for reason in reasons),
        *("frames", "frames_measured", "frames_certain"),
        *(f"share_{name}{end}" for name in EXPRESSIONS for end in ("", "_low", "_high", "_least", "_most")),
        *(f"share_{name}_episodes" for name in EXPRESSIONS),
        *(f"mean_{name}" for name in EXPRESSIONS),
        "models",
    ]


def test_every_field_of_a_row(folder: Path) -> None:
    video = StudyVideo("v1", "a\udce9", "ada", "film", ("x", "y"), (Window("w", 0.0, 0.4),), folder)
    person = doubtful_report().people[0]
    whole, window, *others = tidy_rows([video]).to_pylist()
    assert [(other["person"], other["window"]) for other in others] == [(2, None), (2, "w")]
    head = {"video_id": "v1", "video": "a?", "content_id": VIDEO_ID, "participant": "ada", "condition": "film"}
    head |= {"tags": "x; y", "person": 1, "person_name": "Person 1"}
    head |= {"models": f"retinaface-mobilenet025 {'ab' * 32}; expression-net {'cd' * 32}"}
    head |= {"still": False}
    expected = head | {"window": None, "window_start": None, "window_end": None, "analysed": 4.0}
    expected |= {"screen_time": 4.0, "measured": 3.6, "unsure": 0.4, "frames": 100, "frames_measured": 90}
    expected |= {"frames_certain": 80, **{f"unmeasured_{name}": value for name, value in person.unmeasured.items()}}
    for name, share, mean in zip(EXPRESSIONS, person.shares, person.mean_posterior, strict=True):
        expected |= {f"share_{name}": share.value, f"share_{name}_low": share.low, f"share_{name}_high": share.high}
        expected |= {f"share_{name}_least": share.least, f"share_{name}_most": share.most}
        expected |= {f"share_{name}_episodes": share.episodes, f"mean_{name}": mean}
    assert whole == pytest.approx(expected)
    expected = {"window": "w", "window_start": 0.0, "window_end": 0.4, "analysed": 0.4, "screen_time": 0.4}
    expected |= {"measured": 0.4, "unsure": 0.4, "frames": 10, "frames_measured": 10, "frames_certain": 0}
    expected |= {"share_happy": 1.0, "share_sad": 0.0, "mean_happy": 0.42, "mean_sad": 0.38, "unmeasured_turned": 0.0}
    assert {name: window[name] for name in (*head, *expected)} == pytest.approx(head | expected)


def test_the_known_content_counts_before_what_the_report_says(folder: Path) -> None:
    def content(sha256: str) -> str:
        return tidy_rows([StudyVideo("v", "a", "", "", (), (), folder, sha256)])["content_id"].to_pylist()[0]

    assert content("") == SHA256[:16]
    assert content("fe" * 32) == "fe" * 8


def test_a_page_counts_all_rows(folder: Path, tmp_path: Path) -> None:
    view.write_view(one_frame(), None, tmp_path / "one")
    view.write_view(make_report(), None, tmp_path / "gone")
    (tmp_path / "gone" / "observations.parquet").unlink()
    windows = (Window("w", 0.0, 1.0), Window("x", 1.0, 2.0))

    def video(id: str, place: Path, windows: tuple[Window, ...] = ()) -> StudyVideo:
        return StudyVideo(id, id, "", "", (), windows, place)

    # One row, two rows, six that cannot be made, three.
    videos = [video("a", tmp_path / "one"), video("b", folder), video("c", tmp_path / "gone", windows)]
    videos += [video("d", tmp_path / "one", windows)]

    def page(offset: int, limit: int | None) -> list[tuple[str, str | None]]:
        rows, total = tidy_page(videos, offset, limit)
        assert total == 12
        return [(row["video_id"], row["window"]) for row in rows.to_pylist()]

    assert page(0, 0) == [] and page(12, None) == []
    assert page(0, 3) == [("a", None), ("b", None), ("b", None)]
    assert page(1, 1) == [("b", None)] and page(2, 1) == [("b", None)]
    assert page(9, None) == [("d", None), ("d", "w"), ("d", "x")]
    assert page(10, 1) == [("d", "w")] and page(11, 9) == [("d", "x")]
