"""What `visagram` stands for: a dear model that is asked about few faces, and a quick one that is followed."""

from __future__ import annotations

import json
import shutil
from typing import Any

import numpy as np
import pytest

from command import visagram
from factories import video_facts
from media_factory import SAMPLE
from visagram import open_report
from visagram.compose import Models
from visagram.models.card import COMMITTEE, EMOTION, read_card
from visagram.models.emotion import OnnxClassifier
from visagram.report import Report
from visagram.settings import Settings


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    folder, reports = tmp_path_factory.mktemp("committee"), {}
    # The same network under a card that names nobody to follow.
    card = read_card(COMMITTEE)
    alone = folder / "alone.onnx"
    shutil.copyfile(card.file, alone)
    facts = {name: value for name, value in card.facts.items() if name != "quick"} | {"file": alone.name}
    alone.with_suffix(".json").write_text(json.dumps(facts))
    ways: dict[str, tuple[Any, ...]] = {
        "usual": (),
        "fast": ("--emotion", "visagram-fast"),
        "each": ("--emotion", f"onnx:{alone}"),
        "alone": ("--processes", 1),
    }
    for name, more in ways.items():
        given = ("--end", 6, "--format", "json", "--format", "parquet", "-q")
        outcome = visagram("analyze", SAMPLE, "-o", folder / name, *given, *more)
        assert outcome.status == 0, outcome.err
        reports[name] = open_report(folder / name / SAMPLE.stem)
    return reports


def away(one: Report, other: Report) -> float:
    """Mean total variation between the posteriors of the frames in which both measured the face."""
    a, b = (report.observations[report.observations.usable] for report in (one, other))
    _, i, j = np.intersect1d(a.frame, b.frame, return_indices=True)
    assert len(i) > 100
    return float(np.abs(a.posterior[i] - b.posterior[j]).sum(axis=1).mean() / 2)


def test_it_lies_nearer_to_asking_about_each_face_than_the_quick_network_alone(found: dict[str, Report]) -> None:
    usual, fast = away(found["usual"], found["each"]), away(found["fast"], found["each"])
    assert usual < 0.6 * fast and usual < 0.03


def test_processes_do_not_change_it(found: dict[str, Report]) -> None:
    np.testing.assert_array_equal(found["usual"].observations.posterior, found["alone"].observations.posterior)


def test_the_report_names_both_and_the_methods_say_how(found: dict[str, Report]) -> None:
    from visagram.export.methods import methods_text

    committee, fast = read_card(COMMITTEE), read_card(EMOTION)
    model = found["usual"].to_dict()["models"][-1]
    assert (model["name"], model["sha256"], model["quick"]["sha256"]) == (COMMITTEE, committee.sha256, fast.sha256)
    assert "followed by the quicker network visagram-emotion" in methods_text([found["usual"].to_dict()])
    assert "quicker" not in methods_text([found["each"].to_dict()]) + methods_text([found["fast"].to_dict()])
    assert json.dumps(found["fast"].to_dict()["models"][-1]["sha256"]).strip('"') == fast.sha256


def test_who_asks_about_every_face_follows_nobody() -> None:
    for settings, followed in (
        (Settings(), True),
        (Settings(detect_every=1), False),
        (Settings(emotion="visagram-fast"), False),
        (Settings(emotion="visagram-teacher"), False),
    ):
        models = Models(1, settings)
        assert (models.stages(video_facts(), settings).quick is not None) is followed


def test_a_face_behind_a_mask_is_less_sure() -> None:
    """A wide smile, then a sheet over nose and mouth."""
    from skimage.data import astronaut

    from visagram.synth.finder import FaceFinder

    (look,) = FaceFinder().look([astronaut()[..., 1]])
    masked = look.crop.copy()
    masked[26:] = 205
    for name in (COMMITTEE, EMOTION):
        plain, hidden = OnnxClassifier(read_card(name), threads=1).classify(np.stack([look.crop, masked]))
        assert plain.argmax() == 3 and plain.max() > 0.9
        assert hidden.max() < 0.75
