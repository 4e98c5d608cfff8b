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


def opened(name: str, content: bytes) -> int:
    """Open a file by its ending; how many rows, bytes, cues or entries it holds."""
    match Path(name).suffix:
        case ".csv":
            return len(pandas.read_csv(io.BytesIO(content)))
        case ".parquet":
            return pyarrow.parquet.read_table(io.BytesIO(content)).num_rows
        case ".json":
            return len(json.loads(content))
        case ".html":
            assert b"plotly" in content.lower()
            return len(content)
        case ".vtt":
            assert content.startswith(b"WEBVTT")
            return content.count(b" --> ")
        case ".npy":
            return len(np.load(io.BytesIO(content)))
        case ".zip":
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                return sum(opened(entry, archive.read(entry)) > 0 for entry in archive.namelist())
    raise AssertionError(f"nobody knows how to open {name}")


def test_every_file_that_is_there_opens(page, tmp_path):
    links = page.locator("#panel-files ul.files").get_by_role("link")
    paths = [download(page, links.nth(k), tmp_path) for k in range(links.count())]
    found = {path.name: opened(path.name, path.read_bytes()) for path in paths if path.suffix != ".mp4"}
    endings = sorted(Path(name).suffix for name in found)
    assert endings == [".csv", ".html", ".json", ".parquet", ".vtt", ".zip", ".zip"]
    assert all(found.values()), found
    rows = {ending: count for name, count in found.items() if (ending := Path(name).suffix) in (".csv", ".parquet")}
    assert rows[".csv"] == rows[".parquet"] >= 140


def test_the_original_comes_back_byte_for_byte(page, clips, tmp_path):
    link = page.get_by_role("link", name="Download the original")
    path = download(page, link, tmp_path)
    assert path.name == clips["two"].path.name
    assert path.read_bytes() == clips["two"].path.read_bytes()


def test_a_part_holds_only_the_chosen_person_and_time(page, tmp_path):
    page.locator("#panel-files label", has_text="Person").locator("select").select_option(label="Person 1")
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
