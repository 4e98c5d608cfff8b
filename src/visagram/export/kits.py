"""What the methods paragraph says of models and settings: what all videos share, and in what they differ."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from visagram.core.opinion import EVERY
from visagram.core.prior import EVERYDAY
from visagram.export.material import Reports, clean, is_photograph, noun_of, ranked
from visagram.export.words import count, listed
from visagram.settings import Settings

HASH = 12
"""Characters of a SHA-256 that a text shows."""
_TASKS = {"detection": "Faces were found with", "embedding": "tracks of one person were joined with"}
_TASKS |= {"expression": "expressions were classified with", "generation": "the probabilities were refined with"}
_SMOOTHING = (
    "imelines are drawn with probabilities smoothed over time (a centred Gaussian filter; smooth is its full width at "
    "half maximum in seconds); counts, shares, means and tables are of the probabilities as they were measured."
)
_PRIOR = (
    "Where prior is not the default, each probability was divided by the model's own prior, multiplied by that of the "
    "setting and normalised (Saerens et al. 2002, doi 10.1162/089976602753284446); tables of observations keep the "
    "probabilities under the model's own."
)
_REAL = {field.name for field in dataclasses.fields(Settings) if str(field.type).startswith("float")}


class _Model(NamedTuple):
    """What a model is known by; all else of its card may have been written anew."""

    task: str
    name: str
    version: str
    sha256: str


def models(reports: Reports) -> str:
    """The paragraph on models."""
    kits: defaultdict[tuple[_Model, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for report in reports:
        kits[tuple(sorted(map(_known, report["models"]), key=_place))].append(report)
    noun = noun_of(reports)
    sentences = [
        (_kit(kit, kits[kit], noun), n) for kit, n in ranked(Counter({kit: len(own) for kit, own in kits.items()}))
    ]
    if len(sentences) == 1:
        return sentences[0][0]
    lines = [f"({n} of {len(reports)} {noun}s) {text}" for text, n in sentences]
    return f"The {noun}s were not all analysed with the same models, so they should not be compared: {' '.join(lines)}"


def settings(reports: Reports) -> str:
    """The paragraph on settings: `default` is only what is the default in all of them."""
    usual, noun = Settings().for_report(), noun_of(reports)
    values = {
        name: Counter(_value(name, report["settings"].get(name), usual.get(name)) for report in reports)
        for name in sorted({str(name) for report in reports for name in report["settings"]})
    }
    shared = [
        f"{clean(name)} = {value}" for name, found in values.items() for value in found if value and len(found) == 1
    ]
    differing = [f"{clean(name)} ({_spread(found, noun)})" for name, found in values.items() if len(found) > 1]
    if differing:
        text = f"All analyses used {listed(shared)}. " if shared else ""
        text += f"The {noun}s differ in {listed(differing)}. All other settings were the default."
    else:
        exceptions = f", except {listed(shared)}" if shared else ""
        text = f"{'All analyses' if len(reports) > 1 else 'The analysis'} used the default settings{exceptions}."
    if any(report["settings"].get("prior") not in (None, EVERYDAY) for report in reports):
        text += f" {_PRIOR}"
    smooth = sum(bool(report["settings"].get("smooth")) for report in reports)
    if smooth:
        text += f" {'T' if smooth == len(reports) else 'Where smooth is not the default, t'}{_SMOOTHING}"
    return text


def _known(model: Mapping[str, Any]) -> _Model:
    return _Model(
        clean(model.get("task", "")), clean(model["name"]), clean(model.get("version", "")), clean(model["sha256"])
    )


def _place(model: _Model) -> tuple[int, _Model]:
    """Where a model stands in the sentence: in the order in which they work."""
    tasks = list(_TASKS)
    return tasks.index(model.task) if model.task in tasks else len(tasks), model


def _kit(kit: Sequence[_Model], reports: Reports, noun: str) -> str:
    """What the models of these reports, which all have the same, did."""
    phrases = []
    for model in dict.fromkeys(kit):
        cards = [(card, report) for report in reports for card in report["models"] if _known(card) == model]
        facts = [f"SHA-256 {model.sha256[:HASH]}"]
        for describe in (_trained, _quality):
            # A card may have been written anew between two analyses: what most of them say.
            facts.append(ranked(Counter(describe(card) for card, _ in cards))[0][0])
        facts.append(_followed(cards, noun))
        name = f"{model.name} {model.version}".strip()
        did = _TASKS.get(model.task, f"for {model.task} served")
        phrases.append(f"{did} {name} ({'; '.join(fact for fact in facts if fact)})")
    text = "; ".join(phrases)
    return f"{text[:1].upper()}{text[1:]}." if text else "The reports name no models."


def _trained(card: Mapping[str, Any]) -> str:
    trained = clean(card.get("trained_on", "")).rstrip(". ")
    return f"trained on: {trained}" if trained else ""


def _quality(card: Mapping[str, Any]) -> str:
    metrics = card.get("metrics") or {}
    if "accuracy" not in metrics or "split" not in metrics:
        return ""
    return f"accuracy {float(metrics['accuracy']):.2f} on {clean(metrics['split'])}"


def _followed(cards: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], noun: str) -> str:
    """Of a model that was asked about few faces and followed by a quicker one in between. cards: with their reports."""
    found = Counter(_quick(card, report) for card, report in cards)
    parts = []
    for quick, n in ranked(found):
        if quick:
            where = "" if len(found) == 1 else f"in {n} of {len(cards)} {noun}s "
            parts.append(
                f"{where}asked about each face about every {'second' if EVERY == 1 else f'{EVERY:g} seconds'}, sooner "
                f"where it changes, and in between followed by the quicker network {quick}, whose probabilities were "
                "moved by what the two differed by"
            )
    if parts and "" in found:
        parts.append(f"in {found['']} of {len(cards)} {noun}s asked about each face in every frame")
    return "; ".join(parts)


def _quick(card: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """The network that was followed, empty where the model was asked about every face: as the reference of
    `detect_every`, where it was refined, and in a photograph, where there is nothing in between."""
    quick = card.get("quick")
    if not quick or report["settings"].get("detect_every") == 1 or report["settings"].get("refine"):
        return ""
    if is_photograph(report):
        return ""
    return f"{clean(quick['name'])} {clean(quick.get('version', ''))} (SHA-256 {clean(quick['sha256'])[:HASH]})"


def _spread(values: Counter[str], noun: str) -> str:
    return ", ".join(f"{value or 'the default'} in {count(n, noun)}" for value, n in ranked(values))


def _value(name: str, value: Any, usual: Any) -> str:
    """Empty where it is the default."""
    if value is None or value == usual:
        return ""
    if name in _REAL and isinstance(value, int):
        value = float(value)
    return (clean(value) if isinstance(value, str) else json.dumps(value)) or '""'
