"""Messages and progress on standard error; silent where nobody watches."""

from __future__ import annotations

import sys
import traceback
from types import TracebackType
from typing import TYPE_CHECKING

from visagram.errors import VisagramError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

STAGES = {
    "fetch": "Fetching",
    "probe": "Reading",
    "analyse": "Analysing",
    "summarise": "Summarising",
    "write": "Writing",
    "annotate": "Annotating",
    "teach": "Asking the teacher",
    "train": "Training",
    "pictures": "Reading pictures of",
}


class Screen:
    """A context manager that shows one bar per stage on a terminal, and nothing elsewhere."""

    def __init__(self, *, quiet: bool) -> None:
        self._show = not quiet and sys.stderr.isatty()
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._title = ""

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def title(self, name: str) -> None:
        """Name what the following stages work on."""
        self._title = one_line(name)

    def progress(self, stage: str, completed: int, total: int) -> None:
        """A `Progress` callback."""
        if not self._show:
            return
        if self._bars is None:
            self._bars = _bars()
            self._bars.start()
        if stage not in self._tasks:
            from rich.markup import escape

            label = escape(f"{STAGES.get(stage, stage)} {self._title}".strip())
            self._tasks[stage] = self._bars.add_task(label, total=total or None, unit="frames" if total > 1 else "")
        self._bars.update(self._tasks[stage], completed=completed, total=total or None)

    def clear(self) -> None:
        """Take the bars off the screen, before text is printed or another video begins."""
        if self._bars is not None:
            self._bars.stop()
        self._bars, self._tasks = None, {}

    def say(self, text: str) -> None:
        """A message for the person."""
        sys.stderr.write(text + "\n")

    def error(self, error: VisagramError, debug: bool) -> None:
        """One sentence and its code; with `debug` where it came from."""
        self.say(f"error: {one_line(str(error))} [{error.code}]")
        if debug:
            self.say("".join(traceback.format_exception(error)))


def one_line(text: str) -> str:
    """Text that a file's name may have made ugly, as one line that a terminal shows and does not obey."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def _bars() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Speed(ProgressColumn):
        """Steps per second."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:.0f}/s" if speed and (task.total or 0) > 1 else "", style="progress.data.speed")

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Speed(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
