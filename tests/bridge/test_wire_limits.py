"""The limits of the wire, to the byte, and the frame's layout."""

import io
import json
import struct

import numpy as np
import pytest

from blender_meshrec.bridge import wire
from blender_meshrec.bridge.messages import Failure, Progress, ReconstructRequest, Result
from blender_meshrec.core.messages import Message


def encoded(message):
    stream = io.BytesIO()
    wire.write_message(stream, message)
    return stream.getvalue()


def frame(text, arrays=b"", size=None, zero=0, version=1, magic=b"MREC"):
    raw = json.dumps(text).encode()
    return struct.pack("<4sHHIQ", magic, version, zero, len(raw), len(arrays) if size is None else size) + raw + arrays


def read(raw):
    return wire.read_message(io.BytesIO(raw))


def array_frame(*entries, report=None):
    fields = {"recoveries": [], "people": [], "report": report or {"x": {"$array": 0}}}
    return {"kind": "Result", "fields": fields, "arrays": [list(entry) for entry in entries]}


def test_a_frame_is_laid_out_as_the_docs_say():
    raw = encoded(Result((), (), {"a": np.array([1, 2], ">i2"), "b": np.zeros((2, 0)), "c": np.array(5, np.uint8)}))
    magic, version, zero, text_size, size = struct.unpack_from("<4sHHIQ", raw)
    text = json.loads(raw[20 : 20 + text_size])
    assert (magic, version, zero, size) == (b"MREC", 1, 0, 5) and len(raw) == 20 + text_size + 5
    report = {"a": {"$array": 0}, "b": {"$array": 1}, "c": {"$array": 2}}
    assert text == {
        "kind": "Result",
        "fields": {
            "recoveries": [],
            "people": [],
            "report": report,
            "portraits": [],
            "picture": None,
            "people_text": "",
            "thumbnails": None,
            "thumbnail_places": None,
            "textures": [],
        },
        "arrays": [["<i2", [2]], ["<f8", [2, 0]], ["|u1", []]],
    }
    assert raw[-5:] == b"\1\0\2\0\5"


@pytest.mark.parametrize("change", [{"zero": 1}, {"version": 2}, {"version": 0}, {"magic": b"MREX"}])
def test_another_header_is_refused(change):
    good = {"kind": "Progress", "fields": {"stage": "a", "done": 1, "total": 2}, "arrays": []}
    assert read(frame(good)) == Progress("a", 1, 2)
    with pytest.raises(wire.WireError):
        read(frame(good, **change))


@pytest.mark.parametrize("name, limit", [("MAX_TEXT_BYTES", 400), ("MAX_ARRAY_BYTES", 64)])
def test_messages_are_as_large_as_the_limits_and_no_larger(monkeypatch, name, limit):
    """Both sides refuse one byte more, the reader by the header alone."""

    def message(size):
        if name == "MAX_ARRAY_BYTES":
            return Result((), (), {"x": np.zeros(size, np.uint8)})
        empty = struct.unpack_from("<4sHHIQ", encoded(Result((), (), {"x": ""})))[3]
        return Result((), (), {"x": "a" * (size - empty)})

    exact, larger = encoded(message(limit)), encoded(message(limit + 1))
    monkeypatch.setattr(wire, name, limit)
    assert read(exact).report.keys() == {"x"} and encoded(message(limit)) == exact
    with pytest.raises(wire.MessageTooLargeError):
        encoded(message(limit + 1))
    for raw in (larger, larger[:20]):
        with pytest.raises(wire.WireError, match="larger than any is"):
            read(raw)


def test_progress_has_a_limit_of_its_own():
    stage = "a" * (
        wire.MAX_PROGRESS_BYTES - len(json.dumps({"kind": "Progress", "fields": {"stage": "", "done": 1, "total": 2}, "arrays": []}))
    )
    for more, is_read in (("", True), ("a", False)):
        raw = frame({"kind": "Progress", "fields": {"stage": stage + more, "done": 1, "total": 2}, "arrays": []})
        if is_read:
            assert read(raw).stage == stage
            continue
        with pytest.raises(wire.WireError, match="larger"):
            read(raw)


def test_the_limits_are_those_decided_on():
    """The numbers themselves: a hostile backend can take no more than them."""
    assert (wire.MAX_TEXT_BYTES, wire.MAX_ARRAY_BYTES, wire.MAX_PROGRESS_BYTES) == (2**24, 2**31, 2**14)
    assert (wire.MAX_DIMENSIONS, wire.CHUNK_BYTES) == (8, 2**20)
    assert set(wire.DTYPES) == {f"<{kind}{size}" for kind, sizes in {"i": "248", "u": "248", "f": "248"}.items() for size in sizes} | {
        "|b1",
        "|i1",
        "|u1",
    }


@pytest.mark.parametrize("dtype", wire.DTYPES)
def test_each_dtype_travels(dtype):
    array = np.array([0, 1, 1, 0]).astype(dtype).reshape(2, 2)
    received = read(encoded(Result((), (), {"x": array}))).report["x"]
    assert received.dtype == dtype and np.array_equal(received, array)


@pytest.mark.parametrize(
    "entry, is_read",
    [
        (["<f8", [1] * 8], True),
        (["<f8", [1] * 9], False),
        (["<f8", [0, 5]], True),
        (["<f8", [1.0]], False),
        (["<f8", [True]], False),
        (["<f8", [-1]], False),
        ([">f8", [1]], False),
        (["|O", [1]], False),
        (["<c16", [1]], False),
        (["<f8", {"0": 1}], False),
        (["<f8", [0, 2**28]], True),
        (["<f8", [0, 2**28 + 1]], False),
        (["<f8"], False),
        (["<f8", [1], 3], False),
    ],
)
def test_array_headers_are_checked(entry, is_read):
    num_values = int(np.prod(entry[1])) if is_read else 1
    raw = frame(array_frame(entry), bytes(8 * num_values))
    if is_read:
        assert read(raw).report["x"].shape == tuple(entry[1])
        return
    with pytest.raises(wire.WireError):
        read(raw)


@pytest.mark.parametrize("dtype", ["|u1", "<f2", "<f8"])
def test_empty_arrays_have_sides_within_the_limit(dtype):
    """An array of no bytes may be reshaped by others: its sides count as if it had some."""
    side = wire.MAX_ARRAY_BYTES // np.dtype(dtype).itemsize
    assert read(frame(array_frame([dtype, [0, side]]))).report["x"].shape == (0, side)
    with pytest.raises(wire.WireError):
        read(frame(array_frame([dtype, [0, side + 1]])))


@pytest.mark.parametrize("claimed", [7, 9, 16])
def test_arrays_have_exactly_their_bytes(claimed):
    with pytest.raises(wire.WireError, match="not of the size it claims"):
        read(frame(array_frame(["<f8", [1]]), bytes(claimed)) + encoded(Progress("next", 1, 2)))


def test_no_more_is_asked_of_the_stream_than_a_piece_at_a_time():
    """A stream may take memory for what it is asked for, and not for what comes."""
    asked = []

    class Stream(io.BytesIO):
        def read(self, size=-1):
            asked.append(size)
            return super().read(size)

    size = 3 * wire.CHUNK_BYTES + 5
    assert wire.read_message(Stream(encoded(Result((), (), {"x": np.zeros(size, np.uint8)})))).report["x"].shape == (size,)
    assert max(asked) == wire.CHUNK_BYTES and min(asked) == 5
    asked.clear()
    with pytest.raises(wire.TruncatedMessageError):
        wire.read_message(Stream(frame(array_frame(["|u1", [2**31]]), bytes(9), size=2**31)))
    assert max(asked) <= wire.CHUNK_BYTES


@pytest.mark.parametrize("content, is_read", [(b"\0\1\1\0", True), (b"\0\2\0\0", False), (b"\0\0\0\xff", False), (b"", True)])
def test_booleans_are_zeros_and_ones(content, is_read):
    raw = frame(array_frame(["|b1", [len(content)]]), content)
    if is_read:
        assert read(raw).report["x"].tolist() == [bool(value) for value in content]
        return
    with pytest.raises(wire.WireError):
        read(raw)


@pytest.mark.parametrize("index", [-1, 1, True, 0.0, "0", None, [0]])
def test_arrays_are_named_by_their_number(index):
    with pytest.raises(wire.WireError):
        read(frame(array_frame(["<f8", [1]], report={"x": {"$array": index}}), bytes(8)))


PICTURE = np.zeros((2, 2, 3), np.uint8)


@pytest.mark.parametrize(
    "portrait", [PICTURE[0], PICTURE[..., :2], PICTURE[None], PICTURE.astype(np.int8), PICTURE.astype(float), PICTURE.tolist(), 1, "a"]
)
def test_portraits_are_pictures(portrait):
    assert read(encoded(Result((), (), {}, (PICTURE, None)))).portraits[1] is None
    with pytest.raises(wire.WireError):
        read(encoded(Result((), (), {}, (PICTURE, portrait))))


@pytest.mark.parametrize("person", [True, 1.0, "1", None, [1]])
def test_people_are_numbers(person):
    assert read(encoded(Result((), (1, 2), {}))).people == (1, 2)
    with pytest.raises(wire.WireError):
        read(encoded(Result((), (1, person), {})))


@pytest.mark.parametrize(
    "field, value, is_read",
    [
        ("fps", 25.0, True),
        ("fps", 25, True),
        ("fps", None, True),
        ("fps", True, False),
        ("fps", "25", False),
        ("person", 2, False),
        ("person", "2", True),
        ("refine", ["a", "b"], True),
        ("refine", "a", False),
        ("refine", {"a": 1}, False),
        ("source", None, False),
        ("source", ["a"], False),
        ("shell", "rm", False),
    ],
)
def test_fields_have_the_types_that_the_message_declares(field, value, is_read):
    text = {"kind": "ReconstructRequest", "fields": {"source": "/a.mp4", field: value}, "arrays": []}
    if is_read:
        received = getattr(read(frame(text)), field)
        assert received == (tuple(value) if isinstance(value, list) else value) and type(received) is not list
        return
    with pytest.raises(wire.WireError):
        read(frame(text))


@pytest.mark.parametrize(
    "text, is_read",
    [
        ("plain", True),
        ("{x}", True),
        ("{x:.1f} and {{braces}}", True),
        ("{x:>12.34f}", True),
        ("{x:>123}", False),
        ("{x:.123f}", False),
        ("{x:0999999999d}", False),
        ("{x.real}", False),
        ("{x[0]}", False),
        ("{x!r}", False),
        ("{x:{x}}", False),
        ("{", False),
        ("}", False),
        ("{}", False),
        ("{{{x}", True),
        ("{x}}", False),
    ],
)
def test_templates_ask_for_values_and_nothing_else(text, is_read):
    inner = {"name": "inner", "text": text, "values": {"x": 3}}
    for problem in (
        inner,
        {"name": "outer", "text": "{y}", "values": {"y": inner}},
        {"name": "o", "text": "{y}", "values": {"y": [1, inner]}},
    ):
        remedy = {"$message": {"name": "r", "text": "Do.", "values": {}}}
        raw = frame({"kind": "Failure", "fields": {"exit_code": 2, "problem": {"$message": problem}, "remedy": remedy}, "arrays": []})
        if is_read:
            assert read(raw).exit_code == 2
            continue
        with pytest.raises(wire.WireError):
            read(raw)


def test_values_of_numpy_and_paths_are_plain(tmp_path):
    received = read(
        encoded(Result((), (), {"a": np.float32(0.5), "b": np.bool_(True), "c": tmp_path, "d": (1, [2]), "e": {"f": None}}))
    ).report
    assert received == {"a": 0.5, "b": True, "c": str(tmp_path), "d": [1, [2]], "e": {"f": None}}
    assert type(received["a"]) is float and type(received["b"]) is bool


@pytest.mark.parametrize("value", [{"$array": 0, "a": 1}, {"$message": 1}, {1: 2}, {"a": {"b": {3}}}, [b"bytes"], 1j])
def test_what_would_be_read_as_something_else_does_not_travel(value):
    with pytest.raises(TypeError, match="travel"):
        encoded(Result((), (), {"x": value}))


def test_a_message_is_flushed_as_a_whole():
    events = []

    class Stream:
        def write(self, content):
            events.append(bytes(content))

        def flush(self):
            events.append("flush")

    wire.write_message(Stream(), Result((), (), {"x": np.arange(3, dtype=np.uint8), "y": np.zeros((0, 2))}))
    assert events[-1] == "flush" and b"".join(events[:-1])[-3:] == b"\0\1\2"


def test_text_beyond_ascii_and_requests_travel():
    request = ReconstructRequest("/ü/頭.mp4", frames=(3, None), cache="/c", surface=None)
    assert read(encoded(request)) == request
    failure = Failure(4, Message("a.problem", "{x} fehlt.", x="Näh"), Message("a.remedy", "{y}", y=Message("in", "ü")), "details")
    received = read(encoded(failure))
    assert received == failure and str(received.problem) == "Näh fehlt." and str(received.remedy) == "ü"


def test_plain_sentences_are_no_templates():
    """A sentence of an earlier version has no placeholders, whatever its characters."""
    sentence = "The file {a.b} is } not {x!r} sound {"
    assert read(frame(array_frame(report={"x": {"$message": sentence}}))).report == {"x": sentence}


@pytest.mark.parametrize(
    ("images", "places"),
    [
        (np.zeros((2, 8, 8, 3), np.uint8), None),
        (np.zeros((2, 8, 8, 3), np.float32), np.zeros((2, 2), int)),
        (np.zeros((2, 8, 6, 3), np.uint8), np.zeros((2, 2), int)),
        (np.zeros((2, 8, 8, 3), np.uint8), np.zeros((3, 2), int)),
        (np.zeros((2, 8, 8, 3), np.uint8), np.zeros((2, 2))),
    ],
)
def test_thumbnails_without_matching_places_are_refused(images, places):
    right = Result((), (), {}, thumbnails=np.zeros((2, 8, 8, 3), np.uint8), thumbnail_places=np.zeros((2, 2), int), people_text="{}")
    received = read(encoded(right))
    assert received.thumbnails.shape == (2, 8, 8, 3) and received.people_text == "{}"
    with pytest.raises(wire.WireError):
        read(encoded(Result((), (), {}, thumbnails=images, thumbnail_places=places)))
