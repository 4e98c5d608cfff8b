"""People of a result, and what people correct about them."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from apiflask import APIBlueprint
from flask import Response

from visagram.core.edits import Edit, Merge, Rename, Split, clean_name
from visagram.errors import NotFound
from visagram.export import view
from visagram.jobs.service import Service
from visagram.web import shapes
from visagram.web.api.answers import answer, page, tagged
from visagram.web.api.found import Result, find_result
from visagram.web.api.result_queries import MergeIn, NameIn, SplitIn
from visagram.web.api.result_schemas import ChangePage, PersonPage
from visagram.web.security import who

_PEOPLE = "The people as they are now."


def people_routes(service: Service) -> APIBlueprint:
    """Routes below /analyses/{id}/people and /changes."""
    api = APIBlueprint("people", __name__, tag="People", url_prefix="/analyses/<id>")

    def edited(id: str, edit: Edit) -> Response:
        service.analyses.edit(who(), id, edit)
        return answer(page(_people(find_result(service, id))))

    @api.get("/people")
    @api.output(PersonPage, description="All people of the result.")
    @api.doc(responses=[409])
    def list_people(id: str) -> Response:
        """List the people of a result with their statistics and tracks"""
        result = find_result(service, id)
        return tagged(answer(page(_people(result))), result.tag)

    @api.patch("/people/<int(max=2147483647):n>")
    @api.input(NameIn, arg_name="change", example={"name": "Anna"})
    @api.output(PersonPage, description=_PEOPLE)
    @api.doc(responses=[409])
    def rename_person(id: str, n: int, change: dict[str, Any]) -> Response:
        """Give a person a name"""
        if not any(person["id"] == n for person in view.read_report_json(find_result(service, id).folder)["people"]):
            raise NotFound(f"There is no person {n} in this result.")
        return edited(id, Rename(n, clean_name(change["name"])))

    @api.post("/people/merge")
    @api.input(MergeIn, arg_name="wanted", example={"people": [1, 2], "name": "Anna"})
    @api.output(PersonPage, description=_PEOPLE)
    @api.doc(responses=[409])
    def merge_people(id: str, wanted: dict[str, Any]) -> Response:
        """Say that several people are one; statistics are computed anew"""
        name = None if wanted["name"] is None else clean_name(wanted["name"])
        return edited(id, Merge(tuple(wanted["people"]), name))

    @api.post("/people/split")
    @api.input(
        SplitIn,
        arg_name="wanted",
        examples={
            "tracks": {"summary": "some tracks are somebody else", "value": {"person": 1, "tracks": [3]}},
            "at": {"summary": "from a time on it is somebody else", "value": {"person": 1, "at": 12.5}},
        },
    )
    @api.output(PersonPage, description=_PEOPLE)
    @api.doc(responses=[409])
    def split_person(id: str, wanted: dict[str, Any]) -> Response:
        """Say that one person is two; statistics are computed anew"""
        return edited(id, Split(wanted["person"], tuple(wanted["tracks"] or ()), wanted["at"]))

    @api.get("/changes")
    @api.output(ChangePage, description="All changes in force, oldest first.")
    def list_changes(id: str) -> Response:
        """List what people changed"""
        with service.store.read() as session:
            rows = service.analyses.get(session, who(), id).changes
            return answer(page([shapes.change(row) for row in rows]))

    @api.post("/changes/undo")
    @api.output(PersonPage, description=_PEOPLE)
    @api.doc(responses=[409])
    def undo_change(id: str) -> Response:
        """Take the last change back"""
        service.analyses.undo(who(), id)
        return answer(page(_people(find_result(service, id))))

    return api


def _people(result: Result) -> list[dict[str, Any]]:
    """People as the report has them, with addresses of their pictures and of their tracks'."""
    report, tracks = view.read_report_json(result.folder), _tracks(result)
    root = f"{shapes.API}/analyses/{result.analysis}"
    return [
        person
        | {
            "thumbnail_url": f"{root}/people/{person['id']}/thumbnail?v={result.tag}" if person["thumbnail"] else None,
            "tracks": tracks.get(person["id"], []),
        }
        for person in report["people"]
    ]


def _tracks(result: Result) -> dict[int, list[dict[str, Any]]]:
    """By person: when each of their tracks is seen. A track that was split belongs to two people."""
    import pyarrow.compute as pc

    found = view.read_observations(result.folder, columns=["person", "track", "time_s", "span_s"])
    end = pc.add(found["time_s"], pc.fill_null(found["span_s"], 0.0))
    grouped = found.append_column("end", end).group_by(["person", "track"])
    rows = grouped.aggregate([("time_s", "min"), ("end", "max")]).to_pylist()
    pictured = {stored.track for stored in view.open_tracks(result.machine) if stored.thumbnail}
    tracks: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        url = f"{shapes.API}/analyses/{result.analysis}/tracks/{row['track']}/thumbnail?v={result.tag}"
        tracks.setdefault(row["person"], []).append(
            {
                "track": row["track"],
                "first": round(row["time_s_min"], 6),
                "last": round(row["end_max"], 6),
                "thumbnail_url": url if row["track"] in pictured else None,
            }
        )
    return {whose: sorted(theirs, key=itemgetter("first", "track")) for whose, theirs in tracks.items()}
