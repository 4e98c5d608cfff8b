from __future__ import annotations

from pathlib import Path

import pytest
from parts import open_sample, retinaface

from visagram.core.types import Faces, Frame


@pytest.fixture(scope="session")
def sample_frames() -> list[Frame]:
    """The first frames of the sample clip; one face in each."""
    with open_sample() as source:
        return list(source)


@pytest.fixture(scope="session")
def sample_faces(sample_frames: list[Frame]) -> list[Faces]:
    return retinaface().detect(sample_frames[::13])


@pytest.fixture(scope="session")
def deepface_models(tmp_path_factory) -> Path:
    """A models folder with DeepFace's own expression network, its weights drawn at random."""
    pytest.importorskip("deepface")
    from weights import export_emotion

    folder = tmp_path_factory.mktemp("models")
    export_emotion(folder / "facial_expression_model_weights.onnx")
    return folder
