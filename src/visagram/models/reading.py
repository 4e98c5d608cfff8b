"""Reads a card into the parts of its sheet, in the words that terminal and page share.

Cards also come from outside, so a part that is not what it should be counts as not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from visagram.core.certainty import UNSURE_BELOW, is_threshold, unsure_below
from visagram.core.types import EXPRESSIONS
from visagram.export.words import count, exact, thresholds
from visagram.models.card import Card
from visagram.models.sheet import ACCURACY, Chosen, Data, Elsewhere, Estimate, Figure, Measured, Point, Sheet
from visagram.plots.diagrams import Bin

FIGURES = {
    "accuracy": (ACCURACY, "answered as most people labelled the face"),
    "macro_recall": ("Mean recall", "the same, every expression counting alike"),
    "macro_f1": ("Mean F1", "recall and precision together, every expression counting alike"),
    "ece_debiased": (
        "Calibration error",
        "how far off its probabilities are on average (15 bins), less what chance adds",
    ),
    "ece_15": (
        "Calibration, uncorrected",
        "how far off its probabilities are on average (15 bins), as counted: chance alone makes it larger than 0",
    ),
    "ece_perfect": (
        "The same, if perfect",
        "what a perfectly calibrated model shows uncorrected on these faces: mean, and 95 % of its labels",
    ),
}
"""Title and meaning of each figure, in the order in which they are shown."""
TIMES = {"one_face_ms": "one face", "face_of_16_ms": "a face in a batch of 16", "one_frame_ms": "one frame"}
CHANGES = {
    "mirror": "mirrored",
    "shift_1px": "moved by a pixel",
    "scale_3pct": "larger or smaller by 3 %",
    "darken": "darkened",
    "mean": "on average",
}
LARGEST = 1 << 53
"""Numbers from here on are none that a card states; infinity and what is not a number are among them."""
READ = {"name", "version", "task", "sha256", "bytes", "licence", "intended_use", "misuse", "apparent", "data", "limits"}
READ |= {
    "trained_on",
    "elsewhere",
    "metrics",
    "speed",
    "total_variation",
    "reliability",
    "confusion",
    "calibration",
    "most_bytes",
}
READ_METRICS = {*FIGURES, "split", "faces", "recall", "intervals", "without_copies", "votes", "published"}
READ_METRICS |= {"macro_f1_classes"}
READ_CALIBRATION = {"ece_15", "ece_votes", "ece_15_uncalibrated", "risk_coverage", "unsure_of_faces_without_majority"}
READ_CALIBRATION |= {"temperature_clipped"}
"""Keys of a card that have a part of their own here."""


def read(card: Card) -> Sheet:
    """The parts of a card."""
    facts = card.facts
    calibration = _mapping(facts.get("calibration"))
    curve = _mapping(calibration.get("risk_coverage"))
    chosen = _chosen(facts, curve)
    metrics, steady, speed = (_mapping(facts.get(key)) for key in ("metrics", "total_variation", "speed"))
    confusion, labels = _confusion(facts.get("confusion")), facts.get("labels")
    named = isinstance(labels, list) and len(labels) == len(confusion)
    return Sheet(
        name=card.name,
        task=card.task,
        version=_text(facts.get("version") or _mapping(facts.get("origin")).get("version")),
        licence=_text(facts.get("licence")),
        bytes=card.file.stat().st_size if card.file.is_file() else _whole(facts.get("bytes")),
        sha256=card.sha256,
        intended_use=_text(facts.get("intended_use")),
        misuse=_texts(facts.get("misuse")),
        apparent=_text(facts.get("apparent")),
        data=tuple(_data(facts.get("data"))),
        trained_on=_text(facts.get("trained_on")),
        limits=_texts(facts.get("limits")),
        measured=_measured(metrics) if metrics else None,
        elsewhere=tuple(_elsewhere(facts.get("elsewhere"))),
        labels=tuple(map(_text, labels)) if isinstance(labels, list) and named else EXPRESSIONS,
        confusion=confusion,
        reliability=tuple(_bins(facts.get("reliability"))),
        curve=tuple(_points(curve.get("points"))),
        chosen=chosen,
        calibration=tuple(_calibration(card, calibration, chosen)),
        steady=_numbers(steady, CHANGES),
        changes=_text(steady.get("changes")),
        speed=_numbers(speed, TIMES),
        speed_note="; ".join(
            filter(None, (_threads(speed), *(_text(speed.get(k)) for k in ("what", "note", "machine"))))
        ),
        more=_without(facts, READ)
        | {
            name: rest
            for name, found, known in (
                ("metrics", metrics, READ_METRICS),
                ("calibration", calibration, READ_CALIBRATION),
            )
            if (rest := _without(found, known))
        },
    )


def _measured(metrics: Mapping[str, Any]) -> Measured:
    other, votes = _mapping(metrics.get("without_copies")), _mapping(metrics.get("votes"))
    figures = [
        Figure(title, meaning, value, _figure(other, key))
        for key, (title, meaning) in FIGURES.items()
        if (value := _figure(metrics, key)) is not None
    ]
    recalls = [
        Figure(_text(label), "", value, _recall(other, label))
        for label in _mapping(metrics.get("recall"))
        if (value := _recall(metrics, label)) is not None
    ]
    return Measured(
        split=_text(metrics.get("split")),
        faces=_whole(metrics.get("faces")),
        figures=tuple(figures),
        recalls=tuple(recalls),
        kl=_number(votes.get("kl")),
        correlations=_numbers(votes.get("pearson"), {name: name for name in EXPRESSIONS}),
        published=metrics.get("published") is True,
    )


def _elsewhere(found: Any) -> Iterable[Elsewhere]:
    for each in map(_mapping, found if isinstance(found, list) else ()):
        faces = _whole(each.get("faces"))
        figures = [_figure(each, key) for key in ("accuracy", "macro_recall", "ece_15")]
        if faces is None or any(figure is None for figure in figures):
            continue
        accuracy, recall, uncorrected = (figure for figure in figures if figure is not None)
        error, perfect = (_figure(each, key) for key in ("ece_debiased", "ece_perfect"))
        answered, right = (_share(each.get(key)) for key in ("answered", "right"))
        recalls = {
            name: value for name in EXPRESSIONS if (value := _share(_mapping(each.get("recall")).get(name))) is not None
        }
        name, what = _text(each.get("name")), _text(each.get("what"))
        yield Elsewhere(name, what, faces, accuracy, recall, error, uncorrected, perfect, answered, right, recalls)


def _figure(metrics: Mapping[str, Any], key: str) -> Estimate | None:
    """A share out of metrics, None where there is none."""
    if key == "ece_perfect":
        found = _mapping(metrics.get(key))
        return _between(found.get("mean"), [found.get("low"), found.get("high")])
    # Older cards state an interval of the calibration error, which does not hold the truth as often as it says.
    ends = None if key.startswith("ece") else _mapping(metrics.get("intervals")).get(key)
    return _between(metrics.get(key), ends)


def _recall(metrics: Mapping[str, Any], label: str) -> Estimate | None:
    intervals = _mapping(_mapping(metrics.get("intervals")).get("recall"))
    return _between(_mapping(metrics.get("recall")).get(label), intervals.get(label))


def _between(value: Any, ends: Any) -> Estimate | None:
    if (share := _share(value)) is None:
        return None
    interval = _shares(ends, 2)
    return Estimate(share, *interval) if interval else Estimate(share)


def _chosen(facts: Mapping[str, Any], curve: Mapping[str, Any]) -> Chosen | None:
    """What the curve says of the thresholds in force; None where it is of others."""
    below, found = facts.get("unsure_below"), _shares([curve.get(key) for key in ("coverage", "accuracy")], 2)
    if not found or below is None or below != curve.get("unsure_below"):
        return None
    return Chosen(_below(facts) or "", *found)


def _below(facts: Mapping[str, Any]) -> str | None:
    """The thresholds of a card in words, None where it states none."""
    stated = facts.get("unsure_below")
    if stated is None or not is_threshold(stated):
        return None
    return thresholds(unsure_below([{"task": "expression", "unsure_below": stated}]))


def _calibration(card: Card, found: Mapping[str, Any], chosen: Chosen | None) -> Iterable[str]:
    """What its probabilities mean and when it says unsure, in plain words."""
    if card.task != "expression":
        return
    temperature, below = _number(card.facts.get("temperature")), _below(card.facts)
    if found.get("kind") == "vector":
        yield "Calibrated by a factor and a summand for each expression."
    elif temperature is not None and temperature != 1:
        raw = "less sure of itself than it may be" if temperature < 1 else "surer of itself than it may be"
        yield (
            f"Uncalibrated it is {raw}; its logits are divided by a temperature of {temperature:.2f}, so that "
            "its probabilities mean what they say."
        )
    elif not found:
        yield "Its card holds no calibration: how often it is right may differ much from its probabilities."
    if found.get("temperature_clipped") is True:
        yield (
            "That temperature lies at the end of the range that was searched: a better one may lie beyond, so its "
            "probabilities may mean less than they say."
        )
    before, after = _share(found.get("ece_15_uncalibrated")), _share(found.get("ece_15"))
    if before is not None and after is not None:
        yield (
            f"Calibration took the uncorrected calibration error from {exact(before)} to {exact(after)}, on faces to "
            "which it was not fitted."
        )
    by_votes = _share(found.get("ece_votes"))
    if by_votes is not None:
        yield (
            "It was fitted to every single vote, also where people disagree, because that carries over to other faces: "
            f"against single votes the error is {exact(by_votes)}, and on faces with a majority the model is less sure "
            "than it may be."
        )
    if below is None:
        yield f"It states no threshold: Visagram calls a face unsure where no expression reaches p = {UNSURE_BELOW}."
    elif float(below.split()[0]) == 0:
        yield "It never says “unsure”: with every face answered its risk is no higher than it was meant to be."
    elif chosen is None:
        yield f"Below p = {below} this model says “unsure”."
    else:
        yield (
            f"Below p = {below} this model says “unsure”; then {exact(chosen.coverage)} of faces are answered "
            f"with {exact(chosen.accuracy)} accuracy."
        )
    unclear = _share(found.get("unsure_of_faces_without_majority"))
    if unclear is not None:
        yield f"Of faces on which people disagree it calls {exact(unclear)} unsure."


def _bins(found: Any) -> Iterable[Bin]:
    for each in map(_mapping, _list(found)):
        faces = _whole(each.get("faces"))
        shares = _shares([each.get(key) for key in ("low", "high", "confidence", "accuracy")], 4)
        if faces and shares:
            yield Bin(shares[0], shares[1], faces, *shares[2:])


def _points(found: Any) -> Iterable[Point]:
    for each in _list(found):
        if shares := _shares(each, 3):
            yield Point(*shares)


def _confusion(found: Any) -> tuple[tuple[int, ...], ...]:
    rows = [tuple(count for cell in _list(row) if (count := _whole(cell)) is not None) for row in _list(found)]
    square = len(rows) == len(EXPRESSIONS) and all(len(row) == len(rows) for row in rows)
    return tuple(rows) if square else ()


def _data(found: Any) -> Iterable[Data]:
    for each in map(_mapping, _list(found)):
        name, what, terms = (_text(each.get(key)) for key in ("name", "what", "terms"))
        if name:
            yield Data(name, what, terms)


def _numbers(found: Any, names: Mapping[str, str]) -> dict[str, float]:
    """The known numbers by what they are called, in the order of `names`."""
    values = {words: _number(_mapping(found).get(key)) for key, words in names.items()}
    return {words: value for words, value in values.items() if value is not None}


def _without(found: Mapping[str, Any], known: set[str]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key not in known}


def _threads(speed: Mapping[str, Any]) -> str:
    threads = _whole(speed.get("threads"))
    return count(threads, "thread") if threads else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    """A text or a list of them."""
    values = value if isinstance(value, list) else [value]
    return tuple(text for text in map(_text, values) if text)


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST else None


def _number(value: Any) -> float | None:
    usual = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST
    return float(value) if usual else None


def _share(value: Any) -> float | None:
    number = _number(value)
    return number if number is not None and 0 <= number <= 1 else None


def _shares(values: Any, length: int) -> list[float]:
    """So many shares, or nothing."""
    found = [share for value in _list(values) if (share := _share(value)) is not None]
    return found if len(found) == length == len(values) else []
