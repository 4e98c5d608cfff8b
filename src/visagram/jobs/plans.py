"""Frozen plans of comparisons. One is in force, the newest; none is ever changed or removed."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass

from sqlalchemy import select

from visagram.core.plan import Plan, digest
from visagram.errors import UsageError
from visagram.jobs.model import FrozenPlan
from visagram.jobs.store import Store
from visagram.jobs.videos import Who, log

MOST = 1000
"""Plans of one owner."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """A plan as it was stored: the hash is of the text, whatever version reads it. earlier: hash and time of those that
    it replaced, the newest first."""

    plan: Plan
    text: str
    earlier: tuple[tuple[str, str], ...]

    @property
    def sha256(self) -> str:
        return digest(self.text)


class Plans:
    """Everything that concerns plans; each method is one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def freeze(self, who: Who, plan: Plan) -> None:
        """Put a plan in force. Raises `UsageError` where there are too many."""
        with self._store.write() as session:
            before = session.scalars(
                select(FrozenPlan.text).where(FrozenPlan.owner_id == who.owner).order_by(FrozenPlan.id.desc())
            ).all()
            if len(before) >= MOST:
                raise UsageError(f"There are {MOST:,} plans already, and none is ever removed.")
            plan = dataclasses.replace(plan, replaces=digest(before[0]) if before else "")
            session.add(FrozenPlan(owner_id=who.owner, frozen=time.time(), text=plan.text))
            log(session, who, "freeze plan", plan.by, digest(plan.text)[:12])

    def current(self, who: Who) -> Frozen | None:
        """The one in force."""
        mine = select(FrozenPlan.text).where(FrozenPlan.owner_id == who.owner).order_by(FrozenPlan.id.desc())
        with self._store.read() as session:
            texts = session.scalars(mine).all()
        if not texts:
            return None
        return Frozen(Plan.read(texts[0]), texts[0], tuple((digest(t), Plan.read(t).frozen) for t in texts[1:]))
