"""Every file that a result offers is downloaded by its link and opened with what people open such files with."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import av
import numpy as np
import pandas
import pyarrow.parquet
import pytest
from playwright.sync_api import Page, expect

from browser.look import until


@pytest.fixture
def page(clips, visit) -> Page:
    page = visit(clips["two"].page)
    until(page, "window.visagram?.ready")
    page.get_by_role("tab", name="Files").click()
    expect(page.locator("#panel-files ul.files li").first).to_be_visible()
    return page


def download(page: Page, link, folder: Path) -> Path:
    with page.expect_download() as started:
        link.click()
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    return path


def opened(path: Path) -> int:
    """Open a file by its ending; how many rows, bytes, cues or entries it holds."""
    content = path.read_bytes()
    match path.suffix:
        case ".csv":
            return len(pandas.read_csv(path))
        case ".parquet":
            return pyarrow.parquet.read_table(path).num_rows
        case ".json":
            return len(json.loads(content))
        case ".html":
            assert b"plotly" in content.lower()
            return len(content)
        case ".vtt":
            assert content.startswith(b"WEBVTT")
            return content.count(b" --> ")
        case ".npy":
            return len(np.load(io.BytesIO(content), allow_pickle=True))
        case ".zip":
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None
                return len(archive.namelist())
    raise AssertionError(f"nobody knows how to open {path.name}")


def test_every_file_that_is_there_opens(page, tmp_path):
    links = page.locator("#panel-files ul.files").get_by_role("link")
    paths = [download(page, links.nth(k), tmp_path) for k in range(links.count())]
    found = {path.suffix: opened(path) for path in paths if path.suffix != ".mp4"}
    assert set(found) == {".csv", ".parquet", ".json", ".html", ".vtt", ".npy", ".zip"}
    assert all(found.values()), found
    assert found[".csv"] == found[".parquet"] >= 140


def test_the_original_comes_back_byte_for_byte(page, clips, tmp_path):
    link = page.get_by_role("link", name="Download the original")
    path = download(page, link, tmp_path)
    assert path.name == clips["two"].path.name
    assert path.read_bytes() == clips["two"].path.read_bytes()


def test_a_part_holds_only_the_chosen_person_and_time(page, tmp_path):
    page.get_by_label("Person", exact=True).select_option(label="Person 1")
    page.get_by_label("From", exact=True).fill("1")
    page.get_by_label("To", exact=True).fill("2")
    page.keyboard.press("Tab")
    row = page.locator("#panel-files li", has_text="the chosen part").filter(has_text="csv")
    rows = pandas.read_csv(download(page, row.get_by_role("link"), tmp_path))
    assert set(rows["person"]) == {1}
    assert rows["time_s"].between(1, 2).all() and len(rows) == 25


@pytest.mark.slow
def test_the_annotated_video_is_made_and_plays(page, tmp_path):
    row = page.locator("#panel-files li", has_text="annotated")
    row.get_by_role("button", name="Make it").click()
    link = row.get_by_role("link")
    expect(link).to_be_visible(timeout=120_000)
    with av.open(str(download(page, link, tmp_path))) as video:
        assert sum(1 for _ in video.decode(video=0)) == 150
