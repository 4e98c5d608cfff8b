"""Figures of a result as plotly JSON, the same ones as in the HTML report and in notebooks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

from apiflask import APIBlueprint
from flask import Response

from visagram import plots
from visagram.core.types import EXPRESSIONS, Share
from visagram.errors import NotFound
from visagram.export.view import read_report_json
from visagram.jobs.service import Service
from visagram.web.api.answers import tag_of, tagged
from visagram.web.api.found import Result, find_result
from visagram.web.api.result_queries import PersonQuery
from visagram.web.api.result_schemas import FigureOut
from visagram.web.api.writers import named_report

if TYPE_CHECKING:
    import plotly.graph_objects as go

T = TypeVar("T")


def figures_routes(service: Service) -> APIBlueprint:
    """Routes below /analyses/{id}/figures."""
    api = APIBlueprint("figures", __name__, tag="Results", url_prefix="/analyses/<id>/figures")

    @api.get("/<any(timeline, distribution, compare):figure>")
    @api.input(PersonQuery, location="query", arg_name="query")
    @api.output(FigureOut, description="The figure.")
    @api.doc(responses=[409])
    def show_figure(id: str, figure: str, query: dict[str, Any]) -> Response:
        """A figure of a result

        timeline: apparent expression over time, one lane per person. distribution: shares of measured time with 95 %
        intervals, of the person or of the first one. compare: shares of all people side by side.
        """
        result = find_result(service, id)
        response = Response(_drawn(figure, result, query["person"]).to_json(), mimetype="application/json")
        return tagged(response, tag_of(result.tag, result.name, figure, query))

    return api


def _drawn(figure: str, result: Result, person: int | None) -> go.Figure:
    if figure == "compare":
        found = _chosen(read_report_json(result.folder)["people"], itemgetter("id"), person)
        return plots.people_figure([(each["name"], _shares(each)) for each in found])
    report = named_report(result)
    people = tuple(_chosen(report.people, attrgetter("id"), person))
    if figure == "timeline":
        return plots.timeline(dataclasses.replace(report, people=people))
    if not people:
        raise NotFound("Nobody was found, so there is no distribution.")
    return plots.distribution(people[0])


def _shares(person: Mapping[str, Any]) -> list[Share]:
    """Out of what `report.json` holds of a person."""
    return [Share(**person["shares"][name]) for name in EXPRESSIONS if person["shares"]]


def _chosen(people: Iterable[T], number: Callable[[T], int], wanted: int | None) -> list[T]:
    """One person alone, or everybody."""
    found = [person for person in people if wanted in (None, number(person))]
    if wanted is not None and not found:
        raise NotFound(f"There is no person {wanted} in this result.")
    return found
