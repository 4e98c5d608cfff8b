"""What all figures share: colours, patterns, a layout that reads on white and on black."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

PALETTE = {
    "angry": "#c8501e",
    "disgust": "#0f8f6b",
    "fear": "#b565a7",
    "happy": "#f0a81c",
    "sad": "#2f6fb5",
    "surprise": "#67bde8",
    "neutral": "#a9aeb5",
}
"""Colour of each expression: Okabe and Ito's colour-blind-safe set, toned to stand on white and on black."""

PATTERNS = {"angry": "/", "disgust": "x", "fear": "\\", "happy": "", "sad": "-", "surprise": ".", "neutral": ""}
"""The second cue: hatching in the notation of plotly, so that colour is never the only difference."""

LONGEST_LABEL = 20
"""Characters of a name on an axis."""

FONT = "Inter, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"
INK, GRID, SEEN = "#7b828c", "rgba(128,136,148,0.22)", "rgba(128,136,148,0.55)"
UNSURE = {"shape": "/", "fgcolor": "#8d949e", "bgcolor": "rgba(128,136,148,0.35)", "size": 8, "solidity": 0.35}
"""How a stretch is covered of which the model was unsure."""


def plain(text: str) -> str:
    """Foreign text for plotly, which reads tags and %{fields} in texts, and breaks on what is not Unicode."""
    return escape(text.encode("utf-8", "replace").decode()).replace("%{", "%&#123;")


def fill(name: str) -> str:
    """Neutral stands back, on white and on black, so that the expressions stand out."""
    return "rgba(150,157,167,0.5)" if name == "neutral" else PALETTE[name]


def hatch(shape: Any) -> dict[str, Any]:
    return {"shape": shape, "fgcolor": "#ffffff", "fgopacity": 0.32, "size": 7, "solidity": 0.16, "fillmode": "overlay"}


def layout() -> dict[str, Any]:
    """Reads on white and on black: no background, a grey between the two for everything that is not data."""
    return {
        "template": "none",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 13, "color": INK},
    }


def distinct(names: Sequence[str], longest: int = LONGEST_LABEL) -> list[str]:
    """Foreign names for plotly, short enough for an axis and told apart where two are equal."""
    short = [name if len(name) <= longest else f"{name[: longest - 1]}…" for name in names]
    numbered = [f"{name} ({k})" if short.count(name) > 1 else name for k, name in enumerate(short, 1)]
    return [plain(name) for name in numbered]
