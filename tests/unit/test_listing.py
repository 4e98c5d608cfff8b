"""What there is to choose, what it costs, and what is in the way."""

from __future__ import annotations

import pytest

from visagram.models import catalog
from visagram.models.listing import offers, table
from weights import write_linear

OURS = ["visagram-committee", "visagram-emotion", "retinaface-mobilenet025", "faceres-embedding"]


def by_name(folder, **more):
    return {offer.card.name: offer for offer in offers(folder, **more)}


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    """Whatever the extra installs is there."""
    monkeypatch.setitem(catalog.EXTRAS, "deepface", ())


def test_our_own_models_are_always_there(tmp_path) -> None:
    for offline in (False, True):
        found = by_name(tmp_path, offline=offline)
        assert [(found[name].cost, found[name].obstacle) for name in OURS] == [("comes with Visagram", "")] * 4


def test_what_is_fetched_at_first_use_says_from_where_and_how_much(tmp_path) -> None:
    offer = by_name(tmp_path)["deepface"]
    assert offer.cost == "fetched from github.com at first use, at most 50\u00a0MB"
    assert offer.obstacle == ""
    (tmp_path / offer.card.file.name).write_bytes(b"\x08")
    assert by_name(tmp_path)["deepface"].cost == "is on this machine"


def test_offline_names_the_file_and_the_command_but_no_folder_of_the_server(tmp_path) -> None:
    offer = by_name(tmp_path, offline=True)["deepface-retinaface"]
    assert "Put retinaface.onnx there, or run visagram models fetch deepface-retinaface" in offer.obstacle
    assert str(tmp_path) not in offer.obstacle
    (tmp_path / "retinaface.onnx").write_bytes(b"\x08")
    assert by_name(tmp_path, offline=True)["deepface-retinaface"].obstacle == ""


def test_what_is_not_installed_names_the_extra(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(catalog.EXTRAS, "deepface", ("no_such_package",))
    found = by_name(tmp_path)
    for name in ("deepface", "deepface-retinaface"):
        assert "pip install 'visagram[deepface]'" in found[name].obstacle


def test_the_list_says_what_is_missing(tmp_path, monkeypatch) -> None:
    assert "fetched at first use" in table(tmp_path)
    assert "not fetched, offline" in table(tmp_path, offline=True)
    monkeypatch.setitem(catalog.EXTRAS, "deepface", ("no_such_package",))
    assert "needs visagram[deepface]" in table(tmp_path)


def test_a_servers_own_model_is_among_its_models(tmp_path) -> None:
    file = write_linear(tmp_path / "mine.onnx")
    offer = offers(tmp_path, chosen=f"onnx:{file}")[-1]
    assert (offer.name, offer.setting, offer.card.name) == (f"onnx:{file}", "emotion", "onnx:mine.onnx")
    assert len(offers(tmp_path, chosen="deepface")) == len(offers(tmp_path))
    # Whoever chooses it learns why when it is used; everybody else still has a form.
    file.unlink()
    assert offers(tmp_path, chosen=f"onnx:{file}")[-1].cost == "its card cannot be read"
