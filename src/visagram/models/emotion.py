"""An expression network in ONNX with a card: the embedded one, and any that `visagram train` writes or a user has."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visagram.core.geometry import CROP
from visagram.core.labels import NAMES, expression_of
from visagram.core.stages import ALIGNED, Crops, Framing
from visagram.core.types import EXPRESSIONS
from visagram.errors import ModelError
from visagram.models.card import Card, open_session
from visagram.models.crops import as_bgr, as_grey, resized

if TYPE_CHECKING:
    import onnxruntime

BATCH = 32
"""Faces per run: beyond it the activations leave the cache and nothing is gained."""


class OnnxClassifier:
    """`EmotionClassifier`: logits from the network, calibrated as the card says, as posteriors.

    posterior = softmax(scale * logits / temperature + bias); a card without `calibration` has no scale and no bias.
    Raises `ModelError` for a card that contradicts its file, or one that code cannot act on.
    """

    def __init__(self, card: Card, *, threads: int) -> None:
        self._order = label_order(card.facts.get("labels"), f"The card of {card.name}")
        self._input = _Input.of(card)
        self._temperature, self._scale = _temperature(card), _scaling(card)
        if self._scale is not None and self._order is not None:
            self._scale = self._scale[:, self._order]
        self.framing = self._input.framing
        session = open_session(card, threads)
        self._output = _check(session, card, self._input)
        self._session: onnxruntime.InferenceSession | None = session
        self._try_out(card)

    def classify(self, crops: Crops) -> NDArray[np.float32]:
        calibrated = self.logits(crops) / self._temperature
        if self._scale is not None:
            calibrated = calibrated * self._scale[0] + self._scale[1]
        return softmax(calibrated)

    def logits(self, crops: Crops) -> NDArray[np.float32]:
        """(n, 7) float32 in the order of `EXPRESSIONS`, before the calibration."""
        if (session := self._session) is None:
            raise ModelError("The classifier was closed.")
        logits = np.empty((len(crops), len(EXPRESSIONS)), np.float32)
        for start in range(0, len(crops), BATCH):
            batch = self._input.tensor(crops[start : start + BATCH])
            (answer,) = session.run([self._output], {self._input.name: batch})
            if answer.shape != (len(batch), len(EXPRESSIONS)):
                raise ModelError(f"The network gives {_shape(answer.shape)} for {len(batch)} faces, not 7 logits each.")
            logits[start : start + BATCH] = answer
        return logits if self._order is None else logits[:, self._order]

    def _try_out(self, card: Card) -> None:
        """Ask about one black face: a graph need not state the shape of its answer."""
        try:
            self.logits(np.zeros((1, self._input.side, self._input.side), np.uint8))
        except Exception as error:
            # The runtime has classes of its own for whatever a graph can do wrong.
            reason = " ".join(str(error).split())[:200]
            raise ModelError(f"{card.file} cannot read a face ({reason}): {card.remedy}.") from error

    def close(self) -> None:
        self._session = None


@dataclass(frozen=True, slots=True)
class _Input:
    """What a card says of the network's input.

    side: of the square input in pixels. colour: luma, rgb or bgr. mean, std: per channel; the input is
    (pixel - mean) / std.
    """

    name: str
    side: int
    colour: str
    framing: Framing
    mean: NDArray[np.float32] | None
    std: NDArray[np.float32] | None

    @classmethod
    def of(cls, card: Card) -> _Input:
        try:
            facts: dict[str, Any] = card.facts["input"]
            layout = re.fullmatch(r"n,([13]),(\d+),(\d+)", str(facts["layout"]))
            if layout is None or layout[2] != layout[3] or facts["dtype"] != "float32":
                raise ValueError("layout must be n,1,48,48 or n,3,side,side, and dtype float32")
            channels, side = int(layout[1]), int(layout[2])
            colour = str(facts.get("colour", "luma"))
            if colour not in ("luma", "rgb", "bgr") or (colour == "luma") != (channels == 1):
                raise ValueError("colour must be luma for one channel, rgb or bgr for three")
            framing = read_framing(facts)
            if framing.aligned and (colour, side) != ("luma", CROP):
                raise ValueError(f"aligned crops are luma of {CROP}x{CROP}: others need crop: box")
            scale = [None if facts.get(key) is None else _row(facts[key], channels) for key in ("mean", "std")]
            if scale[1] is not None and not (scale[1] > 0).all():
                raise ValueError("std must be above 0")
            return cls(str(facts["name"]), side, colour, framing, *scale)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = f"lacks {error}" if isinstance(error, KeyError) else f"cannot be used ({error})"
            raise ModelError(f"The card of {card.name} {what} in its input.") from error

    def tensor(self, crops: Crops) -> NDArray[np.float32]:
        """(n, channels, side, side) float32."""
        if self.colour == "luma":
            if not (isinstance(crops, np.ndarray) and crops.shape[1:] == (self.side, self.side)):
                crops = np.stack([resized(as_grey(crop), self.side) for crop in crops])
            planes = crops[:, None].astype(np.float32)
        else:
            colours = np.stack([resized(as_bgr(crop), self.side) for crop in crops])
            colours = colours[..., ::-1] if self.colour == "rgb" else colours
            planes = np.ascontiguousarray(colours.transpose(0, 3, 1, 2)).astype(np.float32)
        if self.mean is not None:
            planes -= self.mean[:, None, None]
        if self.std is not None:
            planes /= self.std[:, None, None]
        return planes


def read_framing(facts: dict[str, Any]) -> Framing:
    """The crops that a card's input asks for: `crop` is aligned (also when it says nothing) or box. Raises
    `ValueError`."""
    crop, margin = facts.get("crop", "aligned"), float(facts.get("margin", 0.0))
    if crop not in ("aligned", "box") or not 0 <= margin <= 2:
        raise ValueError("crop must be aligned or box, and margin between 0 and 2")
    if crop == "aligned":
        return ALIGNED
    return Framing(
        aligned=False, margin=margin, square=facts.get("square") is True, upright=facts.get("upright") is True
    )


def label_order(labels: Any, where: str) -> list[int] | None:
    """The network's column of each expression, None where they are in our order. Raises `ModelError` that lists what is
    unknown, missing or doubled."""
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ModelError(f"{where} must list its labels, one for each output.")
    found = [expression_of(label) for label in labels]
    unknown = [label for label, expression in zip(labels, found, strict=True) if expression is None]
    known = "; ".join(f"{name}: {', '.join(names)}" for name, names in NAMES.items())
    if unknown:
        raise ModelError(f"{where} has labels that are none of ours: {', '.join(unknown)}. Known are {known}.")
    missing = [name for name in EXPRESSIONS if name not in found]
    if missing or len(found) != len(EXPRESSIONS):
        what = f"lacks {', '.join(missing)}" if missing else "has two labels for one expression"
        raise ModelError(f"{where} {what}: it must have one label for each of {', '.join(EXPRESSIONS)}.")
    order = [found.index(name) for name in EXPRESSIONS]
    return None if order == list(range(len(order))) else order


def _temperature(card: Card) -> float:
    value = card.facts.get("temperature", 1.0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ModelError(f"The card of {card.name} has the temperature {value!r}, which is not a number above 0.")
    return float(value)


def _scaling(card: Card) -> NDArray[np.float32] | None:
    """(2, 7) factor and summand of each label's logit, None where the card has none."""
    facts = card.facts.get("calibration")
    if not isinstance(facts, dict) or not {"scale", "bias"} & set(facts):
        return None
    try:
        found = np.array([facts["scale"], facts["bias"]], np.float32)
        if found.shape != (2, len(EXPRESSIONS)) or not np.isfinite(found).all():
            raise ValueError(f"scale and bias have {len(EXPRESSIONS)} numbers")
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"The card of {card.name} has a calibration that cannot be used ({error}).") from error
    return found


def _check(session: onnxruntime.InferenceSession, card: Card, wanted: _Input) -> str:
    """The name of the output. Raises `ModelError` where the file is not what its card says."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if [one.name for one in inputs] != [wanted.name]:
        names = ", ".join(one.name for one in inputs)
        raise ModelError(f"{card.file} takes the inputs {names}, but its card says {wanted.name}.")
    (one,) = inputs
    shape = [1 if wanted.colour == "luma" else 3, wanted.side, wanted.side]
    fixed = list(zip(one.shape[1:], shape, strict=False))
    if one.type != "tensor(float)" or len(one.shape) != 4 or any(isinstance(a, int) and a != b for a, b in fixed):
        is_it = f"{one.type} of {_shape(one.shape)}"
        raise ModelError(f"{card.file} takes {is_it}, but its card says float32 of {_shape(['n', *shape])}.")
    if isinstance(one.shape[0], int):
        raise ModelError(f"{card.file} takes {one.shape[0]} faces at a time: export it for any number of them.")
    described = card.facts.get("output")
    try:
        name = str(described[0]["name"]) if described else outputs[0].name
    except (KeyError, TypeError, IndexError) as error:
        raise ModelError(f"The card of {card.name} must give its output a name.") from error
    found = {one.name: one.shape for one in outputs}
    if name not in found:
        raise ModelError(f"{card.file} has no output {name}, which its card names, but {', '.join(found)}.")
    if len(found[name]) != 2 or (isinstance(found[name][1], int) and found[name][1] != len(EXPRESSIONS)):
        wanted_shape = _shape(["n", len(EXPRESSIONS)])
        raise ModelError(f"{card.file} gives {_shape(found[name])}, but its card has labels for {wanted_shape}.")
    return name


def _shape(sizes: list[Any]) -> str:
    return f"({', '.join(str(size) for size in sizes)})"


def _row(values: Any, channels: int) -> NDArray[np.float32]:
    row = np.asarray(values, np.float32).reshape(-1)
    if len(row) not in (1, channels) or not np.isfinite(row).all():
        raise ValueError(f"mean and std have {channels} numbers")
    return np.broadcast_to(row, channels)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows to probabilities."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)
