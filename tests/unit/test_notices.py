"""Every warning has a code that is documented, and none is documented that there is not."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import visagram
from visagram.core.types import ResultWarning
from visagram.export.notices import NOTE, warning_json, warning_of_text

ROOT = Path(__file__).resolve().parent.parent.parent


def codes() -> set[str]:
    """The codes that the program gives: first arguments of `ResultWarning`, where they are written down."""
    found = set()
    for module in Path(visagram.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "ResultWarning" and node.args:
                found |= {leaf.value for leaf in ast.walk(node.args[0]) if isinstance(leaf, ast.Constant)}
    return found | {NOTE}


def test_every_code_is_documented_and_no_other() -> None:
    text = (ROOT / "docs" / "files.md").read_text("utf-8").split("## Warnings")[1].split("\n## ")[0]
    documented = re.findall(r"^\| `([a-z_]+)` \| [^|]+ \| [^|]+ \| [^|]+ \|$", text, re.MULTILINE)
    assert documented == sorted(documented)
    assert set(documented) == codes()


def test_a_code_is_for_programs() -> None:
    assert {code for code in codes() if not re.fullmatch("[a-z]+(_[a-z]+)*", code)} == set()


def test_a_warning_as_json_holds_all_of_it() -> None:
    warning = ResultWarning("times_repaired", "The times of 2 frames were repaired.", 2, 0.08)
    assert ResultWarning(**warning_json(warning)) == warning


def test_long_numbers_in_old_texts_are_no_trouble() -> None:
    text = f"{'9' * 5000} damaged frames skipped; their time counts as not decoded."
    assert warning_of_text(text) == ResultWarning(NOTE, text)
