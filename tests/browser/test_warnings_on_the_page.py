"""What was repaired, guessed, chosen or left out is on the result page as sentences, once each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from browser.look import until

WARNINGS = [
    {
        "code": "times_repaired",
        "message": "The times of 12,000 frames were put right.",
        "count": 12_000,
        "seconds": 480,
    },
    {"code": "several_videos", "message": "<b>Stream 1</b> was left out.", "count": 1, "seconds": None},
]


def test_warnings_are_a_list_of_sentences(api, clips, served, visit):
    def repaired(report: dict[str, Any]) -> None:
        report["warnings"] = WARNINGS
        report["video"]["time_basis"] = "repaired"

    page = visit(_changed(api, clips, served, "11", repaired))
    until(page, "window.visagram?.ready")
    said = page.get_by_role("list", name="Warnings").get_by_role("listitem")
    expect(said).to_have_text([str(warning["message"]) for warning in WARNINGS])
    expect(page.locator("#facts")).to_contain_text("some frame times repaired")


def test_a_result_without_warnings_has_no_list_of_them(clips, visit):
    page = visit(clips["two"].page)
    until(page, "window.visagram?.ready")
    expect(page.get_by_role("list", name="Warnings")).to_have_count(0)
    expect(page.locator("#facts")).not_to_contain_text("frame times")


def test_warnings_of_an_older_version_are_shown_too(api, clips, served, visit):
    def older(report: dict[str, Any]) -> None:
        report["schema_version"] = "1.1"
        report["warnings"] = ["2 damaged frames skipped; their time counts as not decoded."]
        for name in ("stream", "time_basis", "shapes", "path", "sha256", "video_id"):
            del report["video"][name]

    page = visit(_changed(api, clips, served, "12", older))
    until(page, "window.visagram?.ready")
    said = page.get_by_role("list", name="Warnings").get_by_role("listitem")
    expect(said).to_have_text(["2 damaged frames skipped; their time counts as not decoded."])
    expect(page.locator("#facts")).not_to_contain_text("frame times")


def _changed(api, clips, served, seed: str, change: Callable[[dict[str, Any]], None]) -> str:
    """The page of a clip of two people whose stored report was changed."""
    video = api.done(api.upload(clips["two"].path, seed=seed))
    for path in Path(served.data).rglob("report.json"):
        report = json.loads(path.read_text("utf-8"))
        if report["settings"]["seed"] == int(seed):
            change(report)
            path.write_text(json.dumps(report), "utf-8")
    return f"/analyses/{video['latest']['id']}"


def test_a_result_of_an_older_model_says_so_and_offers_to_analyse_again(visit, clips):
    clip = clips["sample"]
    page = visit(None)

    def older(route):
        answer = route.fetch()
        report = answer.json()
        for model in report["models"]:
            if model["task"] == "expression":
                model |= {"sha256": "0" * 64, "name": "visagram-emotion", "version": "0.1.0"}
        route.fulfill(response=answer, json=report)

    page.route("**/api/v1/analyses/*/report", older)
    page.goto(clip.page)
    notice = page.locator("#newer-model")
    expect(notice).to_contain_text("visagram-emotion 0.1.0")
    notice.get_by_role("button", name="Analyse again").click()
    expect(page.get_by_role("dialog")).to_contain_text("sample.mp4")
    page.unroute_all()
    page.goto(clip.page)
    expect(page.locator("#cards .card").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    expect(notice).to_have_count(0)
