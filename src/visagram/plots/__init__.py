"""The figures, once: the web page, the HTML report and notebooks show the same ones."""

from visagram.plots.people import distribution, people_figure
from visagram.plots.study import differences_figure, means_figure
from visagram.plots.style import PALETTE, PATTERNS
from visagram.plots.timeline import BOTTOM_PIXELS, LABEL_FROM, LANE, LANE_PIXELS, STRIP, TOP_PIXELS, timeline

__all__ = [
    "BOTTOM_PIXELS",
    "LABEL_FROM",
    "LANE",
    "LANE_PIXELS",
    "PALETTE",
    "PATTERNS",
    "STRIP",
    "TOP_PIXELS",
    "differences_figure",
    "distribution",
    "means_figure",
    "people_figure",
    "timeline",
]
