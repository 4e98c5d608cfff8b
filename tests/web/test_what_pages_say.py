"""What the server-rendered pages say of models, limits and retention."""

from __future__ import annotations

import html
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cards import CONFUSION, full_card
from service import open_service
from visagram.models import catalog
from visagram.models.catalog import COMMITTEE, DETECTOR, EMBEDDING, EMOTION, read_card
from visagram.settings import Settings
from visagram.web.app import create_app
from weights import write_linear


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """The text of a page, of a server that keeps videos for 30 days."""
    service = open_service(tmp_path_factory.mktemp("said") / "data", keep_days=30.0)
    client = create_app(service).test_client()

    def text(path: str) -> str:
        response = client.get(path)
        assert response.status_code == 200
        return response.text

    yield text
    service.store.close()


@pytest.mark.parametrize("name", [DETECTOR, EMBEDDING, COMMITTEE, EMOTION])
def test_a_models_page_shows_its_whole_card(ask, name):
    card, page = read_card(name), ask(f"/models/{name}")
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    facts = card.facts
    limits = [facts["limits"]] if isinstance(facts["limits"], str) else facts["limits"]
    shown = [
        card.sha256,
        facts["licence"],
        facts["trained_on"],
        facts["intended_use"],
        facts["input"]["layout"],
        *limits,
    ]
    if "origin" in facts:
        shown += [facts["origin"]["registry"], facts["origin"]["version"]]
    for text in shown:
        assert re.sub(r"\s+", " ", text) in plain.replace("&gt;", ">").replace("&#39;", "'"), text
    assert "Where it fails" in page


def test_the_emotion_models_page_shows_how_well_each_expression_is_found(ask):
    page = ask(f"/models/{COMMITTEE}")
    for share in read_card(COMMITTEE).facts["metrics"]["recall"].values():
        assert f"{share * 100:.0f} %" in page


def test_the_list_of_models_leads_to_each(ask):
    page = ask("/models")
    for name in (DETECTOR, EMBEDDING, COMMITTEE, EMOTION, "deepface", "deepface-retinaface"):
        assert f'href="/models/{name}"' in page
    accuracy = read_card(COMMITTEE).facts["metrics"]["accuracy"]
    assert f"{accuracy:.1%}".replace("%", " %") in page and "3.0.4" in page


def test_a_model_that_cannot_be_used_here_says_why(ask, monkeypatch):
    monkeypatch.setitem(catalog.EXTRAS, "deepface", ("no_such_package",))
    for page in (ask("/models"), ask("/models/deepface")):
        assert "Cannot be used here yet" in page
        assert "pip install &#39;visagram[deepface]&#39;" in page


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The text of the page of a model whose card holds everything, with its markup and without."""
    folder = tmp_path_factory.mktemp("whole")
    hostile = {"reviewed_by": "<script>alert(1)</script>", "notes": [{"a": 1}] * 5, "empty": {}, "nothing": None}
    file = write_linear(folder / "mine.onnx", **full_card() | hostile)
    service = open_service(folder / "data", Settings(emotion=f"onnx:{file}"))
    page = create_app(service).test_client().get("/models/onnx:mine.onnx").text
    service.store.close()
    return page, " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_a_card_that_holds_everything_is_shown_in_full(whole):
    page, text = whole
    for title in (
        *("What it measures", "What it is not for", "Where it fails", "What it learned from", "How well it does"),
        *("Found of each expression", "Agreement with people", "How sure it is", "Reliability", "Risk and coverage"),
        *("What it takes for what", "How steady it is", "How fast it is", "Facts"),
    ):
        assert re.search(rf"<h[23][^>]*>{title}</h", page), title
    for words in (
        "Deciding about a person.",
        "Terms: For research.",
        "Accuracy 92.6 % 91.6 – 93.5 % 92.1 % 91.1 – 93.0 %",
        "angry 90 % 82–96 %",
        "Below p = 0.58 this model says “unsure”; then 93.0 % of faces are answered with 95.0 % accuracy.",
        "reviewed by <script>alert(1)</script>",
        "mirrored 0.031",
        "one face 0.93 ms",
    ):
        assert words in text, words
    assert "<script>alert" not in page


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@pytest.fixture(scope="module")
def scribbled(tmp_path_factory):
    """Writes facts over a model's card and asks for a page."""
    folder = tmp_path_factory.mktemp("scribbled")
    file = write_linear(folder / "mine.onnx")
    written, facts = file.with_suffix(".json"), json.loads(file.with_suffix(".json").read_text())
    service = open_service(folder / "data", Settings(emotion=f"onnx:{file}"))
    client = create_app(service).test_client()

    def ask(path: str, more: dict) -> int:
        written.write_text(json.dumps(facts | more))
        return client.get(path).status_code

    yield ask
    service.store.close()


@settings(max_examples=40)
@given(facts=st.fixed_dictionaries({}, optional=dict.fromkeys([*full_card(), "separation", "measured", "more"], JUNK)))
def test_a_card_that_makes_no_sense_still_has_its_pages(scribbled, facts):
    for path in ("/models/onnx:mine.onnx", "/models", "/api/v1/settings"):
        assert scribbled(path, facts) == 200


def test_its_diagrams_are_drawn_without_a_script(whole):
    page, text = whole
    assert page.count('<svg class="diagram"') == 2
    assert "unsure below 0.58: 93.0 % answered, 5.0 % of them wrong" in text
    assert "style=" not in page


def test_its_confusions_are_a_table_that_tells_shares(whole):
    page, _ = whole
    share = CONFUSION[0][0] / sum(CONFUSION[0])
    assert f'class="heat-{round(share * 10)} right">60<br>{share:.0%}'.replace("%", " %") in page


def test_an_unknown_model_has_no_page(tmp_path):
    service = open_service(tmp_path / "data")
    assert create_app(service).test_client().get("/models/none").status_code == 404
    service.store.close()


def test_limits_and_retention_are_said_where_one_uploads(ask):
    page = ask("/")
    assert '"max_duration": 86400.0' in page
    assert "After 30 days they are deleted." in page
    assert "30 days, or until you delete it" in ask("/about")


def test_everything_visible_lies_in_a_landmark(ask):
    assert re.search(r'<section class="offline" id="offline" aria-label="[^"]+" hidden>', ask("/"))
