"""A set of videos as one tidy table, a row per video and person (and event window), and what is compared from it."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visagram.core.compare import MEASURES, Unit
from visagram.core.statistics import Window
from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError, UsageError
from visagram.export.methods import HASH
from visagram.export.sheets import Assignment, Sheet, SheetError, WindowRow, parse_assignments, parse_windows
from visagram.export.stored import read_report_json
from visagram.export.table import without_formulas
from visagram.export.windows import WindowStatistics
from visagram.export.words import REASONS, count, listed, storable
from visagram.report import video_id

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "GROUPINGS",
    "Assignment",
    "Sheet",
    "SheetError",
    "StudyVideo",
    "WindowRow",
    "parse_assignments",
    "parse_windows",
    "schema",
    "tidy_csv",
    "tidy_page",
    "tidy_parquet",
    "tidy_rows",
    "units",
]

TABLE_VERSION = "1.3"
_TEXTS = ("video_id", "video", "content_id", "participant", "condition", "tags", "window")
_SHARE = {"": "value", "_low": "low", "_high": "high", "_least": "least", "_most": "most"}
"""Ends of a share's columns, and what a report calls them."""
NAMED = 3
"""Videos that a note names."""
GROUPINGS = ("condition", "tag", "participant")
"""What a study's videos can be compared by."""
TAGS = MODELS = "; "
"""What separates tags in their column, and models in theirs."""


@dataclass(frozen=True, slots=True)
class StudyVideo:
    """A video of a study. participant, condition: empty where not known. folder: its view folder. sha256: of its bytes,
    where it is known apart from the report."""

    id: str
    name: str
    participant: str
    condition: str
    tags: tuple[str, ...]
    windows: tuple[Window, ...]
    folder: Path
    sha256: str = ""


def schema() -> pa.Schema:
    """The columns in order; all times in seconds, shares and means in 0..1.

    video_id: the library's id of the video. content_id: names its bytes, as `video_id` does in tables of observations,
    null where it is not known; two entries of the same bytes share it.
    window, window_start, window_end: the event window that the row is about, null where it is about the whole video.
    still: a photograph, whose times are nominal. analysed: time that was analysed, of which `measured` and all
    `unmeasured_<reason>` are the parts. screen_time: with the person in the picture. unsure: the part of `measured` in
    which no expression was probable enough. frames: with the person; frames_measured: of these, with a face that was
    measured; frames_certain: of these, not unsure.
    share_<expression>: of measured time; _low, _high: its 95 % interval, null where too few changes were seen to tell
    one; _episodes: how often the expression began; _least, _most: its share of all the time in the picture, had the
    unmeasured part shown it never or always. mean_<expression>: mean posterior over measured time. models: name and
    SHA-256 of each model.
    """
    import pyarrow as pa

    words, number = pa.string(), pa.float64()
    kinds: dict[str, Any] = dict.fromkeys(_TEXTS, words)
    kinds |= dict.fromkeys(("window_start", "window_end"), number) | {"person": pa.int32(), "person_name": words}
    kinds |= {"still": pa.bool_()}
    kinds |= dict.fromkeys(("analysed", "screen_time", "measured", "unsure"), number)
    kinds |= dict.fromkeys((f"unmeasured_{reason}" for reason in REASONS), number)
    kinds |= dict.fromkeys(("frames", "frames_measured", "frames_certain"), pa.int64())
    kinds |= dict.fromkeys((f"share_{name}{end}" for name in EXPRESSIONS for end in _SHARE), number)
    kinds |= dict.fromkeys((f"share_{name}_episodes" for name in EXPRESSIONS), pa.int64())
    kinds |= dict.fromkeys((f"mean_{name}" for name in EXPRESSIONS), number) | {"models": words}
    return pa.schema(list(kinds.items()), {"visagram.study": TABLE_VERSION})


def tidy_rows(videos: Iterable[StudyVideo], windows: WindowStatistics | None = None) -> pa.Table:
    """One row per video and person, followed by one per event window. A video in which nobody was found has no row.

    windows: what remembers the windows' statistics, where tables are made again and again. Raises `DataError` where a
    view folder is missing or damaged.
    """
    import pyarrow as pa

    windows = windows or WindowStatistics()
    rows = [row for video in videos for row in _rows(video, windows)]
    # Foreign text may hold lone surrogates, which no format can store.
    texts = [{k: storable(v) if isinstance(v, str) else v for k, v in row.items()} for row in rows]
    return pa.Table.from_pylist(texts, schema())


def tidy_page(
    videos: Iterable[StudyVideo], offset: int = 0, limit: int | None = None, windows: WindowStatistics | None = None
) -> tuple[pa.Table, int]:
    """The rows without the first `offset` and with at most `limit`, and how many there are in all. Windows of videos
    that are not on the page are not computed. Raises `DataError`."""
    shown: list[StudyVideo] = []
    first = total = 0
    for video in videos:
        number = len(read_report_json(video.folder).get("people", ())) * (1 + len(video.windows))
        if total + number > offset and (limit is None or total < offset + limit):
            first = first if shown else total
            shown.append(video)
        total += number
    return tidy_rows(shown, windows).slice(offset - first, limit), total


def tidy_csv(rows: pa.Table) -> bytes:
    """The table as CSV that no spreadsheet runs; an empty field is a null."""
    import pyarrow.csv as pa_csv

    file = io.BytesIO()
    pa_csv.write_csv(without_formulas(rows), file)
    return file.getvalue()


def tidy_parquet(rows: pa.Table) -> bytes:
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(rows, file, compression="zstd")
    return file.getvalue()


def units(
    rows: pa.Table, by: str = "condition", measure: str = "share", window: str | None = None
) -> tuple[list[Unit], list[str]]:
    """What `core.compare.compare` takes, out of a tidy table, and notes on what it does not hold.

    by: one of `GROUPINGS`. measure: 'share' or 'mean_posterior'. window: name of the event windows to compare, None for
    whole videos. In the video of a participant one person is the participant; a video without one is taken for a
    participant of its own, with all its people. By 'participant' the groups are participants and the unit is the
    video, with all its people. Raises `UsageError`.
    """
    if by not in GROUPINGS:
        raise UsageError(f"Videos cannot be compared by '{by[:40]}'; the choices are {', '.join(GROUPINGS)}.")
    if measure not in MEASURES:
        raise UsageError(f"There is no measure '{measure[:40]}'; the choices are {', '.join(MEASURES)}.")
    prefix = {"share": "share", "mean_posterior": "mean"}[measure]
    found: list[Unit] = []
    anonymous, ungrouped = set(), set()
    models: dict[str, str] = {}
    table = rows.to_pylist()
    chosen, crowded, close = _participants(table)
    others: set[str] = set()
    for row in table:
        # A still picture's time is nominal: each counts as much as any other.
        weight = float(row["still"] or row["measured"])
        if row["window"] != window or row[f"share_{EXPRESSIONS[0]}"] is None or not weight:
            continue
        groups = row["tags"].split(TAGS) if by == "tag" and row["tags"] else [row[by]] if by != "tag" else []
        groups = [group for group in groups if group]
        if not groups:
            ungrouped.add(row["video_id"])
            continue
        models[row["video_id"]] = row["models"]
        if not row["participant"]:
            anonymous.add(row["video_id"])
        elif by != "participant" and row["person"] != chosen.get(row["video_id"], row["person"]):
            others.add(row["video_id"])
            continue
        own = f"(video {row['video_id']})"
        unit = own if by == "participant" or not row["participant"] else row["participant"]
        values = tuple(row[f"{prefix}_{name}"] for name in EXPRESSIONS)
        found += [Unit(group, unit, values, weight, bool(row["still"])) for group in groups]
    notes = [_different_models(models)] if len(set(models.values())) > 1 else []
    if ungrouped:
        notes.append(f"{_videos(ungrouped)} without a {by} left out.")
    if anonymous:
        notes.append(f"{_videos(anonymous)} without a participant taken for participants of their own.")
    if seen := others & crowded:
        notes.append(
            f"In {_videos(seen)} several people were seen: whoever was measured longest, or is named like the "
            "participant, counts as the participant, and nobody else."
        )
    if doubtful := sorted({row["video"] for row in table if row["video_id"] in others & close}):
        notes.append(
            f"In {listed(doubtful[:NAMED])}{f' and {len(doubtful) - NAMED} more' if len(doubtful) > NAMED else ''} "
            "somebody else was measured at least half as long. Name the participant there to be sure."
        )
    if by == "participant":
        notes.append("Participants are compared with each other: the unit is the video, not the participant.")
    return found, notes


def _participants(table: list[dict[str, Any]]) -> tuple[dict[str, int | None], set[str], set[str]]:
    """Who is the participant of each video, by its id; videos with several people; and those where the choice is close.

    The person who is named like the participant, else the one of whom most was measured in the whole video.
    """
    people: dict[str, list[tuple[bool, float, int | None]]] = {}
    whole = {row["video_id"] for row in table if row["window"] is None}
    for row in table:
        # A table of windows alone has nothing better than these.
        measured = row[f"share_{EXPRESSIONS[0]}"] is not None
        if measured and (row["window"] is None or row["video_id"] not in whole):
            named = bool(row["participant"]) and row["person_name"] == row["participant"]
            part = (named, float(row["still"] or row["measured"]), row["person"])
            people.setdefault(row["video_id"], []).append(part)
    chosen, crowded, close = {}, set(), set()
    for video, theirs in people.items():
        first, *rest = sorted(theirs, key=lambda part: (not part[0], -part[1], part[2] or 0))
        chosen[video] = first[2]
        rest = [part for part in rest if part[2] != first[2]]
        if rest:
            crowded.add(video)
        if rest and not first[0] and rest[0][1] >= first[1] / 2:
            close.add(video)
    return chosen, crowded, close


def _different_models(models: Mapping[str, str]) -> str:
    """The warning that videos, by id, were not analysed with the same models; names those that not all have."""
    kits = Counter(models.values())
    shared = set.intersection(*(set(kit.split(MODELS)) for kit in kits))
    named = []
    for kit, number in sorted(kits.items(), key=lambda pair: (-pair[1], pair[0])):
        own = [model.rpartition(" ") for model in kit.split(MODELS) if model not in shared]
        named.append(f"{', '.join(f'{name} {digest[:HASH]}' for name, _, digest in own)} in {count(number, 'video')}")
    return (
        "These videos were not all analysed with the same models, so what differs may be the models and not the "
        f"people: {'; '.join(named)}."
    )


def _videos(ids: set[str]) -> str:
    return "1 video" if len(ids) == 1 else f"{len(ids)} videos"


def _rows(video: StudyVideo, windows: WindowStatistics) -> Iterator[dict[str, Any]]:
    report = read_report_json(video.folder)
    try:
        models = MODELS.join(f"{model['name']} {model['sha256']}" for model in report["models"])
        content = video_id(video.sha256 or report["video"].get("sha256") or "")
        head: dict[str, Any] = {"still": bool(report["video"]["still"])}
        head |= {"video_id": video.id, "video": video.name, "content_id": content, "participant": video.participant}
        head |= {"condition": video.condition, "tags": TAGS.join(video.tags), "models": models}
        duration = float(report["totals"]["duration"])
        inside = [(window, windows.people(video.folder, window)) for window in video.windows]
        for place, person in enumerate(report["people"]):
            who = head | {"person": person["id"], "person_name": person["name"]}
            yield who | {"analysed": duration} | _numbers(person)
            for window, people in inside:
                span = {"window": window.name, "window_start": window.start, "window_end": window.end}
                yield who | span | {"analysed": people[place]["analysed"]} | _numbers(people[place])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{video.folder / 'report.json'} is damaged ({error}). Analyse the video again.") from error


def _numbers(person: Mapping[str, Any]) -> dict[str, Any]:
    row = {name: person[name] for name in ("screen_time", "measured", "unsure")}
    row |= {f"unmeasured_{reason}": person["unmeasured"].get(reason) for reason in REASONS}
    row |= {"frames": person["frames_seen"], "frames_measured": person["frames_usable"]}
    certain = person["certain_counts"]
    row["frames_certain"] = None if certain is None else sum(certain.values())
    for name, share in person["shares"].items():
        row |= {f"share_{name}{end}": share.get(key) for end, key in _SHARE.items()}
        row[f"share_{name}_episodes"] = share.get("episodes")
    return row | {f"mean_{name}": value for name, value in person["average_confidences"].items()}
