from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from factories import video_facts
from fakes import make_rows, make_track, steady_timeline
from visagram import wire
from visagram.core.segments import Timeline, plan
from visagram.core.types import Observations, Reason


def _through(kind, values=None, arrays=None):
    pipe = io.BytesIO()
    wire.send(pipe, kind, values, arrays)
    pipe.seek(0)
    message = wire.receive(pipe)
    assert wire.receive(pipe) is None
    return message


columns = st.sampled_from(["float32", "float64", "int64", "int32", "uint8", "bool"]).flatmap(
    lambda kind: arrays(np.dtype(kind), array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4))
)
json_values = st.dictionaries(
    st.text(max_size=5), st.one_of(st.none(), st.integers(-(2**60), 2**60), st.text(max_size=9)), max_size=4
)


@given(st.text(max_size=9), json_values, st.dictionaries(st.text(max_size=5), columns, max_size=3))
def test_what_is_sent_is_received(kind, values, sent):
    received_kind, received_values, received = _through(kind, values, sent)
    assert (received_kind, received_values) == (kind, values)
    assert list(received) == list(sent)
    for name, array in sent.items():
        assert received[name].dtype == array.dtype
        np.testing.assert_array_equal(received[name], array)


def test_messages_follow_each_other():
    pipe = io.BytesIO()
    for number in range(5):
        wire.send(pipe, "count", {"number": number}, {"a": np.arange(number)})
    pipe.seek(0)
    assert [wire.receive(pipe)[1]["number"] for _ in range(5)] == list(range(5))
    assert wire.receive(pipe) is None


def test_a_view_into_a_larger_array_is_sent_as_what_it_shows():
    whole = np.arange(24).reshape(4, 6)
    _, _, received = _through("x", arrays={"part": whole[::2, 1:4].T})
    np.testing.assert_array_equal(received["part"], whole[::2, 1:4].T)


def test_facts_and_timeline_and_segment_come_back_as_they_were():
    facts = dataclasses.replace(video_facts("caf\udce9 映画.mp4"), duration=Fraction(1001, 30000) * 77)
    _, values, _ = _through("facts", wire.pack_facts(facts))
    assert wire.unpack_facts(values) == facts
    timeline = dataclasses.replace(steady_timeline(700), base=Fraction(1, 90000), origin=-1500)
    values, sent = wire.pack_timeline(timeline)
    _, values, received = _through("timeline", values, sent)
    _same(wire.unpack_timeline(values, received), timeline)
    for segment in plan(steady_timeline(700), 1.0, None, 5.0):
        values, sent = wire.pack_segment(segment)
        _, values, received = _through("segment", values, sent)
        _same(wire.unpack_segment(values, received), segment)


@pytest.mark.parametrize(
    "rows",
    [Observations.empty(), make_rows(range(9), 4, reason=[0, 1, 2, 3, 4, 0, 0, 0, Reason.BLURRED])],
    ids=["none", "some"],
)
def test_observations_come_back_as_they_were(rows):
    _, _, received = _through("observations", {}, wire.pack_observations(rows))
    _same(wire.unpack_observations(received), rows)


@pytest.mark.parametrize("who", [None, 3])
def test_a_track_comes_back_as_it_was(who):
    track = make_track(3, 10, 20, who=who)
    values, sent = wire.pack_track(track)
    _, values, received = _through("track", values, sent)
    _same(wire.unpack_track(values, received), track)


def _same(ours, theirs):
    assert type(ours) is type(theirs)
    for field in dataclasses.fields(theirs):
        np.testing.assert_array_equal(getattr(ours, field.name), getattr(theirs, field.name), err_msg=field.name)


def test_a_timeline_without_timestamps_comes_back():
    nothing = np.empty(0, np.int64)
    values, sent = wire.pack_timeline(Timeline(Fraction(1, 25), nothing, nothing, 0, 0))
    _, values, received = _through("timeline", values, sent)
    assert len(wire.unpack_timeline(values, received).pts) == 0


def test_a_message_cut_short_at_any_byte_is_refused():
    pipe = io.BytesIO()
    wire.send(pipe, "x", {"a": 1}, {"one": np.arange(3), "two": np.ones((2, 2), np.float32)})
    whole = pipe.getvalue()
    for length in range(1, len(whole)):
        with pytest.raises(ValueError):
            wire.receive(io.BytesIO(whole[:length]))


def _raw(head, body=b""):
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return io.BytesIO(struct.pack(">I", len(text)) + text + body)


def _array(dtype, shape):
    return {"kind": "x", "values": {}, "arrays": [["a", dtype, shape]]}


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[" * 100_000,
        [],
        7,
        None,
        {},
        {"kind": "x", "values": {}},
        {"kind": 7, "values": {}, "arrays": []},
        {"kind": "x", "values": [], "arrays": []},
        {"kind": "x", "values": {}, "arrays": [["a"]]},
        {"kind": "x", "values": {}, "arrays": 7},
        _array("O", [1]),
        _array("O,i4", [1]),
        _array({"names": ["a"], "formats": ["O"]}, [1]),
        _array("no such type", [1]),
        _array(7, [1]),
        _array("f4", [-1, -4]),
        _array("f4", ["4"]),
        _array("f4", 4),
        _array("f4", None),
        _array("V0", [4]),
        _array("f4", [1 << 40]),
        _array("f4", [1 << 60, 1 << 60]),
        b'{"kind": "x", "values": {}, "arrays": [["a", "f4", [1e999]]]}',
        b'{"kind": "x", "values": {}, "arrays": [["a", "f4", [NaN]]]}',
        _array("f4", [1] * 100),
    ],
    ids=repr,
)
def test_what_is_not_a_message_is_refused(head):
    with pytest.raises(ValueError):
        wire.receive(_raw(head, bytes(64)))


def test_a_size_beyond_reason_is_refused_before_anything_is_read():
    class Endless(io.BytesIO):
        def read(self, size=-1):
            assert size < 1 << 20
            return super().read(size)

    with pytest.raises(ValueError, match="refused"):
        wire.receive(Endless(b"\xff\xff\xff\xff" + bytes(64)))


@given(st.binary(max_size=200))
def test_noise_is_refused_or_the_end(noise):
    with contextlib.suppress(ValueError):
        assert wire.receive(io.BytesIO(noise)) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda sent: sent.pop("frame"),
        lambda sent: sent.pop("posterior"),
        lambda sent: sent.update(time=sent["time"][:-1]),
        lambda sent: sent.update(frame=np.zeros(5, np.int64)),
        lambda sent: sent.update(posterior=sent["posterior"][:, :6]),
        lambda sent: sent.update(score=sent["score"].astype(np.float64)),
        lambda sent: sent.update(frame=np.int64(3)),
    ],
)
def test_observations_that_do_not_fit_together_are_refused(change):
    sent = wire.pack_observations(make_rows(range(3), 0))
    change(sent)
    with pytest.raises(ValueError):
        wire.unpack_observations(sent)
