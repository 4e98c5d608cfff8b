"""What the server-rendered pages say of models, limits and retention."""

from __future__ import annotations

import re

import pytest

from service import open_service
from visagram.models.catalog import DETECTOR, EMBEDDING, EMOTION, read_card
from visagram.web.app import create_app


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


@pytest.mark.parametrize("name", [DETECTOR, EMBEDDING, EMOTION])
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
    page = ask(f"/models/{EMOTION}")
    for share in read_card(EMOTION).facts["metrics"]["recall"].values():
        assert f"{share * 100:.0f} %" in page


def test_the_list_of_models_leads_to_each(ask):
    page = ask("/models")
    for name in (DETECTOR, EMBEDDING, EMOTION):
        assert f'href="/models/{name}"' in page
    assert "90.1 %" in page and "3.0.4" in page


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
