"""What a person sees of a selection, and what they say to it."""

from __future__ import annotations

import base64
import dataclasses
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visagram.core.types import EXPRESSIONS
from visagram.errors import UsageError
from visagram.export.html import document
from visagram.export.sections import text
from visagram.export.words import count
from visagram.synth.collection import ACCEPTED, REJECTED, Collection, Record

SHOWN = 96
"""Side of a face on the page, CSS pixels."""
MOST_SHOWN = 400
"""Faces of an expression on a page: beyond it nobody looks."""


def overrule(faces: Collection, names: Iterable[str], review: str) -> None:
    """Note a person's word on faces, by file name; an empty `review` takes it back. Raises `UsageError`."""
    known = {record.file: record for record in faces}
    short = {PurePosixPath(file).name: record for file, record in known.items()}
    for name in names:
        record = known.get(name) or short.get(name)
        if record is None:
            raise UsageError(f"There is no face {name[:80]!r} in {faces.folder}: name one as the manifest does.")
        faces.put(dataclasses.replace(record, review=review))


def summary(faces: Collection) -> str:
    """Accepted and rejected of each expression, with reasons, as lines."""
    lines = []
    for expression, records in _by_expression(faces):
        accepted = sum(record.accepted for record in records)
        judged = sum(bool(record.decision or record.review) for record in records)
        line = f"{expression:9} {accepted:5,} accepted, {judged - accepted:5,} rejected"
        line += f", {len(records) - judged:,} not looked at" if judged < len(records) else ""
        reasons = Counter(record.reason for record in records if record.reason and not record.accepted)
        line += f"  ({', '.join(f'{reason} {n:,}' for reason, n in reasons.most_common())})" if reasons else ""
        lines.append(line)
    overruled = sum(bool(record.review) for record in faces)
    lines += [f"{count(overruled, 'face')} judged by a person"] if overruled else []
    return "\n".join(lines) + "\n"


def page(faces: Collection) -> str:
    """Every expression's accepted and rejected faces as one HTML page that needs nothing else. Raises `DataError`."""
    generators = sorted({record.generator for record in faces})
    parts = [
        f"""<section class="intro"><h1>Generated faces</h1>
<p>{count(len(faces), "face")} by {text(", ".join(generators) or "nobody")}. None of these people exists; every image is
marked as generated. A face is accepted for training by the numbers below it, and a person may overrule that:
<code>visagram synth review FOLDER --accept FACE --reject FACE</code>.</p></section>"""
    ]
    for expression, records in _by_expression(faces):
        accepted = [record for record in records if record.accepted]
        rejected = [record for record in records if not record.accepted]
        parts.append(
            f"""<section aria-labelledby="{expression}"><h2 id="{expression}">{expression.capitalize()}</h2>
{_grid("accepted", accepted, faces)}{_grid("rejected", rejected, faces)}</section>"""
        )
    style = resources.files("visagram.synth").joinpath("review.css").read_text("utf-8")
    return document("Generated faces", "\n".join(parts), style)


def _grid(title: str, records: Sequence[Record], faces: Collection) -> str:
    if not records:
        return f'<p class="muted">None {title}.</p>'
    figures = "".join(_figure(record, faces.picture(record)) for record in records[:MOST_SHOWN])
    more = len(records) - MOST_SHOWN
    rest = f'<p class="muted">And {more:,} more.</p>' if more > 0 else ""
    return f'<h3>{len(records):,} {title}</h3><div class="faces {title}">{figures}</div>{rest}'


def _figure(record: Record, luma: NDArray[np.uint8]) -> str:
    scores = record.scores
    words = [record.reason] if record.reason else []
    if "agreement" in scores:
        words.append(f"p({record.expression}) = {float(scores['agreement']):.2f}")
    if record.review:
        words.append(f"a person: {record.review}")
    alt = f"Generated face meant to look {record.expression}"
    return f"""<figure><img src="{_data(luma)}" alt="{alt}" width="{SHOWN}" height="{SHOWN}">
<figcaption><b>{text(PurePosixPath(record.file).name)}</b> {text("; ".join(words))}</figcaption></figure>"""


def _data(luma: NDArray[np.uint8]) -> str:
    stream = io.BytesIO()
    image = Image.fromarray(luma)
    image.thumbnail((2 * SHOWN, 2 * SHOWN))
    image.save(stream, "PNG")
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"


def _by_expression(faces: Collection) -> Iterable[tuple[str, list[Record]]]:
    for expression in EXPRESSIONS:
        records = [record for record in faces if record.expression == expression]
        if records:
            yield expression, records


WORDS = {"accept": ACCEPTED, "reject": REJECTED, "undo": ""}
"""Options of the command and what they note."""
