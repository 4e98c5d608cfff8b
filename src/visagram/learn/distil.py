"""Learning from teachers: their posteriors of the training faces, kept in the run's folder, and the loss against them
(Hinton et al. 2015, arXiv 1503.02531)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from visagram.core.types import Progress
from visagram.errors import DataError
from visagram.files import replace_file
from visagram.learn.calibrate import softmax64
from visagram.learn.checkpoint import FinishedRun, finished
from visagram.learn.data import Faces48, divide, identities
from visagram.learn.machine import has_bfloat16
from visagram.learn.predict import predict

SOFT = "soft.safetensors"
LEAST = 1e-7
"""Posteriors below this are stored as this: float16 holds its logarithm."""


def unspoilt(folder: Path, data: Path, held_out: Faces48, *, elsewhere: bool = False) -> FinishedRun:
    """A finished run that has not seen the faces that its successor is judged on. elsewhere: it may come from other
    data, of which whoever trains must know that they do not hold those faces. Raises `DataError`."""
    run = finished(folder)
    seen, _ = divide(data, run.recipe.fold)
    if run.data != seen.digest():
        if elsewhere:
            return run
        raise DataError(f"The run in {run.folder} was trained on other data than {data}.")
    if np.isin(identities(held_out), identities(seen)).any():
        raise DataError(
            f"The run in {run.folder} was trained on faces that this run is judged on: give both the same fold."
        )
    return run


@dataclass(frozen=True, slots=True)
class Teachers:
    """Finished runs to learn from."""

    runs: tuple[FinishedRun, ...]

    @classmethod
    def open(cls, folders: Sequence[Path], data: Path, held_out: Faces48) -> Teachers:
        return cls(tuple(unspoilt(folder, data, held_out) for folder in folders))

    @property
    def digests(self) -> tuple[str, ...]:
        return tuple(sorted(run.digest for run in self.runs))

    def posteriors(self, faces: Faces48, folder: Path, device: torch.device, progress: Progress) -> Tensor:
        """(n, 7) float32: the mean posterior of all teachers over each face and its mirror image.

        Written to `folder` as float16 logarithms; a run that goes on reads them there.
        """
        path, owner = folder / SOFT, {"teachers": json.dumps(self.digests), "data": faces.digest()}
        stored = _stored(path, owner)
        if stored is None:
            mean = np.zeros((len(faces), 7))
            for run in self.runs:
                network = run.network.to(device)
                for luma in (faces.luma, faces.luma[:, :, ::-1]):
                    # Stored in half precision anyway.
                    with torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device)):
                        logits = predict(network, luma, progress=progress)
                    mean += softmax64(logits) / (2 * len(self.runs))
            stored = _half(mean)
            with replace_file(path) as partial:
                save_file({"log_posteriors": stored}, str(partial), metadata=owner)
        return stored.float().softmax(dim=1)


def _half(posteriors: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(np.log(np.maximum(posteriors, LEAST)).astype(np.float16))


def _stored(path: Path, owner: dict[str, str]) -> Tensor | None:
    """What an earlier call wrote for the same teachers and faces."""
    try:
        with safe_open(str(path), "pt") as file:
            tensor: Tensor = file.get_tensor("log_posteriors")
            return tensor if file.metadata() == owner else None
    except (SafetensorError, OSError):
        return None


def softened(posteriors: Tensor, softness: float) -> Tensor:
    """Posteriors (n, 7) at a temperature."""
    return (posteriors.clamp(min=LEAST).log() / softness).softmax(dim=1)


def loss(logits: Tensor, votes: Tensor, shift: Tensor, soft: Tensor | None, weight: float, softness: float) -> Tensor:
    """Cross-entropy of (n, 7) logits with the votes, and with the softened posteriors of the teachers.

    shift: (7,) what the draw of the faces adds to the logits of votes, see `balance.py`. weight: the teachers' share.
    """
    by_votes = functional.cross_entropy(logits + shift, votes)
    if soft is None:
        return by_votes
    by_teachers = functional.cross_entropy(logits / softness, soft) * softness**2
    return torch.lerp(by_votes, by_teachers, weight)


def disagreement(logits: Tensor) -> Tensor:
    """How far two views of each face lie apart: half the sum of both Kullback-Leibler divergences between the first
    and the second half of (2n, 7) logits."""
    first, second = logits.log_softmax(dim=1).chunk(2)
    return 0.5 * ((first.exp() - second.exp()) * (first - second)).sum(dim=1).mean()
