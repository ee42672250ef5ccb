"""The wire format: messages survive a round trip, and bytes that are no message raise a WireError."""

import contextlib
import io
import json
import string
import struct
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blender_meshrec.bridge import wire
from blender_meshrec.bridge.messages import Failure, Progress, ReconstructRequest, Result
from blender_meshrec.core.messages import Message
from tests.support.message_sites import message_sites
from tests.support.synthetic_bodies import make_recovery, make_tube_body

PORTRAIT = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
REPORT = {"people": [{"jitter": 1.5}], "warnings": ["Näh"], "none": None}
RESULT = Result((make_recovery(make_tube_body(), frames=5),), (2,), REPORT, (PORTRAIT, None))
REQUEST = ReconstructRequest("/a path/舞.mp4", person="2", frames=(3, None), fps=23.976, refine=("one", "two"), cache=None)
MESSAGES = (
    REQUEST,
    Progress("Finding people", 3, 10),
    Progress(Message("image-method-forecast", "{method} takes a while.", method="SPIN"), 3, 10),
    RESULT,
    Failure(4, Message("test-error.problem", "It is missing."), Message("test-error.remedy", "Get it."), "details\n"),
)


def encoded(*messages):
    stream = io.BytesIO()
    for message in messages:
        wire.write_message(stream, message)
    return stream.getvalue()


def read(raw):
    return wire.read_message(io.BytesIO(raw))


class SlowStream(io.RawIOBase):
    """A stream that returns a few bytes at a time, as pipes may."""

    def __init__(self, raw):
        self.raw, self.rng = io.BytesIO(raw), np.random.default_rng(0)

    def read(self, size=-1):
        return self.raw.read(min(size, int(self.rng.integers(1, 50))))


def test_messages_keep_their_identity_on_the_wire():
    text = "{name} ends early: {count:.1f} s, {what}."
    warning = Message("early", text, name="clip.mp4", count=np.float32(2.25), what=(Message("cut", "cut off"), 3))
    received = read(encoded(Result((), (), {"warnings": (warning,)}))).report["warnings"]
    assert received == ["clip.mp4 ends early: 2.2 s, cut off, 3."]
    assert (received[0].name, received[0].text, received[0].values) == (warning.name, warning.text, warning.values)
    assert received[0].values["what"][0].name == "cut"
    with pytest.raises(wire.WireError):
        read(encoded(Failure(4, "no Message", Message("test-error.remedy", "Get it."))))


def test_messages_survive_a_round_trip():
    stream = SlowStream(encoded(*MESSAGES))
    for message in MESSAGES:
        received = wire.read_message(stream)
        if not isinstance(message, Result):
            assert received == message
            continue
        assert received.people == message.people and received.report == message.report
        assert np.array_equal(received.portraits[0], PORTRAIT) and received.portraits[1:] == (None,)
        for name, value in message.recoveries[0].arrays().items():
            other = getattr(received.recoveries[0], name)
            assert np.array_equal(other, value) and type(other) is type(value)
            assert not isinstance(value, np.ndarray) or other.dtype == value.dtype
    assert wire.read_message(stream) is None


def test_arrays_of_any_layout_and_byte_order_arrive():
    grid = np.arange(24.0).reshape(2, 3, 4)
    arrays = [grid.T, grid[:, ::2], grid.astype(">f4"), np.array(7, np.uint16), np.zeros((0, 3)), np.array([True, False])]
    received = read(encoded(Result((), (), {"arrays": arrays})))
    for array, other in zip(arrays, received.report["arrays"]):
        assert array.shape == other.shape and np.array_equal(array, other)


@pytest.mark.parametrize("value", [np.array([object()]), np.array(["text"]), np.array([1j]), {1: 2}, {"$array": 0}, {"a", "b"}, lambda: 0])
def test_only_numbers_text_and_arrays_are_encoded(value):
    with pytest.raises(TypeError, match="travel"):
        encoded(Result((), (), {"value": value}))
    with pytest.raises(TypeError, match="no message"):
        encoded(value)


def frame(text, arrays=b"", claimed=None, magic=b"MREC", version=1):
    encoded = text if isinstance(text, bytes) else json.dumps(text).encode()
    size = len(arrays) if claimed is None else claimed
    return struct.pack("<4sHHIQ", magic, version, 0, len(encoded), size) + encoded + arrays


def progress_frame(**changes):
    return {"kind": "Progress", "fields": {"stage": "a", "done": 1, "total": 2, **changes}, "arrays": []}


def result_frame(*entries, **more):
    return {"kind": "Result", "fields": {"recoveries": [], "people": [], "report": {"x": {"$array": 0}}, **more}, "arrays": [*entries]}


def failure_frame(text):
    message = {"$message": {"name": "a", "text": text, "values": {"x": 999999999}}}
    return {"kind": "Failure", "fields": {"exit_code": 1, "problem": message, "remedy": message}, "arrays": []}


MALFORMED = {
    "not ours": b"GET / HTTP/1.1\r\n\r\n01234567890",
    "another version": frame(progress_frame(), version=2),
    "huge text": struct.pack("<4sHHIQ", b"MREC", 1, 0, 0xFFFFFFFF, 0),
    "huge arrays": frame(result_frame(["<f8", [2**40]]), claimed=2**43),
    "not JSON": frame(b"{{"),
    "not text": frame(b"\xff\xfe"),
    "a number too long": frame(b'{"kind": "Progress", "fields": {"done": ' + b"9" * 5000 + b"}}"),
    "deep": frame(b"[" * 100_000),
    "a list": frame([1, 2]),
    "an unknown kind": frame({"kind": "Popen", "fields": {}, "arrays": []}),
    "an unknown field": frame(progress_frame(shell="rm")),
    "a missing field": frame({"kind": "Progress", "fields": {"stage": "a"}, "arrays": []}),
    "text for a number": frame(progress_frame(done="1")),
    "a boolean for a number": frame(progress_frame(done=True)),
    "objects": frame(result_frame(["|O", [1]]), bytes(8)),
    "a negative shape": frame(result_frame(["<f8", [-1, -1]]), bytes(8)),
    "a shape of text": frame(result_frame(["<f8", "1"]), bytes(8)),
    "sizes that do not agree": frame(result_frame(["<f8", [2]]), bytes(8)),
    "axes that numpy cannot count": frame(result_frame(["<f8", [2**33, 2**33, 0]])),
    "an axis beyond 64 bits": frame(result_frame(["<f8", [2**70, 0]])),
    "a large progress": frame(progress_frame(stage="a" * (wire.MAX_PROGRESS_BYTES + 1))),
    "a progress with arrays": frame({**progress_frame(), "arrays": [["|u1", [8]]]}, bytes(8)),
    "people of text": frame({"kind": "Result", "fields": {"recoveries": [], "people": ["a"]}, "arrays": []}),
    "portraits of numbers": frame({"kind": "Result", "fields": {"recoveries": [], "people": [], "portraits": [1]}, "arrays": []}),
    "a text that grows": frame(failure_frame("{x:>999999999}")),
    "a text that looks inside": frame(failure_frame("{x.__class__}")),
    "a text that nests": frame(failure_frame("{x:{x}}")),
    "a text without its value": frame(failure_frame("{y}")),
    "too many axes": frame(result_frame(["|u1", [1] * 64]), bytes(1)),
    "no such array": frame(result_frame()),
    "array number -1": frame(result_frame(["<f8", [1]], report={"x": {"$array": -1}}), bytes(8)),
    "booleans of other bytes": frame(result_frame(["|b1", [1]]), b"\x07"),
    "recoveries of nothing": frame(result_frame(["<f8", [1]], recoveries=[{}]), bytes(8)),
    "recoveries of text": frame(result_frame(["<f8", [1]], recoveries=["a"]), bytes(8)),
    "an endless number": frame(
        result_frame(["<f8", [1]], recoveries=[dict.fromkeys(RESULT.recoveries[0].arrays(), 1) | {"first_frame": float("inf")}]), bytes(8)
    ),
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
def test_bytes_that_are_no_message_are_refused(raw):
    with pytest.raises(wire.WireError):
        read(raw)


def test_every_message_of_the_software_may_travel():
    for site in message_sites("."):
        if site.text is not None:
            values = dict.fromkeys((name for _, name, _, _ in string.Formatter().parse(site.text) if name), 0)
            wire._check_templates({"name": site.name, "text": site.text, "values": values})


def test_a_truncated_stream_differs_from_one_that_ends():
    assert read(b"") is None
    raw = encoded(RESULT)
    for cut in (1, 10, 25, 300, len(raw) // 2, len(raw) - 1):
        with pytest.raises(wire.TruncatedMessageError):
            read(raw[:cut])


def test_a_claimed_size_allocates_no_memory():
    """A frame that claims 2 GB and has 8 bytes allocates little more than those."""
    raw = frame(result_frame(["|u1", [wire.MAX_ARRAY_BYTES]]), bytes(8), claimed=wire.MAX_ARRAY_BYTES)
    tracemalloc.start()
    with pytest.raises(wire.TruncatedMessageError):
        read(raw)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * wire.CHUNK_BYTES  # bytes


@settings(max_examples=300, deadline=None, derandomize=True)
@given(raw=st.binary(max_size=200))
@example(raw=b"MREC" + bytes(16))
def test_random_bytes_raise_only_wire_errors(raw):
    for candidate in (raw, b"MREC\x01\0\0\0" + raw, frame(raw)):
        with contextlib.suppress(wire.WireError):
            read(candidate)


SMALL = encoded(Result((make_recovery(make_tube_body(posedirs=False), frames=1),), (1,), {"a": [1.5, None]}))
HEADER_SIZE = SMALL.index(b'"arrays"') + 700  # includes the JSON text, which is parsed


@settings(max_examples=500, deadline=None, derandomize=True)
@given(data=st.data())
def test_damaged_messages_raise_only_wire_errors(data):
    raw = bytearray(SMALL)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, HEADER_SIZE))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.one_of(st.just(len(raw)), st.integers(0, len(raw))))]
    with contextlib.suppress(wire.WireError):
        read(bytes(raw))


def test_speed_of_a_long_result():
    """Ten minutes of one person are encoded and decoded in well under a second."""
    frames = 18_000
    short = RESULT.recoveries[0]
    long = type(short)(**{k: np.resize(v, (frames, *v.shape[1:])) if np.ndim(v) and len(v) == 5 else v for k, v in short.arrays().items()})
    start = time.perf_counter()
    received = read(encoded(Result((long,), (1,), {})))
    assert len(received.recoveries[0]) == frames
    assert time.perf_counter() - start < 2.0  # s
