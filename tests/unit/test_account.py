"""A report in plain words, and a text by a model that may only say what the report says."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import UGLY_NAMES, make_report, no_people, unusable_person
from visagram.errors import DataError, ModelError, UsageError
from visagram.export.account import CAVEAT, LOOKED, account, contradiction
from visagram.models.narrator import Narrator


def test_it_says_who_showed_what_and_when():
    report = make_report()
    text = report.account()
    assert text == report.account() and "\n" not in text and text.endswith(CAVEAT)
    for person in report.people:
        assert person.name in text
        assert LOOKED.get(str(person.dominant), str(person.dominant)) in text
    assert "2 people were found" in text
    assert " at 0:" in text and "of the measured time" in text


def test_a_share_has_its_interval_where_there_is_one():
    found = make_report().to_dict()
    assert "neutral for 67 % (61 to 74 %)" in account(found, [])
    share = found["people"][0]["shares"]["neutral"]
    share["low"] = share["high"] = share["value"]
    assert "neutral for 67 % of the measured time" in account(found, [])


def test_nobody_and_somebody_unmeasured_are_said():
    assert "No face was found in it." in no_people().account()
    assert "clear enough to measure" in unusable_person().account()


def test_times_that_are_not_the_files_own_are_said():
    found = make_report().to_dict()
    assert "times" not in account(found, [])
    found["video"]["time_basis"] = "repaired"
    assert "Some of its frame times were wrong and were put right by their neighbours." in account(found, [])
    found["video"]["time_basis"] = "guessed"
    assert "all times are guesses" in account(found, [])


@pytest.mark.parametrize("name", UGLY_NAMES)
def test_names_of_files_stay_on_one_line(name):
    found = make_report().to_dict()
    found["video"]["name"] = name
    text = account(found, [])
    assert text.isprintable() or "\u200d" in text


def test_every_number_of_the_account_stands_in_it():
    text = make_report().account()
    assert contradiction(text, text) == ""


@pytest.mark.parametrize("report", [{}, {"video": {}, "totals": {}, "people": []}, {"video": None}])
def test_what_is_no_report_is_refused(report):
    with pytest.raises(DataError, match="damaged"):
        account(report, [])


FACTS = "talk.mp4 was analysed for 3:20. 2 people were found. Anna looked happy for 62 % (30 to 86 %) of 1,204 frames."


@pytest.mark.parametrize(
    "text",
    [
        "Two people were found, and Anna looked happy for 62 % of the 1204 frames.",
        "Anna looked happy, between 30 and 86 %.",
        "In 3:20 nobody looked sad. One could say that Anna smiled.",
    ],
)
def test_a_text_that_says_the_same_may_stand(text):
    assert contradiction(text, FACTS) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Anna looked happy for 63 %.", "no 63"),
        ("Three people were found.", "no 3"),
        ("It lasts 3:21.", "no 3:21"),
        ("It lasts 20.", "no 20"),
        ("Anna looked happy for 6.2 %.", "no 6.2"),
        ("Anna felt happy for 62 %.", "felt"),
        ("Her emotions were 62 % happy.", "emotions"),
        ("", "empty"),
        ("a " * 3000, "too long"),
    ],
)
def test_a_text_that_says_anything_else_may_not(text, reason):
    assert reason in contradiction(text, FACTS)


@given(st.integers(0, 10**6))
def test_a_number_that_is_not_in_the_facts_is_always_found(number):
    known = str(number) in ("2", "30", "62", "86", "1204")
    assert (contradiction(f"There were {number} of them.", FACTS) == "") == known


def write_gpt(folder: Path) -> Path:
    """A tiny language model with random weights, saved as Hugging Face does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        from transformers import GPT2Config, GPT2LMHeadModel, GPT2Tokenizer

        torch.manual_seed(0)
        folder.mkdir(parents=True)
        letters = [chr(code) for code in range(33, 127)] + ["Ġ", "Ċ", "<|endoftext|>"]
        (folder / "vocab.json").write_text(json.dumps({letter: k for k, letter in enumerate(letters)}))
        (folder / "merges.txt").write_text("#version: 0.2\n")
        tokenizer = GPT2Tokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=4096)
        tokenizer.save_pretrained(str(folder))
        config = GPT2Config(
            vocab_size=len(letters), n_positions=4096, n_embd=16, n_layer=1, n_head=2, bos_token_id=96, eos_token_id=96
        )
        GPT2LMHeadModel(config).save_pretrained(str(folder))
    return folder


@pytest.fixture(scope="module")
def gpt(tmp_path_factory):
    return write_gpt(tmp_path_factory.mktemp("narrator") / "gpt")


def test_a_model_writes_the_same_every_time(gpt, tmp_path):
    narrator = Narrator(f"hf:{gpt}", tmp_path, offline=True)
    assert narrator.word(FACTS) == narrator.word(FACTS)


def test_what_an_untrained_model_writes_is_not_used(gpt, tmp_path, capsys):
    from visagram.cli.summarise import summarise

    make_report().save(tmp_path / "result", ["json", "parquet"])
    summarise(tmp_path / "result", model=f"hf:{gpt}")
    said = capsys.readouterr()
    assert said.out == f"{make_report().account()}\n"
    assert "was not used" in said.err


def test_what_a_faithful_model_writes_is_used(gpt, tmp_path, capsys, monkeypatch):
    from visagram.cli.summarise import summarise

    make_report().save(tmp_path / "result", ["json", "parquet"])
    monkeypatch.setattr(Narrator, "word", lambda self, facts: "Two people were seen.")
    summarise(tmp_path / "result", model=f"hf:{gpt}")
    assert capsys.readouterr().out == f"Two people were seen. {CAVEAT}\n"


def test_models_that_cannot_write_are_refused(gpt, tmp_path):
    for name, error, match in (
        ("gpt", UsageError, "none that writes"),
        ("hf:../x", UsageError, "neither a folder"),
        ("hf:a/model", ModelError, "offline forbids"),
        (f"hf:{tmp_path}", ModelError, "no safetensors"),
    ):
        with pytest.raises(error, match=match):
            Narrator(name, tmp_path / "models", offline=True)
    (tmp_path / "model.safetensors").write_bytes((gpt / "model.safetensors").read_bytes())
    with pytest.raises(ModelError, match="cannot be opened"):
        Narrator(f"hf:{tmp_path}", tmp_path / "models", offline=True)
