"""Pictures with faces, inside a worker: decoded, and where that is wanted looked at by the detector."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import visagram.wire as wire
from visagram.core.geometry import SMALL
from visagram.core.stages import Framing
from visagram.core.types import Faces, Frame, VideoFacts
from visagram.errors import InputError
from visagram.media.packets import Alive
from visagram.media.picture import displayed, face_luma, read_picture, whole_luma
from visagram.settings import Settings

if TYPE_CHECKING:
    from visagram.compose import Models


class Pictures:
    """Looks at one picture after the other.

    look: one of `visagram.workers.pictures.Look`. framings: further crops that are wanted of a face. models: opens the
    networks with that many threads, when they are first needed.
    """

    def __init__(
        self,
        settings: Settings,
        look: str,
        framings: list[dict[str, Any]],
        models: Callable[[int], Models],
        alive: Alive,
    ) -> None:
        self._settings, self._look, self._models, self._alive = settings, look, models, alive
        self._framings = [Framing(**framing) for framing in framings]

    def seen(self, path: Path) -> tuple[dict[str, Any], wire.Arrays]:
        """The values and arrays of a `picture` message: `faces` found, `error`, and whether the picture was taken as a
        face (`cropped`); where there is a face `luma`, and `crop0`, `crop1`, … as framed."""
        try:
            facts, frame = read_picture(path, self._settings, self._alive)
        except InputError as error:
            return _said(error=str(error)), {}
        if self._look == "whole":
            return _said(), {"luma": whole_luma(frame)}
        small = self._look == "by size" and max(facts.width, facts.height) <= SMALL
        if small or self._look == "cropped":
            crops = {f"crop{k}": displayed(facts, frame) for k in range(len(self._framings))}
            return _said(1, cropped=True), {"luma": face_luma(facts, frame)} | crops
        return self._detected(facts, frame)

    def _detected(self, facts: VideoFacts, frame: Frame) -> tuple[dict[str, Any], wire.Arrays]:
        """The largest face, cut out as in video."""
        stages = self._models(1).stages(facts, self._settings)
        (faces,) = stages.detectors[0].detect([frame])
        faces = faces[faces.scores >= self._least_score()]
        if not len(faces):
            return _said(), {}
        face, cropper = _largest(faces), stages.cropper
        arrays: wire.Arrays = {"luma": cropper.aligned(frame, face.landmarks)[0]}
        for k, framing in enumerate(self._framings):
            arrays[f"crop{k}"] = cropper.boxes(frame, face, framing)[0]
        return _said(len(faces)), arrays

    def _least_score(self) -> float:
        """From which on a detection is a face, by the detector's card."""
        from visagram.models import catalog

        card = catalog.find(catalog.DETECTION, self._settings.detector).card(self._settings.models_folder)
        return float(card.facts.get("threshold", 0.5))


def _said(faces: int = 0, *, error: str = "", cropped: bool = False) -> dict[str, Any]:
    return {"faces": faces, "error": error, "cropped": cropped}


def _largest(faces: Faces) -> Faces:
    return faces[np.array([int(np.argmax(faces.boxes[:, 2] * faces.boxes[:, 3]))])]
