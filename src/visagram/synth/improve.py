"""The loop: find the weak expression, make faces for it, fine-tune, prove it, promote it.

One file, top to bottom. The work lies in a folder, and the same command goes on where an interrupted one stopped:

    OUT/plan.json       what the model in force is weak at, and what is wanted
    OUT/faces/          generated and selected faces
    OUT/model/          the fine-tuned candidate
    OUT/first/          both models on the faces on which the candidate must be better, as figures and as a page
    OUT/second/         both on those on which it must not be worse; OUT/second-2/ and so on where there are more sets
    OUT/verdict.json    the decision, with its reasons and all figures
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visagram import __version__
from visagram.core.types import EXPRESSIONS, Progress
from visagram.errors import Conflict, DataError
from visagram.evaluate import data as labelled
from visagram.evaluate.data import TRAIN, Labelled
from visagram.evaluate.duplicates import Prints
from visagram.evaluate.files import save
from visagram.evaluate.json import to_json as evaluation_json
from visagram.evaluate.metrics import Figures
from visagram.evaluate.run import Result, copied_from, evaluate, open_models
from visagram.files import output_error, replace_file
from visagram.learn.also import read_also
from visagram.learn.data import VALIDATION, divide
from visagram.learn.origin import Added
from visagram.learn.recipes import Recipe
from visagram.learn.train import train
from visagram.models import promotion
from visagram.models.card import EMOTION
from visagram.settings import Settings
from visagram.synth.collection import FACES, open_collection, read_collection
from visagram.synth.finder import FaceFinder
from visagram.synth.gate import Judged, Verdict, decide
from visagram.synth.generate import generate
from visagram.synth.generator import Generator
from visagram.synth.plan import Need, plan
from visagram.synth.selection import Selection, known_faces, open_judge, select
from visagram.synth.training import accepted_faces
from visagram.workers import Workers

SCHEMA = "visagram-improvement/1"
PLAN, MODEL, VERDICT = "plan.json", "model", "verdict.json"
FIRST, SECOND = "first", "second"
SPARE = 1.5
"""Faces that are made for each one wanted, at first and again while too few are accepted."""
MOST_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the loop is to do. ratio: generated faces to each real one of an expression that wants them. recipe: of the
    fine-tuning. judge: name of the model that selects. second: data on none of which the candidate may be worse, half
    of the validation faces where there are none. also: further real faces to learn from. guidance: of the generator,
    None for its own. faces_seed: of the generated faces, None for the same `seed`."""

    ratio: float
    recipe: Recipe
    judge: str
    seed: int = 0
    second: tuple[Path, ...] = ()
    also: Path | None = None
    guidance: float | None = None
    faces_seed: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """candidate: the model's file, which is not there where nothing was trained."""

    verdict: Verdict
    needs: tuple[Need, ...]
    candidate: Path


class Improvement:
    """One pass of the loop over the sheets in `data`, in the folder `output`. Raises what its parts raise."""

    def __init__(
        self,
        data: Path,
        output: Path,
        settings: Settings,
        wishes: Wishes,
        progress: Progress,
        say: Callable[[str], None],
    ) -> None:
        self._data, self._output, self._settings, self._wishes = data, output, settings, wishes
        self._progress, self._say = progress, say
        self._current = promotion.current(settings.models_folder)
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(output, error) from error

    def run(self, generator: Generator) -> Outcome:
        """Everything up to the decision; whoever calls promotes."""
        with Workers(self._settings) as workers:
            first, further = self._held_out()
            needs = self._planned(first, workers)
            made = self._make(generator, needs) if needs else 0
            also = self._also((first, *further), workers)
            if not made and also is None:
                why = "No generated face was accepted" if needs else "No expression is rare or weak"
                return self._decided(needs, (), Verdict(False, (f"{why}: there is nothing new to learn from.",)))
            candidate = self._fine_tune(also, generated=made > 0)
            self._say("Both models are compared on real faces.")
            results = [self._compared(candidate, part, workers) for part in (first, *further)]
        for name, result in zip(_places(), results, strict=False):
            save(result, self._output / name)
        better, *not_worse = (_judged(result) for result in results)
        return self._decided(needs, results, decide(better, not_worse, [need.expression for need in needs]))

    def _held_out(self) -> tuple[Labelled, list[Labelled]]:
        """The faces on which the candidate must be better, and the sets on which it must not be worse, each of another
        name."""
        held_out = labelled.read(self._data, split=VALIDATION)
        if self._wishes.second:
            first, *further = _distinct([held_out, *(labelled.read(path) for path in self._wishes.second)])
            return first, further
        half = np.random.default_rng(self._wishes.seed).permutation(len(held_out)) % 2 == 0
        return _part(held_out, half, "first half"), [_part(held_out, ~half, "second half")]

    def _planned(self, first: Labelled, workers: Workers) -> list[Need]:
        """The plan of this folder. Raises `Conflict` where it was made for another model or other wishes."""
        self._say(f"The model in force is {self._current.sha256[:12]}.")
        wishes = {"ratio": self._wishes.ratio, "seed": self._wishes.seed, "judge": self._wishes.judge}
        mine = {"model": self._current.sha256, "data": labelled.read(self._data, split=TRAIN).name, **wishes}
        path = self._output / PLAN
        if path.is_file():
            stored = _stored(path)
            if {name: stored.get(name) for name in mine} != mine:
                raise Conflict(f"{path} was made for another model, other data or other wishes: choose another folder.")
            needs = [Need(**need) for need in stored["needs"]]
        else:
            figures = self._measured(first, workers)
            # Of the faces that a training sees.
            training, _ = divide(self._data, None)
            counted = np.bincount(training.votes.labels[training.votes.majority], minlength=len(EXPRESSIONS))
            needs = plan(figures, dict(zip(EXPRESSIONS, counted.tolist(), strict=True)), self._wishes.ratio)
            whole = {"schema": SCHEMA, **mine, "needs": [dataclasses.asdict(need) for need in needs]}
            with replace_file(path) as partial:
                partial.write_text(json.dumps(whole, indent=2) + "\n", "utf-8")
        for need in needs:
            self._say(f"{need}.")
        return needs

    def _measured(self, part: Labelled, workers: Workers) -> Figures:
        with open_models([self._named(self._current.file)], self._settings, looks=False) as models:
            found = evaluate(models, part, workers, cropped=True, seed=0, progress=self._progress)
        return found.evaluations[0].figures

    def _make(self, generator: Generator, needs: Sequence[Need]) -> int:
        """Generate and select until enough are accepted, or it is plain that there will not be; returns how many."""
        folder, judge = self._output / FACES, open_judge(self._wishes.judge, self._settings)
        known, finder = known_faces(self._data, self._progress), FaceFinder()
        wanted = {need.expression: need.wanted for need in needs}
        seed = self._wishes.seed if self._wishes.faces_seed is None else self._wishes.faces_seed
        try:
            for turn in range(1, MOST_ROUNDS + 1):
                for expression, number in wanted.items():
                    if turn > 1 and _accepted(folder, expression) >= number:
                        continue
                    count = max(1, round(SPARE * turn * number))
                    generate(
                        generator,
                        expression,
                        count,
                        seed,
                        folder,
                        self._progress,
                        guidance=self._wishes.guidance,
                    )
                with open_collection(folder, must_exist=True) as faces:
                    select(faces, Selection(judge, finder, known, most=wanted), self._progress)
                if all(_accepted(folder, expression) >= number for expression, number in wanted.items()):
                    break
        finally:
            judge.close()
        accepted = {expression: _accepted(folder, expression) for expression in wanted}
        for expression, number in wanted.items():
            self._say(f"{expression}: {accepted[expression]:,} of {number:,} generated faces accepted.")
        return sum(accepted.values())

    def _also(self, judged: Sequence[Labelled], workers: Workers) -> Added | None:
        """The further real faces to learn from, without those that a set holds on which the candidate is judged; None
        where there are none."""
        if self._wishes.also is None:
            return None
        also = read_also(self._wishes.also, self._progress)
        prints, held = Prints.of(also.faces.luma), np.zeros(len(also.faces), bool)
        for part in judged:
            held |= copied_from(prints, part, workers, cropped=True, progress=self._progress)
        if held.any():
            self._say(f"{held.sum():,} of {len(held):,} further faces are left out: the candidate is judged on them.")
        return None if held.all() else also.select(~held)

    def _fine_tune(self, also: Added | None, *, generated: bool) -> Path:
        """The candidate's ONNX file."""
        start = promotion.learned(self._settings.models_folder)
        if not start.is_file():
            raise DataError(f"{self._current.file} has no weights beside it to go on from: roll it back first.")
        return train(
            self._data,
            self._output / MODEL,
            dataclasses.replace(self._wishes.recipe, seed=self._wishes.seed),
            self._progress,
            start=start,
            also=also,
            generated=accepted_faces(self._output / FACES) if generated else None,
            say=self._say,
        )

    def _compared(self, candidate: Path, part: Labelled, workers: Workers) -> Result:
        """The model in force and the candidate on the same faces."""
        names = [self._named(self._current.file), self._named(candidate)]
        with open_models(names, self._settings, looks=False) as models:
            return evaluate(models, part, workers, cropped=True, seed=0, progress=self._progress)

    def _decided(self, needs: Sequence[Need], results: Sequence[Result], verdict: Verdict) -> Outcome:
        """The end of the pass, written down. results: on every set, none where there was no candidate."""
        whole = {
            "schema": SCHEMA,
            "visagram": __version__,
            "promote": verdict.promote,
            "reasons": list(verdict.reasons),
            "model": self._current.sha256,
            "needs": [dataclasses.asdict(need) for need in needs],
            **dict.fromkeys((FIRST, SECOND)),
            **{name: evaluation_json(result) for name, result in zip(_places(), results, strict=False)},
        }
        with replace_file(self._output / VERDICT) as partial:
            partial.write_text(json.dumps(whole, indent=2, allow_nan=False) + "\n", "utf-8")
        return Outcome(verdict, tuple(needs), self._output / MODEL / f"{EMOTION}.onnx")

    @staticmethod
    def _named(file: Path) -> str:
        return f"onnx:{file}"


def _accepted(folder: Path, expression: str) -> int:
    return sum(record.accepted and record.expression == expression for record in read_collection(folder))


def _places() -> Iterator[str]:
    """What the sets are called in the verdict and as folders, the first set's before the further ones'."""
    yield from (FIRST, SECOND)
    yield from (f"{SECOND}-{number}" for number in itertools.count(2))


def _judged(result: Result) -> Judged:
    assert result.comparison is not None
    return Judged(result.data.name, result.comparison)


def _distinct(sets: Sequence[Labelled]) -> list[Labelled]:
    """The sets, those that are called as one before them with a number behind their name."""
    found: dict[str, Labelled] = {}
    for data in sets:
        names = itertools.chain([data.name], (f"{data.name} ({number})" for number in itertools.count(2)))
        name = next(name for name in names if name not in found)
        found[name] = dataclasses.replace(data, name=name)
    return list(found.values())


def _part(data: Labelled, keep: NDArray[np.bool_], name: str) -> Labelled:
    """Some of labelled pictures."""
    places = np.flatnonzero(keep)
    return dataclasses.replace(
        data,
        name=f"{data.name}, {name}",
        pictures=tuple(data.pictures[k] for k in places),
        labels=data.labels[keep],
        votes=None if data.votes is None else data.votes[keep],
        cells=None if data.cells is None else data.cells[keep],
        groups=None if data.groups is None else tuple(data.groups[k] for k in places),
    )


def _stored(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
        if not isinstance(found, dict) or found["schema"] != SCHEMA:
            raise ValueError("it has another schema")
        return found
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path} cannot be used ({error}): remove it to plan again.") from error
