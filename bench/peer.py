"""The stack of the original application, timed: DeepFace with its RetinaFace (ResNet-50), one call per frame.

Its weights are fetched from the internet; where there is none, random weights in the same graphs take the same time. So
that its OpenCV and ours do not meet, it runs in an environment of its own (`make bench-peer` makes it).
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from bench.processes import run

FRAMES = 12

SCRIPT = """
import json, os, sys, time, warnings
warnings.simplefilter("ignore")
clip, home, frames = sys.argv[1], sys.argv[2], int(sys.argv[3])
os.environ["DEEPFACE_HOME"] = home
os.environ["DEEPFACE_BACKEND_ENGINE"] = "onnx"
weights = os.path.join(home, ".deepface", "weights")
os.makedirs(weights)

import torch
from deepface.models.demography.pytorch.Emotion import EmotionModel
from retinaface.model.retinaface_pth_model import RetinaFace

class ChannelsLast(torch.nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner
    def forward(self, x):
        return self.inner(x.permute(0, 3, 1, 2))

def export(model, example, name, axes):
    torch.onnx.export(model.eval(), (example,), os.path.join(weights, name), input_names=["input"],
                      dynamic_axes={"input": axes}, opset_version=17, dynamo=False)

torch.manual_seed(0)
export(RetinaFace(), torch.rand(1, 640, 1024, 3), "retinaface.onnx", {0: "n", 1: "h", 2: "w"})
export(ChannelsLast(EmotionModel()), torch.rand(1, 48, 48, 1), "facial_expression_model_weights.onnx", {0: "n"})

import av
from deepface import DeepFace

def analyse(picture, detector):
    return DeepFace.analyze(picture, actions=["emotion"], detector_backend=detector, enforce_detection=False,
    silent=True)

with av.open(clip) as container:
    pictures = [f.to_ndarray(format="bgr24") for _, f in zip(range(frames + 1), container.decode(video=0))]
answer = {}
for detector in ("retinaface", "skip"):
    analyse(pictures[0], detector)
    began = time.perf_counter()
    for picture in pictures[1:]:
        analyse(picture, detector)
    answer[detector] = frames / (time.perf_counter() - began)
print(json.dumps(answer))
"""


def measure(clip: Path, interpreter: str | None) -> dict[str, Any]:
    """Frames per second of the peer on the first frames of `clip`, weights loaded before."""
    if interpreter is None:
        return {"installed": "no: run make bench-peer"}
    with tempfile.TemporaryDirectory() as home:
        answer = json.loads(run([interpreter, "-c", SCRIPT, str(clip), home, str(FRAMES)]).output.splitlines()[-1])
    return {"clip": clip.name, "with_retinaface_fps": answer["retinaface"], "detector_skipped_fps": answer["skip"]}
