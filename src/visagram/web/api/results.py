"""What an analysis found: the report, observations, the overlay's boxes, the timeline's tiles, moments."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from visagram.core.statistics import Window
from visagram.errors import NotFound
from visagram.export import view
from visagram.export.account import account
from visagram.export.windows import WindowStatistics
from visagram.jobs.service import Service
from visagram.web import shapes
from visagram.web.api.answers import answer, keyed, page, tag_of, tagged
from visagram.web.api.docs import BYTES
from visagram.web.api.found import find_result
from visagram.web.api.result_queries import MOST_BOX_SECONDS, BoxesQuery, MomentsQuery, ObservationsQuery
from visagram.web.api.result_schemas import (
    AccountOut,
    BoxesOut,
    MomentPage,
    ObservationPage,
    ReportOut,
    TilesOut,
    WindowStatisticsPage,
)
from visagram.web.api.writers import named_report_json
from visagram.web.security import who

SHOWN_WIDTH = 320
"""Pixels of a moment's picture."""
USUAL_BOX_SECONDS = 60.0
_OF_PERSON = ("name", "screen_time", "measured", "unsure", "unmeasured", "emotion_counts", "certain_counts", "shares")


def results_routes(service: Service, windows: WindowStatistics) -> APIBlueprint:
    """Routes below /analyses/{id} that read a result."""
    api = APIBlueprint("results", __name__, tag="Results", url_prefix="/analyses/<id>")

    @api.get("/report")
    @api.output(ReportOut, description="What report.json holds, with people's changes applied.")
    @api.doc(responses=[409])
    def show_report(id: str) -> Response:
        """The report"""
        result = find_result(service, id)
        return tagged(answer(named_report_json(result)), tag_of(result.tag, result.name))

    @api.get("/account")
    @api.output(AccountOut, description="One paragraph.")
    @api.doc(responses=[409])
    def tell(id: str) -> Response:
        """Who showed which apparent expression when, in plain words"""
        result = find_result(service, id)
        text = account(named_report_json(result), view.read_moments(result.folder))
        return tagged(answer({"text": text}), tag_of(result.tag, result.name))

    @api.get("/observations")
    @api.input(ObservationsQuery, location="query", arg_name="query")
    @api.output(ObservationPage, description="A page of observations in time order.")
    @api.doc(responses=[409])
    def list_observations(id: str, query: dict[str, Any]) -> Response:
        """List what was seen in each frame, one row per face"""
        result = find_result(service, id)
        chosen = (query["start"], query["end"], query["person"])
        rows = view.observation_rows(
            result.folder, *chosen, columns=query["columns"], offset=query["offset"], limit=query["limit"]
        )
        total = view.count(result.folder, *chosen)
        return tagged(answer(page(rows, total, query["limit"], query["offset"])), tag_of(result.tag, query))

    @api.get("/boxes")
    @api.input(BoxesQuery, location="query", arg_name="query")
    @api.output(BoxesOut, description="Boxes and posteriors as columns.")
    @api.doc(responses=[409])
    def list_boxes(id: str, query: dict[str, Any]) -> Response:
        """What an overlay draws between two times

        Without `end` it is a minute. A box is shown from `time` on for `span` seconds; those still shown at `start` are
        included.
        """
        result = find_result(service, id)
        end = query["end"] if query["end"] is not None else query["start"] + USUAL_BOX_SECONDS
        assert end - query["start"] <= MOST_BOX_SECONDS
        return tagged(answer(view.boxes(result.folder, query["start"], end)), tag_of(result.tag, query))

    @api.get("/tiles")
    @api.output(TilesOut, description="Levels of zoom and their tiles.")
    @api.doc(responses=[409])
    def show_tiles(id: str) -> Response:
        """Describe the tiles of the timeline"""
        result = find_result(service, id)
        return tagged(answer(view.tiles_index(result.folder) | {"version": result.tag}), result.tag)

    @api.get("/tiles/<int:level>/<int:k>")
    @api.output(BYTES, content_type="application/octet-stream", description="Posteriors and states in bins of time.")
    @api.doc(responses=[409])
    def show_tile(id: str, level: int, k: int) -> Response:
        """A tile of the timeline

        For each person in order: 256 × 7 bytes, the mean posterior of each bin in 255ths (0 where nothing was
        measured), then 256 bytes, the state of each bin: 0 absent, 1 in the picture but not measured, 2 measured,
        3 measured but unsure.
        """
        result = find_result(service, id)
        body = view.read_tile(result.folder, level, k)
        if body is None:
            raise NotFound("There is no such tile.")
        return tagged(Response(body, mimetype="application/octet-stream"), result.tag, keyed(result.tag))

    @api.get("/windows")
    @api.output(WindowStatisticsPage, description="Each window with its statistics.")
    @api.doc(responses=[409])
    def list_window_statistics(id: str) -> Response:
        """List the event windows of the video with each person's statistics inside them"""
        result = find_result(service, id)
        with service.store.read() as session:
            found = [shapes.window(row) for row in service.videos.get(session, who(), result.video).windows]
        items = []
        for window in found:
            people = windows.people(result.folder, Window(window["name"], window["start"], window["end"]))
            shown = [{"person": each["id"]} | {name: each[name] for name in _OF_PERSON} for each in people]
            items.append({"window": window, "people": shown})
        return tagged(answer(page(items)), tag_of(result.tag, found))

    @api.get("/moments")
    @api.input(MomentsQuery, location="query", arg_name="query")
    @api.output(MomentPage, description="The strongest instants, most probable first, neutral ones last.")
    @api.doc(responses=[409])
    def list_moments(id: str, query: dict[str, Any]) -> Response:
        """List the instants at which expressions looked strongest"""
        result = find_result(service, id)
        found = view.read_moments(result.folder, query["person"], query["emotion"])
        root = f"{shapes.API}/analyses/{id}/frame?width={SHOWN_WIDTH}&v={result.tag}"
        items = [
            moment | {"thumbnail_url": f"{root}&time={moment['time']:.3f}&person={moment['person']}"}
            for moment in found[: query["limit"]]
        ]
        return tagged(answer(page(items, len(found), query["limit"])), tag_of(result.tag, query))

    return api
