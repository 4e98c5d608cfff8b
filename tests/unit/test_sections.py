"""The sections of the HTML report, sign by sign."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from typing import Any

import pytest

from factories import SHA256, doubtful_report, make_report, no_people, one_frame, unusable_person
from visagram.core.types import EXPRESSIONS, ResultWarning, Share
from visagram.export import sections
from visagram.export.html import document, expression_styles, fragment, page
from visagram.export.words import INTERVAL, NO_INTERVAL
from visagram.plots import LANE, LANE_PIXELS, PALETTE, STRIP
from visagram.report import Report

NO_FACE = '<span class="face" style="width:80px;height:80px"></span>'


def faceless(report: Report) -> Report:
    """Without the pictures, whose data is long."""
    people = tuple(dataclasses.replace(person, thumbnail=b"") for person in report.people)
    return dataclasses.replace(report, people=people)


def with_totals(report: Report, **changes: Any) -> Report:
    return dataclasses.replace(report, totals=dataclasses.replace(report.totals, **changes))


def figures(report: Report) -> dict[str, tuple[str, str]]:
    """Of the head: what stands below each name."""
    found = re.findall(r'<div><dt>(.*?)</dt><dd>(.*?)</dd><dd class="note">(.*?)</dd></div>', sections.intro(report))
    return {name: (value, note) for name, value, note in found}


# --- Head ------------------------------------------------------------------------------------------------------------


def test_the_whole_head() -> None:
    report = dataclasses.replace(
        with_totals(make_report("<a>.mp4"), frames=12_480, frames_with_faces=1200, frames_damaged=3, coverage=0.256),
        warnings=(ResultWarning("a", "One & two."), ResultWarning("b", "Three.")),
    )
    assert sections.intro(report) == (
        '<section class="intro">\n<h1>&lt;a&gt;.mp4</h1>\n'
        '<p class="facts"><span>4.0 s</span><span>640 × 360</span><span>25 frames/s</span><span>h264</span>'
        "<span>4.2 MB</span></p>\n"
        '<p class="lead">Two people were seen. The apparent expression was mostly neutral for Person 1, and only sad '
        "for Person 2.</p>\n"
        '<ul class="notice" aria-label="Warnings"><li>One &amp; two.</li><li>Three.</li></ul>\n'
        '<dl class="figures">'
        '<div><dt>People</dt><dd>2</dd><dd class="note">by likeness of their faces</dd></div>'
        '<div><dt>Analysed</dt><dd>4.0 s</dd><dd class="note">the whole video</dd></div>'
        '<div><dt>Frames</dt><dd>12,480</dd><dd class="note">1,200 with a face, 3 damaged</dd></div>'
        '<div><dt>Measured</dt><dd>26 %</dd><dd class="note">of the time, at least one face</dd></div>'
        "</dl>\n</section>"
    )


@pytest.mark.parametrize(("duration", "note"), [(3.91, "the whole video"), (3.9, "of 4.0 s"), (3.85, "of 4.0 s")])
def test_a_tenth_of_a_second_is_missing_in_no_analysis(duration: float, note: str) -> None:
    assert figures(with_totals(make_report(), duration=duration))["Analysed"] == (f"{duration:.1f} s", note)


def test_the_head_of_a_picture_and_of_nobody() -> None:
    assert figures(one_frame()) == {
        "People": ("1", "by likeness of their faces"),
        "Analysed": ("1", "still picture"),
        "Frames": ("1", "1 with a face"),
        "Measured": ("100 %", "of the time, at least one face"),
    }
    assert figures(no_people()) == {
        "People": ("0", "no face was found"),
        "Analysed": ("4.0 s", "the whole video"),
        "Frames": ("100", "0 with a face"),
        "Measured": ("0 %", "of the time, at least one face"),
    }
    assert "notice" not in sections.intro(no_people())


# --- People ----------------------------------------------------------------------------------------------------------


def bar(name: str, value: str, low: str, spread: str, percent: str, interval: str, zero: str = "") -> str:
    return (
        f'<li><span>{name}</span><span class="track x-{name}" style="--value:{value}%;--low:{low}%;--spread:{spread}%">'
        f'<i></i><b></b></span><span class="value{zero}">{percent}</span><span class="range">{interval}</span></li>'
    )


def test_the_whole_card_of_a_person() -> None:
    report = faceless(doubtful_report())
    person = dataclasses.replace(report.people[0], name='A "<b>"', first_seen=65.2)
    nothing = ("0.00", "0.00", "7.00", "0 %", "0–7 %", " zero")
    assert sections.person_card(person, report) == (
        '<article class="panel" aria-label="A &quot;&lt;b&gt;&quot;">\n'
        f'<div class="who">{NO_FACE}<div>\n'
        "<h3>A &quot;&lt;b&gt;&quot;</h3>\n"
        '<p class="dominant"><span class="swatch x-neutral"></span>mostly neutral</p>\n'
        '<p class="muted">in the picture 4.0 s, first at 1:05.2</p>\n'
        "</div></div>\n"
        '<ul class="bars" aria-label="Share of measured time by apparent expression">'
        + bar("neutral", "66.67", "60.67", "13.00", "67 %", "61–74 %")
        + bar("happy", "33.33", "27.33", "13.00", "33 %", "27–40 %")
        + "".join(bar(name, *nothing) for name in ("angry", "disgust", "fear", "sad", "surprise"))
        + "</ul>\n"
        '<p class="doubt"><span class="swatch unsure"></span><span>unsure <b>11 %</b> of the measured time</span></p>\n'
        '<div><div class="spent" aria-hidden="true"><i class="use-measured" style="--seconds:3.200"></i>'
        '<i class="use-unsure" style="--seconds:0.400"></i><i class="use-turned" style="--seconds:0.400"></i></div>'
        '<ul class="legend"><li><span class="swatch use-measured"></span>measured 3.2 s</li>'
        '<li><span class="swatch use-unsure"></span>measured, unsure 0.4 s</li>'
        '<li><span class="swatch use-turned"></span>turned away 0.4 s</li></ul></div>\n'
        "</article>"
    )


def test_the_whole_card_of_somebody_never_measured() -> None:
    report = faceless(unusable_person())
    assert sections.person_card(report.people[0], report) == (
        f'<article class="panel" aria-label="Person 1">\n<div class="who">{NO_FACE}<div>\n<h3>Person 1</h3>\n'
        '<p class="dominant">no frame was clear enough to measure</p>\n'
        '<p class="muted">in the picture 2.0 s, first at 0:00.0</p>\n</div></div>\n\n\n'
        '<div><div class="spent" aria-hidden="true"><i class="use-too_small" style="--seconds:2.000"></i></div>'
        '<ul class="legend"><li><span class="swatch use-too_small"></span>too small 2.0 s</li></ul></div>\n'
        "</article>"
    )


def test_the_card_of_a_picture_tells_no_times() -> None:
    report = faceless(one_frame())
    card = sections.person_card(report.people[0], report)
    assert '<p class="dominant"><span class="swatch x-surprise"></span>surprise</p>\n<p class="muted"></p>\n' in card
    assert "spent" not in card and card.endswith("</ul>\n\n\n</article>")


def test_an_interval_whose_ends_are_turned_round_has_no_width() -> None:
    person = make_report().people[0]
    turned = dataclasses.replace(person, shares=(Share(0.5, 0.6, 0.4), *person.shares[1:]))
    card = sections.person_card(turned, make_report())
    assert "--value:50.00%;--low:60.00%;--spread:0.00%" in card


def test_a_face_is_a_picture_of_its_size() -> None:
    person = dataclasses.replace(make_report().people[0], name="<i>", thumbnail=b"\xff\xd8\x00")
    assert sections.thumbnail(person, 40) == (
        '<img class="face" src="data:image/jpeg;base64,/9gA" width="40" height="40" alt="Face of &lt;i&gt;">'
    )


# --- Tables ----------------------------------------------------------------------------------------------------------


def test_every_row_of_the_tables() -> None:
    report = doubtful_report()
    first = dataclasses.replace(
        report.people[0],
        name="A&B",
        first_seen=1234.5,
        frames_seen=1000,
        frames_usable=2000,
        emotion_counts=(0, 0, 0, 1030, 0, 0, 60),
        unmeasured={"zz_new": 2.5, "turned": 0.4, "too_small": 0.0, "aa_new": 1.5},
    )
    html = sections.numbers(dataclasses.replace(report, people=(first, report.people[1])))
    table = '<div class="scroll" tabindex="0" role="region" aria-label="Table: '
    expressions, times = html.split("</table></div>\n")[:2]
    assert expressions.startswith(
        '<section aria-labelledby="numbers">\n<h2 id="numbers">Numbers</h2>\n<p>'
        f"{INTERVAL} {NO_INTERVAL} The share at worst is of all the time in the picture: if what was not measured "
        "showed the expression never, or always. What is missing is in no interval.</p>\n"
        f'{table}Apparent expression"><table>\n<caption>Apparent expression</caption>\n<thead><tr>'
        '<th scope="col">person</th><th scope="col" class=word>expression</th><th scope="col">share of measured time'
        '</th><th scope="col">95 % interval</th><th scope="col">episodes</th><th scope="col">share at worst</th>'
        '<th scope="col">mean probability</th><th scope="col">frames</th>'
        '<th scope="col">of these certain</th></tr></thead>\n<tbody><tr><th scope="rowgroup" rowspan="7">A&amp;B</th>'
    )
    rows = re.findall(r'<th scope="row" class="word">(\w+)</th>(.*?)</tr>', expressions)
    assert [name for name, _ in rows] == [*EXPRESSIONS, *EXPRESSIONS]
    cells = {
        (k // 7, name): re.findall("<td>(.*?)</td>", row)
        for k, (name, row) in enumerate(rows)
        if "0 – 7.0" not in row  # the others are nothing
    }
    assert cells == {
        (0, "happy"): ["33.3 %", "27.3 – 40.3 %", "–", "–", "0.242", "1,030", "20"],
        (0, "neutral"): ["66.7 %", "60.7 – 73.7 %", "–", "–", "0.520", "60", "60"],
        (1, "sad"): ["100.0 %", "94.0 – 100.0 %", "–", "–", "0.760", "50", "50"],
    }
    assert expressions.count("rowgroup") == 2
    assert times.startswith(
        f'{table}Time in seconds"><table>\n<caption>Time in seconds</caption>\n<thead><tr><th scope="col">person</th>'
        '<th scope="col">first seen</th><th scope="col">last seen</th><th scope="col">in the picture</th>'
        '<th scope="col">measured</th><th scope="col">of this unsure</th><th scope="col">blurred</th>'
        '<th scope="col">turned away</th><th scope="col">not in the picture</th><th scope="col">aa new</th>'
        '<th scope="col">zz new</th><th scope="col">frames seen</th><th scope="col">frames measured</th></tr></thead>'
    )
    assert [re.findall("<td>(.*?)</td>", row) for row in re.findall('<tr><th scope="row">.*?</tr>', times)] == [
        ["1,234.50", "4.00", "4.00", "3.60", "0.40", "0.00", "0.40", "0.00", "1.50", "2.50", "1,000", "2,000"],
        ["0.40", "4.00", "2.40", "2.00", "0.00", "0.40", "0.00", "1.60", "0.00", "0.00", "60", "50"],
    ]


def test_the_rows_of_somebody_never_measured_are_dashes() -> None:
    person = dataclasses.replace(unusable_person().people[0], emotion_counts=(), certain_counts=())
    html = sections.numbers(dataclasses.replace(unusable_person(), people=(person,)))
    rows = re.findall(r'class="word">\w+</th>(.*?)</tr>', html)
    assert rows == 7 * ["<td>–</td><td>–</td><td>–</td><td>–</td><td>–</td><td>0</td><td>0</td>"]


def test_the_whole_method() -> None:
    report = dataclasses.replace(
        make_report(),
        models=({"name": "<a>", "task": "t", "version": 3, "sha256": "ab"}, {"hash": "cd"}),
        settings={"end": None, "detect_size": "<auto>", "region": [0, 1], "refine": True, "start": 0.0},
    )
    assert sections.method(report) == (
        '<section aria-labelledby="method">\n<h2 id="method">How this was measured</h2>\n'
        "<p>The same video, models and settings give the same report.</p>\n"
        '<div class="scroll" tabindex="0" role="region" aria-label="Table: Models"><table>\n<caption>Models</caption>\n'
        '<thead><tr><th scope="col" class=word>name</th><th scope="col" class=word>task</th>'
        '<th scope="col" class=word>version</th><th scope="col" class=word>SHA-256</th></tr></thead>\n'
        '<tbody><tr><th scope="row">&lt;a&gt;</th><td class="word">t</td><td class="word">3</td>'
        '<td class="hash">ab</td></tr><tr><th scope="row"></th><td class="word"></td><td class="word"></td>'
        '<td class="hash">cd</td></tr></tbody></table></div>\n'
        '<dl class="panel settings"><div><dt>end</dt><dd>default</dd></div>'
        "<div><dt>detect_size</dt><dd>&lt;auto&gt;</dd></div><div><dt>region</dt><dd>[0, 1]</dd></div>"
        "<div><dt>refine</dt><dd>true</dd></div><div><dt>start</dt><dd>0.0</dd></div></dl>\n</section>"
    )


def test_nobody_is_told_how_many_frames_were_looked_at() -> None:
    html = sections.nobody(with_totals(no_people(), frames=1))
    assert "<p>Visagram looked at 1 frame and found no face in any of them. That is a result" in html
    assert "looked at 12,480 frames and" in sections.nobody(with_totals(no_people(), frames=12_480))


# --- Pages -----------------------------------------------------------------------------------------------------------


def heads(html: str) -> list[str]:
    return re.findall("<h[12].*?>(.*?)</h[12]>", html)


def test_the_sections_of_each_kind_of_page() -> None:
    method, use = "How this was measured", "What this is, and what it is not"
    people = ["People", "Numbers", method, use]
    assert heads(page(make_report())) == ["talk.mp4", "Apparent expression over time", *people]
    assert heads(page(one_frame())) == ["portrait.jpg", *people]
    assert heads(page(no_people())) == ["landscape.mp4", "Nobody to show", method, use]


def test_the_timeline_has_a_lane_for_each_person() -> None:
    report = faceless(make_report(names=["<a>", "b"]))
    strip = round(LANE_PIXELS * STRIP / (LANE + STRIP))
    html = page(dataclasses.replace(report, settings={"smooth": 1.5}))
    legend = "".join(f'<li><span class="swatch x-{name}"></span>{name}</li>' for name in EXPRESSIONS)
    face = '<span class="face" style="width:56px;height:56px"></span>'
    assert (
        "Gaps were not measured. The drawing is smoothed over 1.5 s; the numbers are not.</p>\n"
        f'<div class="panel">\n<ul class="legend">{legend}<li><span class="swatch seen"></span>in the picture, not '
        'measured</li><li><span class="swatch unsure"></span>unsure: best expression below 50 %</li></ul>\n'
        f'<div class="timeline" style="--lane:{LANE_PIXELS}px;--strip:{strip}px;--plot:{2 * LANE_PIXELS}px">\n'
        f'<ol class="rail"><li>{face}<span>&lt;a&gt;</span></li><li>{face}<span>b</span></li></ol>\n'
    ) in html
    assert 0.15 * LANE_PIXELS < strip < 0.35 * LANE_PIXELS
    assert "Gaps were not measured.</p>" in page(report)


def test_cards_stand_in_the_order_of_people() -> None:
    report = faceless(make_report())
    cards = "\n".join(sections.person_card(person, report) for person in report.people)
    words = "(best expression below 50 %), the best expression counts all the same."
    assert f'{words}</p>\n<div class="people">\n{cards}\n</div>' in page(report)


def test_a_page_of_its_own_parts() -> None:
    programs = ["let a = 1 < 2;", "let b;"]
    html = document("<t>", "<p>m</p>", "/* last */", figure="<script>{}</script>", programs=programs)
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'" for code in programs
    )
    assert (
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src {hashes}; base-uri 'none'; form-action 'none'\">"
    ) in html
    assert "<title>&lt;t&gt; · Visagram</title>" in html and "<main>\n<p>m</p>\n</main>" in html
    assert f"{expression_styles()}/* last */\n</style>" in html
    assert "</footer>\n<script>{}</script>\n<script>let a = 1 < 2;</script>\n<script>let b;</script>\n</body>" in html
    plain = document("t", "m")
    assert "script-src 'none'; base-uri" in plain and "</footer>\n\n</body>" in plain


def test_each_expression_has_its_colour_and_hatching() -> None:
    lines = dict(re.findall(r"\.x-(\w+) \{ (.*?) \}", expression_styles()))
    assert list(lines) == list(EXPRESSIONS)
    for name, rule in lines.items():
        colour = "var(--neutral)" if name == "neutral" else PALETTE[name]
        assert rule.startswith(f"--colour: {colour}; ")
        assert ("--pattern: " in rule) == (name not in ("happy", "neutral"))
    patterns = [rule.split("--pattern: ")[1] for rule in lines.values() if "--pattern" in rule]
    assert len(set(patterns)) == 5 and all(pattern.endswith(";") for pattern in patterns)


# --- Notebooks -------------------------------------------------------------------------------------------------------


def test_the_whole_table_of_a_notebook() -> None:
    cell = 'style="text-align:left;vertical-align:middle"'
    face = '<span class="face" style="width:40px;height:40px"></span>'
    first, second = faceless(doubtful_report()).people
    first = dataclasses.replace(first, shares=(Share(0.05, 0, 1), Share(0.0499, 0, 1), *first.shares[2:]))
    report = with_totals(make_report("<t>", names=["<a>", "b"]), coverage=0.256)
    second = dataclasses.replace(second, shares=(), frames_usable=0)
    rows = [
        (face, "Person 1", "4.0 s", "mostly neutral", "neutral 67 %, happy 33 %, angry 5 %"),
        (face, "Person 2", "2.4 s", "not measured", "–"),
    ]
    body = "".join(f"<tr>{''.join(f'<td {cell}>{value}</td>' for value in row)}</tr>" for row in rows)
    names = ("", "person", "in the picture", "apparent expression", "shares")
    head = "".join(f"<th {cell}>{name}</th>" for name in names)
    assert fragment(dataclasses.replace(report, people=(first, second))) == (
        f"<table><caption {cell}>&lt;t&gt;: 26 % of 4.0 s measured</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )
    assert f'<tbody><tr><td {cell} colspan="5">No face was found.</td></tr></tbody>' in fragment(no_people())


def test_text_of_a_number_is_text() -> None:
    assert [sections.text(value) for value in (3, None, "a\nb", "\x07", "'")] == [
        "3",
        "None",
        "a b",
        "\ufffd",
        "&#x27;",
    ]
    assert SHA256 not in page(no_people())
