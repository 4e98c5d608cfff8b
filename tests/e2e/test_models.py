"""Other models through the command line, the workers and the server, the way people choose them."""

from __future__ import annotations

import json

import pytest

from command import command, environment
from service import open_service, status, upload, work
from visagram.cli import SAMPLE
from visagram.jobs.model import Analysis
from visagram.models.card import file_hash
from visagram.settings import Settings
from weights import export_emotion, write_linear, write_vit


def _run(tmp_path, *arguments, **settings):
    import subprocess

    return subprocess.run(
        command(*arguments), cwd=tmp_path, env=environment(**settings), capture_output=True, text=True, timeout=240
    )


def _report(tmp_path, *arguments, **settings):
    done = _run(tmp_path, "analyze", SAMPLE, "--json", "--end", "1", "--quiet", *arguments, **settings)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    return _report(tmp_path_factory.mktemp("usual"))


def _differs(report, usual):
    """Asserts that the same face was seen, and read by another model."""
    assert report["people"][0]["frames_usable"] == usual["people"][0]["frames_usable"]
    assert report["people"][0]["shares"] != usual["people"][0]["shares"]
    assert report["models"][:2] == usual["models"][:2]
    return report["models"][2]


def test_an_own_model_reads_a_video_and_its_card_is_in_the_report(tmp_path, usual):
    file = write_linear(tmp_path / "mine.onnx")
    model = _differs(_report(tmp_path, "--emotion", "onnx:mine.onnx"), usual)
    assert (model["name"], model["sha256"]) == ("onnx:mine.onnx", file_hash(file))


def test_deepface_reads_a_video(tmp_path, usual):
    pytest.importorskip("deepface")
    folder = tmp_path / "models"
    folder.mkdir()
    file = export_emotion(folder / "facial_expression_model_weights.onnx")
    model = _differs(_report(tmp_path, "--emotion", "deepface", "--models", folder, "--offline"), usual)
    assert (model["name"], model["sha256"], model["version"]) == ("deepface", file_hash(file), "0.0.103")
    assert sorted(path.name for path in folder.iterdir()) == [file.name, f"{file.name}.sha256"]
    # Another file under the same name is refused from now on.
    export_emotion(file, seed=1)
    done = _run(tmp_path, "analyze", SAMPLE, "--end", "1", "--emotion", "deepface", models=folder, offline=1)
    assert done.returncode == 3
    assert "does not match its card: remove it and" in done.stderr
    assert "[model]" in done.stderr


def test_a_hugging_face_model_reads_a_video(tmp_path, usual):
    pytest.importorskip("transformers")
    folder = write_vit(tmp_path / "vit")
    model = _differs(_report(tmp_path, "--emotion", "hf:vit"), usual)
    assert (model["name"], len(model["sha256"])) == ("hf:vit", 64)
    assert folder.is_dir()


def test_offline_says_which_file_to_put_where(tmp_path):
    pytest.importorskip("deepface")
    done = _run(tmp_path, "analyze", SAMPLE, "--emotion", "deepface", "--models", tmp_path / "m", "--offline")
    assert done.returncode == 3
    assert f"put it there as {tmp_path}/m/facial_expression_model_weights.onnx. [model]" in done.stderr
    assert not (tmp_path / "results").exists()


def test_models_are_listed_shown_and_not_fetched_offline(tmp_path):
    listed = _run(tmp_path, "models")
    assert listed.returncode == 0
    assert "--emotion visagram" in listed.stdout
    cards = json.loads(_run(tmp_path, "models", "--json").stdout)
    assert [card["name"] for card in cards][-2:] == ["deepface", "deepface-retinaface"]
    shown = json.loads(_run(tmp_path, "models", "show", "deepface", "--json").stdout)
    assert shown["metrics"]["accuracy"] == 0.57
    read = _run(tmp_path, "models", "show", "deepface", models=tmp_path / "m")
    assert read.returncode == 0
    assert "WHERE IT FAILS\n  - Not calibrated" in read.stdout
    assert "57.0 %" in read.stdout
    fetched = _run(tmp_path, "models", "fetch", "deepface", models=tmp_path / "m", offline=1)
    assert (fetched.returncode, fetched.stdout) == (1, "")
    assert "offline" in fetched.stderr
    assert _run(tmp_path, "models", "fetch", "visagram").stdout.strip().endswith("visagram-committee.onnx")
    assert _run(tmp_path, "models", "show", "nothing").returncode == 2


def test_a_server_keeps_results_of_other_models_apart(tmp_path, monkeypatch):
    file = write_linear(tmp_path / "mine.onnx")
    own, usual = (
        open_service(tmp_path / "data", Settings(end=0.5, emotion=emotion)) for emotion in (f"onnx:{file}", "visagram")
    )
    keys = []
    for service in (own, usual):
        _, analysis = upload(service, settings={}, name="a.mp4")
        with service.store.read() as session:
            keys.append(session.get_one(Analysis, analysis).output_id)
        work(service)
        assert status(service, analysis) == "done"
    # The same name with other weights is another model.
    write_linear(file, seed=1)
    _, analysis = upload(own, settings={}, name="b.mp4")
    with own.store.read() as session:
        keys.append(session.get_one(Analysis, analysis).output_id)
    assert len(set(keys)) == 3
    for service in (own, usual):
        service.store.close()


def test_a_server_that_cannot_fetch_says_so_without_its_places(tmp_path, monkeypatch):
    pytest.importorskip("deepface")
    from service import error

    models = tmp_path / "elsewhere"
    service = open_service(tmp_path / "data", Settings(end=0.5, models=str(models), offline=True))
    _, analysis = upload(service, settings={"emotion": "deepface"})
    work(service)
    assert status(service, analysis) == "failed"
    code, detail = error(service, analysis)
    assert code == "model"
    assert "facial_expression_model_weights.onnx" in detail
    assert str(tmp_path) not in detail
    service.store.close()
