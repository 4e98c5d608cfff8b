"""Owners and their access tokens. A token is 256 random bits, shown once and kept as its SHA-256."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import time

from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from visagram.jobs.model import LOCAL_OWNER, Token
from visagram.jobs.store import Store
from visagram.jobs.videos import Who

_USED_EVERY = 60.0


class Owners:
    """Who may do what: today an owner may do everything with what is theirs."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def local(self) -> Who:
        """Whoever sits at the machine."""
        return Who(LOCAL_OWNER, "local")

    def issue(self, name: str, token: str | None = None, owner: int = LOCAL_OWNER) -> str:
        """Make a token valid, a new one if none is given, and return it. One name has one token: older ones end."""
        token = token or secrets.token_urlsafe(32)
        with self._store.write() as session:
            for old in session.scalars(select(Token).where(Token.name == name, Token.owner_id == owner)):
                session.delete(old)
            session.flush()
            session.add(Token(owner_id=owner, digest=_digest(token), name=name))
        return token

    def identify(self, token: str) -> Who | None:
        """Whose token this is. Looked up by its hash, so that timing tells nothing of other tokens."""
        digest = _digest(token)
        with self._store.read() as session:
            found = session.scalar(select(Token).where(Token.digest == digest))
        if found is None or not secrets.compare_digest(found.digest, digest):
            return None
        if time.time() - (found.last_used or 0) > _USED_EVERY:
            # On a full disk whoever is known must still be able to look, and to delete.
            with contextlib.suppress(OperationalError), self._store.write() as session:
                session.execute(update(Token).where(Token.id == found.id).values(last_used=time.time()))
        return Who(found.owner_id, found.name or "token")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
