"""Figures of a result as plotly JSON, the same ones as in the HTML report and in notebooks."""

from __future__ import annotations

import dataclasses
from typing import Any

from apiflask import APIBlueprint
from flask import Response

from visagram import plots
from visagram.errors import NotFound
from visagram.jobs.service import Service
from visagram.report import Report
from visagram.web.api.answers import tag_of, tagged
from visagram.web.api.charts import of_people
from visagram.web.api.found import find_result
from visagram.web.api.result_schemas import FigureOut, PersonQuery
from visagram.web.api.writers import named_report


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
        report = _of_person(named_report(result), query["person"])
        response = Response(_drawn(figure, report).to_json(), mimetype="application/json")
        return tagged(response, tag_of(result.tag, result.name, figure, query))

    return api


def _of_person(report: Report, number: int | None) -> Report:
    """The report of one person alone, or of everybody."""
    if number is None:
        return report
    people = tuple(person for person in report.people if person.id == number)
    if not people:
        raise NotFound(f"There is no person {number} in this result.")
    return dataclasses.replace(report, people=people)


def _drawn(figure: str, report: Report) -> Any:
    if figure == "timeline":
        return plots.timeline(report)
    if figure == "compare":
        return of_people(report.people)
    if not report.people:
        raise NotFound("Nobody was found, so there is no distribution.")
    return plots.distribution(report.people[0])
