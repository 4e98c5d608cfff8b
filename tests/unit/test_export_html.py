"""The HTML report: one file, no network, nothing foreign runs, readable by everybody."""

import base64
import dataclasses
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from factories import (
    UGLY_NAMES,
    doubtful_report,
    make_report,
    no_people,
    observations,
    one_frame,
    report_of,
    unusable_person,
    video_facts,
)
from visagram.core.types import EXPRESSIONS, Observations, ResultWarning
from visagram.export import save
from visagram.export.html import fragment, page
from visagram.plots import LANE_PIXELS

VOID = {"meta", "img", "br", "rect"}


class Page(HTMLParser):
    """Elements with attributes, the text by element, and whether every tag is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(html)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(text for tag, text in self.texts if tag not in ("script", "style"))


@pytest.fixture(scope="module")
def html() -> str:
    return page(make_report(warnings=["2 frames were damaged."]))


@pytest.fixture(scope="module")
def parsed(html: str) -> Page:
    return Page(html)


@pytest.mark.parametrize("make", [make_report, doubtful_report, no_people, one_frame, unusable_person])
def test_every_report_is_a_well_formed_page(make) -> None:
    parsed = Page(page(make()))
    assert [tag for tag, _ in parsed.elements].count("h1") == 1
    assert "apparent expression" in parsed.text.lower()


def test_nothing_is_loaded_from_anywhere(parsed: Page) -> None:
    for tag, attributes in parsed.elements:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert (attributes.get(name) or "data:").startswith("data:"), (tag, attributes)
    styles = " ".join(text for tag, text in parsed.texts if tag == "style")
    assert "url(" not in styles and "@import" not in styles


def test_only_our_scripts_may_run(parsed: Page) -> None:
    """The policy names the hash of each script of the page and allows no other."""
    policy = next(meta["content"] for meta in parsed.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy and policy.startswith("default-src 'none'; img-src data:;")
    rule = next(rule for rule in policy.split("; ") if rule.startswith("script-src"))
    assert "unsafe" not in rule
    scripts = {text for tag, text in parsed.texts if tag == "script"}
    hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts}
    data = [attributes for attributes in parsed.all("script") if attributes.get("type") == "application/json"]
    assert len(data) == 1 and len(parsed.all("script")) == 3
    assert set(rule.split()[1:]) < hashes and len(rule.split()) == 3


def test_page_without_a_figure_has_no_script() -> None:
    parsed = Page(page(no_people()))
    assert not parsed.all("script")
    assert "script-src 'none'" in str(parsed.all("meta"))


@pytest.mark.parametrize("name", UGLY_NAMES)
def test_foreign_text_is_only_ever_text(name: str) -> None:
    plain = Page(page(make_report(warnings=["plain"])))
    parsed = Page(page(make_report(name, warnings=[name], names=[name])))
    assert [tag for tag, _ in parsed.elements] == [tag for tag, _ in plain.elements]
    assert [sorted(attributes) for _, attributes in parsed.elements] == [sorted(a) for _, a in plain.elements]


def test_video_name_is_shown_as_it_is() -> None:
    parsed = Page(page(make_report("<img onerror=x>.mp4")))
    assert ("h1", "<img onerror=x>.mp4") in parsed.texts
    assert ("title", "<img onerror=x>.mp4 · Visagram") in parsed.texts


def test_a_face_is_shown_where_there_is_one_and_its_place_kept_where_there_is_none() -> None:
    report = make_report()
    ada, bob = report.people
    parsed = Page(page(dataclasses.replace(report, people=(ada, dataclasses.replace(bob, thumbnail=b"")))))
    shown = [attributes for attributes in parsed.all("img") if attributes.get("class") == "face"]
    kept = [attributes for attributes in parsed.all("span") if attributes.get("class") == "face"]
    assert len(shown) == len(kept) == 2, "beside the lane and in the card"
    data = base64.b64encode(ada.thumbnail).decode()
    assert {(each["alt"], each["src"]) for each in shown} == {("Face of Person 1", f"data:image/jpeg;base64,{data}")}


def test_figure_is_json_that_cannot_end_its_script() -> None:
    html = page(make_report(names=["</script><!--<script>"]))
    data = re.search(r'<script type="application/json" id="figure">(.*?)</script>', html, re.DOTALL)
    assert data and "<" not in data[1]
    figure = json.loads(data[1])
    assert figure["layout"]["showlegend"] is False


def test_lane_heads_stand_beside_their_lanes(html: str, parsed: Page) -> None:
    figure = json.loads(next(text for tag, text in parsed.texts if tag == "script"))
    style = next(attributes["style"] for attributes in parsed.all("div") if attributes.get("class") == "timeline")
    assert style and f"--lane:{LANE_PIXELS}px" in style
    margin = figure["layout"]["margin"]
    assert figure["layout"]["height"] - margin["t"] - margin["b"] == 2 * LANE_PIXELS
    assert figure["layout"]["yaxis"]["showticklabels"] is False, "the names stand in the heads"
    rail = re.search(r'<ol class="rail">(.*?)</ol>', html, re.DOTALL)
    axis = figure["layout"]["yaxis"]
    lanes = sorted(zip(axis["tickvals"], axis["ticktext"], strict=True), reverse=True)
    assert rail and re.findall(r"<span>(.*?)</span>", rail[1]) == [name for _, name in lanes] == [
        "Person 1",
        "Person 2",
    ]


def test_page_says_what_was_seen(parsed: Page) -> None:
    for words in (
        "talk.mp4",
        "Two people were seen. The apparent expression was mostly neutral for Person 1, and only sad for Person 2.",
        "2 frames were damaged.",
        "the whole video",
        "100 with a face",
        "33 %",
        "27–40 %",
        "turned away 0.4 s",
        "not in the picture 1.6 s",
        "retinaface-mobilenet025",
        "cd" * 32,
        "10.1177/1529100619832930",
        "Article 5(1)(f)",
    ):
        assert words in parsed.text, words


def test_warnings_are_a_list_of_sentences() -> None:
    report = make_report()
    warnings = (
        ResultWarning("times_repaired", "The times of 12,000 frames were repaired.", 12_000, 480.0),
        ResultWarning("stream_chosen", "The file holds two videos; stream 0 was analysed.", 1),
    )
    parsed = Page(page(dataclasses.replace(report, warnings=warnings)))
    notice = [attributes for attributes in parsed.all("ul") if attributes.get("class") == "notice"]
    assert [attributes["aria-label"] for attributes in notice] == ["Warnings"]
    said = [text for tag, text in parsed.texts if tag == "li"]
    assert [warning.message for warning in warnings] == said[:2]
    assert "times_repaired" not in parsed.text and "480" not in parsed.text
    assert "Warnings" not in page(report)


def test_page_says_what_frame_times_rest_on_where_it_is_not_the_file_alone() -> None:
    report = make_report()
    for basis, said in (("repaired", "some frame times repaired"), ("guessed", "frame times guessed")):
        facts = dataclasses.replace(report.video, time_basis=basis)
        assert ("span", said) in Page(page(dataclasses.replace(report, video=facts))).texts
    assert "frame times" not in Page(page(report)).text


def test_page_says_how_much_was_unsure_and_what_that_is() -> None:
    text = re.sub(r"\s+", " ", Page(page(doubtful_report())).text)
    assert "unsure: best expression below 50 %" in text
    assert "Where the model was unsure (best expression below 50 %), the best expression counts all the same." in text
    assert "unsure 11 % of the measured time" in text and "unsure 0 % of the measured time" in text
    assert "measured 3.2 s" in text and "measured, unsure 0.4 s" in text


def test_numbers_count_certain_frames_beside_all_frames() -> None:
    parsed = Page(page(doubtful_report()))
    heads = [text for tag, text in parsed.texts if tag == "th"]
    assert {"of these certain", "of this unsure"} <= set(heads)
    cells = [text for tag, text in parsed.texts if tag == "td"]
    happy = 7 * EXPRESSIONS.index("happy")
    assert cells[happy + 5 : happy + 7] == ["30", "20"]


def test_a_smoothed_timeline_is_said_to_be_one() -> None:
    report = make_report()
    smooth = dataclasses.replace(report, settings=report.settings | {"smooth": 1.5})
    assert "The drawing is smoothed over 1.5 s; the numbers are not." in Page(page(smooth)).text
    assert "smoothed" not in Page(page(report)).text


def test_words_never_claim_a_feeling() -> None:
    """The two places that name feelings and emotions say what the report must not be taken for."""
    text = re.sub(r"\s+", " ", Page(page(make_report())).text.lower())
    sentences = [sentence for sentence in re.split(r"[.:]\s", text) if re.search(r"feel|emotion", sentence)]
    assert len(sentences) == 3
    assert "it does not tell what somebody feels" in sentences[0]
    assert "people show the same emotion in many ways" in sentences[1]
    assert "prohibits inferring emotions" in sentences[2]


def test_numbers_table_has_every_number(parsed: Page) -> None:
    heads = [text for tag, text in parsed.texts if tag == "th"]
    assert heads.count("Person 1") == 2 and all(heads.count(name) == 2 for name in EXPRESSIONS)
    cells = [text for tag, text in parsed.texts if tag == "td"]
    for number in ("33.3 %", "27.3 – 40.3 %", "0.280", "30", "3.60", "0.40"):
        assert number in cells, number


def test_page_is_accessible(parsed: Page) -> None:
    tags = [tag for tag, _ in parsed.elements]
    assert {"header", "main", "footer", "caption"} <= set(tags)
    assert parsed.all("html")[0]["lang"] == "en"
    assert all(image["alt"] for image in parsed.all("img"))
    assert all(head.get("scope") for head in parsed.all("th"))
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    labelled = {attributes["aria-labelledby"] for _, attributes in parsed.elements if "aria-labelledby" in attributes}
    assert labelled <= set(ids)
    assert any(attributes.get("name") == "viewport" for attributes in parsed.all("meta"))


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_has_enough_contrast_in_light_and_dark(html: str) -> None:
    schemes = [
        dict(re.findall(r"--(\w[\w-]*): (#[0-9a-f]{6})\b", block))
        for block in re.findall(r":root \{(.*?)\}", html, re.S)
    ]
    light, dark = schemes[0], schemes[0] | schemes[1]
    for scheme in (light, dark):
        for paper in ("paper", "surface", "notice"):
            assert contrast(scheme["ink"], scheme[paper]) >= 7
        for paper in ("paper", "surface"):
            assert contrast(scheme["muted"], scheme[paper]) >= 4.5


def test_nobody_gets_a_dignified_page() -> None:
    text = Page(page(no_people())).text
    assert "No face was found." in text
    assert "min_face" in text
    assert "That is a result, not a failure." in text


def test_still_picture_has_no_timeline() -> None:
    parsed = Page(page(one_frame()))
    assert "over time" not in parsed.text and "still picture" in parsed.text
    assert len(page(one_frame())) < 100_000


def test_two_hours_with_five_people_stay_small() -> None:
    frames = range(0, 180_000, 25)
    rows = [
        observations(person, frames, [(frame // 700 + person) % 7 for frame in frames], 25) for person in range(1, 6)
    ]
    report = report_of(type(rows[0]).concatenate(rows), video_facts("two hours.mkv", frames=180_000))
    assert len(page(report).encode()) < 15_000_000


def test_write_makes_one_file(tmp_path: Path) -> None:
    assert [path.name for path in save(make_report(), tmp_path, ["html"])] == ["report.html"]
    assert (tmp_path / "report.html").read_text("utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize("make", [make_report, no_people, one_frame, unusable_person])
def test_fragment_is_one_table(make) -> None:
    parsed = Page(fragment(make()))
    assert parsed.elements[0][0] == "table" and not parsed.all("script")
    assert make()._repr_html_() == fragment(make())


def test_fragment_escapes_names() -> None:
    parsed = Page(fragment(make_report("<img onerror=x>.mp4", names=["<script>"])))
    assert not parsed.all("script")
    assert "<img onerror=x>.mp4" in parsed.text and "<script>" in parsed.text


@pytest.mark.slow
def test_two_hours_of_five_people_stay_below_fifteen_megabytes():
    frames = 2 * 3600 * 25
    random = np.random.default_rng(0)
    parts = []
    for id in range(1, 6):
        # A new expression every second, and sometimes a face that is turned away.
        labels = np.repeat(random.choice([-3, 0, 1, 2, 3, 4, 5, 6], frames // 25), 25)
        parts.append(observations(id, range(frames), labels))
    report = report_of(Observations.concatenate(parts), video_facts(frames=frames))
    assert len(page(report).encode()) < 15_000_000
