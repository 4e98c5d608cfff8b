"""What the studio was asked for: whose it is, when it can be stopped and begun again; and its limits."""

from __future__ import annotations

import dataclasses

import pytest

from visagram.errors import Conflict, NotFound, UsageError
from visagram.jobs import leases
from visagram.jobs.leases import Leases
from visagram.jobs.model import CANCELLED, DONE, FAILED, LOCAL_OWNER, QUEUED, RUNNING, Entry, Job, Making, Owner, Unit
from visagram.jobs.requests import Requests, state
from visagram.jobs.studio import Studio
from visagram.jobs.videos import Who

ME, OTHER = Who(LOCAL_OWNER), Who(2, "other")


class Wishes(Requests):
    kind, unit, what = "wish", leases.MAKE, "wish for"

    def title(self, making: Making) -> str:
        return str(making.request["title"])


class Hopes(Wishes):
    kind = "hope"


@pytest.fixture
def wishes(service) -> Wishes:
    with service.store.write() as session:
        session.add(Owner(id=2, name="other"))
    return Wishes(service.store, service.storage)


def ask(service, requests: Wishes, title: str, who: Who = ME) -> str:
    with service.store.write() as session:
        return requests.add(session, who, {"title": title}, f"detail of {title}")


def job(service, id: str) -> Job:
    with service.store.read() as session:
        return session.query(Job).filter(Job.making_id == id).one()


def put(service, id: str, state: str) -> None:
    with service.store.write() as session:
        session.query(Job).filter(Job.making_id == id).one().state = state


def log(service) -> list[tuple[str, str, str]]:
    with service.store.read() as session:
        return [(entry.action, entry.subject, entry.detail) for entry in session.query(Entry)]


def test_a_request_is_a_job_with_one_unit(service, wishes) -> None:
    id = ask(service, wishes, "rain")
    assert (job(service, id).kind, job(service, id).state) == ("wish", QUEUED)
    with service.store.read() as session:
        assert [(unit.kind, unit.number, unit.urgency) for unit in session.query(Unit)] == [("generate", 0, 4)]
        assert wishes.get(session, ME, id).request == {"title": "rain"}
    assert log(service) == [("wish for", "rain", "detail of rain")]


def test_everybody_sees_their_own_of_one_kind_newest_first(service, wishes) -> None:
    hopes = Hopes(service.store, service.storage)
    ids = {title: ask(service, wishes, title) for title in "abc"}
    ids |= {"theirs": ask(service, wishes, "theirs", OTHER), "hope": ask(service, hopes, "hope")}
    with service.store.write() as session:
        for title, created in (("a", 5.0), ("b", 9.0), ("c", 7.0)):
            session.get(Making, ids[title]).created = created
        lost = Making(owner_id=LOCAL_OWNER, request={"title": "lost"})
        session.add(lost)
        session.flush()
        assert state(lost) == FAILED
    with service.store.read() as session:
        assert [row.request["title"] for row in wishes.all(session, ME)] == ["b", "c", "a"]
        assert [row.request["title"] for row in wishes.all(session, OTHER)] == ["theirs"]
        assert [row.request["title"] for row in hopes.all(session, ME)] == ["hope"]
        for id in (ids["theirs"], ids["hope"], lost.id, "none"):
            with pytest.raises(NotFound, match=r"^There is no such request\.$"):
                wishes.get(session, ME, id)


def test_a_request_can_be_stopped_while_it_goes_on(service, wishes) -> None:
    for before, words in ((QUEUED, ""), (RUNNING, ""), (DONE, "done"), (FAILED, "failed"), (CANCELLED, "cancelled")):
        id = ask(service, wishes, before)
        put(service, id, before)
        if not words:
            wishes.cancel(ME, id)
            assert job(service, id).state == CANCELLED
            assert log(service)[-1] == ("cancel wish for", before, "")
            continue
        with pytest.raises(Conflict) as caught:
            wishes.cancel(ME, id)
        assert str(caught.value) == f"This request cannot be cancelled: it is {words}."
    with pytest.raises(NotFound):
        wishes.cancel(OTHER, id)


def test_a_request_can_begin_again_when_it_ended_early(service, wishes) -> None:
    for before, words in ((FAILED, ""), (CANCELLED, ""), (DONE, "done"), (QUEUED, "queued"), (RUNNING, "running")):
        id = ask(service, wishes, before)
        put(service, id, before)
        if not words:
            wishes.retry(ME, id)
            assert job(service, id).state == QUEUED
            continue
        with pytest.raises(Conflict) as caught:
            wishes.retry(ME, id)
        assert str(caught.value) == (f"Only a failed or cancelled request can be tried again: this one is {words}.")
    assert Leases(service.store, "a", 10).claim().kind == "generate"
    with pytest.raises(NotFound):
        wishes.retry(OTHER, id)


# --- Faces -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def studio(service) -> Studio:
    return service.studio


def faces(studio: Studio, seed: int, who: Who = ME) -> str:
    return studio.ask(who, "happy", 4, seed, None, studio.generators[0])


def test_twenty_requests_may_wait(service, wishes, studio) -> None:
    ids = [faces(studio, seed) for seed in range(19)]
    put(service, ids[0], RUNNING)
    last = faces(studio, 19)
    with pytest.raises(Conflict) as caught:
        faces(studio, 20)
    assert str(caught.value) == "20 requests are waiting already: wait until some are done."
    faces(studio, 20, OTHER)
    put(service, last, DONE)
    assert faces(studio, 20) not in ids


def test_the_same_request_is_asked_once_while_it_waits(service, studio) -> None:
    id = faces(studio, 1)
    assert faces(studio, 1) == id and faces(studio, 2) != id
    put(service, id, RUNNING)
    assert faces(studio, 1) == id
    put(service, id, DONE)
    assert faces(studio, 1) != id
    with service.store.read() as session:
        assert studio.get(session, ME, id).request == {
            **{"expression": "happy", "count": 4, "seed": 1, "guidance": None, "generator": studio.generators[0]},
        }
    assert log(service)[0] == ("generate faces", "happy", "4 of seed 1")


def test_only_what_is_there_makes_faces(studio) -> None:
    with pytest.raises(UsageError) as caught:
        studio.ask(ME, "happy", 4, 1, None, "other")
    assert str(caught.value) == (f"There is no such generator here; those are {', '.join(studio.generators)}.")
    assert studio.faces(ME) == {}
    for act in (lambda: studio.picture(ME, "a.png"), lambda: studio.review(ME, "a.png", "accepted")):
        with pytest.raises(NotFound, match=r"^There is no such face\.$"):
            act()


# --- Passes ----------------------------------------------------------------------------------------------------------


def a_pass(service, seed: int = 1, who: Who = ME) -> str:
    with service.store.write() as session:
        return service.passes.add(session, who, {"ratio": 0.5, "seed": seed}, "")


def making(service, id: str) -> Making:
    with service.store.read() as session:
        found = service.passes.get(session, ME, id)
        assert found.job is not None
        return found


def test_what_a_pass_found_is_read_when_it_is_done(service) -> None:
    id = a_pass(service)
    folder = service.storage.improvement(id)
    (folder / "model").mkdir(parents=True)
    verdict = folder / "verdict.json"
    verdict.write_text('{"promote": false}')
    for before in (QUEUED, RUNNING, FAILED, CANCELLED):
        put(service, id, before)
        assert service.passes.verdict(making(service, id)) is None
    put(service, id, DONE)
    assert service.passes.verdict(making(service, id)) == {"promote": False}
    for damaged in ("{", "3", "[1]", '"so"'):
        verdict.write_text(damaged)
        assert service.passes.verdict(making(service, id)) is None
    verdict.unlink()
    assert service.passes.verdict(making(service, id)) is None
    card = folder / "model" / "visagram-emotion.json"
    assert service.passes.candidate(making(service, id)) is None
    for text, sha256 in (('{"sha256": "ab"}', "ab"), ("{}", None), ("[]", None), ("{", None), ('{"sha256": 3}', "3")):
        card.write_text(text)
        assert service.passes.candidate(making(service, id)) == sha256
    assert service.passes.title(making(service, id)) == "visagram-emotion, seed 1"


def test_pages_are_those_of_the_two_sets(service) -> None:
    id = a_pass(service)
    folder = service.storage.improvement(id)
    for name in ("first", "third"):
        (folder / name).mkdir(parents=True)
        (folder / name / "evaluation.html").write_text("x")
    assert service.passes.page(making(service, id), "first") == folder / "first" / "evaluation.html"
    for name in ("second", "third", "../x"):
        with pytest.raises(NotFound, match=r"^There is no such comparison\.$"):
            service.passes.page(making(service, id), name)


def test_one_pass_goes_on_at_a_time(service, wishes, tmp_path) -> None:
    server = dataclasses.replace(service.server, training_data=str(tmp_path))
    passes = type(service.passes)(service.store, service.storage, service.settings, server)
    assert not passes.obstacle(ME)
    assert passes.obstacle(OTHER) == "Only the owner of this machine may change the model that everybody uses."
    assert "training_data" in service.passes.obstacle(ME)
    with pytest.raises(UsageError, match="training_data"):
        service.passes.ask(ME, 0.5, 1)
    first = passes.ask(ME, 0.25, 3)
    assert making(service, first).request == {"ratio": 0.25, "seed": 3}
    assert log(service)[-1] == ("improve model", "visagram-emotion, seed 3", "ratio 0.25, seed 3")
    second = a_pass(service, 4)
    put(service, second, FAILED)
    for going in (QUEUED, RUNNING):
        put(service, first, going)
        for act in (lambda: passes.ask(ME, 0.5, 5), lambda: passes.retry(ME, second)):
            with pytest.raises(Conflict) as caught:
                act()
            assert str(caught.value) == "A pass is under way already: wait until it is done, or cancel it."
    put(service, first, DONE)
    passes.retry(ME, second)
    assert job(service, second).state == QUEUED


def test_no_model_is_put_in_force_that_was_not_found_better(service, wishes) -> None:
    passes = service.passes
    id = a_pass(service)
    folder = service.storage.improvement(id)
    folder.mkdir(parents=True)
    put(service, id, DONE)
    worse = "This pass found no better model: the one in force stays."
    other = "This pass compared with another model than the one in force: start another."
    for text, words in (("", worse), ('{"promote": false}', worse), ('{"promote": true, "model": "ab"}', other)):
        (folder / "verdict.json").write_text(text)
        with pytest.raises(Conflict) as caught:
            passes.promote(ME, id)
        assert str(caught.value) == words
    with pytest.raises(Conflict) as caught:
        passes.roll_back(ME)
    assert str(caught.value) == "No model was promoted: the embedded one is in force."
    for act in (lambda: passes.promote(OTHER, id), lambda: passes.roll_back(OTHER)):
        with pytest.raises(UsageError, match="Only the owner of this machine"):
            act()
    card, promoted = passes.in_force()
    assert (passes.hash_in_force, promoted) == (card.sha256, [])
