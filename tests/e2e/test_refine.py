"""The generator's second opinion in a real analysis: another result, whose report names the generator."""

from __future__ import annotations

import json
from pathlib import Path

from command import visagram
from media_factory import SAMPLE


def test_a_refined_analysis_names_the_generator_and_differs(tmp_path: Path) -> None:
    found = {}
    for name, more in (("plain", ()), ("refined", ("--refine",))):
        outcome = visagram("analyze", SAMPLE, "-o", tmp_path / name, "--end", "1", "-q", *more)
        assert outcome.status == 0, outcome.err
        found[name] = json.loads((tmp_path / name / SAMPLE.stem / "report.json").read_text())
    names = {name: [model["name"] for model in report["models"]] for name, report in found.items()}
    assert names["refined"] == [*names["plain"], "visagram-diffusion"]
    assert (found["plain"]["settings"]["refine"], found["refined"]["settings"]["refine"]) == (False, True)
    one, other = (report["people"][0] for report in found.values())
    assert one["frames_usable"] == other["frames_usable"]
    assert one["average_confidences"] != other["average_confidences"]
