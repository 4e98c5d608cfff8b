"""All videos together: the tidy table, comparisons, the methods paragraph, and spreadsheets with labels and windows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from apiflask import APIBlueprint
from flask import Response

from visagram import __version__, plots
from visagram.core.compare import Comparison, Difference, Unit, compare, to_json
from visagram.core.plan import Plan
from visagram.errors import NotFound
from visagram.export import study
from visagram.export.methods import methods_text
from visagram.export.sheets import LARGEST
from visagram.export.view import read_report_json
from visagram.export.windows import WindowStatistics
from visagram.jobs.plans import Frozen
from visagram.jobs.service import Service
from visagram.web.api.answers import answer, page
from visagram.web.api.docs import BINARY, also
from visagram.web.api.library import study_sources, study_videos, take_over
from visagram.web.api.result_schemas import FigureOut
from visagram.web.api.study_schemas import (
    CompareOut,
    CompareQuery,
    DifferenceQuery,
    ImportIn,
    ImportOut,
    ImportQuery,
    MethodsOut,
    MethodsQuery,
    PlanAnswer,
    PlanIn,
    TableOut,
    TableQuery,
)
from visagram.web.security import who

_JSON = {"application/json": {"schema": {"type": "object"}}}
_KINDS = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}


def study_routes(service: Service, windows: WindowStatistics) -> APIBlueprint:
    """Routes below /study."""
    api = APIBlueprint("study", __name__, tag="Study", url_prefix="/study")

    def units_of(videos: list[study.StudyVideo], by: str, measure: str, window: str) -> tuple[list[Unit], list[str]]:
        """What is compared, with notes. window: name of the event windows instead of whole videos, or empty."""
        chosen = [replace(v, windows=tuple(w for w in v.windows if window and w.name == window)) for v in videos]
        return study.units(study.tidy_rows(chosen, windows), by, measure, window or None)

    def compared(
        query: dict[str, Any], contrast: tuple[str, str] | None = None
    ) -> tuple[Comparison, list[str], list[dict[str, Any]]]:
        """The comparison with notes and videos that are not in it. contrast: only the difference of these two, as it
        stands among the others."""
        videos, excluded = study_videos(service, who(), query["tag"], query["condition"])
        units, notes = units_of(videos, query["by"], query["measure"], query["window"])
        frozen = service.plans.current(who())
        plan = frozen.plan if frozen else None
        found = compare(
            units,
            query["measure"],
            unit="video" if query["by"] == "participant" else "participant",
            least=query["least"],
            smallest=query["smallest"],
            contrasts=plan.contrasts if plan and plan.holds(query) else (),
        )
        if contrast is not None:
            found = replace(found, differences=_only(found.differences, contrast))
        return found, notes, excluded

    @api.get("/table")
    @api.input(TableQuery, location="query", arg_name="query")
    @api.output(TableOut, description="The table, as JSON or as a file.")
    @api.doc(
        responses=also(
            {200: {"description": "The table.", "content": {kind: {"schema": BINARY} for kind in _KINDS.values()}}}
        )
    )
    def study_table(query: dict[str, Any]) -> Response:
        """One row per video and person, and per event window: everything that was measured

        Without `limit` they are all there.
        """
        videos, excluded = study_videos(service, who(), query["tag"], query["condition"], query["video"])
        offset, limit, format = query["offset"], query["limit"], query["format"]
        rows, total = study.tidy_page(videos, offset, limit, windows)
        if format == "json":
            names = sorted({window.name for video in videos for window in video.windows})
            more = {"columns": rows.column_names, "windows": names, "excluded": excluded}
            return answer(page(rows.to_pylist(), total, limit, offset) | more)
        body = study.tidy_csv(rows) if format == "csv" else study.tidy_parquet(rows)
        response = Response(body, mimetype=_KINDS[format])
        response.headers.add("Content-Disposition", "attachment", filename=f"visagram-study.{format}")
        return response

    @api.get("/compare")
    @api.input(CompareQuery, location="query", arg_name="query")
    @api.output(CompareOut, description="Groups, differences, figure and table.")
    def compare_groups(query: dict[str, Any]) -> Response:
        """Compare conditions, tags or participants, with intervals

        The unit is the participant; `method` says how means, intervals and tests are computed.
        """
        comparison, notes, excluded = compared(query)
        found, figure, frozen = to_json(comparison), plots.means_figure(comparison), service.plans.current(who())
        names = [group.name for group in comparison.groups]
        return answer(
            found
            | {
                "figure": json.loads(figure.to_json()),
                "table": [row for group in found["groups"] for row in _table_rows(group)],
                "notes": [*notes, *found["notes"]],
                "excluded": excluded,
                "plan": _plan(frozen),
                "departures": frozen.plan.departures(query, names, __version__) if frozen else [],
            }
        )

    @api.post("/plan")
    @api.input(PlanIn, arg_name="planned")
    @api.output(PlanAnswer, status_code=201, description="The plan that is in force now.")
    def freeze_plan(planned: dict[str, Any]) -> Response:
        """Write a comparison down before anybody looks at its result

        It gets a time and a hash, and is in force until another is frozen; none is ever changed. A comparison says
        where it departs from it.
        """
        contrasts = tuple((first, second) for first, second in planned.pop("contrasts"))
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        videos, _ = study_videos(service, who(), planned["tag"], planned["condition"])
        plan = Plan(**planned, contrasts=contrasts, visagram=__version__, frozen=now, analysed=len(videos))
        service.plans.freeze(who(), plan)
        return answer({"plan": _plan(service.plans.current(who()))}, 201)

    @api.get("/plan")
    @api.output(PlanAnswer, description="The plan.")
    def show_plan() -> Response:
        """The comparison that was written down beforehand"""
        return answer({"plan": _plan(service.plans.current(who()))})

    @api.get("/plan.json")
    @api.doc(
        responses=also(
            {200: {"description": "The plan.", "content": {"application/json": {"schema": {"type": "object"}}}}}
        )
    )
    def download_plan() -> Response:
        """The frozen plan as a file, for a register or beside the table: its SHA-256 is the plan's"""
        frozen = service.plans.current(who())
        if frozen is None:
            raise NotFound("No plan was frozen.")
        response = Response(frozen.text, mimetype="application/json")
        response.headers.add("Content-Disposition", "attachment", filename="visagram-plan.json")
        return response

    @api.get("/compare/difference")
    @api.input(DifferenceQuery, location="query", arg_name="query")
    @api.output(FigureOut, description="The figure.")
    def show_difference(query: dict[str, Any]) -> Response:
        """The differences of two groups as a plotly figure: `second` minus `first`, as `compare` has them"""
        comparison, _, _ = compared(query, (query["first"], query["second"]))
        if not comparison.differences:
            raise NotFound("These two groups are not compared: one is not there, or the plan in force leaves them out.")
        return Response(plots.differences_figure(comparison.differences).to_json(), mimetype="application/json")

    @api.get("/methods")
    @api.input(MethodsQuery, location="query", arg_name="query")
    @api.output(MethodsOut, description="The paragraph.")
    def methods(query: dict[str, Any]) -> Response:
        """A methods paragraph to paste into a paper

        How groups are compared is part of it where there are at least two that something was measured of.
        """
        found, _ = study_sources(service, who(), query["tag"], query["condition"])
        videos, (by, window) = [video for video, _ in found], (query["by"], query["window"])
        units, _ = units_of(videos, by, "share", window)
        text = methods_text(
            [read_report_json(video.folder) for video in videos],
            compared=len(compare(units, least=query["least"]).groups) > 1,
            unit="video" if by == "participant" else "participant",
            window=window,
            least=query["least"],
            smallest=query["smallest"],
            windows=[len(video.windows) for video in videos],
            edits=[edits for _, edits in found],
        )
        return answer({"text": text})

    @api.post("/import")
    @api.input(ImportQuery, location="query", arg_name="query")
    @api.input(ImportIn, location="files", arg_name="form")
    @api.output(ImportOut, description="What was taken over, and what was not.")
    def import_sheet(query: dict[str, Any], form: dict[str, Any]) -> Response:
        """Take over labels or event windows from a spreadsheet

        A CSV file with the columns video, participant, condition and tags (separated by ';'), or video, window, start
        and end. A video is named by its file's name, with or without its ending, or by its id. Rows that are wrong or
        belong to no video are told and left out; with `dry_run=1` nothing is changed.
        """
        content = form["file"].stream.read(LARGEST + 1)
        return answer(take_over(service, who(), content, dry_run=query["dry_run"]))

    return api


def _only(differences: Sequence[Difference], contrast: tuple[str, str]) -> tuple[Difference, ...]:
    """Those of one pair, turned where they stand the other way round."""
    mine = [each for each in differences if {each.first, each.second} == set(contrast)]
    return tuple(each if (each.first, each.second) == contrast else each.turned for each in mine)


def _plan(frozen: Frozen | None) -> dict[str, Any] | None:
    if frozen is None:
        return None
    earlier = [{"sha256": sha256, "frozen": at} for sha256, at in frozen.earlier[:20]]
    return asdict(frozen.plan) | {"sha256": frozen.sha256, "earlier": earlier}


def _table_rows(group: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"group": group["name"], "n": group["n"]} | mean for mean in group["means"]]
