"""All videos together: the tidy table, comparisons, the methods paragraph, and spreadsheets with labels and windows."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from apiflask import APIBlueprint
from flask import Response

from visagram import plots
from visagram.core.compare import Comparison, compare, to_json
from visagram.errors import NotFound
from visagram.export import study
from visagram.export.methods import methods_text
from visagram.export.sheets import LARGEST
from visagram.export.view import read_report_json
from visagram.export.windows import WindowStatistics
from visagram.jobs.service import Service
from visagram.web.api.answers import answer, page
from visagram.web.api.docs import BINARY, also
from visagram.web.api.library import study_videos, take_over
from visagram.web.api.result_schemas import FigureOut
from visagram.web.api.study_schemas import (
    Chosen,
    CompareOut,
    CompareQuery,
    DifferenceQuery,
    ImportIn,
    ImportOut,
    ImportQuery,
    MethodsOut,
    TableOut,
    TableQuery,
)
from visagram.web.security import who

_KINDS = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}


def study_routes(service: Service, windows: WindowStatistics) -> APIBlueprint:
    """Routes below /study."""
    api = APIBlueprint("study", __name__, tag="Study", url_prefix="/study")

    def compared(
        query: dict[str, Any], groups: dict[str, int] | None = None
    ) -> tuple[Comparison, list[str], list[dict[str, Any]]]:
        """The comparison with notes and videos that are not in it. groups: compare only these, in this order."""
        videos, excluded = study_videos(service, who(), query["tag"], query["condition"])
        wanted = query["window"]
        chosen = [replace(v, windows=tuple(w for w in v.windows if wanted and w.name == wanted)) for v in videos]
        units, notes = study.units(study.tidy_rows(chosen, windows), query["by"], query["measure"], wanted or None)
        if groups is not None:
            units = sorted((unit for unit in units if unit.group in groups), key=lambda unit: groups[unit.group])
        return compare(units, query["measure"]), notes, excluded

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
        found, figure = to_json(comparison), plots.means_figure(comparison)
        return answer(
            found
            | {
                "figure": json.loads(figure.to_json()),
                "table": [row for group in found["groups"] for row in _table_rows(group)],
                "notes": [*notes, *found["notes"]],
                "excluded": excluded,
            }
        )

    @api.get("/compare/difference")
    @api.input(DifferenceQuery, location="query", arg_name="query")
    @api.output(FigureOut, description="The figure.")
    def show_difference(query: dict[str, Any]) -> Response:
        """The differences of two groups as a plotly figure: `second` minus `first`, as `compare` has them"""
        comparison, _, _ = compared(query, {query["first"]: 0, query["second"]: 1})
        if not comparison.differences:
            raise NotFound("There are no two groups of these names to compare.")
        return Response(plots.differences_figure(comparison.differences).to_json(), mimetype="application/json")

    @api.get("/methods")
    @api.input(Chosen, location="query", arg_name="query")
    @api.output(MethodsOut, description="The paragraph.")
    def methods(query: dict[str, Any]) -> Response:
        """A methods paragraph to paste into a paper"""
        videos, _ = study_videos(service, who(), query["tag"], query["condition"])
        reports = [read_report_json(video.folder) for video in videos]
        compared = len({video.condition for video in videos if video.condition}) > 1
        return answer({"text": methods_text(reports, compared=compared)})

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


def _table_rows(group: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"group": group["name"], "n": group["n"]} | mean for mean in group["means"]]
