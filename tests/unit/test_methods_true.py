"""The methods text of random mixtures of reports: a sentence stands there where it is true, and nowhere else."""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from visagram.core.compare import method
from visagram.core.edits import Edit, Merge, Rename, Split
from visagram.export.methods import methods_text
from visagram.settings import Settings

USUAL = Settings().for_report()
OTHER: dict[str, list[Any]] = {
    **{"start": [1.0, 2.5], "end": [9.0], "sample_fps": [5.0, 2.0], "frame_interval": [2, 10], "stream": [1]},
    **{"region": [[0, 0, 640, 360]], "min_face": [30], "detect_every": [1, 4], "detect_size": ["full", "640"]},
    **{
        "seed": [7],
        "smooth": [0.5, 2.0],
        "emotion": ["visagram-fast", "deepface"],
        "detector": ["deepface-retinaface"],
    },
    **{
        "prior": ["even", "angry=0.1,disgust=0.1,fear=0.1,happy=0.3,sad=0.1,surprise=0.1,neutral=0.2"],
        "refine": [True],
    },
}
"""Values that are not the default, of every setting that decides a result."""
FINDER = {"name": "finder", "task": "detection", "version": "1", "sha256": "ab" * 32}
READER = {"name": "reader", "task": "expression", "version": "1", "sha256": "cd" * 32}
COMMITTEE = {
    **{"name": "committee", "task": "expression", "version": "1", "sha256": "ef" * 32},
    "quick": {"name": "quick", "version": "1", "sha256": "12" * 32},
}
REASONS = {"too_small": "too small", "turned": "turned away", "lying": "lying on its side", "unheard_of": "unheard of"}


def test_every_setting_can_differ() -> None:
    assert set(OTHER) == set(USUAL)


def percent(share: float) -> str:
    return "<1 %" if 0 < share < 0.01 else ">99 %" if 0.99 < share < 1 else f"{share * 100:.0f} %"


@st.composite
def chosen(draw: st.DrawFn) -> dict[str, Any]:
    """Settings, most of them the default; an older version does not know all of them."""
    names = draw(st.sets(st.sampled_from(sorted(OTHER)), max_size=4))
    unknown = draw(st.sets(st.sampled_from(["prior", "refine", "smooth", "stream"]), max_size=2)) - names
    values = USUAL | {name: draw(st.sampled_from(OTHER[name])) for name in sorted(names)}
    return {name: value for name, value in values.items() if name not in unknown}


_seconds = st.sampled_from([0.0, 0.001, 1.0, 4.0, 30.0])


@st.composite
def person(draw: st.DrawFn, still: bool) -> dict[str, Any]:
    if still:
        usable = draw(st.integers(0, 1))
        certain = draw(st.none() | st.integers(0, usable))
        counts = None if certain is None else {"sad": certain, "happy": 0}
        measured, unsure = 0.04 * usable, None if certain is None else 0.04 * (usable - certain)
        unmeasured = {"turned": 0.04 * (1 - usable)}
        return {
            **{"measured": measured, "unsure": unsure, "unmeasured": unmeasured, "certain_counts": counts},
            **{"frames_seen": 1, "frames_usable": usable},
        }
    measured = draw(_seconds)
    unsure = draw(st.none() | st.sampled_from([0.0, measured / 4, measured]))
    reasons = draw(st.dictionaries(st.sampled_from([*REASONS, "not_visible", "not_decoded"]), _seconds, max_size=4))
    return {"measured": measured, "unsure": unsure, "unmeasured": reasons}


@st.composite
def report(draw: st.DrawFn) -> dict[str, Any]:
    still = draw(st.booleans())
    settings = draw(chosen())
    reader = dict(draw(st.sampled_from([READER, COMMITTEE])))
    if (limit := draw(st.sampled_from([None, 0.5, 0.62]))) is not None:
        reader["unsure_below"] = limit
    reader["trained_on"] = draw(st.sampled_from(["votes", "more votes"]))
    lost = draw(st.sampled_from([[], [], [57.5]]))
    return {
        "visagram": draw(st.sampled_from([None, "0.1.0", "0.2.0"])),
        "video": {"still": still, "time_basis": draw(st.sampled_from([None, "exact", "repaired", "guessed"]))},
        "settings": settings,
        "models": draw(st.permutations([FINDER, reader])),
        "people": draw(st.lists(person(still), max_size=3)),
        "totals": {
            "duration": 0.04 if still else draw(_seconds),
            "frames": 1 if still else draw(st.integers(1, 2000)),
            "frames_damaged": draw(st.sampled_from([0, 0, 1, 3])),
        },
        "warnings": [{"code": "segment_lost", "count": 1, "seconds": seconds} for seconds in lost],
    }


@dataclass(frozen=True)
class Mixture:
    reports: list[dict[str, Any]]
    edits: list[list[Edit]]
    windows: list[int]
    compared: bool
    unit: str

    def text(self, seed: int | None = None) -> str:
        """seed: of another order of the videos."""
        order = list(range(len(self.reports)))
        if seed is not None:
            random.Random(seed).shuffle(order)
        return methods_text(
            [self.reports[k] for k in order],
            compared=self.compared,
            unit=self.unit,  # type: ignore[arg-type]
            windows=[self.windows[k] for k in order],
            edits=[self.edits[k] for k in order],
        )

    @property
    def videos(self) -> list[dict[str, Any]]:
        return [each for each in self.reports if not each["video"]["still"]]

    @property
    def photographs(self) -> list[dict[str, Any]]:
        return [each for each in self.reports if each["video"]["still"]]

    @property
    def noun(self) -> str:
        return ("file" if self.photographs else "video") if self.videos else "photograph"

    def count(self, number: int, noun: str = "") -> str:
        return f"{number:,} {noun or self.noun}{'' if number == 1 else 's'}"


@st.composite
def mixtures(draw: st.DrawFn) -> Mixture:
    reports = draw(st.lists(report(), min_size=1, max_size=4))
    n = len(reports)
    edit = st.sampled_from([Rename(1, "Ada"), Merge((1, 2)), Split(1, at=1.0)])
    edits = draw(st.lists(st.lists(edit, max_size=3), min_size=n, max_size=n))
    windows = draw(st.lists(st.sampled_from([0, 0, 1, 3]), min_size=n, max_size=n))
    return Mixture(reports, edits, windows, draw(st.booleans()), draw(st.sampled_from(["participant", "video"])))


often = examples(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def value(report: dict[str, Any], name: str) -> Any:
    return report["settings"].get(name, USUAL[name])


@given(mixtures(), st.integers(0, 99))
@often
def test_the_order_of_the_videos_changes_nothing(mixture: Mixture, seed: int) -> None:
    assert mixture.text(seed) == mixture.text()


@given(mixtures())
@often
def test_a_setting_is_called_the_default_where_it_is(mixture: Mixture) -> None:
    paragraph = mixture.text().split("\n\n")[2]
    shared, differing = {}, set()
    for name in USUAL:
        values = [value(each, name) for each in mixture.reports]
        if any(each != values[0] for each in values):
            differing.add(name)
        elif values[0] != USUAL[name]:
            shared[name] = values[0]
    said, _, rest = paragraph.partition("All other settings were the default.")
    everything = "used the default settings" in paragraph
    assert everything != bool(differing) and ("differ in" in paragraph) == bool(differing) == bool(rest or differing)
    for name, each in shared.items():
        word = each if isinstance(each, str) else str(each).lower() if isinstance(each, bool) else str(each)
        assert f"{name} = {word}" in said
    for name in USUAL:
        assert (f" {name} = " in said) == (name in shared)
        assert (f" {name} (" in said) == (name in differing)
    for name in differing:
        usual = sum(value(each, name) == USUAL[name] for each in mixture.reports)
        listed = re.search(rf" {name} \(([^()]*)\)", said)
        assert listed is not None
        assert (f"the default in {mixture.count(usual)}" in listed[1]) == bool(usual)
        assert sum(int(n) for n in re.findall(r" in (\d+) ", listed[1])) == len(mixture.reports)


@given(mixtures())
@often
def test_versions_are_those_that_analysed(mixture: Mixture) -> None:
    text = mixture.text()
    found = Counter(each["visagram"] for each in mixture.reports)
    if len(found) == 1:
        (version,) = found
        assert f" with Visagram {version or '(the version is not recorded)'}. " in text
    for version, number in found.items() if len(found) > 1 else ():
        assert f"{version or 'one not recorded'} in {mixture.count(number)}" in text


@given(mixtures())
@often
def test_the_material_adds_up(mixture: Mixture) -> None:
    text, videos, photographs = mixture.text().split("\n\n")[0], mixture.videos, mixture.photographs
    pictures = mixture.count(len(photographs), "photograph") if photographs else ""
    assert ("photograph" in text) == bool(photographs)
    assert re.search(r" measured in (.*?) with ", text)[1].startswith(pictures)  # type: ignore[index]
    assert (" analysed, " in text) == bool(videos)
    if videos:
        assert f"{mixture.count(len(videos), 'video')} (" in text
        assert f" analysed, {mixture.count(sum(each['totals']['frames'] for each in videos), 'frame')}) with" in text
    people = sum(len(each["people"]) for each in mixture.reports)
    assert f" {people} {'person was' if people == 1 else 'people were'} found" in text
    assert (f"appears in several {mixture.noun}s" in text) == (len(mixture.reports) > 1 and people > 0)
    damaged = sum(each["totals"]["frames_damaged"] for each in mixture.reports)
    assert (f" {mixture.count(damaged, 'frame')} could not be decoded." in text) == bool(damaged)
    lost = sum(len(each["warnings"]) for each in mixture.reports)
    assert f" {lost} whole stretch" in text if lost else "whole stretch" not in text
    for basis, words in (("repaired", "Some frame times of"), ("guessed", "The frame times of")):
        number = sum(each["video"]["time_basis"] == basis for each in videos)
        assert (f"{words} {mixture.count(number, 'video')} " in text) == bool(number)
        assert number or words not in text
    sampled = sum(value(each, "sample_fps") is not None or value(each, "frame_interval") > 1 for each in videos)
    assert ("counted for the time until the next analysed frame" in text) == (0 < sampled == len(videos))
    assert ("or until the next analysed one" in text) == (0 < sampled < len(videos))
    assert ("the time that the frame was shown" in text) == (sampled < len(videos))


@given(mixtures())
@often
def test_what_people_did_is_said(mixture: Mixture) -> None:
    text = mixture.text().split("\n\n")[0]
    merges, splits = (sum(isinstance(edit, kind) for each in mixture.edits for edit in each) for kind in (Merge, Split))
    changed = sum(any(isinstance(edit, Merge | Split) for edit in each) for each in mixture.edits)
    assert ("people were merged " in text) == bool(merges)
    assert ("split " in text) == bool(splits)
    assert (
        ("after corrections by hand" in text) == (f", in {mixture.count(changed)}; the stat" in text) == bool(changed)
    )
    marked = sum(number > 0 for number in mixture.windows)
    said = f"{mixture.count(sum(mixture.windows), 'event window')} in {mixture.count(marked)}, where a frame"
    assert (said in text) == ("event window" in text) == bool(marked)


@given(mixtures())
@often
def test_models_are_the_same_or_not(mixture: Mixture) -> None:
    text = mixture.text().split("\n\n")[1]
    kits = Counter(
        "committee" if COMMITTEE["name"] in {m["name"] for m in r["models"]} else "reader" for r in mixture.reports
    )
    assert ("not all analysed with the same models" in text) == (len(kits) > 1)
    for kit, number in kits.items():
        assert f"classified with {kit} 1 (SHA-256 " in text
        assert len(kits) == 1 or f"({number} of {len(mixture.reports)} {mixture.noun}s) Faces were found with" in text
    own = [r for r in mixture.reports if any(m["name"] == "committee" for m in r["models"])]
    followed = sum(not (r["video"]["still"] or value(r, "detect_every") == 1 or value(r, "refine")) for r in own)
    assert ("followed by the quicker network quick 1 (SHA-256 121212121212)" in text) == bool(followed)
    some = f"in {followed} of {len(own)} {mixture.noun}s asked about each face about every second"
    assert (some in text) == (0 < followed < len(own))


@given(mixtures())
@often
def test_what_was_measured_and_unsure_adds_up(mixture: Mixture) -> None:
    _, _, _, excluded, unsure, *rest = mixture.text().split("\n\n")
    people = [each for report in mixture.videos for each in report["people"]]
    measured = sum(each["measured"] for each in people)
    left_out = Counter[str]()
    for each in people:
        left_out.update({reason: s for reason, s in each["unmeasured"].items() if reason in REASONS})
    present = measured + left_out.total()
    assert ("Of the time that people were in the picture" in excluded) == (present > 0)
    if present > 0:
        assert f", {percent(measured / present)} was measured" in excluded
        for reason, words in REASONS.items():
            assert (f"{words} {percent(left_out[reason] / present)}" in excluded) == (left_out[reason] > 0)
    faces = [each for report in mixture.photographs for each in report["people"]]
    usable = sum(each["frames_usable"] for each in faces)
    verb = "was" if usable == 1 else "were"
    assert (f"Of {mixture.count(len(faces), 'face')} in photographs {usable} {verb} measured." in excluded) == bool(
        faces
    )
    assert ("reported by reason" in excluded) == bool(mixture.videos)
    knowing = [any("lying" in p["unmeasured"] for p in r["people"]) for r in mixture.reports if r["people"]]
    assert ("lay on its side" in excluded) == any(knowing)
    assert ("where it lay on its side" in excluded) == (any(knowing) and all(knowing))

    limits = Counter(
        next((m.get("unsure_below") or 0.5) for m in r["models"] if m["task"] == "expression") for r in mixture.reports
    )
    for limit, number in limits.items():
        assert (f"{limit:.2f} in {mixture.count(number)}" if len(limits) > 1 else f"below {limit:.2f}. It") in unsure
    telling = [each for each in people if each["unsure"] is not None and each["measured"] > 0]
    time = sum(each["measured"] for each in telling)
    assert ("Of the measured time" in unsure) == (time > 0)
    if time > 0:
        some = " of which it is recorded" if len(telling) < sum(each["measured"] > 0 for each in people) else ""
        share = percent(sum(each["unsure"] for each in telling) / time)
        assert f"Of the measured time{some} {share} was unsure." in unsure
    assert any(paragraph.startswith("Shares of measured time are given") for paragraph in rest) == bool(mixture.videos)


@given(mixtures())
@often
def test_a_comparison_names_its_unit_and_each_citation_its_source(mixture: Mixture) -> None:
    text = mixture.text()
    body, _, sources = text.partition("\n\nReferences\n\n")
    assert (method() in body) == (mixture.compared and mixture.unit == "participant")
    assert ("the unit is the video" in body) == (mixture.compared and mixture.unit == "video")
    faces = any(person["frames_usable"] for report in mixture.photographs for person in report["people"])
    assert ("A face in a photograph weighed as much as a second" in body) == (mixture.compared and faces)
    for author in ("Barrett", "Politis", "Wilson", "Holm", "Korn", "Lakens"):
        assert (author in body) == (f"{author}," in sources)


@given(mixture=mixtures().filter(lambda mixture: all(each["totals"]["duration"] > 0.1 for each in mixture.videos)))
@often
def test_no_sentence_has_a_hole(mixture: Mixture) -> None:
    for word in (
        "None",
        "nan",
        "(0.0 seconds",
        "  ",
        " 1 videos",
        " 1 files",
        " 1 photographs",
        "(, ",
        "()",
        ". .",
        "..",
    ):
        assert word not in mixture.text()
