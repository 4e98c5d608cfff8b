"""Settings of an analysis as a form: what there is to choose, and sets of choices with a name."""

from __future__ import annotations

import dataclasses
from typing import Any

from visagram.models.catalog import DETECTOR, EMOTION, read_card
from visagram.settings import Settings

PRESETS: dict[str, dict[str, Any]] = {
    "accurate": {
        "label": "Accurate",
        "help": "The detector looks at every frame at full size: the reference, several times slower.",
        "settings": {"detect_every": 1, "detect_size": "full"},
    },
    "fast": {
        "label": "Fast",
        "help": "Five frames a second: enough for long recordings and a first look; short expressions can be missed.",
        "settings": {"sample_fps": 5},
    },
    "original": {
        "label": "Original",
        "help": "Every tenth frame, as the first version of this application did it.",
        "settings": {"frame_interval": 10, "detect_every": 1, "detect_size": "full"},
    },
}

_TYPES = {"float": "number", "int": "integer", "tuple": "region", "str": "text"}
_BOUNDS: dict[str, tuple[float | None, float | None]] = {
    "start": (0, None),
    "end": (0, None),
    "sample_fps": (0, 1000),
    "frame_interval": (1, 100_000),
    "min_face": (8, 10_000),
    "detect_every": (0, 100),
    "seed": (0, None),
}
_CHOICES = {"detect_size": ("auto", "full", "640", "1280", "1920")}
"""Usual values; `visagram.settings` says which others are taken."""


def settings_of(preset: str | None) -> dict[str, Any]:
    """The settings that a preset stands for."""
    return dict(PRESETS[preset]["settings"]) if preset else {}


def form(defaults: Settings) -> dict[str, Any]:
    """{items, presets, models}: the settings that decide the result, each with the server's default."""
    values = defaults.for_report()
    fields = [field for field in dataclasses.fields(Settings) if field.metadata["affects_result"]]
    presets = {name: preset | {"available": True, "why": None} for name, preset in PRESETS.items()}
    return {
        "items": [_item(field, values[field.name]) for field in fields],
        "presets": presets,
        "models": {"detector": [_model(DETECTOR)], "emotion": [_model(EMOTION)]},
    }


def _model(name: str) -> dict[str, Any]:
    facts = read_card(name).for_report()
    return {key: facts[key] for key in ("name", "version", "licence")}


def _item(field: dataclasses.Field[Any], default: Any) -> dict[str, Any]:
    minimum, maximum = _BOUNDS.get(field.name, (None, None))
    choices = _CHOICES.get(field.name)
    kind = next(shown for start, shown in _TYPES.items() if str(field.type).startswith(start))
    return {
        "name": field.name,
        "help": field.metadata["help"],
        "type": "choice" if choices else kind,
        "default": default,
        "choices": list(choices) if choices else None,
        "minimum": minimum,
        "maximum": maximum,
    }
