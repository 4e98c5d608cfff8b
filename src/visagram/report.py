"""The result of an analysis, with everything a person does with it in a notebook or a script."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visagram.core.types import Observations, Person, ResultWarning, Totals, VideoFacts

if TYPE_CHECKING:
    import numpy as np
    import pandas
    import plotly.graph_objects
    import pyarrow
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Report:
    """One video, analysed. Frozen; equal analyses of one version give equal reports.

    settings: those on which the result depends. models: name, task, version and hash of each model used. warnings:
    what was repaired, guessed, chosen or left out. observations: with posteriors under the prior of the settings, as
    has everything that is computed from them; tables keep them under the everyday one. version: of the Visagram that
    analysed the video, whichever reads, edits or exports the result later; empty where that is not known.
    """

    video: VideoFacts
    settings: dict[str, Any]
    models: tuple[dict[str, Any], ...]
    people: tuple[Person, ...]
    totals: Totals
    warnings: tuple[ResultWarning, ...]
    observations: Observations = field(repr=False)
    version: str = ""

    def to_arrow(self) -> pyarrow.Table:
        """One row per face per frame, with the columns of `observations.parquet`."""
        from visagram.export.table import to_arrow

        return to_arrow(self)

    def to_pandas(self) -> pandas.DataFrame:
        """`to_arrow` as a data frame; needs pandas."""
        return self.to_arrow().to_pandas()

    def to_dict(self) -> dict[str, Any]:
        """What `report.json` holds: everything but the observations."""
        from visagram.export.json import report_dict

        return report_dict(self)

    def save(self, folder: str | Path, formats: Iterable[str] | None = None, *, overwrite: bool = False) -> list[Path]:
        """Write the result's files into `folder` (made if missing) and return their paths.

        formats: names out of `visagram.export.FORMATS`, by default all of them; `mp4` is not among them, because the
        annotated video needs the source: see `visagram.media.annotate`. A result of the same content and settings that
        lies there is renewed, in every format that it has. overwrite: replace any other result too. Raises `UsageError`
        where the folder holds the result of another content or of other settings, `OutputError`.
        """
        from visagram.export import save

        return save(self, Path(folder), formats, overwrite=overwrite)

    @property
    def video_id(self) -> str | None:
        """Names the video's content in every table; None where it is not known. See `video_id`."""
        return video_id(self.video.sha256)

    @property
    def smooth(self) -> float:
        """Seconds over which timelines are drawn smoothed, as the setting of that name says; 0 where they are not."""
        return float(self.settings.get("smooth") or 0.0)

    @property
    def unsure_below(self) -> tuple[float, ...]:
        """(7,) for each expression the probability below which a measured face that shows it best is unsure."""
        from visagram.core.certainty import unsure_below

        return unsure_below(self.models)

    @property
    def prior(self) -> NDArray[np.float64] | None:
        """(7,) by what the posteriors of tables are multiplied to be those of `observations`; None where they are the
        same."""
        from visagram.core.prior import factors

        return factors(self.settings.get("prior"), self.models)

    def smoothed(self, seconds: float | None = None) -> Observations:
        """The observations with posteriors smoothed over time (`core.smoothing`), by default as timelines draw them.

        seconds: full width at half maximum of the filter, 0 to 10. Counts, shares and files never use these.
        """
        from visagram.core.smoothing import smoothed

        return smoothed(self.observations, self.smooth if seconds is None else seconds)

    def figure(self, smooth: float | None = None) -> plotly.graph_objects.Figure:
        """The timeline of apparent expression, one lane per person. smooth: seconds, by default the setting's."""
        from visagram.plots import timeline

        return timeline(self, smooth)

    def summary(self) -> str:
        """A few lines of text for a terminal."""
        from visagram.export.text import summary

        return summary(self)

    def account(self) -> str:
        """One plain paragraph: who showed which apparent expression when."""
        from dataclasses import asdict

        from visagram.core.moments import moments
        from visagram.export.account import account

        found = moments(self.observations, [person.id for person in self.people], most=1)
        return account(self.to_dict(), [asdict(each) for each in found])

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        from visagram.export.html import fragment

        return fragment(self)


def video_id(sha256: str) -> str | None:
    """What names the content of a file of this SHA-256: its first 16 digits. None where the SHA-256 is empty."""
    return sha256[:16] or None


def open_report(folder: str | Path) -> Report:
    """Read back a result written by `Report.save` (needs its `report.json` and `observations.parquet`).

    Raises `DataError` where a file is missing, damaged or of a newer schema.
    """
    from visagram.export.read import read_report

    return read_report(Path(folder))
