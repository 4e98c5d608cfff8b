"""What `core/stages.py` asks of its parts, of every implementation: the fakes of these tests and the real ones."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest
from parts import FRAMES, SAMPLE, drawn_world, open_sample, retinaface

from fakes import (
    BrightnessClassifier,
    ColourEmbedder,
    KnowingDetector,
    ListedFrames,
    NearestCropper,
    make_faces,
    make_frame,
)
from visagram.core import stages
from visagram.core.geometry import CROP, TEMPLATE, align, apply, display_to_plane
from visagram.core.segments import Segment, plan
from visagram.core.stages import Framing
from visagram.core.types import Frame
from visagram.media.crop import OpenCvCropper
from visagram.media.decode import SegmentFrames
from visagram.media.probe import probe
from visagram.models.catalog import DETECTOR, EMBEDDING, open_session, read_card
from visagram.models.embedding import OnnxEmbedder
from visagram.models.emotion import OnnxClassifier
from visagram.models.retinaface import RetinaFaceDetector, input_size
from visagram.settings import Settings

# ---------------------------------------------------------------------------------------------------- FrameSource


SOURCES: dict[str, Callable[[], Any]] = {
    "listed": lambda: ListedFrames(drawn_world().frames()),
    "segment": open_sample,
}


@pytest.mark.parametrize("open_source", SOURCES.values(), ids=SOURCES)
class TestFrameSource:
    def test_frames_come_in_order_and_follow_each_other(self, open_source):
        frames = list(open_source())
        assert [frame.index for frame in frames] == list(range(FRAMES))
        for one, other in pairwise(frames):
            assert one.time + one.span == other.time
        assert frames[0].time == 0
        assert all(isinstance(frame.time, Fraction) and frame.span > 0 for frame in frames)

    def test_a_frame_holds_what_its_docstring_says(self, open_source):
        for frame in list(open_source())[::13]:
            assert frame.luma.ndim == 2
            assert frame.luma.dtype == np.uint8
            assert isinstance(frame.full_range, bool)
            assert frame.to_plane.shape == (2, 3)
            assert frame.to_plane.dtype == np.float64
            for width, height in ((64, 48), (201, 33)):
                picture = frame.picture(width, height)
                assert picture.shape == (height, width, 3)
                assert picture.dtype == np.uint8

    def test_the_displayed_picture_and_the_luma_plane_show_the_same(self, open_source):
        for frame in list(open_source())[::13]:
            height, width = frame.luma.shape
            grey = frame.picture(width, height).astype(np.float64) @ [0.114, 0.587, 0.299]
            shift, scale = (0, 1) if frame.full_range else (16, 255 / 219)
            assert np.abs(grey - (frame.luma.astype(np.float64) - shift) * scale).mean() < 4
            np.testing.assert_allclose(frame.to_plane, [[1, 0, 0], [0, 1, 0]], atol=1e-9)

    def test_frames_stay_as_they_were_while_others_are_read(self, open_source):
        frames = iter(open_source())
        first = next(frames)
        luma, picture = first.luma.copy(), first.picture(80, 60)
        for _ in frames:
            pass
        np.testing.assert_array_equal(first.luma, luma)
        np.testing.assert_array_equal(first.picture(80, 60), picture)

    def test_a_whole_source_counts_no_damage(self, open_source):
        source = open_source()
        for _ in source:
            pass
        assert source.damaged == 0

    def test_reading_again_gives_the_same_frames(self, open_source):
        for ours, theirs in zip(open_source(), open_source(), strict=True):
            assert (ours.index, ours.time, ours.span) == (theirs.index, theirs.time, theirs.span)
            np.testing.assert_array_equal(ours.luma, theirs.luma)


def _decoders() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "decode"]


def test_a_segment_that_is_closed_early_ends_its_thread():
    with open_sample(Settings()) as source:
        next(iter(source))
        assert _decoders()
    assert not _decoders()


def test_a_segment_that_was_never_read_can_be_closed():
    open_sample(Settings()).close()
    assert not _decoders()


def test_a_segment_that_was_read_to_its_end_ends_its_thread():
    source = open_sample()
    assert sum(1 for _ in source) == FRAMES
    source.close()
    source.close()
    assert not _decoders()


def test_a_segment_decodes_only_a_few_frames_ahead_of_its_reader():
    facts, timeline, _ = probe(SAMPLE, Settings())
    whole = plan(timeline, 0, None, None)[0]
    packets: list[int] = []
    with SegmentFrames(
        SAMPLE, facts, timeline, whole, Settings(), threads=1, depth=3, alive=lambda: packets.append(1)
    ) as source:
        next(iter(source))
        time.sleep(0.3)
        assert 1 <= len(packets) < 40 < len(whole.pts)


def test_segments_in_the_middle_give_the_frames_that_reading_from_the_start_gives(sample_frames):
    with open_sample(Settings(start=0.4, end=1.0)) as source:
        part = list(source)
    assert [frame.index for frame in part] == list(range(10, 25))
    for frame in part:
        np.testing.assert_array_equal(frame.luma, sample_frames[frame.index].luma)


def test_frames_that_the_file_does_not_hold_count_as_damaged():
    facts, timeline, _ = probe(SAMPLE, Settings())
    pts = np.arange(760, 770, dtype=np.int64)
    segment = Segment(0, pts, pts, np.ones(10, np.int64), 10, 750)
    with SegmentFrames(SAMPLE, facts, timeline, segment, Settings(), threads=1, depth=4) as source:
        assert [frame.index for frame in source] == list(range(760, 765))
    assert source.damaged == 5


# --------------------------------------------------------------------------------------------------- FaceDetector


def test_a_picture_without_a_face_has_no_faces():
    noise = np.random.default_rng(0).integers(0, 256, (300, 400)).astype(np.uint8)
    for luma in (noise, np.zeros((300, 400), np.uint8)):
        (faces,) = retinaface().detect([make_frame(0, luma)])
        assert not len(faces) or faces.scores.max() < 0.6
        assert faces.boxes.shape == (len(faces), 4)


def test_a_region_finds_faces_inside_it_in_pixels_of_the_whole_picture(sample_frames):
    (whole,) = retinaface().detect(sample_frames[:1])
    (inside,) = retinaface((120, 80, 180, 200)).detect(sample_frames[:1])
    assert np.abs(inside.boxes[0] - whole.boxes[0]).max() < 6
    assert np.abs(inside.landmarks[0] - whole.landmarks[0]).max() < 4
    (outside,) = retinaface((0, 0, 100, 80)).detect(sample_frames[:1])
    assert not len(outside) or outside.scores.max() < 0.6


def test_a_face_is_found_in_the_same_place_at_every_size_of_the_input(sample_frames):
    (reference,) = retinaface().detect(sample_frames[:1])
    for wanted in ("full", "256", "500"):
        size = input_size((400, 300), 20, wanted)
        detector = RetinaFaceDetector(open_session(read_card(DETECTOR), 1), picture=(400, 300), size=size, region=None)
        (faces,) = detector.detect(sample_frames[:1])
        assert np.abs(faces.landmarks[0] - reference.landmarks[0]).max() < 0.1 * reference.boxes[0, 2]


# ---------------------------------------------------------------------------------------------------- FaceCropper


def _opencv() -> OpenCvCropper:
    return OpenCvCropper(np.array(read_card(EMBEDDING).facts["input"]["template"], np.float64))


def _gradient(full_range: bool = True) -> Frame:
    """Brightness rises to the right and downwards, so that a pixel tells where it was taken."""
    down, across = np.mgrid[0:240, 0:320]
    luma = 20 + across * 0.4 + down * 0.3
    return make_frame(0, luma.round().astype(np.uint8), full_range=full_range)


@pytest.mark.parametrize("make", [NearestCropper, _opencv], ids=["nearest", "opencv"])
class TestFaceCropper:
    def test_crops_have_their_shape_however_many_there_are(self, make):
        for count in (0, 1, 3):
            faces = make_faces([(20 + 60 * k, 60, 50, 60) for k in range(count)])
            crops = make().aligned(_gradient(), faces.landmarks)
            assert crops.shape == (count, CROP, CROP)
            assert crops.dtype == np.uint8
            portraits = make().portraits(_gradient(), faces)
            assert portraits.shape == (count, 224, 224, 3)
            assert portraits.dtype == np.uint8

    @pytest.mark.parametrize("angle", [-30, 0, 75])
    @pytest.mark.parametrize("side", [14, 40, 90, 170])
    def test_the_landmarks_come_to_lie_in_the_templates_places(self, make, angle, side):
        frame, (sine, cosine) = _gradient(), (np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle)))
        scale = side / CROP
        placed = np.array([[scale * cosine, -scale * sine, 0], [scale * sine, scale * cosine, 0]])
        placed[:, 2] = [160, 120] - placed[:, :2] @ [CROP / 2, CROP / 2]
        landmarks = apply(placed, TEMPLATE)[None].astype(np.float32)
        (crop,) = make().aligned(frame, landmarks)
        grid = np.stack(np.meshgrid(np.arange(CROP), np.arange(CROP)), -1).reshape(-1, 2)
        places = apply(align(landmarks)[0], grid.astype(np.float64))
        expected = 20 + places @ [0.4, 0.3]
        inside = ((places >= 1) & (places <= [318, 238])).all(axis=1)
        error = crop.reshape(-1)[inside] - expected[inside]
        assert np.abs(error).max() < 2
        assert abs(error.mean()) < 0.2

    def test_limited_range_becomes_full_range(self, make):
        landmarks = make_faces([(100, 80, 60, 60)]).landmarks
        full = make().aligned(_gradient(), landmarks).astype(np.float64)
        limited = make().aligned(_gradient(full_range=False), landmarks).astype(np.float64)
        np.testing.assert_allclose(limited, np.clip((full - 16) * 255 / 219, 0, 255), atol=1.5)

    def test_several_faces_are_cropped_as_each_alone(self, make):
        faces = make_faces([(20, 20, 40, 50), (150, 60, 90, 100), (300, 200, 60, 60)])
        cropper = make()
        alone = np.concatenate([cropper.aligned(_gradient(), faces.landmarks[[k]]) for k in range(3)])
        np.testing.assert_array_equal(cropper.aligned(_gradient(), faces.landmarks), alone)
        alone = np.concatenate([cropper.portraits(_gradient(), faces[np.array([k])]) for k in range(3)])
        np.testing.assert_array_equal(cropper.portraits(_gradient(), faces), alone)

    def test_boxes_come_in_colour_at_their_own_size(self, make):
        faces = make_faces([(20, 20, 40, 50), (150, 60, 90, 100)])
        shown = np.random.default_rng(0).integers(0, 256, (240, 320, 3)).astype(np.uint8)
        frame = make_frame(0, shown[..., 1], shown=shown)
        boxes = make().boxes(frame, faces, Framing(aligned=False))
        assert [box.shape for box in boxes] == [(50, 40, 3), (100, 90, 3)]
        np.testing.assert_array_equal(boxes[0], shown[20:70, 20:60])
        assert make().boxes(frame, faces[np.zeros(2, bool)], Framing(aligned=False)) == []

    @pytest.mark.parametrize(
        "box", [(-500, -500, 60, 60), (310, 230, 60, 60), (-200, -200, 900, 900), (100, 100, 1, 1)]
    )
    def test_a_face_beyond_the_border_gets_a_crop_all_the_same(self, make, box):
        faces = make_faces([box])
        (cut,) = make().boxes(_gradient(), faces, Framing(aligned=False, margin=0.1, square=True, upright=True))
        assert cut.dtype == np.uint8 and cut.size
        assert make().aligned(_gradient(), faces.landmarks).shape == (1, CROP, CROP)
        assert make().portraits(_gradient(), faces).shape == (1, 224, 224, 3)

    def test_the_picture_is_left_as_it_was(self, make):
        frame = _gradient()
        before = frame.luma.copy()
        make().aligned(frame, make_faces([(100, 80, 60, 60)]).landmarks)
        np.testing.assert_array_equal(frame.luma, before)

    def test_a_jpeg_is_a_small_picture(self, make):
        portrait = np.random.default_rng(0).integers(0, 256, (224, 224, 3)).astype(np.uint8)
        content = make().jpeg(portrait)
        assert isinstance(content, bytes)
        assert len(content) < 50_000
        assert cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) is not None

    @pytest.mark.parametrize("rotation", [0, 90, 180, 270])
    def test_a_rotated_video_gives_the_crops_of_its_upright_twin(self, make, rotation):
        upright = _gradient()
        # The plane as coded: turning it counter-clockwise by `rotation` shows the picture upright.
        plane = np.ascontiguousarray(np.rot90(upright.luma, -rotation // 90 % 4))
        height, width = plane.shape
        coded = Frame(
            index=0,
            time=upright.time,
            span=upright.span,
            luma=plane,
            full_range=True,
            to_plane=display_to_plane(320, 240, width, height, rotation),
            picture=upright.picture,
            size=upright.size,
        )
        landmarks = make_faces([(100, 80, 60, 60), (30, 30, 150, 160)]).landmarks
        theirs, ours = make().aligned(upright, landmarks), make().aligned(coded, landmarks)
        assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 2


def test_a_box_has_its_margin_and_is_black_beyond_the_picture():
    shown = np.full((240, 320, 3), 200, np.uint8)
    frame, faces = make_frame(0, shown[..., 1], shown=shown), make_faces([(0, 100, 40, 60)])
    (wide,) = _opencv().boxes(frame, faces, Framing(aligned=False, margin=0.5))
    assert wide.shape == (120, 80, 3)
    assert (wide[:, :20] == 0).all() and (wide[:, 20:] == 200).all()
    (square,) = _opencv().boxes(frame, faces, Framing(aligned=False, square=True))
    assert square.shape == (60, 60, 3)
    assert (square[:, :10] == 0).all() and (square[:, 10:] == 200).all()


@pytest.mark.parametrize("angle", [-30, 10, 45])
def test_an_upright_box_has_level_eyes(angle):
    radians = np.deg2rad(angle)
    turn = np.array([[np.cos(radians), -np.sin(radians)], [np.sin(radians), np.cos(radians)]])
    faces = make_faces([(110, 70, 100, 100)])
    faces.landmarks[0] = (faces.landmarks[0] - [160, 120]) @ turn.T + [160, 120]
    shown = np.zeros((240, 320, 3), np.uint8)
    for x, y in faces.landmarks[0, :2]:
        cv2.circle(shown, (round(float(x)), round(float(y))), 4, (255, 255, 255), -1)
    (crop,) = _opencv().boxes(make_frame(0, shown[..., 0], shown=shown), faces, Framing(aligned=False, upright=True))
    rows = np.arange(100)[:, None] * (crop[..., 0] > 100)
    halves = [rows[:, :50], rows[:, 50:]]
    left, right = (half.sum() / max(1, (half > 0).sum()) for half in halves)
    assert abs(left - right) < 1.5
    assert abs(left - 40) < 2.5


def test_the_sample_clips_face_is_cropped_with_eyes_and_mouth_in_place(sample_frames, sample_faces):
    cropper, detector = _opencv(), retinaface()
    for frame, faces in zip(sample_frames[::13], sample_faces, strict=True):
        (crop,) = cropper.aligned(frame, faces.landmarks)
        # Found again in an enlarged crop, the face has its landmarks where the template says.
        shown = cv2.copyMakeBorder(cv2.resize(crop, None, fx=4, fy=4), 54, 54, 104, 104, cv2.BORDER_REPLICATE)
        (again,) = detector.detect([make_frame(0, shown)])
        places = (again.landmarks[0] - [104, 54] + 0.5) / 4 - 0.5
        assert np.abs(places - TEMPLATE).max() < 4


# --------------------------------------------------------------------------------------------------- FaceEmbedder


@pytest.mark.parametrize(
    "make", [ColourEmbedder, lambda: OnnxEmbedder(read_card(EMBEDDING), threads=1)], ids=["colour", "onnx"]
)
class TestFaceEmbedder:
    portraits = np.random.default_rng(0).integers(0, 256, (6, 224, 224, 3)).astype(np.uint8)

    @pytest.mark.parametrize("count", [0, 1, 4, 5])
    def test_rows_have_unit_length(self, make, count):
        vectors = make().embed(self.portraits[:count])
        assert vectors.ndim == 2
        assert len(vectors) == count
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        assert vectors.shape[1] == make().embed(self.portraits[:1]).shape[1]

    def test_the_threshold_is_a_cosine(self, make):
        assert 0 < make().threshold < 1

    def test_a_batch_is_embedded_as_each_portrait_alone(self, make):
        embedder = make()
        alone = np.concatenate([embedder.embed(self.portraits[[k]]) for k in range(6)])
        np.testing.assert_allclose(embedder.embed(self.portraits), alone, atol=1e-4)

    def test_the_same_portraits_give_the_same_vectors(self, make):
        np.testing.assert_array_equal(make().embed(self.portraits), make().embed(self.portraits))

    def test_a_black_portrait_is_no_trouble(self, make):
        assert np.isfinite(make().embed(np.zeros((1, 224, 224, 3), np.uint8))).all()


def test_portraits_of_one_face_are_alike_and_of_noise_are_not(sample_frames, sample_faces):
    cropper, embedder = _opencv(), OnnxEmbedder(read_card(EMBEDDING), threads=1)
    portraits = [
        cropper.portraits(frame, faces[np.array([0])])[0]
        for frame, faces in zip(sample_frames[::13], sample_faces, strict=True)
    ]
    vectors = embedder.embed(np.stack([*portraits, TestFaceEmbedder.portraits[0]]))
    cosines = vectors @ vectors.T
    assert cosines[:-1, :-1].min() > embedder.threshold
    assert cosines[-1, :-1].max() < embedder.threshold


# ------------------------------------------------------------------------------------------------------ Protocols


@pytest.mark.parametrize(
    ("protocol", "implementations"),
    [
        (stages.FaceDetector, [KnowingDetector, RetinaFaceDetector]),
        (stages.FaceCropper, [NearestCropper, OpenCvCropper]),
        (stages.EmotionClassifier, [BrightnessClassifier, OnnxClassifier]),
        (stages.FaceEmbedder, [ColourEmbedder, OnnxEmbedder]),
        (stages.FrameSource, [ListedFrames, SegmentFrames]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_implementations_have_the_methods_of_their_protocol(protocol, implementations):
    methods = [name for name, member in vars(protocol).items() if inspect.isfunction(member) and name[0] != "_"]
    for implementation in implementations:
        for method in methods:
            ours = inspect.signature(getattr(implementation, method)).parameters
            assert list(ours) == list(inspect.signature(getattr(protocol, method)).parameters)
