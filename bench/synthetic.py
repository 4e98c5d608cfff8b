"""What generated faces are worth: `python -m bench.synthetic --data SHEETS --faces FOLDER --output RUNS`.

For the rarest expressions, the same small network with the same budget of steps learns from real faces alone, with
class weights, with oversampling, with strong augmentation, and with generated faces at a quarter, half and all of the
real count. Each run (condition and seed) is written to a file of its own, so that an interrupted experiment goes on;
`--report` writes the page `docs/synthetic.md` from those that are there.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from visagram.core.types import EXPRESSIONS
from visagram.evaluate.metrics import confusion_matrix
from visagram.files import replace_file
from visagram.learn import balance
from visagram.learn.augment import CALM, STRONG, augment
from visagram.learn.data import Faces48, divide
from visagram.learn.draws import Draws
from visagram.learn.machine import has_bfloat16, keep_memory
from visagram.learn.network import ExpressionNetwork
from visagram.learn.predict import predict
from visagram.learn.recipes import RECIPES, Stage
from visagram.learn.train import one_cycle

RAREST = ("disgust", "fear")
STEPS, BATCH, RATE, DECAY = 1800, 128, 2e-3, 0.05
STAGES = (
    Stage("rep", 16, 1, 2),
    Stage("residual", 32, 1, 2),
    Stage("residual", 64, 1, 2),
    Stage("residual", 96, 1, 2),
)
NETWORK = dataclasses.replace(RECIPES["small"], name="experiment", stem=8, stages=STAGES)
SEEDS = (0, 1, 2)
RESAMPLES = 2000
PAGE = Path(__file__).resolve().parents[1] / "docs" / "synthetic.md"


@dataclass(frozen=True)
class Condition:
    """weights: whether rare expressions weigh more in the loss. oversampled: whether they are drawn more often. strong:
    whether the augmentation is. generated: faces of each of the rarest to each real one."""

    name: str
    title: str
    weights: bool = False
    oversampled: bool = False
    strong: bool = False
    generated: float = 0.0


CONDITIONS = (
    Condition("real", "real faces alone"),
    Condition("weights", "class weights", weights=True),
    Condition("oversampled", "oversampling", oversampled=True),
    Condition("strong", "strong augmentation", strong=True),
    Condition("generated25", "generated faces, 0.25 of the real ones", generated=0.25),
    Condition("generated50", "generated faces, 0.5", generated=0.5),
    Condition("generated100", "generated faces, 1.0", generated=1.0),
)


def run(condition: Condition, seed: int, real: Faces48, generated: Faces48 | None, held_out: Faces48) -> dict[str, Any]:
    """Train once; gives what the network answers on the faces held out, and how long it took."""
    began = time.monotonic()
    faces = real if generated is None else real.joined(generated)
    labels = torch.from_numpy(faces.votes.labels)
    luma = torch.from_numpy(faces.luma).unsqueeze(1)
    draws_of = balance.face_weights(functional.one_hot(labels, 7).float(), 1.0)
    plain = torch.ones(len(faces), dtype=torch.float64)
    torch.manual_seed(seed)
    network, averaged = ExpressionNetwork(NETWORK), ExpressionNetwork(NETWORK)
    averaged.load_state_dict(network.state_dict())
    for each in (network, averaged):
        each.to(memory_format=torch.channels_last)
    averaged.eval()
    optimiser = torch.optim.AdamW(network.parameters(), RATE, betas=(0.9, 0.99), weight_decay=DECAY)
    order, at, turn = torch.empty(0, dtype=torch.int64), 0, 0
    network.train()
    for step in range(STEPS):
        if at + BATCH > len(order):
            order = balance.order(draws_of if condition.oversampled else plain, Draws(seed, 0, turn))
            at, turn = 0, turn + 1
        chosen, at = order[at : at + BATCH], at + BATCH
        batch = augment(luma[chosen].float(), Draws(seed, 1, step), STRONG if condition.strong else CALM)
        torch.manual_seed(seed * 1_000_003 + step)
        for group in optimiser.param_groups:
            group["lr"] = RATE * one_cycle(step / STEPS)
        with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16(torch.device("cpu"))):
            logits = network(batch.contiguous(memory_format=torch.channels_last))
        losses = functional.cross_entropy(logits.float(), labels[chosen], reduction="none")
        if condition.weights:
            losses = losses * draws_of[chosen].float()
        optimiser.zero_grad(set_to_none=True)
        losses.mean().backward()
        optimiser.step()
        keep = min(0.99, (1 + step) / (10 + step))
        with torch.no_grad():
            for ours, theirs in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
                ours.lerp_(theirs, 1 - keep) if ours.is_floating_point() else ours.copy_(theirs)
    answers = predict(averaged, held_out.luma).argmax(axis=1)
    return {
        "condition": condition.name,
        "seed": seed,
        "steps": STEPS,
        "real": np.bincount(real.votes.labels, minlength=7).tolist(),
        "generated": [0] * 7 if generated is None else np.bincount(generated.votes.labels, minlength=7).tolist(),
        "labels": held_out.votes.labels.tolist(),
        "answers": answers.tolist(),
        "seconds": round(time.monotonic() - began, 1),
    }


def chosen_faces(folder: Path, real: Faces48, ratio: float, seed: int) -> Faces48:
    """Accepted generated faces of the rarest expressions, `ratio` to each real one. Ends where there are too few."""
    from visagram.synth.training import accepted_faces

    pool, random = accepted_faces(folder).faces, np.random.default_rng(seed)
    kept = []
    for name in RAREST:
        label = EXPRESSIONS.index(name)
        mine = np.flatnonzero(pool.votes.labels == label)
        wanted = round(ratio * int((real.votes.labels == label).sum()))
        if len(mine) < wanted:
            sys.exit(f"{folder} holds {len(mine)} accepted faces of {name}; {wanted} are needed.")
        kept.append(random.permutation(mine)[:wanted])
    return pool.select(np.concatenate(kept))


def figures(runs: Sequence[dict[str, Any]], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4,) macro F1, recall of each of the rarest, accuracy: the mean over seeds on faces that count `weights` (n,)."""
    found = []
    for each in runs:
        labels, answers = np.array(each["labels"]), np.array(each["answers"])
        matrix = np.zeros((7, 7))
        np.add.at(matrix, (labels, answers), weights)
        hits, asked, answered = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
        f1 = 2 * hits / np.maximum(asked + answered, 1e-9)
        recalls = hits / np.maximum(asked, 1e-9)
        rare = [recalls[EXPRESSIONS.index(name)] for name in RAREST]
        found.append([f1.mean(), *rare, hits.sum() / matrix.sum()])
    return np.mean(found, axis=0)


def report(output: Path) -> str:
    """The page."""
    runs: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(output.glob("*.json")):
        found = json.loads(path.read_text("utf-8"))
        runs.setdefault(found["condition"], []).append(found)
    faces = len(next(iter(runs.values()))[0]["labels"])
    random = np.random.default_rng(0)
    resampled = [np.bincount(random.integers(0, faces, faces), minlength=faces).astype(float) for _ in range(RESAMPLES)]
    base = {k: figures(runs["real"], weights) for k, weights in enumerate(resampled)}
    rows, even = [], np.ones(faces)
    for condition in CONDITIONS:
        if condition.name not in runs:
            continue
        mine = runs[condition.name]
        values, seeds = figures(mine, even), np.array([figures([each], even) for each in mine])
        draws = np.array([figures(mine, weights) for weights in resampled])
        gains = np.array([draws[k] - base[k] for k in range(RESAMPLES)])
        added = [mine[0]["generated"][EXPRESSIONS.index(name)] for name in RAREST]
        rows.append((condition, values, seeds, np.percentile(draws, [2.5, 97.5], axis=0), gains, added, len(mine)))
    return _page(rows, runs, faces)


def _page(rows: Sequence[Any], runs: dict[str, list[dict[str, Any]]], faces: int) -> str:
    first = runs["real"][0]
    counts = ", ".join(f"{name} {first['real'][EXPRESSIONS.index(name)]:,}" for name in RAREST)
    size = sum(parameter.numel() for parameter in ExpressionNetwork(NETWORK).parameters()) / 1e3
    tested = ", ".join(f"{name} {np.array(first['labels']).tolist().count(EXPRESSIONS.index(name))}" for name in RAREST)
    lines = [
        "# What generated faces are worth",
        "",
        "This page is written by `python -m bench.synthetic --report` from real runs. The same small network",
        f"({size:.0f} thousand parameters) learns the seven expressions from FER+ training faces with a majority,",
        f"{STEPS:,} steps of {BATCH} faces in every condition, and is judged on {faces:,} validation faces with a",
        "majority. Generated faces of the two rarest expressions come from `visagram-diffusion`, selected by",
        "`visagram-teacher`; none is ever tested on.",
        "",
        f"Real training faces: {counts}. Validation faces: {tested}.",
        "",
        "| condition | added | macro F1 | " + " | ".join(f"recall {name}" for name in RAREST) + " | accuracy | seeds |",
        "|---|---|---|---|---|---|---|",
    ]
    for condition, values, seeds, (low, high), _, added, number in rows:
        cells = [
            f"{100 * values[k]:.1f} ({100 * low[k]:.1f}–{100 * high[k]:.1f}; seeds {100 * seeds[:, k].min():.1f}–"
            f"{100 * seeds[:, k].max():.1f})"
            for k in range(4)
        ]
        extra = " + ".join(map(str, added)) if any(added) else "–"
        lines.append(f"| {condition.title} | {extra} | {' | '.join(cells)} | {number} |")
    lines += [
        "",
        "All in per cent: mean over seeds, in brackets the 95 % interval over faces (bootstrap of the mean over seeds)",
        "and the range of the seeds.",
        "",
        "| against real faces alone | macro F1 | " + " | ".join(f"recall {name}" for name in RAREST) + " | accuracy |",
        "|---|---|---|---|---|",
    ]
    for condition, _, _, _, gains, _, _ in rows:
        if condition.name != "real":
            low, middle, high = np.percentile(gains, [2.5, 50, 97.5], axis=0) * 100
            cells = [f"{middle[k]:+.1f} ({low[k]:+.1f} to {high[k]:+.1f})" for k in range(4)]
            lines.append(f"| {condition.title} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--faces", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--only", nargs="*", help="names of conditions")
    parser.add_argument("--report", action="store_true")
    asked = parser.parse_args()
    asked.output.mkdir(parents=True, exist_ok=True)
    if asked.report:
        PAGE.write_text(report(asked.output), "utf-8")
        return
    keep_memory()
    train, held_out = divide(asked.data, None)
    train, held_out = train.select(train.votes.majority), held_out.select(held_out.votes.majority)
    for seed in SEEDS:
        for condition in CONDITIONS:
            path = asked.output / f"{condition.name}-{seed}.json"
            if path.exists() or (asked.only and condition.name not in asked.only):
                continue
            more = chosen_faces(asked.faces, train, condition.generated, seed) if condition.generated else None
            found = run(condition, seed, train, more, held_out)
            with replace_file(path) as partial:
                partial.write_text(json.dumps(found), "utf-8")
            matrix = confusion_matrix(np.array(found["answers"]), np.array(found["labels"]))
            recalls = matrix.diagonal() / matrix.sum(axis=1)
            print(condition.name, seed, f"{found['seconds']:.0f} s", np.round(recalls, 3).tolist(), flush=True)


if __name__ == "__main__":
    main()
