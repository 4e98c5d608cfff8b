"""What can be chosen, what is refused, and what a report and a server say of the choice."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest

from visagram.compose import open_classifier
from visagram.core.types import EXPRESSIONS
from visagram.errors import MissingExtra, ModelError, UsageError
from visagram.models import catalog
from visagram.models.card import EMBEDDED, file_hash
from visagram.models.catalog import check_offered, choices, find, model_cards, offered, prepare
from visagram.models.listing import facts, find_offer, table
from weights import LABELS, write_linear, write_vit


def _open(file):
    return open_classifier(f"onnx:{file}", 1)


def _changed(model, /, **facts):
    card = model.with_suffix(".json")
    card.write_text(json.dumps(json.loads(card.read_text()) | facts))
    return model


def test_names_that_are_none_are_refused_with_the_list():
    for name in ("nonsense", "hf:", "onnx:", "Visagram"):
        with pytest.raises(UsageError, match=r"visagram, visagram-fast, visagram-teacher, deepface, hf:"):
            find("expression", name)
    for name in ("deepface", "hf:a/b"):
        with pytest.raises(UsageError, match=r"setting detector.*visagram, deepface-retinaface"):
            find("detection", name)


def test_every_model_has_a_card_that_says_what_people_ask():
    for choice in choices():
        card = choice.card(EMBEDDED)
        for fact in ("licence", "trained_on", "input", "output", "intended_use", "limits"):
            assert card.facts[fact], (choice.name, fact)
        assert card.task == choice.task


def test_the_report_names_the_models_that_were_chosen(tmp_path):
    own = write_linear(tmp_path / "mine.onnx")
    cards = model_cards(f"onnx:{own}", "visagram", tmp_path)
    assert [card["name"] for card in cards] == ["retinaface-mobilenet025", "faceres-embedding", "onnx:mine.onnx"]
    assert cards[-1]["sha256"] == file_hash(own)
    ours, fast = model_cards()[-1], model_cards("visagram-fast")[-1]
    assert (ours["name"], fast["name"]) == ("visagram-committee", "visagram-emotion")
    assert ours["quick"] == {name: fast[name] for name in ("name", "version", "sha256")} and "quick" not in fast


def test_the_list_names_every_model_and_how_to_name_others(tmp_path):
    text = table(tmp_path)
    for choice in choices():
        assert choice.card(tmp_path).name in text
    for part in (
        "--emotion visagram",
        "--detector deepface-retinaface",
        "hf:<name or folder>",
        "onnx:<file>",
        str(tmp_path),
    ):
        assert part in text


@pytest.mark.parametrize("name", ["visagram", "visagram-emotion", "deepface", "retinaface-mobilenet025"])
def test_a_card_is_found_by_both_of_a_models_names(name, tmp_path):
    card = facts(find_offer(name, tmp_path))
    assert name in (card["name"], "visagram")
    assert card["present"] is (card["name"] != "deepface")


def test_no_card_of_what_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="deepface-retinaface"):
        find_offer("nothing", tmp_path)


def test_a_server_offers_what_is_installed_and_nobodys_files(monkeypatch):
    monkeypatch.setitem(catalog.EXTRAS, "deepface", ("no_such_package",))
    ours = ["visagram", "visagram-fast", "visagram-teacher"]
    assert offered("expression", "visagram") == ours
    assert offered("expression", "onnx:mine.onnx") == [*ours, "onnx:mine.onnx"]
    check_offered("visagram", "visagram", "visagram")
    for emotion, detector in (
        ("onnx:/etc/passwd", "visagram"),
        ("hf:a/b", "visagram"),
        ("x", "visagram"),
        ("visagram", "x"),
    ):
        with pytest.raises(UsageError, match=r"setting (emotion|detector)"):
            check_offered(emotion, detector, "visagram")
    with pytest.raises(UsageError, match=r"setting emotion.*visagram\[deepface\]"):
        check_offered("deepface", "visagram", "visagram")


def test_what_is_not_installed_is_said_with_the_way_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setitem(catalog.EXTRAS, "deepface", ("no_such_package",))
    monkeypatch.setitem(catalog.EXTRAS, "huggingface", ("no_such_package",))
    for emotion, detector in (("deepface", "visagram"), ("visagram", "deepface-retinaface"), ("hf:a/b", "visagram")):
        with pytest.raises(MissingExtra, match=r"pip install 'visagram\[(deepface|huggingface)\]'"):
            prepare(emotion, detector, tmp_path, offline=True)
    assert not list(tmp_path.iterdir())


def test_weights_that_are_not_there_are_named_with_their_place(tmp_path, monkeypatch):
    monkeypatch.setitem(catalog.EXTRAS, "deepface", ())
    with pytest.raises(ModelError, match=f"put it there as {tmp_path}/facial_expression_model_weights.onnx"):
        prepare("deepface", "visagram", tmp_path, offline=True)


def test_an_own_model_answers_in_our_order(tmp_path):
    straight = write_linear(tmp_path / "a.onnx")
    turned = write_linear(
        tmp_path / "b.onnx", labels=["Happiness", "ANGER", *[n for n in EXPRESSIONS if n not in ("happy", "angry")]]
    )
    crops = np.random.default_rng(0).integers(0, 256, (3, 48, 48)).astype(np.uint8)
    ours, theirs = _open(straight).classify(crops), _open(turned).classify(crops)
    np.testing.assert_allclose(theirs[:, [3, 0, 1, 2, 4, 5, 6]], ours[:, [0, 1, 2, 3, 4, 5, 6]], atol=1e-6)


def test_a_calibration_in_the_card_is_applied(tmp_path):
    scale, bias = [1, 2, 1, 0.5, 1, 1, 1], [0, 0, 0, 0, 0, 0, 3]
    file = write_linear(tmp_path / "a.onnx", temperature=2)
    crops = np.random.default_rng(0).integers(0, 256, (3, 48, 48)).astype(np.uint8)
    logits = np.log(_open(file).classify(crops))
    found = _open(_changed(file, calibration={"kind": "vector", "scale": scale, "bias": bias})).classify(crops)
    # Posteriors forget a common summand of the logits, so compare what does not depend on it.
    plain = _open(_changed(file, calibration={"scale": [1] * 7, "bias": bias})).classify(crops)
    wanted = np.exp(logits + bias)
    np.testing.assert_allclose(plain, wanted / wanted.sum(axis=1, keepdims=True), atol=1e-5)
    assert not np.allclose(found, plain, atol=1e-3)


BROKEN = [
    ({"labels": ["angry", "disgust"]}, "lacks fear, happy, sad, surprise, neutral"),
    ({"labels": [*EXPRESSIONS[:6], "contempt"]}, "none of ours: contempt"),
    ({"labels": [*EXPRESSIONS[:6], "anger"]}, "lacks neutral"),
    ({"labels": [*EXPRESSIONS, "anger"]}, "two labels for one expression"),
    ({"labels": None}, "must list its labels"),
    ({"temperature": 0}, "temperature 0"),
    ({"temperature": "warm"}, "temperature 'warm'"),
    ({"calibration": {"scale": [1], "bias": [0]}}, "calibration that cannot be used"),
    ({"input": {"name": "luma", "dtype": "float32"}}, "lacks 'layout' in its input"),
    ({"input": {"name": "luma", "layout": "n,1,48,40", "dtype": "float32"}}, "layout must be"),
    ({"input": {"name": "luma", "layout": "n,1,64,64", "dtype": "float32"}}, "need crop: box"),
    ({"input": {"name": "luma", "layout": "n,1,64,64", "dtype": "float32", "crop": "box"}}, r"takes tensor\(float\)"),
    ({"input": {"name": "luma", "layout": "n,3,48,48", "dtype": "float32"}}, "colour must be"),
    ({"input": {"name": "pixels", "layout": "n,1,48,48", "dtype": "float32"}}, "takes the inputs luma"),
    ({"input": "luma"}, "in its input"),
    ({"output": [{"name": "scores"}]}, "has no output scores"),
    ({"output": [{}]}, "must give its output a name"),
    ({"sha256": "0" * 64}, "does not match its card"),
    ({"file": "other.onnx"}, "is of other.onnx"),
    ({"task": "detection"}, "is of a model for detection"),
    ({"name": 5}, "cannot be used"),
    ({"origin": "elsewhere"}, "cannot be used"),
    ({"unsure_below": 60}, "unsure_below is a probability"),
    ({"unsure_below": "high"}, "unsure_below is a probability"),
    ({"unsure_below": [0.5]}, "unsure_below is a probability"),
    ({"unsure_below": float("nan")}, "holds NaN, which is no number"),
    ({"speed": {"one_face_ms": float("inf")}}, "holds Infinity, which is no number"),
]


@pytest.mark.parametrize(("facts", "reason"), BROKEN, ids=[reason for _, reason in BROKEN])
def test_a_card_that_makes_no_sense_or_contradicts_its_file_is_refused(tmp_path, facts, reason):
    with pytest.raises(ModelError, match=reason) as raised:
        _open(_changed(write_linear(tmp_path / "mine.onnx"), **facts))
    assert "mine" in str(raised.value)


def test_a_network_with_another_number_of_outputs_than_labels_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"gives \(n, 8\).*labels for \(n, 7\)"):
        _open(write_linear(tmp_path / "mine.onnx", classes=8))


@pytest.mark.parametrize("classes", [1, 8])
def test_another_number_of_outputs_is_found_where_the_graph_does_not_state_it(tmp_path, classes):
    file = write_linear(tmp_path / "mine.onnx", classes=classes)
    model = onnx.load(str(file))
    # How many columns are kept is known only when it runs.
    model.graph.node[-1].output[0] = "all"
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(classes, bool), "kept"))
    model.graph.node.append(onnx.helper.make_node("Compress", ["all", "kept"], ["logits"], axis=1))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "classes"
    onnx.save(model, str(file))
    with pytest.raises(ModelError, match=rf"cannot read a face.*\(1, {classes}\).*7 logits"):
        _open(_changed(file, sha256=file_hash(file)))


def test_a_network_of_another_input_size_than_its_card_is_refused(tmp_path):
    file = write_linear(tmp_path / "mine.onnx", layout=(1, 64, 64))
    told = {"name": "luma", "layout": "n,1,48,48", "dtype": "float32"}
    with pytest.raises(
        ModelError, match=r"takes tensor\(float\) of \(n, 1, 64, 64\), but its card says float32 of \(n, 1, 48, 48\)"
    ):
        _open(_changed(file, input=told))


def test_a_network_for_one_face_at_a_time_is_refused(tmp_path):
    file = write_linear(tmp_path / "mine.onnx")
    model = onnx.load(str(file))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, str(file))
    with pytest.raises(ModelError, match="1 faces at a time"):
        _open(_changed(file, sha256=file_hash(file)))


@pytest.mark.parametrize("content", [b"", b"\x80\x04pickle", b"\x08\x08junk", b"<html>"])
def test_a_file_that_is_no_onnx_is_refused(tmp_path, content):
    file = write_linear(tmp_path / "mine.onnx")
    file.write_bytes(content)
    with pytest.raises(ModelError, match="not an ONNX model that can be run"):
        _open(_changed(file, sha256=file_hash(file)))


@pytest.mark.parametrize("name", ["model.pth", "model.pkl", "model.pt", "model.h5", "model.bin", "model.safetensors"])
def test_an_own_model_that_is_no_onnx_file_is_refused_unread(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x80\x04")
    with pytest.raises(ModelError, match="only ONNX and safetensors are ever loaded"):
        _open(tmp_path / name)


def test_an_own_model_without_file_or_card_is_refused(tmp_path):
    with pytest.raises(ModelError, match="There is no model file"):
        _open(tmp_path / "none.onnx")
    file = write_linear(tmp_path / "mine.onnx")
    file.with_suffix(".json").write_text("{")
    with pytest.raises(ModelError, match="cannot be used"):
        _open(file)
    file.with_suffix(".json").unlink()
    with pytest.raises(ModelError, match=r"has no card: put mine\.json beside it"):
        _open(file)


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    pytest.importorskip("transformers")
    return write_vit(tmp_path_factory.mktemp("hub") / "vit")


class TestHuggingFace:
    @pytest.fixture(autouse=True)
    def _installed(self):
        pytest.importorskip("transformers")

    @pytest.fixture()
    def copy(self, vit, tmp_path):
        folder = tmp_path / "copy"
        folder.mkdir()
        for file in vit.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        return folder

    def test_it_gives_what_the_library_itself_gives(self, vit):
        import torch
        from transformers import ViTForImageClassification, ViTImageProcessorPil

        crops = [np.random.default_rng(k).integers(0, 256, (60, 50, 3)).astype(np.uint8) for k in range(3)]
        processor, model = ViTImageProcessorPil.from_pretrained(vit), ViTForImageClassification.from_pretrained(vit)
        pixels = processor(
            images=[crop[..., ::-1] for crop in crops], return_tensors="pt", input_data_format="channels_last"
        )
        with torch.inference_mode():
            theirs = model(pixels["pixel_values"]).logits.softmax(dim=1).numpy()
        labels = [name for name in LABELS if name != "contempt"]
        ours = open_classifier(f"hf:{vit}", 1).classify(crops)
        wanted = {"angry": "anger", "happy": "happiness", "sad": "sadness"}
        order = [labels.index(wanted.get(name, name)) for name in EXPRESSIONS]
        np.testing.assert_allclose(ours, theirs[:, order], atol=1e-6)
        assert np.ptp(ours, axis=0).max() > 0.01

    def test_its_card_shows_the_table_of_labels_and_the_hash(self, copy):
        card = find("expression", f"hf:{copy}").card(copy)
        assert card.facts["label_table"]["happiness"] == "happy"
        config = copy / "config.json"
        before = card.sha256
        config.write_text(config.read_text() + " ")
        assert len(before) == 64 != find("expression", f"hf:{copy}").card(copy).sha256

    def test_unknown_labels_are_refused_with_the_list(self, tmp_path):
        folder = write_vit(tmp_path / "eight", LABELS)
        with pytest.raises(ModelError, match=r"none of ours: contempt.*happy: happy, happiness"):
            open_classifier(f"hf:{folder}", 1)

    def test_pickles_are_refused(self, copy):
        (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
        with pytest.raises(ModelError, match=r"pytorch_model\.bin.*only ONNX and safetensors"):
            open_classifier(f"hf:{copy}", 1)

    @pytest.mark.parametrize(
        ("name", "content", "reason"),
        [
            ("model.safetensors", b"\x80\x04pickle....", "not a safetensors file"),
            ("model.safetensors", (2).to_bytes(8, "little") + b"{}", "weights|opened"),
            ("config.json", b"{}", "names no labels"),
            ("config.json", b"[]", "not a JSON object"),
            ("config.json", b"nonsense", "cannot be read"),
            ("preprocessor_config.json", b"{}", "cannot be used"),
        ],
    )
    def test_damaged_files_are_refused_by_name(self, copy, name, content, reason):
        (copy / name).write_bytes(content)
        with pytest.raises(ModelError, match=reason):
            open_classifier(f"hf:{copy}", 1)

    def test_weights_of_another_model_are_refused(self, copy):
        config = json.loads((copy / "config.json").read_text())
        (copy / "config.json").write_text(json.dumps(config | {"hidden_size": 32}))
        with pytest.raises(ModelError, match=r"opened|weights"):
            open_classifier(f"hf:{copy}", 1)

    def test_code_that_comes_with_a_model_is_not_run(self, copy, tmp_path):
        config = json.loads((copy / "config.json").read_text())
        config |= {"auto_map": {"AutoModelForImageClassification": "evil.Evil"}, "model_type": "evil"}
        (copy / "config.json").write_text(json.dumps(config))
        (copy / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
        with pytest.raises(ModelError, match="cannot be opened"):
            open_classifier(f"hf:{copy}", 1)
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize("name", ["../up", "a/b/c", "/no/such/folder", "a b", "https://x/y"])
    def test_names_that_are_none_are_refused(self, name, tmp_path):
        with pytest.raises(UsageError, match="neither a folder nor the name"):
            prepare(f"hf:{name}", "visagram", tmp_path, offline=True)

    def test_a_name_that_was_not_fetched_is_said(self, tmp_path):
        with pytest.raises(ModelError, match=r"into .*huggingface/some--model"):
            prepare("hf:some/model", "visagram", tmp_path, offline=True)
        with pytest.raises(ModelError, match="some/model is not in"):
            open_classifier("hf:some/model", 1, tmp_path)
