"""A result of other models than the usual ones says so wherever it is shown, and a comparison warns."""

from __future__ import annotations

import dataclasses

import pytest

from factories import make_report
from visagram.export import view
from visagram.export.html import page
from visagram.export.methods import methods_text
from visagram.export.study import StudyVideo, tidy_rows, units
from visagram.export.text import summary
from visagram.export.words import facts
from visagram.models.catalog import model_cards
from visagram.settings import Settings

DEEPFACE = {"name": "deepface", "task": "expression", "version": "0.0.103", "sha256": "ef" * 32, "licence": "MIT"}
READ_BY = "expressions read by deepface 0.0.103"


def usual():
    return dataclasses.replace(make_report(), settings=Settings().for_report(), models=tuple(model_cards()))


def deepface(**settings):
    chosen = Settings(emotion="deepface", **settings).for_report()
    return dataclasses.replace(usual(), settings=chosen, models=(*model_cards()[:2], DEEPFACE))


@pytest.mark.parametrize("shown", [summary, page], ids=["terminal", "html"])
def test_the_head_of_a_report_names_the_model_that_was_chosen(shown) -> None:
    assert READ_BY in shown(deepface())
    assert "read by" not in shown(usual())


def test_each_model_that_was_chosen_is_named() -> None:
    report = deepface(detector="deepface-retinaface")
    finder = DEEPFACE | {"name": "deepface-retinaface", "task": "detection", "version": ""}
    report = dataclasses.replace(report, models=(finder, *report.models[1:]))
    assert facts(report)[-2:] == ["faces found by deepface-retinaface", READ_BY]


def test_results_from_before_there_was_a_choice_name_none() -> None:
    report = dataclasses.replace(usual(), settings={"seed": 0})
    assert len(facts(report)) == len(facts(usual()))


def test_a_foreign_name_is_shown_and_not_obeyed() -> None:
    report = dataclasses.replace(deepface(), models=(DEEPFACE | {"name": "<blink>\x1b[2J\n"},))
    assert "\x1b" not in summary(report)
    assert "<blink>" not in page(report)


def test_the_methods_text_names_it() -> None:
    text = methods_text([deepface().to_dict()])
    assert "classified with deepface 0.0.103" in text
    assert "emotion = deepface" in text


def compared(tmp_path, **reports):
    videos = []
    for name, report in reports.items():
        view.write_view(report, None, tmp_path / name)
        videos.append(StudyVideo(name, f"{name}.mp4", name, "film", (), (), tmp_path / name))
    return [note for note in units(tidy_rows(videos))[1] if "models" in note]


def test_a_comparison_of_results_of_different_models_warns(tmp_path) -> None:
    ours = model_cards()[-1]
    assert compared(tmp_path, a=usual(), b=deepface(), c=usual()) == [
        "These videos were not all analysed with the same models, so what differs may be the models and not the "
        f"people: {ours['name']} {ours['sha256'][:12]} in 2 videos; deepface efefefefefef in 1 video."
    ]


def test_a_comparison_of_results_of_the_same_models_does_not(tmp_path) -> None:
    assert compared(tmp_path, a=deepface(), b=deepface()) == []
