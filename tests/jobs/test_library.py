"""Videos, analyses and uploads of a data folder, with the real work done in this process."""

from __future__ import annotations

import io
import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service import SHORT, error, open_service, result, status, upload, work
from visagram.cli import SAMPLE
from visagram.core.edits import Merge, Rename, Split
from visagram.errors import Conflict, EmptyInput, NotFound, StorageFull, TooLarge, UsageError
from visagram.jobs import leases
from visagram.jobs.model import LOCAL_OWNER, Blob, Entry, Output, Upload, Video
from visagram.jobs.storage import annotated_file, size_of, view_folder
from visagram.jobs.uploads import UNKNOWN, Wanted
from visagram.jobs.videos import Labels, Who, shown_name
from visagram.models.promotion import promote, rollback
from visagram.settings import Settings
from weights import write_linear

ME, STRANGER = Who(LOCAL_OWNER), Who(999, "stranger")


def _rows(service, kind):
    with service.store.read() as session:
        return session.query(kind).all()


def _video(service, id):
    with service.store.read() as session:
        video = service.videos.get(session, ME, id)
        _ = video.blob.strip, video.windows, video.analyses
        return video


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A folder with one finished analysis of the sample's beginning."""
    service = open_service(tmp_path_factory.mktemp("done"), undo_seconds=0.0)
    video, analysis = upload(service)
    kinds = work(service)
    yield service, video, analysis, kinds
    service.store.close()


def test_an_upload_becomes_a_video_with_poster_strip_and_result(done):
    service, video, analysis, kinds = done
    assert kinds[:2] == ["prepare", "strip"] and {"segment", "merge"} <= set(kinds)
    assert status(service, analysis) == "done"
    found = _video(service, video)
    assert found.blob.strip["count"] > 10
    assert (service.storage.media(found.blob_id) / "poster.jpg").stat().st_size > 1000
    report, _ = result(service, analysis)
    assert len(report["people"]) == 1
    assert report["totals"]["frames"] > 40
    assert report["video"]["name"] == "video", "names belong to the entry, the output is shared"
    assert service.storage.names("work") == []


def test_the_same_result_as_on_the_command_line(done, tmp_path):
    from visagram.analysis import analyze
    from visagram.settings import Settings

    service, _, analysis, _ = done
    analyze(SAMPLE, Settings(**SHORT)).save(tmp_path, ["json"])
    mine, _ = result(service, analysis)
    theirs = json.loads((tmp_path / "report.json").read_text())
    assert mine["people"] == theirs["people"]
    assert mine["totals"] == theirs["totals"]


def test_the_same_bytes_under_the_same_settings_are_analysed_once(done):
    service, video, analysis, _ = done
    other, second = upload(service, name="copy.mp4")
    assert other != video
    assert second != analysis
    assert work(service) == []
    assert status(service, second) == "done"
    assert result(service, second) == result(service, analysis)
    assert len(_rows(service, Blob)) == 1
    service.analyses.edit(ME, second, Rename(1, "Ada"))
    with service.store.read() as session:
        assert service.analyses.get(session, ME, analysis).revision == 0
    assert service.analyses.create(ME, video, SHORT) == (analysis, False)
    service.videos.delete(ME, other)
    service.videos.tidy()
    assert status(service, analysis) == "done"
    assert service.storage.names("edits") == []


def test_edits_are_recorded_and_can_be_taken_back(done):
    service, _, analysis, _ = done
    service.analyses.edit(ME, analysis, Split(1, at=1.0))
    service.analyses.edit(ME, analysis, Rename(2, "Grace <b>"))
    folder = service.storage.edits(analysis) / "view-2"
    names = [person["name"] for person in json.loads((folder / "report.json").read_text())["people"]]
    assert names == ["Person 1", "Grace <b>"]
    service.analyses.edit(ME, analysis, Merge((1, 2), None))
    with pytest.raises(UsageError):
        service.analyses.edit(ME, analysis, Rename(7, "nobody"))
    for left in (2, 1, 0):
        service.analyses.undo(ME, analysis)
        with service.store.read() as session:
            now = service.analyses.get(session, ME, analysis)
            assert len(now.changes) == left
            assert (now.view > 0) == (left > 0)
            names = [
                person["name"]
                for person in json.loads((view_folder(service.storage, now) / "report.json").read_text())["people"]
            ]
            assert names == [["Person 1"], ["Person 1", "Person 2"], ["Person 1", "Grace <b>"]][left]
    assert now.revision == 6, "a revision is never used twice"
    assert len(list(service.storage.edits(analysis).glob("view-*"))) <= 1
    with pytest.raises(Conflict):
        service.analyses.undo(ME, analysis)
    assert [e.action for e in _rows(service, Entry)].count("people: split") == 1


def test_what_is_not_a_video_fails_with_the_reason_and_its_entry_stays(service, tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("no video at all\n" * 100)
    _, analysis = upload(service, text, {})
    work(service)
    assert status(service, analysis) == "failed"
    code, detail = error(service, analysis)
    assert code == "not_a_video"
    assert str(service.storage.folder) not in detail
    assert detail.startswith("The file")
    service.analyses.retry(ME, analysis)
    assert status(service, analysis) == "queued"


def test_settings_that_leave_nothing_to_analyse_fail_with_the_reason(service):
    _, analysis = upload(service, settings={"start": "500"})
    work(service)
    code, detail = error(service, analysis)
    assert code == "usage"
    assert "no frame in the chosen range" in detail


def test_deleting_frees_every_byte_and_can_be_undone_until_then(tmp_path):
    service = open_service(tmp_path, undo_seconds=1000.0)
    video, analysis = upload(service)
    work(service)
    service.videos.delete(ME, video)
    assert service.videos.tidy() == 0
    with pytest.raises(NotFound):
        _video(service, video)
    service.videos.restore(ME, video)
    assert status(service, analysis) == "done"
    service.videos.delete(ME, video, at_once=True)
    held = sum(size_of(service.storage.folder / kind) for kind in ("blobs", "results", "media"))
    assert service.videos.tidy() == held
    assert [p for p in service.storage.folder.rglob("*") if p.is_file() and "sqlite" not in p.name] == []
    assert _rows(service, Blob) == _rows(service, Output) == []
    with pytest.raises(NotFound):
        service.videos.restore(ME, video)
    service.store.close()


def test_old_videos_go_after_the_days_that_were_set(tmp_path):
    service = open_service(tmp_path, keep_days=1e-9)
    upload(service, settings=None)
    assert service.videos.tidy() > 0
    assert _rows(service, Blob) == []
    service.store.close()


def test_videos_are_kept_for_days_and_not_for_hours(tmp_path):
    service = open_service(tmp_path, keep_days=2)
    ages = {upload(service, name=f"{age}.mp4", settings=None)[0]: age for age in (1, 47, 49)}  # hours
    with service.store.write() as session:
        for id, age in ages.items():
            session.get(Video, id).created = time.time() - age * 3600
    service.videos.tidy()
    assert {ages[video.id] for video in _rows(service, Video)} == {1, 47}
    service.store.close()


def test_an_abandoned_upload_is_kept_for_hours_and_not_for_days(tmp_path):
    service = open_service(tmp_path, upload_hours=2)
    ages = {service.uploads.begin(ME, "a.mp4", 9, Wanted(None)): age for age in (0, 110, 130)}  # minutes
    with service.store.write() as session:
        for id, age in ages.items():
            session.get(Upload, id).touched = time.time() - age * 60
    service.videos.tidy()
    assert {ages[row.id] for row in _rows(service, Upload)} == {0, 110}
    service.store.close()


def test_another_model_gives_another_result_and_the_model_before_the_one_before(tmp_path):
    """A result is shared by all that decides it: the model's hash does, also where its name stays."""
    service = open_service(tmp_path / "data", Settings(models=str(tmp_path / "models")))
    models = service.settings.models_folder
    video, _ = upload(service, settings=None)
    first, _ = service.analyses.create(ME, video, SHORT)
    promote(write_linear(tmp_path / "better.onnx"), models, "a test")
    second, is_new = service.analyses.create(ME, video, SHORT)
    assert is_new and second != first
    assert service.analyses.create(ME, video, SHORT) == (second, False)
    promote(write_linear(tmp_path / "best.onnx", seed=1), models, "a test")
    third, is_new = service.analyses.create(ME, video, SHORT)
    assert is_new and len(_rows(service, Output)) == 3
    rollback(models)
    assert service.analyses.create(ME, video, SHORT) == (second, False)
    rollback(models)
    assert service.analyses.create(ME, video, SHORT) == (first, False)
    assert third not in (first, second)
    service.store.close()


def test_an_abandoned_upload_expires_and_files_without_a_row_are_swept(tmp_path):
    service = open_service(tmp_path, upload_hours=1e-9)
    id = service.uploads.begin(ME, "a.mp4", 100, Wanted(None))
    service.uploads.append(ME, id, 0, io.BytesIO(b"x" * 50))
    stray = service.storage.blob("ab" * 32)
    stray.parent.mkdir()
    stray.write_bytes(b"y" * 30)
    assert service.videos.tidy() == 80
    with pytest.raises(NotFound):
        service.uploads.progress(ME, id)
    service.store.close()


def test_uploads_go_on_where_they_broke_off(service):
    content = SAMPLE.read_bytes()
    id = service.uploads.begin(ME, "a.mp4", len(content), Wanted(None))

    def broken():
        yield content[:1000]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        service.uploads.append(ME, id, 0, broken())
    assert service.uploads.progress(ME, id).offset == 1000
    with pytest.raises(Conflict):
        service.uploads.finish(ME, id)
    with pytest.raises(Conflict):
        service.uploads.append(ME, id, 999, io.BytesIO(b"z"))
    with pytest.raises(NotFound):
        service.uploads.append(STRANGER, id, 1000, io.BytesIO(b"z"))
    service.uploads.append(ME, id, 1000, io.BytesIO(content[1000:]))
    video, _ = service.uploads.finish(ME, id)
    assert service.uploads.finish(ME, id) == (video, None)
    assert service.storage.blob(_video(service, video).blob_id).read_bytes() == content


def test_uploads_keep_to_the_limits(tmp_path):
    service = open_service(tmp_path, max_upload=1)
    with pytest.raises(TooLarge):
        service.uploads.begin(ME, "a", (1 << 20) + 1, Wanted(None))
    with pytest.raises(EmptyInput):
        service.uploads.begin(ME, "a", 0, Wanted(None))
    with pytest.raises(UsageError):
        service.uploads.begin(ME, "a", 10, Wanted({"frame_interval": "0"}))
    with pytest.raises(UsageError):
        service.uploads.begin(ME, "a", 10, Wanted({"worker_memory": "1"}))
    id = service.uploads.begin(ME, "a", 10, Wanted(None))
    with pytest.raises(TooLarge):
        service.uploads.append(ME, id, 0, io.BytesIO(b"x" * 11))
    open_ended = service.uploads.begin(ME, "a", UNKNOWN, Wanted(None))
    with pytest.raises(TooLarge):
        service.uploads.append(ME, open_ended, 0, io.BytesIO(b"x" * ((1 << 20) + 1)))
    service.store.close()


def test_space_that_must_stay_free_is_not_given_to_uploads(tmp_path):
    service = open_service(tmp_path, keep_free=1 << 30)
    with pytest.raises(StorageFull):
        service.uploads.begin(ME, "a", 10, Wanted(None))
    service.store.close()


def test_strangers_find_nothing(done):
    service, video, analysis, _ = done
    with service.store.read() as session:
        assert service.videos.find(session, STRANGER) == ([], 0)
        with pytest.raises(NotFound):
            service.videos.get(session, STRANGER, video)
        with pytest.raises(NotFound):
            service.analyses.get(session, STRANGER, analysis)
    for act in (service.analyses.cancel, service.analyses.retry, service.analyses.delete, service.analyses.annotate):
        with pytest.raises(NotFound):
            act(STRANGER, analysis)
    with pytest.raises(NotFound):
        service.videos.delete(STRANGER, video)


def test_videos_are_found_by_words_tags_condition_and_state(service):
    one, _ = upload(service, name="100%_smile.mp4", settings=None)
    two, analysis = upload(service, name="other.mp4")
    three, failed = upload(service, name="third.mp4", settings={"start": "99"})
    with service.store.write() as session:
        leases.fail(session, service.analyses.get(session, ME, failed).output.job, "usage", "No.")
    service.videos.change(ME, one, {"participant": "P07", "condition": "reward", "tags": ["Zürich", "a,b"]})

    def found(**by):
        with service.store.read() as session:
            videos, total = service.videos.find(session, ME, **by)
            assert total == len(videos)
            return {video.id for video in videos}

    assert found() == {one, two, three}
    assert found(query="100%_") == found(query="p07") == found(query="zürich") == found(query="reward smile") == {one}
    assert found(query="0_%") == found(query="nothing") == set()
    assert found(tag="a,b") == found(condition="reward") == {one}
    assert found(state="queued") == {two}
    assert found(state="failed") == {three}
    service.analyses.cancel(ME, analysis)
    assert found(state="cancelled") == {two}
    with service.store.read() as session:
        assert service.videos.find(session, ME, limit=1, offset=1)[1] == 3


def test_labels_and_windows_that_make_no_sense_are_refused(service):
    video, _ = upload(service, settings=None)
    for bad in ({"tags": "text"}, {"tags": ["x" * 81]}, {"participant": "x" * 201}, {"notes": 5}):
        with pytest.raises(UsageError):
            service.videos.change(ME, video, bad)
    for start, end in ((1, 1), (2, 1), (-1, 1), (0, float("nan")), (0, float("inf"))):
        with pytest.raises(UsageError):
            service.videos.add_window(ME, video, "w", start, end)
    id = service.videos.add_window(ME, video, "question 1", 1, 2)
    service.videos.change_window(ME, video, id, {"end": 3})
    assert [(w.name, w.start, w.end) for w in _video(service, video).windows] == [("question 1", 1, 3)]
    service.videos.delete_window(ME, video, id)
    with pytest.raises(NotFound):
        service.videos.delete_window(ME, video, id)


def test_cancelling_one_of_two_who_wait_for_the_same_keeps_the_work(service):
    _, first = upload(service)
    _, second = upload(service, name="copy.mp4")
    service.analyses.cancel(ME, first)
    assert (status(service, first), status(service, second)) == ("cancelled", "queued")
    work(service)
    assert (status(service, first), status(service, second)) == ("cancelled", "done")
    with pytest.raises(Conflict):
        service.analyses.cancel(ME, second)
    service.analyses.retry(ME, first)
    assert status(service, first) == "done"


def test_the_annotated_video_is_made_for_the_people_as_they_are_now(done):
    service, _, analysis, _ = done
    with service.store.read() as session:
        revision = service.analyses.get(session, ME, analysis).revision
    service.analyses.annotate(ME, analysis)
    service.analyses.annotate(ME, analysis)
    assert work(service) == ["annotate"]
    assert annotated_file(service.storage, analysis, revision).stat().st_size > 10_000
    service.analyses.annotate(ME, analysis)
    assert work(service) == []


@pytest.mark.parametrize(
    "given_name, kept",
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\clip.mp4", "clip.mp4"),
        ("a\r\nb\0c.mp4", "abc.mp4"),
        ("\u202egpj.mp4", "gpj.mp4"),
        ("", "video"),
        ("../..", ".."),
        ("x" * 4096, "x" * 255),
    ],
)
def test_names_are_kept_for_people_and_never_for_paths(given_name, kept):
    assert shown_name(given_name) == kept


@given(st.text(st.characters(codec=None), max_size=300))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_name_can_be_stored_and_shown_on_one_line(text):
    name = shown_name(text)
    assert name.encode() and "/" not in name and name.isprintable()


def test_labels_are_taken_over_from_the_upload(service):
    wanted = Wanted(None, Labels("P1", "calm", ("a", "a", " b "), "note"))
    id = service.uploads.begin(ME, "x.mp4", 3, Wanted.from_json(json.loads(json.dumps(wanted.to_json()))))
    service.uploads.append(ME, id, 0, io.BytesIO(b"abc"))
    video = _video(service, service.uploads.finish(ME, id)[0])
    assert (video.participant, video.condition, video.tags, video.notes) == ("P1", "calm", ["a", "b"], "note")
