"""Passes of the loop that makes a better expression model: asked for, followed, compared, promoted and rolled back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from visagram.errors import Conflict, NotFound, UsageError
from visagram.jobs import leases
from visagram.jobs.model import DONE, IMPROVE, LOCAL_OWNER, QUEUED, RUNNING, Making
from visagram.jobs.requests import Requests, state
from visagram.jobs.storage import Storage
from visagram.jobs.store import Store
from visagram.jobs.videos import Who, log
from visagram.models import promotion
from visagram.models.card import COMMITTEE, EMOTION, Card, read_card
from visagram.models.catalog import missing
from visagram.settings import ServerSettings, Settings

CANDIDATE, VERDICT, PREVIEW, PAGE = "model", "verdict.json", "preview.json", "evaluation.html"
SET = "first|second(-[1-9][0-9]*)?"
"""The sets of faces on which both models were compared, by the folders of their figures: a pattern."""
NO_DATA = (
    "The loop needs labelled faces to learn from and to compare on: name a folder of sprite sheets with the setting "
    "training_data."
)


class Passes(Requests):
    """Everything that concerns the loop; each method is one transaction. The work of a pass lies in a folder of its
    own, as `visagram improve` leaves it. Which model is in force concerns everybody: only the owner of the machine may
    change that."""

    kind, unit, what = IMPROVE, leases.IMPROVE, "improve model"

    def __init__(self, store: Store, storage: Storage, settings: Settings, server: ServerSettings) -> None:
        super().__init__(store, storage)
        self._models, self._server = settings.models_folder, server

    def obstacle(self, who: Who) -> str:
        """Why no pass can be started here, empty if one can."""
        if who.owner != LOCAL_OWNER:
            return "Only the owner of this machine may change the model that everybody uses."
        absent = missing("train", "The loop")
        return absent or ("" if self._server.training_data else NO_DATA)

    def ask(self, who: Who, ratio: float, seed: int) -> str:
        """Ask for a pass; returns its id. Raises `UsageError` where none can be started, `Conflict` while one is."""
        if why := self.obstacle(who):
            raise UsageError(why)
        with self._store.write() as session:
            self._refuse_second(session, who)
            return self.add(session, who, {"ratio": ratio, "seed": seed}, f"ratio {ratio:g}, seed {seed}")

    def retry(self, who: Who, id: str) -> None:
        with self._store.read() as session:
            self._refuse_second(session, who)
        super().retry(who, id)

    def _refuse_second(self, session: Session, who: Who) -> None:
        if any(state(row) in (QUEUED, RUNNING) for row in self.all(session, who)):
            raise Conflict("A pass is under way already: wait until it is done, or cancel it.")

    def title(self, making: Making) -> str:
        return f"{EMOTION}, seed {making.request['seed']}"

    def verdict(self, making: Making) -> Mapping[str, Any] | None:
        """What a finished pass found, as `verdict.json` holds it; None before, and where that is gone."""
        return self._found(making, VERDICT)

    def preview(self, making: Making) -> Mapping[str, Any] | None:
        """What the candidate of a finished pass would change on `videos` of its owner, each as
        `visagram.jobs.effects.effects` says; None where there is no candidate, or a version before 0.2 made it."""
        return self._found(making, PREVIEW)

    def _found(self, making: Making, name: str) -> Mapping[str, Any] | None:
        """A file that a finished pass left."""
        if state(making) != DONE:
            return None
        try:
            return dict(json.loads((self._storage.improvement(making.id) / name).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def page(self, making: Making, which: str) -> Path:
        """The page with both models' figures on a set. Raises `NotFound`."""
        path = self._storage.improvement(making.id) / which / PAGE
        if not re.fullmatch(SET, which) or not path.is_file():
            raise NotFound("There is no such comparison.")
        return path

    def candidate(self, making: Making) -> str | None:
        """The SHA-256 of the model that a pass made, None where it made none."""
        try:
            card = json.loads((self._storage.improvement(making.id) / CANDIDATE / f"{EMOTION}.json").read_text("utf-8"))
            return str(card["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def in_force(self) -> tuple[Card, list[promotion.Promotion]]:
        """The card of the model in force, and the promotions that led to it. Raises `ModelError`."""
        return promotion.current(self._models), promotion.promotions(self._models)

    @property
    def hash_in_force(self) -> str:
        """SHA-256 of the model in force, as it was when it was promoted."""
        promoted = promotion.promotions(self._models)
        return promoted[-1].sha256 if promoted else read_card(COMMITTEE).sha256

    def promote(self, who: Who, id: str) -> None:
        """Put a pass' model in force. Raises `NotFound`, `Conflict` where its verdict speaks against it or it was made
        for another model, and what `visagram.models.promotion.promote` raises."""
        self._check(who)
        with self._store.read() as session:
            making = self.get(session, who, id)
            verdict = self.verdict(making)
        if verdict is None or not verdict["promote"]:
            raise Conflict("This pass found no better model: the one in force stays.")
        if verdict["model"] != self.in_force()[0].sha256:
            raise Conflict("This pass compared with another model than the one in force: start another.")
        folder = self._storage.improvement(id) / CANDIDATE
        card = promotion.promote(folder, self._models, " ".join(verdict["reasons"]), source=f"studio, pass {id}")
        with self._store.write() as session:
            log(session, who, "promote model", EMOTION, card.sha256[:12])

    def roll_back(self, who: Who) -> None:
        """Put the model before the last promotion in force. Raises `Conflict` where nothing was promoted."""
        self._check(who)
        if not promotion.promotions(self._models):
            raise Conflict("No model was promoted: the embedded one is in force.")
        card = promotion.rollback(self._models)
        with self._store.write() as session:
            log(session, who, "roll model back", EMOTION, card.sha256[:12])

    def _check(self, who: Who) -> None:
        if who.owner != LOCAL_OWNER:
            raise UsageError(self.obstacle(who))


def sets(verdict: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Both models' figures by set, the one on which the candidate must be better first; none without a candidate."""
    return {name: found for name, found in verdict.items() if re.fullmatch(SET, name) and found is not None}
