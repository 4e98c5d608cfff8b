"""The page of an evaluation: complete, in any case, and deaf to what foreign names try."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from visagram.core.types import EXPRESSIONS
from visagram.evaluate.compare import compare
from visagram.evaluate.files import dumps, save
from visagram.evaluate.groups import by_group
from visagram.evaluate.json import thinned, to_json
from visagram.evaluate.metrics import agreement, measure
from visagram.evaluate.model import shown
from visagram.evaluate.page import page
from visagram.evaluate.run import Copies, Evaluation, Result, Used
from visagram.evaluate.text import summary
from visagram.plots.diagrams import nice_top

HOSTILE = "<script>alert(1)</script>\"'&\x1b[2J\u202e"


def result(*names, faces=200, groups=True, votes=True, data="faces", seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 6, faces)
    each = []
    for name in names:
        posteriors = random.dirichlet(np.ones(7) * 0.5, faces) * 0.4
        posteriors[np.arange(faces), np.where(random.random(faces) < 0.8, labels, 6)] += 0.6
        opinion = agreement(posteriors, random.dirichlet(np.ones(7), faces), 0) if votes else None
        parts = by_group(posteriors, labels, [f"{data}{k % 2}" for k in range(faces)], 0) if groups else None
        facts = {"sha256": "ab" * 32, "trained_on": data}
        each.append((Evaluation(name, facts, measure(posteriors, labels, 0), opinion, parts), posteriors))
    both = compare(each[0][1], each[1][1], labels, 0) if len(each) == 2 else None
    counts = dict(zip(EXPRESSIONS, np.bincount(labels, minlength=7).tolist(), strict=True))
    used = Used(
        name=data,
        kind="table",
        split="",
        cropped=False,
        pictures=faces + 3,
        judged=faces,
        rule="every face",
        not_found=("a.png", "b.png"),
        several=1,
        copies=None,
        counts=counts,
        mapping={data: "happy"},
        skipped={data: 4},
    )
    return Result(used, tuple(evaluation for evaluation, _ in each), both, 0)


class Tags(HTMLParser):
    """Every element, and whether all are closed."""

    VOID = ("meta", "link", "br", "img", "rect", "path", "circle", "input")

    def __init__(self, text):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("case", [("one",), ("one", "two")])
def test_the_page_is_whole_and_loads_nothing(case):
    text = page(result(*case))
    tags = Tags(text)
    assert not tags.open
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in tags.seen}
    assert not re.search(r'(src|href)="', text)
    assert "script-src 'none'" in text
    assert "default-src 'none'" in text


def test_every_diagram_has_a_name_and_a_table_beside_it():
    text = page(result("one", "two"))
    diagrams = [attrs for tag, attrs in Tags(text).seen if tag == "svg" and attrs.get("class") == "diagram"]
    # Of all faces, and of each of the two groups of both models.
    assert len(diagrams) == 2 + 2 * 4
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in diagrams)
    captions = re.findall(r"<caption>(.*?)</caption>", text)
    assert {"Reliability", "How many faces can be answered at which risk", "Groups, two"} <= set(captions)


def test_every_group_can_be_unfolded_to_all_that_is_said_of_all_faces():
    text = page(result("one"))
    captions = re.findall(r"<caption>(.*?)</caption>", text)
    for kind in ("Recall, precision and F1", "Labels and answers", "Reliability", "How many faces can be answered"):
        named = [caption for caption in captions if caption.startswith(kind)]
        assert [caption.rpartition(", ")[2] for caption in named[-2:]] == ["faces0", "faces1"], kind
    groups = to_json(result("one"))["groups"]["groups"]
    assert {"macro_f1", "per_class", "confusion", "reliability", "risk_coverage", "intervals", "p"} < set(
        groups["faces1"]
    )
    assert sum(map(sum, groups["faces0"]["confusion"]["counts"])) == groups["faces0"]["faces"] == 100


def test_foreign_names_stay_text():
    text = page(result(HOSTILE, "two", data=HOSTILE))
    assert "<script" not in text
    assert "\x1b" not in text and "\u202e" not in text
    assert not Tags(text).open
    assert "\x1b" not in summary(result(HOSTILE, data=HOSTILE))
    both = copied(9, HOSTILE, "two", data=HOSTILE)
    assert "<script" not in page(both)
    assert "\x1b" not in summary(both) + page(both)


def test_what_weakens_the_figures_is_said_first():
    text = page(result("one"))
    assert "The detector found no face in 2 pictures" in text
    assert "No faces of neutral" in text


def copied(pictures, *names, left=True, data="faces"):
    """A result whose data holds copies of "other"."""
    whole = result(*names, data=data)
    used = dataclasses.replace(whole.data, copies=Copies(f"{data} other", pictures))
    rest = dataclasses.replace(result(*names, faces=150, data=data), data=dataclasses.replace(used, judged=150))
    return dataclasses.replace(whole, data=used, without=rest if left else None)


def test_figures_without_copies_stand_beside_those_of_all_faces():
    for names in (("one",), ("one", "two")):
        both = copied(50, *names)
        text = page(both)
        assert "faces other holds 50 pictures of these too: the figures without those stand below" in text
        assert "150 of\nthe 200 faces" in text
        assert ("exact p" in text.split('id="copies"')[1].split("</section>")[0]) == (len(names) == 2)
        assert not Tags(text).open
        assert "on the 150 counted without those" in summary(both)
        assert json.loads(dumps(both))["without_copies"].keys() < json.loads(dumps(both)).keys()


def test_without_copies_or_without_others_nothing_is_said_twice():
    none, all_of_them = copied(0, "one"), copied(200, "one", left=False)
    assert "faces other" not in page(none)
    assert "faces other holds none of them" in summary(none)
    assert "none that counts is left" in page(all_of_them)
    assert "none that counts is left" in summary(all_of_them)
    assert 'id="copies"' not in page(none) + page(all_of_them) + page(result("one"))


def test_without_votes_and_groups_their_sections_are_left_out():
    text = page(result("one", votes=False, groups=False))
    assert "Agreement with people" not in text
    assert "By group" not in text


def test_a_single_face_makes_a_page():
    assert not Tags(page(result("one", faces=1))).open


def test_equal_models_are_not_ranked():
    equal = result("one", "two", seed=1)
    comparison = dataclasses.replace(equal.comparison, p=1.0)
    assert "do not tell which of the two is better" in page(dataclasses.replace(equal, comparison=comparison))


def test_json_has_the_figures_of_one_model_at_the_top():
    found = json.loads(dumps(result("one")))
    assert {"accuracy", "ece", "macro_recall"} <= set(found)
    assert found["ece_debiased"] < found["ece"]
    assert found["ece_perfect"]["low"] < found["ece_perfect"]["mean"] < found["ece_perfect"]["high"]
    assert found["macro_f1_classes"] == list(EXPRESSIONS), "neutral is answered, though no face is labelled so"
    assert found["intervals"]["accuracy"][0] <= found["accuracy"] <= found["intervals"]["accuracy"][1]
    assert found["data"]["faces_not_found"] == 2
    assert found["risk_coverage"]["points"][-1]["coverage"] == 1
    assert len(found["confusion"]["counts"]) == 7


def test_json_of_two_models_has_both_and_the_test():
    found = json.loads(dumps(result("one", "two")))
    assert [each["model"]["asked_for"] for each in found["models"]] == ["one", "two"]
    comparison = found["comparison"]
    counted = ("both_right", "only_first_right", "only_second_right", "both_wrong")
    assert sum(comparison[name] for name in counted) == comparison["faces"] == 200


def test_both_files_are_the_same_every_time(tmp_path):
    first, second = (save(result("one"), tmp_path / name) for name in ("a", "b"))
    assert [path.name for path in first] == ["evaluation.json", "evaluation.html"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_the_cards_threshold_is_held_against_these_faces():
    one = result("one")
    (each,) = one.evaluations
    known = dataclasses.replace(each, model=each.model | {"unsure_below": 0.6})
    told = dataclasses.replace(one, evaluations=(known,))
    found = json.loads(dumps(told))["unsure"]
    assert found["below"] == 0.6
    assert 0 < found["coverage"] <= 1
    assert "by the card" in page(told)
    assert json.loads(dumps(one))["unsure"] is None


def test_long_curves_are_thinned_to_their_ends():
    assert thinned(3) == [0, 1, 2]
    assert (len(thinned(5000)), thinned(5000)[0], thinned(5000)[-1]) == (200, 0, 4999)


def test_axes_end_at_round_numbers():
    assert [nice_top(value) for value in (0.003, 0.07, 0.3, 1.0)] == [0.01, 0.1, 0.5, 1.0]


def test_a_models_name_does_not_tell_where_its_file_lies(tmp_path):
    assert shown("onnx:/home/somebody/secret/mine.onnx") == "onnx:mine.onnx"
    assert shown(f"hf:{tmp_path}") == f"hf:{tmp_path.name}"
    assert shown("hf:trpakov/vit-face-expression") == "hf:trpakov/vit-face-expression"
    assert shown("visagram") == "visagram"
