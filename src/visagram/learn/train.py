"""Train an expression network: read the sheets, run the recipe, write ONNX and card.

One file, top to bottom. A run is a folder; it can be killed at any time and goes on from its last checkpoint with the
same command. Every random draw derives from (seed, epoch) or (seed, step), so a resumed run ends where an unbroken one
does.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from visagram.core.types import Progress
from visagram.errors import DataError
from visagram.evaluate.duplicates import Prints, held_too
from visagram.evaluate.metrics import accuracy_and_macro_recall
from visagram.files import output_error
from visagram.learn import balance, distil
from visagram.learn.augment import CALM, STRONG, augment, mix
from visagram.learn.build import build
from visagram.learn.checkpoint import CHECKPOINT, WEIGHTS, Checkpoint, FinishedRun, finished
from visagram.learn.committee import train_committee
from visagram.learn.data import Faces48, divide
from visagram.learn.draws import Draws
from visagram.learn.export import export
from visagram.learn.machine import has_bfloat16, keep_memory
from visagram.learn.origin import Added, Origin
from visagram.learn.predict import predict
from visagram.learn.recipes import Recipe
from visagram.learn.refit import refit

ORDER, STEP, DROPOUT, SUBSET = range(4)
"""What a stream of draws is for, so that no two share their numbers."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one finished epoch measured on the faces held out."""

    epoch: int
    loss: float
    accuracy: float
    macro_recall: float
    seconds: float


def train(
    data: Path,
    output: Path,
    recipe: Recipe,
    progress: Progress,
    *,
    teachers: Sequence[Path] = (),
    start: Path | None = None,
    also: Added | None = None,
    generated: Added | None = None,
    say: Callable[[str], None] = lambda _: None,
    checkpoint_seconds: float = 120.0,
) -> Path:
    """Train `recipe` on the sheets in `data`; returns the ONNX file in `output`. Resumes a run found there.

    teachers: folders of finished runs to learn from. start: that of one of the same network to begin with. also: real
    faces to learn from beside those of the sheets. generated: faces that do not exist, to learn from until the calm
    epochs. say: told a sentence after every epoch. checkpoint_seconds: about as much work is lost by a kill. Raises
    `DataError`.
    """
    if recipe.architecture == "committee":
        if teachers or also is not None or generated is not None:
            raise DataError("A committee is fitted to the sheets alone: leave --teacher, --also and --synthetic out.")
        if start is None:
            raise DataError("A committee is fitted around a trained network: give its run (--start).")
        return train_committee(data, output, recipe, finished(start), progress, say=say)
    keep_memory()
    faces, held_out = divide(data, recipe.fold)
    if also is not None:
        # Cut out anew, a photograph of the sheets is not the same to the pixel.
        also = also.select(~held_too(Prints.of(also.faces.luma), Prints.of(held_out.luma)))
        faces = faces.joined(also.faces)
    masters = distil.Teachers.open(teachers, data, held_out)
    begun = None if start is None else distil.unspoilt(start, data, held_out, elsewhere=True)
    run = Run(recipe, faces, held_out, output / CHECKPOINT, masters.digests, begun, generated)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(output, error) from error
    if recipe.refit:
        if begun is None:
            raise DataError("The last layer is fitted to a trained network: give the run to begin with (--start).")
        refit(run.averaged, run.faces.joined(run.generated), recipe, progress)
        run.network.load_state_dict(run.averaged.state_dict())
        run.save()
    elif run.step < run.steps:
        soft = masters.posteriors(run.faces, output, run.device, progress) if teachers else None
        run.learn(soft, progress, say, checkpoint_seconds)
    path = export(
        run.averaged,
        recipe,
        origin=Origin.of(data, recipe, masters.runs, begun, also, generated),
        faces=run.faces,
        held_out=held_out,
        history=run.history,
        folder=output,
        fitted=run.faces.joined(run.generated),
    )
    Checkpoint.load(output / CHECKPOINT).learned().save(output / WEIGHTS)
    return path


class Run:
    """The state of a training run: network, optimiser, running average, step."""

    def __init__(
        self,
        recipe: Recipe,
        faces: Faces48,
        held_out: Faces48,
        path: Path,
        teachers: tuple[str, ...],
        begun: FinishedRun | None,
        generated: Added | None = None,
    ) -> None:
        self.recipe, self.path, self.held_out = recipe, path, held_out.select(held_out.votes.majority)
        # The generated faces, if any, lie behind the real ones.
        self.generated = generated.faces if generated else faces.select(np.zeros(len(faces), bool))
        self.data = faces.joined(self.generated).digest() if generated else faces.digest()
        self.teachers, self.start, self._begun = teachers, begun.digest if begun else "", begun
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        stored = Checkpoint.load(path) if path.exists() else None
        if stored is not None:
            stored.check(path, recipe, self.data, teachers, self.start)
        if recipe.share < 1:
            kept = Draws(recipe.seed, SUBSET).permutation(len(faces))[: max(1, int(len(faces) * recipe.share))]
            faces = faces.select(kept.numpy())
        self.faces = faces
        torch.manual_seed(recipe.seed)
        self.network = build(recipe, pretrained=stored is None and begun is None)
        if begun is not None:
            begun.give(self.network)
        self.averaged = build(recipe, pretrained=False)
        for network in (self.network, self.averaged):
            network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged.load_state_dict(self.network.state_dict())
        self.averaged.eval()
        self.optimiser = _optimiser(self.network, recipe)
        self.steps_per_epoch = max(1, (len(faces) + len(self.generated)) // recipe.batch)
        self.steps = self.steps_per_epoch * recipe.epochs
        self.step, self.history = 0, list[Epoch]()
        self.loss_sum, self.seconds = 0.0, 0.0
        if stored is not None:
            self._restore(stored)
        # The tensors of both networks stay the same ones, so they are paired once.
        self._pairs = list(zip(self.averaged.state_dict().values(), self.network.state_dict().values(), strict=True))

    def learn(self, soft: Tensor | None, progress: Progress, say: Callable[[str], None], every: float) -> None:
        """Run the steps that are left. soft: (n, 7) the teachers' posteriors of the real faces. every: seconds between
        checkpoints."""
        faces, real = self.faces.joined(self.generated), len(self.faces)
        luma = torch.from_numpy(faces.luma).unsqueeze(1).to(self.device)
        votes = torch.from_numpy(faces.targets(self.recipe.first))
        targets = [votes.to(self.device)]
        weights = balance.face_weights(votes, self.recipe.rare)
        real_alone = torch.where(torch.arange(len(faces)) < real, weights, 0.0)
        shifts = [
            balance.prior_shift(votes, each, real).to(self.device) * self.recipe.compensate
            for each in (weights, real_alone)
        ]
        if soft is not None:
            # Of a generated face the teachers are not asked: what it shows was decided before it was made.
            soft = torch.cat([soft, votes[real:]])
            targets.append(distil.softened(soft, self.recipe.softness).to(self.device))
        order, saved, began, before = torch.empty(0), time.monotonic(), time.monotonic(), self.step
        for step in range(self.step, self.steps):
            epoch, at = divmod(step, self.steps_per_epoch)
            calm = self._is_calm(step)
            if step == before or at == 0:
                drawn = real_alone if calm else weights
                order = balance.order(drawn, Draws(self.recipe.seed, ORDER, epoch)).to(self.device)
            started = time.monotonic()
            self.loss_sum += self._descend(step, luma, targets, order[at * self.recipe.batch :], shifts[calm])
            self.seconds += time.monotonic() - started
            self.step = step + 1
            if self.step == self.steps:
                self._return()
            if at + 1 == self.steps_per_epoch:
                self._close_epoch(epoch)
                left = (time.monotonic() - began) / (self.step - before) * (self.steps - self.step)
                say(_sentence(self.history[-1], self.recipe.epochs, left))
            # The last step's checkpoint says that the run is finished.
            if time.monotonic() - saved > every or at + 1 == self.steps_per_epoch:
                self.save()
                saved = time.monotonic()
            progress("train", self.step, self.steps)

    def _is_calm(self, step: int) -> bool:
        return step >= self.steps - self.recipe.calm_epochs * self.steps_per_epoch

    @torch.no_grad()
    def _return(self) -> None:
        """At the end, go some of the way back to where the run began (Wortsman et al. 2022, arXiv 2109.01903)."""
        if self._begun is not None and self.recipe.return_to_start:
            begun = self._begun.network.state_dict()
            for name, ours in self.averaged.state_dict().items():
                if ours.is_floating_point():
                    ours.lerp_(begun[name].to(ours), self.recipe.return_to_start)

    def _descend(self, step: int, luma: Tensor, targets: list[Tensor], order: Tensor, shift: Tensor) -> float:
        """One step of the optimiser; returns its loss."""
        recipe = self.recipe
        calm = self._is_calm(step)
        paired = calm and recipe.consistency > 0
        chosen = order[: recipe.batch // 2].repeat(2) if paired else order[: recipe.batch]
        draws = Draws(recipe.seed, STEP, step, device=self.device)
        batch = augment(luma[chosen].float(), draws, CALM if calm else STRONG.times(recipe.strength))
        wanted = [t[chosen] for t in targets]
        if not calm:
            batch, wanted = mix(batch, wanted, draws, recipe.mixup, recipe.cutmix)
        # Dropout draws from the global generator.
        torch.manual_seed(recipe.seed * 1_000_003 + step)
        rate = recipe.peak_rate * one_cycle(step / self.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["factor"]
        self.network.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device)):
            logits = self.network(batch.contiguous(memory_format=torch.channels_last))
        logits = logits.float()
        soft = wanted[1] if len(wanted) > 1 else None
        loss = distil.loss(logits, wanted[0], shift, soft, recipe.distil, recipe.softness)
        if paired:
            loss = loss + recipe.consistency * distil.disagreement(logits)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise DataError(f"Training diverged at step {step + 1} of {self.steps}: lower the recipe's peak rate.")
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self._average(step)
        return value

    @torch.no_grad()
    def _average(self, step: int) -> None:
        """Exponential moving average of weights and batch statistics, short at first."""
        keep = min(1 - 1 / self.recipe.ema_steps, (1 + step) / (10 + step))
        for ours, theirs in self._pairs:
            if ours.is_floating_point():
                ours.lerp_(theirs, 1 - keep)
            else:
                ours.copy_(theirs)

    def _close_epoch(self, epoch: int) -> None:
        """Append this epoch's figures on the faces held out that have a majority."""
        guesses = predict(self.averaged, self.held_out.luma).argmax(axis=1)
        accuracy, macro = accuracy_and_macro_recall(guesses, self.held_out.votes.labels)
        loss = self.loss_sum / self.steps_per_epoch
        self.history.append(Epoch(epoch + 1, loss, accuracy, macro, round(self.seconds, 1)))
        self.loss_sum, self.seconds = 0.0, 0.0

    def save(self) -> None:
        """Write the checkpoint."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"averaged.{k}": v for k, v in self.averaged.state_dict().items()}
        for index, parameter in enumerate(_parameters(self.optimiser)):
            tensors |= {f"optimiser.{index}.{k}": v for k, v in self.optimiser.state[parameter].items()}
        history = [dataclasses.asdict(epoch) for epoch in self.history]
        partial = {"loss_sum": self.loss_sum, "seconds": self.seconds}
        Checkpoint(
            self.recipe, self.data, self.teachers, self.step, self.steps, self.start, history, partial, tensors
        ).save(self.path)

    def _restore(self, stored: Checkpoint) -> None:
        try:
            self.network.load_state_dict(stored.part("network"))
            self.averaged.load_state_dict(stored.part("averaged"))
            self.history = [Epoch(**epoch) for epoch in stored.history]
            self.loss_sum, self.seconds = stored.partial["loss_sum"], stored.partial["seconds"]
        except (RuntimeError, TypeError, KeyError) as error:
            raise DataError(f"The checkpoint {self.path} does not hold the network of its recipe.") from error
        self.step = stored.step
        for index, parameter in enumerate(_parameters(self.optimiser)):
            for key, tensor in stored.part(f"optimiser.{index}").items():
                # AdamW counts its steps on the CPU.
                held = tensor if tensor.ndim == 0 else tensor.to(self.device)
                self.optimiser.state[parameter][key] = held.clone()


def _optimiser(network: torch.nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Weights decay, biases and normalisations do not; the head learns at its own pace."""
    groups = []
    for head in (False, True):
        mine = [p for name, p in network.named_parameters() if name.startswith("head.") == head and p.requires_grad]
        factor = recipe.head_rate if head else 1.0
        for decays in (True, False):
            params = [p for p in mine if (p.ndim > 1) == decays]
            groups.append({"params": params, "weight_decay": recipe.weight_decay if decays else 0.0, "factor": factor})
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.99))
    return torch.optim.SGD(groups, lr=0.0, momentum=0.9, nesterov=True)


def _parameters(optimiser: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]


def one_cycle(done: float) -> float:
    """Share of the peak rate at a share of the run: linear up over a tenth, cosine down (Smith 2018, arXiv
    1803.09820)."""
    warm = 0.1
    if done < warm:
        return 0.05 + 0.95 * done / warm
    return 0.001 + 0.999 * 0.5 * (1 + math.cos(math.pi * (done - warm) / (1 - warm)))


def _sentence(epoch: Epoch, epochs: int, left: float) -> str:
    time_left = f"{left / 3600:.1f} h" if left >= 5400 else f"{left / 60:.0f} min" if left >= 90 else f"{left:.0f} s"
    return (
        f"Epoch {epoch.epoch} of {epochs}: loss {epoch.loss:.3f}, accuracy {epoch.accuracy:.2%}, "
        f"macro recall {epoch.macro_recall:.2%}, {epoch.seconds:.0f} s; {time_left} left."
    )
