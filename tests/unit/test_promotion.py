"""Which model `visagram` stands for, and that nothing half-done ever stands for it."""

from __future__ import annotations

import json
import threading

import pytest

from visagram.compose import open_classifier
from visagram.errors import ModelError, OutputUnwritable, UsageError
from visagram.models.card import COMMITTEE, EMOTION, file_hash, read_card
from visagram.models.catalog import model_cards, open_quick
from visagram.models.promotion import PLACE, STATE, current, learned, promote, promotions, rollback
from weights import write_linear


@pytest.fixture
def models(tmp_path):
    return tmp_path / "models"


@pytest.fixture
def better(tmp_path):
    return write_linear(tmp_path / "better.onnx")


def test_without_promotions_it_is_the_embedded_one(models):
    assert current(models) == read_card(COMMITTEE)
    assert promotions(models) == []
    with pytest.raises(UsageError, match="No model was promoted"):
        rollback(models)


def test_a_promoted_model_is_what_visagram_opens_and_what_reports_name(models, better):
    card = promote(better, models, "a test")
    assert card.sha256 == file_hash(better) != read_card(COMMITTEE).sha256
    assert current(models) == card
    assert model_cards(folder=models)[-1]["sha256"] == card.sha256
    assert "quick" not in model_cards(folder=models)[-1] and open_quick("visagram", 1, models) is None
    open_classifier("visagram", 1, models).close()
    (found,) = promotions(models)
    assert (found.source, found.reason, found.sha256) == (str(better), "a test", card.sha256)


def test_it_does_not_need_the_files_that_it_came_from(models, better):
    promote(better, models, "")
    better.unlink()
    better.with_suffix(".json").unlink()
    open_classifier("visagram", 1, models).close()


def test_a_rollback_goes_back_one_promotion_at_a_time(models, better, tmp_path):
    first = promote(better, models, "").sha256
    second = promote(write_linear(tmp_path / "best.onnx", seed=1), models, "").sha256
    assert current(models).sha256 == second
    assert rollback(models).sha256 == first
    assert rollback(models) == read_card(COMMITTEE)
    assert promote(better, models, "again").sha256 == first


def test_the_model_in_force_is_not_promoted_twice(models, better):
    promote(better, models, "")
    with pytest.raises(UsageError, match="in force already"):
        promote(better, models, "")


def test_a_further_run_begins_with_what_the_model_in_force_learned(models, better):
    """The model that comes with Visagram is fitted around a network that can be trained on."""
    assert learned(models) == read_card(EMOTION).file.with_suffix(".safetensors") and learned(models).is_file()
    card = promote(better, models, "")
    assert learned(models) == card.file.with_suffix(".safetensors")


def test_what_is_no_model_is_not_promoted(models, better, tmp_path):
    (tmp_path / "text.onnx").write_text("no")
    better.with_suffix(".json").rename(tmp_path / "card.json")
    for source in (tmp_path / "text.onnx", better, tmp_path / "nothing", tmp_path):
        with pytest.raises(ModelError):
            promote(source, models, "")
    assert current(models) == read_card(COMMITTEE)


@pytest.mark.parametrize(
    "damage",
    [
        lambda place: next(place.glob(f"*/{EMOTION}.onnx")).write_bytes(b"x"),
        lambda place: next(place.glob(f"*/{EMOTION}.onnx")).unlink(),
        lambda place: next(place.glob(f"*/{EMOTION}.json")).write_text("{"),
    ],
    ids=["changed", "gone", "card"],
)
def test_a_damaged_promotion_says_how_to_go_on_and_rollback_does(models, better, damage):
    promote(better, models, "")
    damage(models / PLACE)
    with pytest.raises(ModelError, match="rollback"):
        current(models)
    assert rollback(models) == read_card(COMMITTEE)


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "x"}', '{"schema": "visagram-promoted/1", "promoted": [{}]}'])
def test_a_state_that_is_none_is_refused(models, text):
    (models / PLACE).mkdir(parents=True)
    (models / PLACE / STATE).write_text(text)
    with pytest.raises(ModelError, match="remove it"):
        current(models)


def test_a_state_that_names_a_path_is_refused(models, better):
    promote(better, models, "")
    path = models / PLACE / STATE
    state = json.loads(path.read_text())
    state["promoted"][0]["sha256"] = "../../../etc/passwd"
    path.write_text(json.dumps(state))
    with pytest.raises(ModelError, match="cannot be read"):
        current(models)


def test_a_folder_that_cannot_be_written_is_named(tmp_path, better):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputUnwritable):
        promote(better, tmp_path / "file", "")


def test_two_that_promote_at_once_both_stand_in_the_history(models, tmp_path):
    files = [write_linear(tmp_path / f"{k}.onnx", seed=k + 5) for k in range(4)]
    threads = [threading.Thread(target=promote, args=(file, models, "")) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {each.sha256 for each in promotions(models)} == {file_hash(file) for file in files}
