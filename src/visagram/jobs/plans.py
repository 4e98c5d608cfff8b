"""Frozen plans of comparisons. One is in force, the newest; none is ever changed or removed."""

from __future__ import annotations

import time

from sqlalchemy import select

from visagram.core.plan import Plan
from visagram.jobs.model import FrozenPlan
from visagram.jobs.store import Store
from visagram.jobs.videos import Who, log


class Plans:
    """Everything that concerns plans; each method is one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def freeze(self, who: Who, plan: Plan) -> Plan:
        """Put a plan in force."""
        with self._store.write() as session:
            session.add(FrozenPlan(owner_id=who.owner, frozen=time.time(), text=plan.text))
            log(session, who, "freeze plan", plan.by, plan.sha256[:12])
        return plan

    def current(self, who: Who) -> Plan | None:
        """The one in force."""
        newest = select(FrozenPlan.text).where(FrozenPlan.owner_id == who.owner).order_by(FrozenPlan.id.desc()).limit(1)
        with self._store.read() as session:
            text = session.scalar(newest)
        return None if text is None else Plan.read(text)
