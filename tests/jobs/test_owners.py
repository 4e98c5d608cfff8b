"""Tokens: whose they are, when they end, and that only their hash is kept."""

from __future__ import annotations

import hashlib
import time

from visagram.jobs.model import LOCAL_OWNER, Owner, Token
from visagram.jobs.videos import Who


def rows(service) -> list[Token]:
    with service.store.read() as session:
        return session.query(Token).order_by(Token.id).all()


def test_a_token_is_known_by_its_hash(service) -> None:
    token = service.owners.issue("laptop")
    assert len(token) == 43
    assert [(row.owner_id, row.name, row.digest) for row in rows(service)] == [
        (LOCAL_OWNER, "laptop", hashlib.sha256(token.encode()).hexdigest())
    ]
    assert service.owners.identify(token) == Who(LOCAL_OWNER, "laptop")
    assert service.owners.identify(token + "x") is None and service.owners.identify("") is None
    assert service.owners.identify("\udce9") is None
    assert service.owners.local == Who(1, "local")


def test_a_name_has_one_token_and_an_owner_their_own(service) -> None:
    with service.store.write() as session:
        session.add(Owner(id=2, name="other"))
    first = service.owners.issue("laptop")
    assert service.owners.issue("phone", "given") == "given"
    theirs = service.owners.issue("laptop", owner=2)
    second = service.owners.issue("laptop")
    assert service.owners.identify(first) is None
    assert service.owners.identify(second) == service.owners.identify(second) == Who(1, "laptop")
    assert service.owners.identify(theirs) == Who(2, "laptop")
    assert service.owners.identify("given") == Who(1, "phone")
    assert len(rows(service)) == 3


def test_a_token_without_a_name_is_called_one(service) -> None:
    service.owners.issue("", "given")
    assert service.owners.identify("given") == Who(1, "token")


def test_the_last_use_is_noted_once_a_minute(service) -> None:
    service.owners.issue("laptop", "given")
    service.owners.issue("phone", "other")
    assert [row.last_used for row in rows(service)] == [None, None]
    before = time.time()
    service.owners.identify("given")
    noted, other = (row.last_used for row in rows(service))
    assert before <= noted <= time.time() and other is None

    def noted_after(seconds: float) -> bool:
        then = time.time() - seconds
        with service.store.write() as session:
            session.get(Token, rows(service)[0].id).last_used = then
        service.owners.identify("given")
        return rows(service)[0].last_used != then

    assert [noted_after(seconds) for seconds in (1, 50, 61, 110)] == [False, False, True, True]
