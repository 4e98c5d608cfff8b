"""The methods paragraph of a paper, out of what the reports say of themselves."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from visagram import __version__
from visagram.core.certainty import unsure_below
from visagram.core.compare import METHOD
from visagram.core.opinion import EVERY
from visagram.core.prior import EVERYDAY
from visagram.core.quality import MAX_OUTSIDE, MIN_SIDE
from visagram.core.statistics import RESAMPLES
from visagram.core.types import EXPRESSIONS, GUESSED, NOT_DECODED, NOT_VISIBLE, REPAIRED
from visagram.errors import DataError
from visagram.export.words import REASONS, count, listed, percent, printable, storable, thresholds
from visagram.settings import Settings

REFERENCES = "References"
"""The line above the sources, which stand below it one by one."""
HASH = 12
"""Characters of a SHA-256 that a text shows."""
SOURCES = (
    "Barrett, L. F., Adolphs, R., Marsella, S., Martinez, A. M., & Pollak, S. D. (2019). Emotional expressions "
    "reconsidered: Challenges to inferring emotion from human facial movements. Psychological Science in the Public "
    "Interest, 20(1), 1-68. https://doi.org/10.1177/1529100619832930",
    "Politis, D. N., & White, H. (2004). Automatic block-length selection for the dependent bootstrap. Econometric "
    "Reviews, 23(1), 53-70. https://doi.org/10.1081/ETR-120028836",
    "Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. Journal of the "
    "American Statistical Association, 22(158), 209-212. https://doi.org/10.1080/01621459.1927.10502953",
)
COMPARISON_SOURCES = (
    "Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics, "
    "6(2), 65-70.",
    "Korn, E. L., & Graubard, B. I. (1998). Confidence intervals for proportions with small expected number of "
    "positive counts estimated from survey data. Survey Methodology, 24(2), 193-201.",
    "Lakens, D. (2013). Calculating and reporting effect sizes to facilitate cumulative science. Frontiers in "
    "Psychology, 4, 863. https://doi.org/10.3389/fpsyg.2013.00863",
)
_SMOOTHING = (
    "Timelines are drawn with probabilities smoothed over time (a centred Gaussian filter; smooth is its full width at "
    "half maximum in seconds); counts, shares, means and tables are of the probabilities as they were measured."
)
_PRIOR = (
    "Where prior is not the default, each probability was divided by the model's own prior, multiplied by that of the "
    "setting and normalised (Saerens et al. 2002, doi 10.1162/089976602753284446); tables of observations keep the "
    "probabilities under the model's own."
)
_TASKS = {"detection": "Faces were found with", "embedding": "tracks of one person were joined with"}
_TASKS |= {"expression": "expressions were classified with"}


def methods_text(reports: Iterable[Mapping[str, Any]], *, compared: bool = False, version: str = __version__) -> str:
    """Plain text to paste into a paper; equal reports in any order give equal text.

    reports: what `report.json` holds, of each video. compared: whether conditions are compared, which adds how.
    Videos analysed with different models or settings are said to be. Raises `DataError` for what is no report.
    """
    found = list(reports)
    if not found:
        return "No video has been analysed yet, so there is no method to describe."
    try:
        parts = [_material(found, version), _models(found), _settings(found), _exclusion(found), _doubt(found)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"A report is damaged ({error}). Analyse the video again.") from error
    parts += [_intervals(), *([METHOD] if compared else [])]
    sources = sorted([*SOURCES, *(COMPARISON_SOURCES if compared else ())])
    return "\n\n".join([*parts, _caveat(), REFERENCES, *sources]) + "\n"


def _material(reports: Sequence[Mapping[str, Any]], version: str) -> str:
    people = [person for report in reports for person in report["people"]]
    seconds = sum(float(report["totals"]["duration"]) for report in reports)
    frames = sum(int(report["totals"]["frames"]) for report in reports)
    damaged = sum(int(report["totals"]["frames_damaged"]) for report in reports)
    again = " (somebody who appears in several videos counts once in each)" if len(reports) > 1 and people else ""
    lost = f" {count(damaged, 'frame')} could not be decoded." if damaged else ""
    return (
        f"Apparent facial expression was measured in {count(len(reports), 'video')} ({_minutes(seconds)} analysed, "
        f"{count(frames, 'frame')}) with Visagram {version}. "
        f"{count(len(people), 'person', 'people').capitalize()} {'was' if len(people) == 1 else 'were'} "
        f"found{again}.{lost}{_times(reports)} Each measured face received a probability for each of "
        f"{len(EXPRESSIONS)} expressions ({', '.join(EXPRESSIONS)}); the most probable one counted for the time that "
        "the frame was shown."
    )


def _times(reports: Sequence[Mapping[str, Any]]) -> str:
    """Where frame times are not the files' own."""
    bases = Counter(report["video"].get("time_basis") for report in reports)
    said = ""
    if repaired := bases[REPAIRED]:
        said += f" Some frame times of {count(repaired, 'video')} were repaired from those of neighbouring frames."
    if guessed := bases[GUESSED]:
        said += f" The frame times of {count(guessed, 'video')} follow from an assumed frame rate."
    return said


def _models(reports: Sequence[Mapping[str, Any]]) -> str:
    kits = Counter(
        tuple(_model(model, each=report["settings"].get("detect_every") == 1) for model in report["models"])
        for report in reports
    )
    sentences = [_kit(kit) for kit, _ in _ranked(kits)]
    if len(sentences) == 1:
        return sentences[0]
    lines = [f"({n} of {len(reports)} videos) {text}" for text, (_, n) in zip(sentences, _ranked(kits), strict=True)]
    return "The videos were not all analysed with the same models, so they should not be compared: " + " ".join(lines)


def _model(model: Mapping[str, Any], *, each: bool) -> tuple[str, str, str, str, str, str]:
    """each: whether it was asked about each face, and not followed by a quicker one."""
    trained = _clean(model.get("trained_on", "")).rstrip(". ")
    version = _clean(model.get("version", ""))
    metrics = model.get("metrics") or {}
    quality = ""
    if "accuracy" in metrics and "split" in metrics:
        quality = f"accuracy {float(metrics['accuracy']):.2f} on {_clean(metrics['split'])}"
    name = _clean(model["name"]) + (f" {version}" if version else "")
    quick, followed = model.get("quick"), ""
    if quick and not each:
        followed = (
            f"asked about each face about every {EVERY:g} seconds, and in between followed by the quicker network "
            f"{_clean(quick['name'])} {_clean(quick.get('version', ''))} (SHA-256 {_clean(quick['sha256'])[:HASH]}), "
            "whose probabilities were moved by what the two differed by"
        )
    return _clean(model.get("task", "")), name, _clean(model["sha256"])[:HASH], trained, quality, followed


def _kit(kit: Sequence[tuple[str, str, str, str, str, str]]) -> str:
    phrases = []
    for task, name, digest, trained, quality, followed in kit:
        facts = [f"SHA-256 {digest}", f"trained on: {trained}" if trained else "", quality, followed]
        facts = [fact for fact in facts if fact]
        phrases.append(f"{_TASKS.get(task, f'for {task} served')} {name} ({'; '.join(facts)})")
    text = "; ".join(phrases)
    return f"{text[:1].upper()}{text[1:]}." if text else "The reports name no models."


def _settings(reports: Sequence[Mapping[str, Any]]) -> str:
    usual = Settings().for_report()
    names = sorted({str(name) for report in reports for name in report["settings"]})
    values = {
        _clean(name): Counter(_value(report["settings"].get(name), usual.get(name)) for report in reports)
        for name in names
    }
    changed = [f"{name} = {value}" for name, found in values.items() for value in found if value and len(found) == 1]
    differing = [f"{name} ({_spread(found)})" for name, found in values.items() if len(found) > 1]
    exceptions = f", except {listed(changed)}" if changed else ""
    text = f"{'All analyses' if len(reports) > 1 else 'The analysis'} used the default settings{exceptions}."
    text += f" {_PRIOR}" if any(report["settings"].get("prior", EVERYDAY) != EVERYDAY for report in reports) else ""
    text += f" {_SMOOTHING}" if any(report["settings"].get("smooth") for report in reports) else ""
    return f"{text} The videos differ in {listed(differing)}." if differing else text


def _spread(values: Counter[str]) -> str:
    return ", ".join(f"{value or 'the default'} in {count(n, 'video')}" for value, n in _ranked(values))


def _exclusion(reports: Sequence[Mapping[str, Any]]) -> str:
    people = [person for report in reports for person in report["people"]]
    reasons = [reason for reason in REASONS if reason not in (NOT_DECODED, NOT_VISIBLE)]
    rejected = {reason: sum(float(p["unmeasured"].get(reason) or 0.0) for p in people) for reason in reasons}
    measured = sum(float(person["measured"]) for person in people)
    present = measured + sum(rejected.values())
    text = (
        f"A face was not measured where its shorter side had fewer than {MIN_SIDE:.0f} pixels, where more than "
        f"{percent(MAX_OUTSIDE)} of the aligned crop lay outside the picture, where it was turned away, or where it "
        "was blurred, as its landmarks and its sharpness tell. Time that was not measured is reported by reason and "
        "is part of no share."
    )
    if present <= 0:
        return text
    parts = [f"{REASONS[reason]} {percent(seconds / present)}" for reason, seconds in rejected.items() if seconds > 0]
    excluded = f" (the rest: {', '.join(parts)})" if parts else ""
    return f"{text} Of the time that people were in the picture, {percent(measured / present)} was measured{excluded}."


def _doubt(reports: Sequence[Mapping[str, Any]]) -> str:
    """What was unsure. Reports from before version 1.1 do not say how much."""
    limits = sorted({thresholds(unsure_below(report["models"])) for report in reports})
    text = (
        "A measured face counts as unsure where its most probable expression has a probability below "
        f"{listed(limits, ' or ')}"
        f"{' (each model has a threshold of its own)' if len(limits) > 1 else ''}. It is part of all shares and "
        "means; frames that are not unsure are counted beside all frames."
    )
    people = [person for report in reports for person in report["people"] if person.get("unsure") is not None]
    measured = sum(float(person["measured"]) for person in people)
    if measured <= 0:
        return text
    return f"{text} Of the measured time {percent(sum(float(p['unsure']) for p in people) / measured)} was unsure."


def _intervals() -> str:
    return (
        "Shares of measured time are given with 95 % intervals. Neighbouring frames look alike, so the variance of "
        f"each share was estimated by a circular block bootstrap ({RESAMPLES} resamples, automatic block length; "
        "Politis and White 2004); it tells how many independent frames the series is worth, which enters Wilson's "
        "(1927) score interval with Student's quantile for the number of blocks. These intervals are about the "
        "sampling of frames from one person's time; they do not include the errors of the classifier."
    )


def _caveat() -> str:
    return (
        "The measure is apparent expression: how a face looks in a picture according to a classifier learned from "
        "human labels. It is not a measure of what a person feels, thinks or intends: people express the same emotion "
        "in different ways, and the same configuration of a face can express different emotions (Barrett et al. 2019). "
        "The classifier errs, and not equally for all expressions and all people."
    )


def _ranked(found: Counter[Any]) -> list[tuple[Any, int]]:
    """Most frequent first, then by value."""
    return sorted(found.items(), key=lambda pair: (-pair[1], str(pair[0])))


def _minutes(seconds: float) -> str:
    return f"{seconds:.1f} seconds" if seconds < 120 else f"{seconds / 60:,.1f} minutes"


def _value(value: Any, usual: Any) -> str:
    """Empty where it is the default."""
    if value is None or value == usual:
        return ""
    return _clean(value) if isinstance(value, str) else json.dumps(value)


def _clean(text: Any) -> str:
    return printable(storable(str(text)))
