"""docs/models.md says what the cards in the package say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from visagram.models.card import COMMITTEE, DETECTOR, EMBEDDING, EMOTION, read_card

ROOT = Path(__file__).resolve().parents[2]


def _tool():
    spec = importlib.util.spec_from_file_location("document_models", ROOT / "tools" / "document_models.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_that_of_the_cards():
    found = (ROOT / "docs" / "models.md").read_text("utf-8")
    assert found == _tool().page(), "run python tools/document_models.py"


def test_every_model_that_ships_is_on_it_with_its_hash():
    found = (ROOT / "docs" / "models.md").read_text("utf-8")
    for name in (COMMITTEE, EMOTION, DETECTOR, EMBEDDING):
        assert f"## {name}" in found
        assert read_card(name).sha256[:16] in found
