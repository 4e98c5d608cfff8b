"""Settings of an analysis as a form: what there is to choose, and sets of choices with a name."""

from __future__ import annotations

import dataclasses
from typing import Any

from visagram.models.listing import Offer, offers
from visagram.settings import Settings

PRESETS: dict[str, dict[str, Any]] = {
    "accurate": {
        "label": "Accurate",
        "help": "The detector looks at every frame at full size, and all of the expression model at every face: the "
        "reference, several times slower.",
        "settings": {"detect_every": 1, "detect_size": "full"},
    },
    "fast": {
        "label": "Fast",
        "help": "Five frames a second and the quick expression model alone, which is right less often on posed faces: "
        "enough for long recordings and a first look; short expressions can be missed.",
        "settings": {"sample_fps": 5, "emotion": "visagram-fast"},
    },
    "original": {
        "label": "Original",
        "help": "Every tenth frame with DeepFace and its RetinaFace, as the first version of this application did it. "
        "A hundred times slower.",
        "settings": {
            "frame_interval": 10,
            "detect_every": 1,
            "emotion": "deepface",
            "detector": "deepface-retinaface",
        },
    },
}

_TYPES = {"bool": "switch", "float": "number", "int": "integer", "tuple": "region", "str": "text"}
_BOUNDS: dict[str, tuple[float | None, float | None]] = {
    "start": (0, None),
    "end": (0, None),
    "sample_fps": (0, 1000),
    "frame_interval": (1, 100_000),
    "stream": (0, None),
    "min_face": (8, 10_000),
    "detect_every": (0, 100),
    "seed": (0, None),
    "smooth": (0, 10),
}
_MODELS = ("emotion", "detector")
"""The settings that name a model."""
_CHOICES = {"detect_size": ("auto", "full", "640", "1280", "1920"), "prior": ("everyday", "even")}
"""Usual values; `visagram.settings` says which others are taken."""


def settings_of(preset: str | None) -> dict[str, Any]:
    """The settings that a preset stands for."""
    return dict(PRESETS[preset]["settings"]) if preset else {}


def offered(defaults: Settings) -> list[Offer]:
    """The models of a server: those of the catalogue, and its own choice."""
    return offers(defaults.models_folder, offline=defaults.offline, chosen=defaults.emotion)


def shown(offer: Offer) -> dict[str, Any]:
    """A model as the form and the list of models tell of it."""
    sheet = offer.sheet
    measured = sheet.measured
    return {
        "choice": offer.name,
        "setting": offer.setting,
        "name": sheet.name,
        "version": sheet.version,
        "licence": sheet.licence,
        "bytes": sheet.bytes,
        "accuracy": sheet.accuracy.value if sheet.accuracy else None,
        "measured_on": measured.split if measured and sheet.accuracy else "",
        "speed": sheet.fastest,
        "cost": offer.cost,
        "available": not offer.obstacle,
        "why": offer.obstacle or None,
    }


def form(defaults: Settings) -> dict[str, Any]:
    """{items, presets, models}: the settings that decide the result, each with the server's default."""
    values, found = defaults.for_report(), offered(defaults)
    fields = [field for field in dataclasses.fields(Settings) if field.metadata["affects_result"]]
    whys = {name: _why_not(preset["settings"], found) for name, preset in PRESETS.items()}
    presets = {name: preset | {"available": not whys[name], "why": whys[name]} for name, preset in PRESETS.items()}
    models = {name: [shown(offer) for offer in found if offer.setting == name] for name in _MODELS}
    return {
        "items": [_item(field, values[field.name], models.get(field.name)) for field in fields],
        "presets": presets,
        "models": models,
    }


def _why_not(settings: dict[str, Any], found: list[Offer]) -> str | None:
    """Why the models of a preset cannot be used on this server, None if they can."""
    wanted = [offer for offer in found if settings.get(offer.setting) == offer.name]
    return next((offer.obstacle for offer in wanted if offer.obstacle), None)


def _item(field: dataclasses.Field[Any], default: Any, models: list[dict[str, Any]] | None) -> dict[str, Any]:
    minimum, maximum = _BOUNDS.get(field.name, (None, None))
    choices = _CHOICES.get(field.name)
    if choices and default not in choices:
        choices = (*choices, default)
    if models is not None:
        choices = tuple(model["choice"] for model in models if model["available"])
    kind = next(name for start, name in _TYPES.items() if str(field.type).startswith(start))
    return {
        "name": field.name,
        "help": field.metadata["help"],
        "type": "choice" if choices else kind,
        "default": default,
        "choices": list(choices) if choices else None,
        "minimum": minimum,
        "maximum": maximum,
    }
