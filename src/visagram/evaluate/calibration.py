"""How far confidence lies from accuracy: as counted, less what chance adds to it, and what chance alone shows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visagram.evaluate.intervals import CELLS, DRAWS, LEVEL
from visagram.plots.diagrams import Bin

BINS = 15
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Perfect:
    """What a perfectly calibrated model shows on as many faces: mean and 95 % range of the plug-in error, 0..1."""

    mean: float
    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        return {"mean": self.mean, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class CalibrationError:
    """0..1. plug_in: as counted, which chance alone makes larger than 0. debiased: less that, as far as it can be
    told.

    There is no interval: resampling an error that cannot be below 0 gives one that does not hold the truth where the
    truth is small. Whether a model is calibrated is seen by whether its plug-in error lies in the range of `perfect`.
    """

    plug_in: float
    debiased: float
    perfect: Perfect


def calibration_error(posteriors: Floats, labels: NDArray[np.int64], seed: int) -> CalibrationError:
    """Of posteriors (n, 7) against labels (n,); n is at least 1. seed: of the perfect model's labels."""
    errors = expected_calibration_error(posteriors, labels), debiased_calibration_error(posteriors, labels)
    return CalibrationError(*errors, _perfect(posteriors.max(axis=1), seed))


def reliability(posteriors: Floats, labels: NDArray[np.int64]) -> tuple[Bin, ...]:
    """Confidence and accuracy in equal bins of confidence; empty bins are left out."""
    confidence, hits = posteriors.max(axis=1), posteriors.argmax(axis=1) == labels
    which = bin_of(confidence)
    bins = []
    for number in np.unique(which):
        inside = which == number
        low, high = number / BINS, (number + 1) / BINS
        bins.append(Bin(low, high, int(inside.sum()), float(confidence[inside].mean()), float(hits[inside].mean())))
    return tuple(bins)


def bin_of(confidence: Floats) -> NDArray[np.intp]:
    """(n,) 0..14: the bin of each confidence (n,)."""
    return np.minimum((confidence * BINS).astype(np.intp), BINS - 1)


def expected_calibration_error(posteriors: Floats, labels: NDArray[np.int64]) -> float:
    """Mean gap between confidence and accuracy over 15 equal bins of confidence (Naeini et al. 2015)."""
    bins = reliability(posteriors, labels)
    return sum(b.faces * abs(b.accuracy - b.confidence) for b in bins) / len(labels)


def debiased_calibration_error(posteriors: Floats, labels: NDArray[np.int64]) -> float:
    """The plug-in error less its bias, at least 0 (Kumar, Liang and Ma 2019, arXiv 1909.10155, their code's
    `normal_debiased_ce`).

    The bias is by how much the mean error of resamples, in which each bin's accuracy is normal around that of the data,
    exceeds the error of the data. That mean is the one of a folded normal, so none are drawn. A gap of a standard error
    or more is nearly unbiased; of a bin without any, 2 - sqrt(2) of what chance adds, three fifths, stays.
    """
    total = 0.0
    for b in reliability(posteriors, labels):
        # Half a face more on each side (Jeffreys): with none or all right the variance would be 0.
        share = (b.accuracy * b.faces + 0.5) / (b.faces + 1)
        gap, spread = abs(b.accuracy - b.confidence), math.sqrt(share * (1 - share) / b.faces)
        z = gap / spread
        resampled = spread * math.sqrt(2 / math.pi) * math.exp(-z * z / 2) + gap * math.erf(z / math.sqrt(2))
        total += b.faces * (2 * gap - resampled)
    return max(0.0, total / len(labels))


def _perfect(confidence: Floats, seed: int) -> Perfect:
    """Of faces with these confidences (n,), each right by the chance that it states."""
    faces, which = len(confidence), bin_of(confidence)
    order = np.argsort(which, kind="stable")
    sure, starts = confidence[order], np.flatnonzero(np.diff(which[order], prepend=-1))
    random, rows, errors = np.random.default_rng(seed), max(1, min(DRAWS, CELLS // faces)), []
    for start in range(0, DRAWS, rows):
        hits = random.random((min(rows, DRAWS - start), faces)) < sure
        errors.append(np.abs(np.add.reduceat(hits - sure, starts, axis=1)).sum(axis=1) / faces)
    drawn = np.concatenate(errors)
    low, high = np.percentile(drawn, LEVEL)
    return Perfect(float(drawn.mean()), float(low), float(high))
