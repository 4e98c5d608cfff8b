"""The OpenAPI document, and the application held to it by made-up requests."""

from __future__ import annotations

import random
import re

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from world import open_world

CHECKS = (
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
MORE = {GenerationMode.POSITIVE: (), GenerationMode.NEGATIVE: (negative_data_rejection,)}
EXAMPLES = 6
ELSEWHERE = ("/api/v1/uploads", "/api/v1/events")
"""Streams, which have tests of their own."""


@pytest.fixture(scope="module")
def restless(tmp_path_factory):
    """A world of its own, because made-up requests change and delete whatever they find."""
    opened = open_world(tmp_path_factory.mktemp("schema"))
    yield opened
    opened.client.application.extensions["visagram.stills"].close()
    opened.service.store.close()


@pytest.fixture(scope="module")
def document(restless):
    return restless.get("/openapi.json").json


def operations_of(world):
    """What made-up requests are made for."""
    found = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", world.client.application)
    some = found.exclude(path_regex="|".join(ELSEWHERE)).exclude(method="POST", path="/api/v1/videos")
    return [result.ok() for result in some.get_all_operations()]


# The client that sends them leaves it to the garbage collector to close files.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_requests_end_as_the_document_says(restless, subtests, mode):
    for operation in operations_of(restless):
        if mode is GenerationMode.NEGATIVE and not len(operation.query) + len(operation.body):
            continue  # An id can be anything, so that nothing can be wrong with it.
        with subtests.test(operation.label):

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
            def answers_as_it_should(case):
                aim(restless, case)
                case.call_and_validate(checks=[*CHECKS, *MORE[mode]])

            answers_as_it_should()


def aim(world, case):
    """Mostly ask for what there is; a made-up id is not found, whatever else the request says."""
    choice = random.Random(repr(case.path_parameters))
    if "id" not in case.path_parameters or choice.random() < 0.2:
        return
    disturbing = case.method != "GET" and "observations" not in case.path
    video, analysis = world.fresh() if disturbing else (world.video, world.analysis)
    case.path_parameters["id"] = analysis if "/analyses/" in case.path else video
    if "n" in case.path_parameters:
        case.path_parameters["n"] = choice.choice([1, 2])
    if "track" in case.path_parameters:
        case.path_parameters["track"] = choice.choice([0, 1])


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_the_document_is_open_api_3_0_and_says_what_everything_is(document):
    assert document["openapi"].startswith("3.0.")
    assert document["info"]["title"] == "Visagram"
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    tags = {tag["name"] for tag in document["tags"]}
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(names) == len(set(names))
    for place, operation in operations(document):
        assert operation["summary"], place
        assert set(operation["tags"]) <= tags, place
        assert operation["operationId"].isidentifier(), place
        for parameter in operation.get("parameters", []):
            assert parameter["description"], place


def test_the_report_as_a_file_is_said_to_be_json(document):
    content = dict(operations(document))["GET /api/v1/analyses/{id}/exports/{format}"]["responses"]["200"]["content"]
    assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/Report"}
    assert content["*/*"]["schema"] == {"type": "string", "format": "binary"}


def test_every_operation_declares_its_problems(document):
    for place, operation in operations(document):
        for code, response in operation["responses"].items():
            assert response["description"], (place, code)
            if code == "default" or code[0] in "45":
                assert list(response["content"]) == ["application/problem+json"], (place, code)
        assert {"401", "403", "default"} <= set(operation["responses"]), place
        if "{" in place:
            assert "404" in operation["responses"], place


def test_every_reference_leads_somewhere(document):
    def references(value):
        if isinstance(value, dict):
            yield from [value["$ref"]] if "$ref" in value else []
            for entry in value.values():
                yield from references(entry)
        elif isinstance(value, list):
            for entry in value:
                yield from references(entry)

    for reference in references(document):
        kind, name = reference.removeprefix("#/components/").split("/")
        assert name in document["components"][kind], reference


def test_every_route_of_the_api_is_documented(restless, document):
    documented = {place for place, _ in operations(document)}
    for rule in restless.client.application.url_map.iter_rules():
        if not rule.rule.startswith("/api/v1/") or rule.rule == "/api/v1/openapi.json":
            continue
        path = re.sub(r"<(?:[^<>]*:)?([^<>]+)>", r"{\1}", rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            assert f"{method} {path}" in documented
