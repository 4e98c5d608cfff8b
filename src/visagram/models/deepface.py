"""DeepFace's own expression network and its RetinaFace (ResNet-50), through the packages' own code, over our sessions.

The sessions are ours so that threads are bounded and the weights are checked against their hash; what happens to a
picture before and after the network is the packages' code. Both packages choose a backend once per process: it must be
ONNX, because their other ones load pickles.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from visagram.core.stages import Crops, Framing
from visagram.core.types import EXPRESSIONS, Faces, Frame
from visagram.errors import ModelError
from visagram.models.card import Card, open_session
from visagram.models.crops import as_bgr
from visagram.models.emotion import label_order, read_framing

BATCH = 32
SIDE = 224
"""DeepFace letters every face to this size before it shrinks it to what the network takes."""
LEAST_SCORE = 0.9
"""What DeepFace asks of a face."""
SHORTER, LONGER = 1024, 1980
"""RetinaFace's input: shorter side, unless the longer would pass its own."""
SMALLEST_ANCHOR = 16


class DeepFaceClassifier:
    """`EmotionClassifier` over `deepface`'s `EmotionClient`, in batches."""

    framing: Framing

    def __init__(self, card: Card, *, threads: int) -> None:
        self.framing = read_framing(card.facts["input"])
        session = open_session(card, threads)
        _expect(session, card, [[None, 48, 48, 1]], [[None, len(EXPRESSIONS)]])
        with warnings.catch_warnings():
            # The packages would switch off warnings for the whole process.
            warnings.simplefilter("ignore")
            _choose_onnx()
            from deepface.models.demography.DemographyUtils import EMOTION_LABELS
            from deepface.models.demography.onnx.Emotion import EmotionClient
            from deepface.modules.preprocessing import resize_image

        self._order = label_order(list(EMOTION_LABELS), "DeepFace")
        self._letter: Callable[..., NDArray[np.float32]] = resize_image
        # Its constructor would fetch the weights, and open a session with as many threads as there are cores.
        client: Any = EmotionClient.__new__(EmotionClient)
        client.model_name, client.model = "Emotion", session
        self._client: Any | None = client

    def classify(self, crops: Crops) -> NDArray[np.float32]:
        if (client := self._client) is None:
            raise ModelError("The classifier was closed.")
        posteriors = np.empty((len(crops), len(EXPRESSIONS)), np.float32)
        for start in range(0, len(crops), BATCH):
            batch = np.concatenate([self._prepared(crop) for crop in crops[start : start + BATCH]])
            scores = np.asarray(client.predict(batch)).reshape(len(batch), -1)
            # DeepFace shows shares of the sum, times a hundred.
            posteriors[start : start + BATCH] = scores / scores.sum(axis=1, keepdims=True)
        return posteriors if self._order is None else posteriors[:, self._order]

    def close(self) -> None:
        self._client = None

    def _prepared(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """A crop as `DeepFace.analyze` hands it to its networks: (1, 224, 224, 3) float32 BGR in 0..1."""
        colour = as_bgr(crop)
        # A crop of nothing but 0 and 1 stays as it is, there as here.
        scaled = colour / 255 if colour.max() > 1 else colour
        return self._letter(img=scaled, target_size=(SIDE, SIDE))


class DeepFaceRetinaFace:
    """`FaceDetector` over `retina-face`, in the border and at the size that DeepFace gives it.

    picture: (width, height) of the displayed picture. region: x, y, w, h in it to look at, None for everything. alive:
    called for each frame, because one takes seconds.
    """

    def __init__(
        self,
        network: RetinaFaceNetwork,
        *,
        picture: tuple[int, int],
        region: tuple[int, int, int, int] | None = None,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._network, self._picture, self._alive = network, picture, alive
        x, y, w, h = region or (0, 0, *picture)
        self._window = (x, y, min(w, picture[0] - x), min(h, picture[1] - y))
        short, long = sorted(2 * side for side in self._window[2:])
        self.smallest = SMALLEST_ANCHOR / min(SHORTER / short, LONGER / long)

    def detect(self, frames: Sequence[Frame]) -> list[Faces]:
        found = []
        for frame in frames:
            self._alive()
            x, y, w, h = self._window
            part = frame.picture(*self._picture)[y : y + h, x : x + w]
            found.append(self._faces(self._network.faces(_bordered(part))))
        return found

    def close(self) -> None:
        self._network.close()

    def _faces(self, answers: dict[str, Any]) -> Faces:
        if not answers:
            return Faces.empty()
        x, y, w, h = self._window
        shift = np.array([x - w // 2, y - h // 2], np.float32)
        corners = np.array([answer["facial_area"] for answer in answers.values()], np.float32)
        names = ("right_eye", "left_eye", "nose", "mouth_right", "mouth_left")
        points = np.array([[answer["landmarks"][name] for name in names] for answer in answers.values()], np.float32)
        scores = np.array([answer["score"] for answer in answers.values()], np.float32)
        boxes = np.concatenate([corners[:, :2] + shift, np.maximum(corners[:, 2:] - corners[:, :2], 1)], axis=1)
        return Faces(boxes, points + shift, np.minimum(scores, 1))


class RetinaFaceNetwork:
    """`retina-face`'s network over our session; opened once, for videos of any size."""

    def __init__(self, card: Card, *, threads: int) -> None:
        session = open_session(card, threads)
        _expect(session, card, [[None, None, None, 3]], [[None] * 4] * 9)
        with warnings.catch_warnings():
            # The packages would switch off warnings for the whole process.
            warnings.simplefilter("ignore")
            _choose_onnx()
            from retinaface import RetinaFace
            from retinaface.model.retinaface_onnx_model import RetinaFace as Network

        self._detect: Callable[..., dict[str, Any]] = RetinaFace.detect_faces
        self._model: Any | None = Network(session)

    def faces(self, picture: NDArray[np.uint8]) -> dict[str, Any]:
        """What `RetinaFace.detect_faces` says of a BGR picture."""
        if (model := self._model) is None:
            raise ModelError("The detector was closed.")
        return self._detect(picture, threshold=LEAST_SCORE, model=model)

    def close(self) -> None:
        self._model = None


def _bordered(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """In black, half its size on each side, as `deepface.modules.detection.detect_faces` has it."""
    down, across = picture.shape[0] // 2, picture.shape[1] // 2
    return np.asarray(cv2.copyMakeBorder(picture, down, down, across, across, cv2.BORDER_CONSTANT), np.uint8)


def _choose_onnx() -> None:
    """Have both packages run on ONNX. Raises `ModelError` where something else in this process chose before."""
    from deepface.commons import backend_utils as deepface
    from retinaface.commons import backend_utils as retinaface

    for engine in (deepface, retinaface):
        if engine._backend_engine is None:
            engine._backend_engine = engine.ONNX
        if engine.get_backend_engine() != engine.ONNX:
            raise ModelError(
                f"DeepFace runs on {engine.get_backend_engine()} in this process, which loads pickles: set "
                "DEEPFACE_BACKEND_ENGINE=onnx before it is imported."
            )


def _expect(session: Any, card: Card, inputs: list[list[int | None]], outputs: list[list[int | None]]) -> None:
    """Raise `ModelError` where a graph does not take and give arrays of these shapes. None: any size."""
    for kind, ends, wanted in (("takes", session.get_inputs(), inputs), ("gives", session.get_outputs(), outputs)):
        found = [end.shape for end in ends]
        fits = len(found) == len(wanted) and all(
            len(ours) == len(shape)
            and all(not isinstance(a, int) or b is None or a == b for a, b in zip(shape, ours, strict=True))
            for shape, ours in zip(found, wanted, strict=True)
        )
        if not fits:
            text = "; ".join(str(shape) for shape in found)
            raise ModelError(f"{card.file} {kind} {text}, which is not what {card.name} is made of: {card.remedy}.")
