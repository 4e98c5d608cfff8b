"""What a candidate would change on somebody's own videos, counted by real models on faces that were cut out again."""

from __future__ import annotations

import contextlib
import dataclasses

import numpy as np
import pytest

import media_factory as media
from factories import posteriors
from service import SHORT, open_service, upload, work
from visagram.core.types import EXPRESSIONS
from visagram.evaluate.model import open_model
from visagram.export.read import read_report
from visagram.jobs.effects import MOST_VIDEOS, difference, effects, newest
from visagram.jobs.model import LOCAL_OWNER, Analysis, Owner, Video
from visagram.settings import Settings
from visagram.workers import Workers, checks
from weights import write_linear

ANGRY, HAPPY, NEUTRAL = (EXPRESSIONS.index(name) for name in ("angry", "happy", "neutral"))


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A library with an analysed video of a person, and an older one of nobody."""
    place = tmp_path_factory.mktemp("effects")
    opened = open_service(place / "data", Settings(models=str(place / "models")))
    upload(opened, media.write_clip(place / "empty.mp4", media.numbered(160, 96, 10)), {})
    upload(opened, settings=SHORT, name="talk.mp4")
    work(opened)
    yield opened
    opened.store.close()


@pytest.fixture(scope="module")
def candidate(tmp_path_factory):
    return write_linear(tmp_path_factory.mktemp("model") / "visagram-emotion.onnx", gain=0.5, unsure_below=0.9)


def found_by(service, candidate, videos=None):
    settings = dataclasses.replace(service.settings, processes=1)
    if videos is None:
        with service.store.read() as session:
            videos = newest(session, service.storage, LOCAL_OWNER)
    with contextlib.ExitStack() as stack:

        def started(wanted):
            return stack.enter_context(Workers(wanted))

        return effects(videos, candidate, settings, started, str.upper, lambda *_: None)


def test_faces_are_cut_out_as_the_analysis_did_and_both_models_are_compared(service, candidate):
    with service.store.read() as session:
        talk, _ = newest(session, service.storage, LOCAL_OWNER)
    found, empty = found_by(service, candidate)
    report = read_report(talk.view)
    rows = report.observations[report.observations.usable]
    assert 0 < len(rows) <= 200
    with Workers(service.settings) as workers:
        luma = workers.faces(talk.blob, report, rows)
    model, other = (open_model(f"onnx:{file}", 1, service.settings.models_folder) for file in (_ours(), candidate))
    before, after = (each.classifier.classify(luma) for each in (model, other))
    # The first face was asked about in the analysis; of the others most followed the quick network.
    assert np.allclose(before[0], rows.posterior[0], atol=1e-5)
    assert np.abs(before - rows.posterior).sum(axis=1).mean() / 2 < 0.05
    below = tuple(model.facts["unsure_below"][name] for name in EXPRESSIONS)
    expected = difference(before, after, (below, 0.9))
    assert found == {"name": "talk.mp4", "faces": len(rows), "left_out": None} | expected
    assert found["changed"] > 0 and found["changes"]
    assert (empty["name"], empty["faces"], empty["left_out"]) == ("empty.mp4", 0, "NO FACE WAS MEASURED IN THIS VIDEO.")


def _ours():
    from visagram.models.card import COMMITTEE, read_card

    return read_card(COMMITTEE).file


def test_a_video_that_is_gone_changed_or_damaged_is_named(service, candidate, tmp_path):
    with service.store.read() as session:
        talk, _ = newest(session, service.storage, LOCAL_OWNER)
    damaged = tmp_path / "damaged"
    damaged.write_bytes(talk.blob.read_bytes()[:1000] + bytes(talk.blob.stat().st_size - 1000))
    files = {
        "gone": tmp_path / "gone",
        "other": media.write_clip(tmp_path / "other.mp4", media.numbered(64, 48, 5)),
        "damaged": damaged,
    }
    videos = [dataclasses.replace(talk, name=name, blob=file) for name, file in files.items()]
    viewless = dataclasses.replace(talk, name="viewless", view=tmp_path)
    found = found_by(service, candidate, [*videos, viewless, talk])
    assert [each["name"] for each in found if each["left_out"]] == [*files, "viewless"]
    assert "NOT THE VIDEO THAT WAS ANALYSED" in found[1]["left_out"]
    assert all(each["faces"] == each["changed"] == 0 for each in found[:4]) and found[4]["faces"] > 0


@pytest.mark.parametrize("luma", [np.zeros((3, 48, 48), np.uint8), np.zeros((1, 48, 48)), np.zeros((1, 9), np.uint8)])
def test_what_a_worker_says_is_no_more_than_faces_that_were_asked_for(luma):
    assert checks.faces({"luma": np.zeros((2, 48, 48), np.uint8)}, 2).shape == (2, 48, 48)
    with pytest.raises(ValueError, match="48x48"):
        checks.faces({"luma": luma}, 2)


def test_of_many_faces_some_are_chosen_evenly(service, candidate, monkeypatch):
    monkeypatch.setattr("visagram.jobs.effects.MOST_FACES", 3)
    asked = []
    faces = Workers.faces
    monkeypatch.setattr(Workers, "faces", lambda *what: asked.append(what[3].frame.tolist()) or faces(*what))
    assert found_by(service, candidate)[0]["faces"] == 3
    ((first, middle, last),) = asked
    assert first < 10 and abs(middle - (first + last) / 2) <= 2 and last > 40


def test_only_the_newest_finished_analyses_of_an_owner_count(service):
    with service.store.write() as session:
        session.add(Owner(id=2, name="other"))
        talk = session.query(Video).where(Video.name == "talk.mp4").one()
        for k in range(6):
            video = Video(owner_id=2, name=f"v{k}", blob_id=talk.blob_id)
            session.add(video)
            session.flush()
            session.add(Analysis(video_id=video.id, output_id=talk.analyses[0].output_id, created=1000.0 + k))
    try:
        assert [each.name for each in _newest(service)] == ["v5", "v4", "v3", "v2", "v1"]
        with service.store.write() as session:
            session.query(Video).where(Video.name == "v5").one().purge_at = 1.0
            session.query(Video).where(Video.name == "v4").one().analyses[0].cancelled = 1.0
        assert [each.name for each in _newest(service)] == ["v3", "v2", "v1", "v0"]
    finally:
        with service.store.write() as session:
            for video in session.query(Video).where(Video.owner_id == 2):
                session.delete(video)
    assert MOST_VIDEOS == 5


def _newest(service):
    with service.store.read() as session:
        return newest(session, service.storage, 2)


def test_changes_are_counted_the_most_frequent_first():
    before = posteriors([NEUTRAL] * 5 + [HAPPY] * 3, 0.8)
    after = posteriors([ANGRY] * 3 + [HAPPY] * 2 + [HAPPY] * 3, 0.6)
    assert difference(before, after, (0.5, 0.5)) == {
        "changed": 5,
        "changes": [
            {"before": "neutral", "after": "angry", "faces": 3},
            {"before": "neutral", "after": "happy", "faces": 2},
        ],
        "unsure": 0,
        "sure": 0,
    }
    by_expression = [0.5] * 7
    by_expression[HAPPY] = 0.7
    assert [difference(before, after, (0.5, by_expression))[name] for name in ("unsure", "sure")] == [5, 0]
    assert [difference(before, after, (0.9, by_expression))[name] for name in ("unsure", "sure")] == [0, 3]
    every = posteriors(list(range(7)), 0.8)
    assert len(difference(every, np.roll(every, 1, axis=1), (0, 0))["changes"]) == 5
