"""The methods paragraph of a paper, out of what the reports say of themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from visagram.core.certainty import unsure_below
from visagram.core.compare import LEAST, method
from visagram.core.edits import Edit
from visagram.core.quality import MAX_OUTSIDE, MIN_SIDE
from visagram.core.statistics import FEWEST, RESAMPLES
from visagram.core.types import NOT_DECODED, NOT_VISIBLE, Reason
from visagram.errors import DataError
from visagram.export.kits import HASH, models, settings
from visagram.export.material import Reports, clean, material, noun_of, photographs_of, videos_of
from visagram.export.words import REASONS, count, listed, percent, reason_words, thresholds

__all__ = ["COMPARISON_SOURCES", "HASH", "REFERENCES", "SOURCES", "methods_text"]

REFERENCES = "References"
"""The line above the sources, which stand below it one by one."""
SOURCES = (
    "Barrett, L. F., Adolphs, R., Marsella, S., Martinez, A. M., & Pollak, S. D. (2019). Emotional expressions "
    "reconsidered: Challenges to inferring emotion from human facial movements. Psychological Science in the Public "
    "Interest, 20(1), 1-68. https://doi.org/10.1177/1529100619832930",
    "Cox, D. R. (1962). Renewal theory. Methuen.",
    "Politis, D. N., & White, H. (2004). Automatic block-length selection for the dependent bootstrap. Econometric "
    "Reviews, 23(1), 53-70. https://doi.org/10.1081/ETR-120028836",
    "Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. Journal of the "
    "American Statistical Association, 22(158), 209-212. https://doi.org/10.1080/01621459.1927.10502953",
)
COMPARISON_SOURCES = (
    "Bell, R. M., & McCaffrey, D. F. (2002). Bias reduction in standard errors for linear regression with multi-stage "
    "samples. Survey Methodology, 28(2), 169-181.",
    "Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics, "
    "6(2), 65-70.",
    "Korn, E. L., & Graubard, B. I. (1998). Confidence intervals for proportions with small expected number of "
    "positive counts estimated from survey data. Survey Methodology, 24(2), 193-201.",
    "Lakens, D. (2013). Calculating and reporting effect sizes to facilitate cumulative science. Frontiers in "
    "Psychology, 4, 863. https://doi.org/10.3389/fpsyg.2013.00863",
    "Liang, K.-Y., & Zeger, S. L. (1986). Longitudinal data analysis using generalized linear models. Biometrika, "
    "73(1), 13-22. https://doi.org/10.1093/biomet/73.1.13",
    "Schuirmann, D. J. (1987). A comparison of the two one-sided tests procedure and the power approach for assessing "
    "the equivalence of average bioavailability. Journal of Pharmacokinetics and Biopharmaceutics, 15(6), 657-680. "
    "https://doi.org/10.1007/BF01068419",
    "Westfall, P. H., & Young, S. S. (1993). Resampling-based multiple testing: Examples and methods for p-value "
    "adjustment. Wiley.",
)


def methods_text(
    reports: Iterable[Mapping[str, Any]],
    *,
    compared: bool = False,
    unit: Literal["participant", "video"] = "participant",
    window: str = "",
    least: float = LEAST,
    smallest: float | None = None,
    windows: Iterable[int] = (),
    edits: Iterable[Sequence[Edit]] = (),
) -> str:
    """Plain text to paste into a paper; equal reports in any order give equal text.

    reports: what `report.json` holds, of each video. compared: whether groups are compared, which adds how. unit: of
    the comparison. least, smallest: as in `core.compare.Comparison`. window: name of the event windows that are
    compared instead of whole videos. windows: how many event windows each video has. edits: what people changed in
    each. Videos analysed with different versions, models or settings are said to be. Raises `DataError` for what is no
    report.
    """
    found = list(reports)
    if not found:
        return "No video has been analysed yet, so there is no method to describe."
    try:
        parts = [material(found, windows, edits), models(found), settings(found), _exclusion(found), _doubt(found)]
        how = method(unit, least, smallest)
        comparison = [_comparison(found, how, unit, window)] if compared else []
        citing = [*([_intervals(found)] if videos_of(found) else []), *comparison, _caveat()]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"A report is damaged ({error}). Analyse the video again.") from error
    # A source is listed where the text names its first author; Politis and Wilson are about time alone.
    said = " ".join(citing)
    sources = [source for source in (*SOURCES, *COMPARISON_SOURCES) if source.partition(",")[0] in said]
    return "\n\n".join([*parts, *citing, REFERENCES, *sorted(sources)]) + "\n"


def _exclusion(reports: Reports) -> str:
    """What was not measured. A photograph lasts no time, so of those it is faces."""
    videos, photographs = videos_of(reports), photographs_of(reports)
    text = f"A face was not measured where {_rules(reports)}, as its landmarks and its sharpness tell. "
    if videos:
        text += "Time that was not measured is reported by reason and is part of no share."
        text += _measured_time(_people(videos), "the picture of a video" if photographs else "the picture")
    else:
        text += "A face that was not measured is part of no share."
    seen = sum(int(person["frames_seen"]) for person in _people(photographs))
    if not seen:
        return text
    measured = sum(int(person["frames_usable"]) for person in _people(photographs))
    return f"{text} Of {count(seen, 'face')} in photographs {measured:,} {_was(measured)} measured."


def _rules(reports: Reports) -> str:
    """Where faces are not measured. Versions before 0.2 did not know faces that lie on their side."""
    known = [report for report in reports if report["people"]]
    knowing = sum(any(Reason.LYING.label in person["unmeasured"] for person in report["people"]) for report in known)
    lying = "lay on its side" if knowing == len(known) else f"(in {count(knowing, noun_of(reports))}) lay on its side"
    rules = [
        f"its shorter side had fewer than {MIN_SIDE:.0f} pixels",
        f"where more than {percent(MAX_OUTSIDE)} of the aligned crop lay outside the picture",
        *([f"where it {lying}"] if knowing else []),
        "where it was turned away",
    ]
    return f"{', '.join(rules)}, or where it was blurred"


def _measured_time(people: Sequence[Mapping[str, Any]], place: str) -> str:
    left_out: Counter[str] = Counter()
    for person in people:
        left_out.update({str(reason): float(seconds or 0.0) for reason, seconds in person["unmeasured"].items()})
    del left_out[NOT_DECODED], left_out[NOT_VISIBLE]
    measured = sum(float(person["measured"]) for person in people)
    present = measured + sum(left_out.values())
    if present <= 0:
        return ""
    order = [*REASONS, *sorted(set(left_out) - set(REASONS))]
    parts = [f"{clean(reason_words(r))} {percent(left_out[r] / present)}" for r in order if left_out[r] > 0]
    excluded = f" (the rest: {', '.join(parts)})" if parts else ""
    return f" Of the time that people were in {place}, {percent(measured / present)} was measured{excluded}."


def _doubt(reports: Reports) -> str:
    """What was unsure. Reports from before version 1.1 do not say how much."""
    limits = Counter(thresholds(unsure_below(report["models"])) for report in reports)
    below = [f"{limit} in {count(n, noun_of(reports))}" for limit, n in sorted(limits.items())]
    text = (
        "A measured face counts as unsure where its most probable expression has a probability below "
        f"{listed(below) if len(limits) > 1 else next(iter(limits))}. It is part of all shares and "
        "means; frames that are not unsure are counted beside all frames."
    )
    people = [person for person in _people(videos_of(reports)) if float(person["measured"]) > 0]
    telling = [person for person in people if person.get("unsure") is not None]
    measured = sum(float(person["measured"]) for person in telling)
    if measured > 0:
        which = " of which it is recorded" if len(telling) < len(people) else ""
        unsure = sum(float(person["unsure"]) for person in telling)
        text += f" Of the measured time{which} {percent(unsure / measured)} was unsure."
    shown = [p for p in _people(photographs_of(reports)) if p["frames_usable"] and p.get("certain_counts") is not None]
    faces = sum(int(person["frames_usable"]) for person in shown)
    if faces:
        unsure = faces - sum(sum(person["certain_counts"].values()) for person in shown)
        text += f" Of {count(faces, 'measured face')} in photographs {unsure:,} {_was(unsure)} unsure."
    return text


def _comparison(reports: Reports, text: str, unit: str, window: str) -> str:
    if window:
        text = f"Event windows named “{clean(window)}” were compared instead of whole videos. {text}"
    photographs = [person for person in _people(photographs_of(reports)) if person["frames_usable"]]
    if not photographs:
        return text
    also = "A photograph was a unit as a video is. " if unit == "video" else ""
    return f"{text} {also}A face in a photograph weighed as much as a second of video."


def _people(reports: Reports) -> list[Mapping[str, Any]]:
    return [person for report in reports for person in report["people"]]


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


def _intervals(reports: Reports) -> str:
    shares = [list((person.get("shares") or {}).values()) for person in _people(videos_of(reports))]
    older = sum(any(share.get("episodes") is None for share in theirs) for theirs in shares)
    text = (
        "Shares of measured time are given with 95 % intervals for the share in the long run of footage like this, "
        f"where an expression began at least {FEWEST} times; fewer changes tell none. An interval is the wider of "
        "two. Neighbouring frames look alike, so the variance of each share was estimated by a circular block "
        f"bootstrap ({RESAMPLES} resamples, three times the longest automatic block length; Politis and White 2004); "
        "it tells how many independent frames the series is worth, which enters Wilson's (1927) score interval with "
        "Student's quantile for the number of blocks. The other is that of an alternating renewal process with "
        "exponential stretches, in which the logit of a share seen in n episodes has the variance 2 / n (Cox 1962). "
        "Neither includes the errors of the classifier or time that was not measured."
    )
    if older:
        text += (
            f" The intervals of {count(older, 'person', 'people')} come from an earlier version, which told the "
            "bootstrap's alone, after however few changes."
        )
    return text


def _caveat() -> str:
    return (
        "The measure is apparent expression: how a face looks in a picture according to a classifier learned from "
        "human labels. It is not a measure of what a person feels, thinks or intends: people express the same emotion "
        "in different ways, and the same configuration of a face can express different emotions (Barrett et al. 2019). "
        "The classifier errs, and not equally for all expressions and all people."
    )
