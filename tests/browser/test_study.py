"""A study: who is in which video under which condition, what differs, and what to write in the paper."""

from __future__ import annotations

import pandas
import pyarrow.parquet
import pytest
from playwright.sync_api import Page, expect

from browser.look import until

VIDEOS = {"ada film": "sample", "ada talk": "two", "bob film": "plain", "bob talk": "variable"}
"""Entries of the study, and the clips whose bytes they have."""


@pytest.fixture(scope="package")
def study(api, clips) -> dict[str, str]:
    """Ids by name of four videos that nobody has said anything about yet."""
    clips.send(*VIDEOS.values())
    return {name: api.done(api.upload(clips[clip].path, f"{name}.mp4"))["id"] for name, clip in VIDEOS.items()}


def import_csv(page: Page, text: str, rows: int) -> None:
    page.get_by_role("button", name="Import CSV").click()
    dialog = page.get_by_role("dialog", name="Import from CSV")
    file = {"name": "study.csv", "mimeType": "text/csv", "buffer": text.encode()}
    dialog.locator("input[type=file]").set_input_files(file)
    expect(dialog).to_contain_text(f"{rows} rows match a video")
    dialog.get_by_role("button", name=f"Import {rows} rows").click()
    expect(dialog).to_be_hidden()


def labels() -> str:
    rows = [f"{name},{name.split()[0].upper()},{name.split()[1]},study" for name in VIDEOS]
    return "\n".join(["video,participant,condition,tags", *rows, "nobody knows this,X,film,study"])


def test_an_imported_study_is_compared_and_described(study, visit, api, tmp_path):
    page = visit("/study")
    import_csv(page, labels(), 4)
    row = page.locator("#videos-table tr", has_text="bob talk.mp4")
    expect(row.locator("input[data-field=participant]")).to_have_value("BOB")
    expect(row.locator("input[data-field=condition]")).to_have_value("talk")
    page.locator("#compare-tag").select_option("study")
    figure = page.locator("#compare .js-plotly-plot").first
    expect(figure).to_be_visible()
    expect(page.locator("#compare .study-lead")).not_to_be_empty()
    page.locator("#compare").get_by_text("As a table").first.click()
    table = page.locator("#compare table").first
    expect(table).to_contain_text("film")
    expect(table).to_contain_text("talk")

    methods = page.locator("#methods-text .prose")
    expect(methods).to_contain_text("apparent")
    expect(methods).to_contain_text("4 videos")
    expect(methods).to_contain_text("The unit is the participant")
    page.get_by_role("group", name="Compare by").get_by_role("button", name="Participant").click()
    expect(methods).to_contain_text("the unit is the video")

    for label, read in (
        ("CSV", pandas.read_csv),
        ("Parquet", lambda path: pyarrow.parquet.read_table(path).to_pandas()),
    ):
        with page.expect_download() as started:
            page.locator("#tidy").get_by_role("link", name=label).click()
        path = tmp_path / started.value.suggested_filename
        started.value.save_as(path)
        rows = read(path)
        assert set(rows["condition"]) == {"film", "talk"} and len(rows) == 5


@pytest.mark.slow
def test_a_cell_is_edited_and_kept(study, visit, api):
    page = visit("/study")
    cell = page.locator("#videos-table tr", has_text="bob film.mp4").locator("input[data-field=tags]")
    cell.fill("study, edited")
    cell.press("Enter")
    expect(page.locator("#saved")).to_contain_text("saved")
    page.reload()
    expect(cell).to_have_value("study, edited")
    assert api.get(f"/videos/{study['bob film']}")["tags"] == ["study", "edited"]


def test_an_event_window_of_a_result_shows_up_in_the_study(study, visit):
    page = visit(f"/videos/{study['ada film']}")
    until(page, "window.visagram?.ready")
    page.get_by_role("tab", name="Windows").click()
    panel = page.get_by_role("tabpanel")
    for label, text in (("Name", "stimulus"), ("Start", "0:02"), ("End", "0:08.5")):
        panel.get_by_label(label, exact=True).fill(text)
    panel.get_by_role("button", name="Add window").click()
    window = panel.get_by_role("article", name="Window stimulus")
    expect(window).to_contain_text("0:02.0 – 0:08.5")
    expect(window.locator("table")).to_contain_text("Person 1")

    page.goto("/study")
    row = page.locator("#videos-table tr", has_text="ada film.mp4")
    expect(row).to_contain_text("1 window")
    page.locator("#tidy-tag").select_option("study")
    expect(page.locator("#tidy table tbody tr", has_text="stimulus").first).to_be_visible()
    page.locator("#compare-window").select_option("stimulus")
    expect(page.locator("#compare .js-plotly-plot").first).to_be_visible()
