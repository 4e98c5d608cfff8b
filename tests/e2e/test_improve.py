"""The loop from start to decision with everything real and no network: the shipped generator, judge and model."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import cv2

from command import visagram
from generators import portrait
from sheets import smiles
from visagram.evaluate.marked import is_marked
from visagram.models.card import COMMITTEE, EMOTION, read_card


def test_one_command_goes_from_the_weak_expression_to_a_decision(tmp_path: Path) -> None:
    data, work, models = smiles(tmp_path / "sheets"), tmp_path / "work", tmp_path / "models"
    asked = ("improve", "--data", data, "-o", work, "--ratio", 1, "--epochs", 2, "--models", models, "--offline")
    asked += ("--second", data, "--second", smiles(tmp_path / "others"))
    found = visagram(*asked)
    assert found.status == 0, found.err
    assert "The model in force stays." in found.out
    plan, verdict = (json.loads((work / name).read_text()) for name in ("plan.json", "verdict.json"))
    wanted = {need["expression"]: need["wanted"] for need in plan["needs"]}
    faces = json.loads((work / "faces" / "manifest.json").read_text())["faces"]
    assert {face["expression"] for face in faces} == set(wanted) and "happy" in wanted
    assert {face["generator"] for face in faces} == {"visagram-diffusion"}
    accepted = [face for face in faces if face["decision"] == "accepted"]
    assert accepted and all(is_marked(work / "faces" / face["file"]) for face in faces)
    assert verdict["model"] == read_card(COMMITTEE).sha256 and verdict["reasons"] and verdict["promote"] is False
    assert json.loads((work / "model" / f"{EMOTION}.json").read_text())["generated"]["faces"] == len(accepted)
    for which in ("first", "second", "second-2"):
        assert "One against the other" in (work / which / "evaluation.html").read_text()
        assert verdict[which]["comparison"]["faces"] > 0
    again = visagram(*asked)
    assert (again.status, again.out) == (0, found.out)
    assert json.loads((work / "faces" / "manifest.json").read_text())["faces"] == faces


def test_corrected_faces_and_a_zip_file_are_taken_too(tmp_path: Path) -> None:
    data = smiles(tmp_path / "sheets")
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for file in data.iterdir():
            archive.write(file, f"sheets/{file.name}")
    table = tmp_path / "corrections.csv"
    (tmp_path / "faces").mkdir()
    large = cv2.resize(portrait(1), (240, 240), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(tmp_path / "faces" / "one.png"), large)
    table.write_text("path,label\nfaces/one.png,surprise\n")
    found = visagram(
        "train",
        "--data",
        tmp_path / "data.zip",
        "--also",
        table,
        "--output",
        tmp_path / "run",
        "--recipe",
        "tiny",
        "-q",
    )
    assert found.status == 0, found.err
    card = json.loads((tmp_path / "run" / f"{EMOTION}.json").read_text())
    assert card["also"]["by_expression"] == {"surprise": 1} and card["also"]["name"] == "corrections.csv"
