"""The sections of the HTML report. Every piece of text from outside goes through `text`."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from visagram.core.types import EXPRESSIONS
from visagram.export.words import (
    INTERVAL,
    NO_INTERVAL,
    REASONS,
    clock,
    count,
    exact,
    facts,
    headline,
    interval,
    moment,
    mostly,
    percent,
    printable,
    ranked,
    reason_words,
    spent,
    storable,
    unmeasured,
    untold,
)

if TYPE_CHECKING:
    from visagram.core.types import Person, Share
    from visagram.report import Report


def text(value: Any) -> str:
    """Foreign text for HTML, in content and in quoted attributes."""
    return escape(printable(storable(str(value))))


def thumbnail(person: Person, side: int) -> str:
    """The person's best face as an image of `side` pixels that carries its data; nothing where there is none."""
    if not person.thumbnail:
        return f'<span class="face" style="width:{side}px;height:{side}px"></span>'
    data = b64encode(person.thumbnail).decode()
    alt = f"Face of {text(person.name)}"
    return f'<img class="face" src="data:image/jpeg;base64,{data}" width="{side}" height="{side}" alt="{alt}">'


def intro(report: Report) -> str:
    """Name, facts, the sentence, the warnings and the key figures."""
    totals, length = report.totals, float(report.video.duration)
    whole = "the whole video" if totals.duration > length - 0.1 else f"of {clock(length)}"
    frames = [f"{totals.frames_with_faces:,} with a face"]
    frames += [f"{totals.frames_damaged:,} damaged"] if totals.frames_damaged else []
    figures = [
        ("People", f"{len(report.people)}", "by likeness of their faces" if report.people else "no face was found"),
        ("Analysed", *(("1", "still picture") if report.video.still else (clock(totals.duration), whole))),
        ("Frames", f"{totals.frames:,}", ", ".join(frames)),
        ("Measured", percent(totals.coverage), "of the time, at least one face"),
    ]
    cells = "".join(f'<div><dt>{a}</dt><dd>{b}</dd><dd class="note">{c}</dd></div>' for a, b, c in figures)
    items = "".join(f"<li>{text(warning.message)}</li>" for warning in report.warnings)
    warnings = f'<ul class="notice" aria-label="Warnings">{items}</ul>' if items else ""
    return f"""<section class="intro">
<h1>{text(report.video.name)}</h1>
<p class="facts">{"".join(f"<span>{text(fact)}</span>" for fact in facts(report))}</p>
<p class="lead">{text(headline(report))}</p>
{warnings}
<dl class="figures">{cells}</dl>
</section>"""


def person_card(person: Person, report: Report) -> str:
    """One person: face, screen time, shares with intervals, how much was unsure, and how the time was spent."""
    duration = report.totals.duration
    if mostly(person):
        dominant = f'<span class="swatch x-{person.dominant}"></span>{mostly(person)}'
    else:
        dominant = "no frame was clear enough to measure"
    when = f"in the picture {clock(person.screen_time)}, first at {moment(person.first_seen)}" if duration else ""
    return f"""<article class="panel" aria-label="{text(person.name)}">
<div class="who">{thumbnail(person, 80)}<div>
<h3>{text(person.name)}</h3>
<p class="dominant">{dominant}</p>
<p class="muted">{when}</p>
</div></div>
{_bars(person, timed=not report.video.still)}
{_unsure(person)}
{_spent(person) if duration else ""}
</article>"""


def _bars(person: Person, *, timed: bool) -> str:
    rows = []
    for name, share in ranked(person):
        position, whisker = f"--value:{share.value:.2%}", ""
        if share.low is not None and share.high is not None:
            position += f";--low:{share.low:.2%};--spread:{max(0.0, share.high - share.low):.2%}"
            whisker = "<b></b>"
        rows.append(
            f'<li><span>{name}</span><span class="track x-{name}" style="{position}"><i></i>{whisker}</span>'
            f'<span class="value{"" if share.value else " zero"}">{percent(share.value)}</span>'
            f'<span class="range">{interval(share, "–")}</span></li>'
        )
    label = "Share of measured time by apparent expression"
    note = f'<p class="muted">{NO_INTERVAL}</p>' if timed and untold(person.shares) else ""
    return f'<ul class="bars" aria-label="{label}">{"".join(rows)}</ul>{note}' if rows else ""


def _unsure(person: Person) -> str:
    if person.unsure_share is None:
        return ""
    share = f"<b>{percent(person.unsure_share)}</b> of the measured time"
    return f'<p class="doubt"><span class="swatch unsure"></span><span>unsure {share}</span></p>'


def _spent(person: Person) -> str:
    parts = spent(person)
    bar = "".join(f'<i class="use-{text(name)}" style="--seconds:{seconds:.3f}"></i>' for name, _, seconds in parts)
    legend = "".join(
        f'<li><span class="swatch use-{text(name)}"></span>{text(words)} {clock(seconds)}</li>'
        for name, words, seconds in parts
    )
    return f'<div><div class="spent" aria-hidden="true">{bar}</div><ul class="legend">{legend}</ul></div>'


WORST = "share at worst"
_WORST = (
    "The share at worst is of all the time in the picture: if what was not measured showed the expression never, or "
    "always. What is missing is in no interval."
)


def numbers(report: Report) -> str:
    """Every number of the people, as two tables."""
    people = report.people
    found = {name for person in people for name, _ in unmeasured(person)}
    reasons = [name for name in REASONS if name in found] + sorted(found - set(REASONS))
    shares = (
        "person",
        "expression",
        "share of measured time",
        "95 % interval",
        "episodes",
        WORST,
        "mean probability",
        "frames",
    )
    heads = ("person", "first seen", "last seen", "in the picture", "measured", "of this unsure")
    times = (*heads, *map(reason_words, reasons), "frames seen", "frames measured")
    return f"""<section aria-labelledby="numbers">
<h2 id="numbers">Numbers</h2>
<p>{INTERVAL} {NO_INTERVAL} {_WORST}</p>
{_table("Apparent expression", (*shares, "of these certain"), "".join(map(_expression_rows, people)))}
{_table("Time in seconds", times, _time_rows(people, reasons))}
</section>"""


def _table(caption: str, heads: tuple[str, ...], bodies: str, words: tuple[str, ...] = ("expression",)) -> str:
    """A table that scrolls by itself where it is too wide. words: the columns of text, aligned left."""
    cells = "".join(f'<th scope="col"{" class=word" if head in words else ""}>{text(head)}</th>' for head in heads)
    return f"""<div class="scroll" tabindex="0" role="region" aria-label="Table: {caption}"><table>
<caption>{caption}</caption>
<thead><tr>{cells}</tr></thead>
{bodies}</table></div>"""


def _expression_rows(person: Person) -> str:
    rows = []
    for k, name in enumerate(EXPRESSIONS):
        share = person.shares[k] if person.shares else None
        mean = f"{person.mean_posterior[k]:.3f}" if person.mean_posterior else "–"
        value, *more = _cells(share) if share else ["–"] * 4
        head = f'<th scope="rowgroup" rowspan="{len(EXPRESSIONS)}">{text(person.name)}</th>' if k == 0 else ""
        counts = (person.emotion_counts, person.certain_counts)
        frames = [f"{count[k]:,}" if count else "0" for count in counts]
        cells = "".join(f"<td>{cell}</td>" for cell in (value, *more, mean, *frames))
        rows.append(f'<tr>{head}<th scope="row" class="word">{name}</th>{cells}</tr>')
    return f"<tbody>{''.join(rows)}</tbody>\n"


def _cells(share: Share) -> list[str]:
    """Value, interval, episodes, and least and most of the time in the picture."""
    range_ = "–" if share.low is None or share.high is None else f"{share.low * 100:.1f} – {exact(share.high)}"
    began = "–" if share.episodes is None else f"{share.episodes:,}"
    worst = "–" if share.least is None or share.most is None else f"{share.least * 100:.1f} – {exact(share.most)}"
    return [exact(share.value), range_, began, worst]


def _time_rows(people: Sequence[Person], reasons: list[str]) -> str:
    rows = []
    for person in people:
        seconds = [person.first_seen, person.last_seen, person.screen_time, person.measured, person.unsure]
        seconds += [person.unmeasured.get(reason, 0.0) for reason in reasons]
        values = [f"{value:,.2f}" for value in seconds] + [f"{person.frames_seen:,}", f"{person.frames_usable:,}"]
        cells = "".join(f"<td>{value}</td>" for value in values)
        rows.append(f'<tr><th scope="row">{text(person.name)}</th>{cells}</tr>')
    return f"<tbody>{''.join(rows)}</tbody>\n"


def nobody(report: Report) -> str:
    """Why a video may have no people in it, and what to try."""
    looked = f"Visagram looked at {count(report.totals.frames, 'frame')} and found no face in any of them."
    return f"""<section class="prose" aria-labelledby="nobody">
<h2 id="nobody">Nobody to show</h2>
<p>{looked} That is a result, not a failure. If there are people in this video, these are the usual reasons:</p>
<ul>
<li>The faces are smaller than the smallest face looked for. Try a smaller <code>min_face</code>.</li>
<li>They are seen from the side or from behind, covered, or very dark.</li>
<li>They are outside the part of the picture or of the time that was analysed: see the settings below.</li>
</ul>
</section>"""


def method(report: Report) -> str:
    """Models and settings: what it takes to get the same result again."""
    models = "".join(
        f'<tr><th scope="row">{text(model.get("name", ""))}</th><td class="word">{text(model.get("task", ""))}</td>'
        f'<td class="word">{text(model.get("version", ""))}</td>'
        f'<td class="hash">{text(model.get("sha256", model.get("hash", "")))}</td></tr>'
        for model in report.models
    )
    settings = "".join(
        f"<div><dt>{text(name)}</dt><dd>{text(_setting(value))}</dd></div>" for name, value in report.settings.items()
    )
    heads = ("name", "task", "version", "SHA-256")
    return f"""<section aria-labelledby="method">
<h2 id="method">How this was measured</h2>
<p>The same video, models and settings give the same report.</p>
{_table("Models", heads, f"<tbody>{models}</tbody>", heads)}
<dl class="panel settings">{settings}</dl>
</section>"""


def _setting(value: Any) -> str:
    return "default" if value is None else value if isinstance(value, str) else json.dumps(value)


def responsible_use() -> str:
    """What the report must not be used for, in every report."""
    return """<section class="prose" aria-labelledby="use">
<h2 id="use">What this is, and what it is not</h2>
<p>An apparent expression is what a face looks like in a picture. It does not tell what somebody feels, thinks or
intends: people show the same emotion in many ways, and the same face can mean many things (Barrett et al. 2019,
doi 10.1177/1529100619832930). The model errs, and more for some people and some expressions than for others. Do not
judge or decide about anybody by this report.</p>
<p>In the European Union, the AI Act prohibits inferring emotions at work and in education (Article 5(1)(f)) and
requires telling the people exposed (Article 50(3)). The faces in this file are personal data: share it as you would
share the video.</p>
</section>"""
