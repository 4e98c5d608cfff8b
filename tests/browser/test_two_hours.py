"""A result of two hours with five people opens within three seconds."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from browser.served import serving
from factories import TINY_JPEG
from media_factory import numbered, write_clip
from service import open_service, upload, work
from visagram.core.statistics import person_statistics
from visagram.core.summary import totals
from visagram.core.types import EXPRESSIONS, Observations, Reason, TrackSummary
from visagram.export.view import write_view
from visagram.jobs.service import Service
from visagram.report import open_report

HOURS, PEOPLE, RATE = 2, 5, 25
SECONDS = HOURS * 3600
OPENS = 3.0
TRACK = 30
"""Seconds after which a face is lost and found again: tracks are many in a long video."""


def seen(person: int, random: np.random.Generator) -> Observations:
    """Rows of somebody who is in the picture for most of the time; the apparent expression drifts."""
    frame = np.flatnonzero(np.repeat(random.random(SECONDS // TRACK) < 0.8, TRACK * RATE))
    count = len(frame)
    turned = np.repeat(random.random(count // RATE + 1) < 0.1, RATE)[:count]
    drift = np.repeat(random.dirichlet(np.full(len(EXPRESSIONS), 0.4), count // (2 * RATE) + 1), 2 * RATE, axis=0)[
        :count
    ]
    posterior = drift.astype(np.float32)
    posterior[turned] = np.nan
    box = np.tile(np.float32([28 * (person - 1), 20, 24, 30]), (count, 1))
    box[:, 1] += 10 * np.sin(frame / 200)
    return Observations(
        frame=frame,
        time=frame / RATE,
        span=np.full(count, 1 / RATE),
        person=np.full(count, person, np.int32),
        track=(person * 1000 + frame // (TRACK * RATE)).astype(np.int32),
        box=box,
        landmarks=box[:, None, :2] + np.float32([[6, 10], [18, 10], [12, 16], [8, 24], [16, 24]]),
        score=np.full(count, 0.99, np.float32),
        detected=frame % 5 == 0,
        reason=np.where(turned, Reason.TURNED, 0).astype(np.uint8),
        quality=np.full(count, 0.6, np.float32),
        posterior=posterior,
    )


def tracks_of(rows: Observations) -> list[TrackSummary]:
    numbers, first = np.unique(rows.track, return_index=True)
    last = {int(track): int(frame) for track, frame in zip(rows.track, rows.frame, strict=True)}
    return [
        TrackSummary(int(track), int(rows.frame[at]), last[int(track)], 20, 0.99, 0.6, None, TINY_JPEG)
        for track, at in zip(numbers, first, strict=True)
    ]


def lengthen(service: Service, analysis: str) -> None:
    """Put the result of two hours in the place of a short one."""
    with service.store.write() as session:
        output = service.analyses.get(session, service.owners.local, analysis).output
        output.people = PEOPLE
        folder = service.storage.output(output.key)
    random = np.random.default_rng(0)
    rows = Observations.concatenate([seen(person, random) for person in range(1, PEOPLE + 1)])
    rows = rows[np.argsort(rows.frame, kind="stable")]
    chosen = {"seed": 0, "unsure_below": 0.5}
    people = [
        person_statistics(id, rows[rows.person == id], SECONDS, 0.0, TINY_JPEG, **chosen) for id in range(1, PEOPLE + 1)
    ]
    report = dataclasses.replace(
        open_report(folder),
        people=tuple(people),
        totals=totals(rows, frames=SECONDS * RATE, damaged=0, analysed=SECONDS, **chosen),
        observations=rows,
    )
    shutil.rmtree(folder)
    write_view(report, tracks_of(rows), folder)


@pytest.fixture
def two_hours(playwright, tmp_path):
    """A server and the analysis that is two hours long."""
    picture = numbered(160, 90, 1)[0]
    clip = write_clip(tmp_path / "long.mp4", (picture for _ in range(SECONDS)), rate=1, options={"preset": "ultrafast"})
    folder = Path(tmp_path / "data")
    service = open_service(folder)
    _, analysis = upload(service, clip)
    work(service)
    lengthen(service, analysis)
    service.store.close()
    with serving(playwright, folder) as served:
        yield served, analysis


@pytest.mark.slow
def test_a_result_of_two_hours_with_five_people_opens_within_three_seconds(two_hours, visit, capsys):
    served, analysis = two_hours
    page = visit("/", server=served)
    took = []
    for _ in range(3):
        page.goto(f"{served.url}/analyses/{analysis}", wait_until="commit")
        expect(page.locator("#result.is-ready")).to_be_visible()
        lanes = page.locator("#timeline canvas.lane")
        expect(lanes).to_have_count(PEOPLE)
        took.append(page.evaluate("() => performance.getEntriesByName('visagram:ready')[0].startTime / 1000"))
        # Colours in every lane: they are drawn, not merely there.
        assert page.evaluate("""() => [...document.querySelectorAll("#timeline canvas.lane")].every((lane) => {
          const { data } = lane.getContext("2d").getImageData(0, 0, lane.width, lane.height);
          const colours = new Set();
          for (let at = 0; at < data.length; at += 4 * 37) colours.add(data.slice(at, at + 3).join());
          return colours.size > 4;
        })""")
    with capsys.disabled():
        print(f"\ntwo hours, five people: lanes drawn after {', '.join(f'{t:.2f}' for t in took)} s")  # noqa: T201
    assert took[0] <= OPENS
