"""An FBX in another unit becomes, byte by byte, the one whose lengths are in centimetres, and nothing else of it changes."""

import os
import struct
import zlib

import numpy as np
import pytest

from blender_meshrec.core.files import fbx_units
from blender_meshrec.core.files.fbx_records import Record, read_records, write_records
from blender_meshrec.core.files.fbx_units import write_centimetres
from tests.support.binary_fbx import Writer, text_property

FOOTER_START, FOOTER_END = bytes(range(1, 21)), bytes(range(100, 240))
LENGTHS = ("Lcl Translation", "RotationOffset", "RotationPivot", "ScalingOffset", "ScalingPivot", "GeometricTranslation")
MATRICES = ("Transform", "TransformLink", "TransformAssociateModel")
TRANSLATION = (12, 13, 14)  # the lengths of a matrix (16,)
ARRAY_BYTES = {b"b": 1, b"c": 1, b"i": 4, b"l": 8, b"f": 4, b"d": 8}
# One of every type that a property can have.
ALL_TYPES = [
    *(b"Z\1", b"Y\1\2", b"B\1", b"C\1", b"I\1\2\3\4", b"F\1\2\3\4", b"D" + bytes(8), b"L" + bytes(8), b"R\3\0\0\0raw"),
    *(kind + struct.pack("<III", 2, 0, 2 * size) + bytes(2 * size) for kind, size in ARRAY_BYTES.items()),
]


class Inside(list):
    """Records inside another, which a record of zeros closes even if there are none."""


def array(values, kind="d", level=1):
    """An array property; level: of its compression, None without one."""
    content = np.asarray(values).astype({"d": "<f8", "f": "<f4", "l": "<i8", "i": "<i4"}[kind]).tobytes()
    stored = content if level is None else zlib.compress(content, level)
    return kind.encode() + struct.pack("<III", len(values), int(level is not None), len(stored)) + stored


def identity(number):
    return b"L" + struct.pack("<q", number)


def scalar(value, kind="D"):
    return kind.encode() + struct.pack("<d" if kind == "D" else "<f", value)


def row(name, *values):
    """An entry of a table of properties."""
    return "P", [text_property(part.encode()) for part in (name, "type", "", "A")] + list(values), []


# An entry whose label is a number, which is no value.
ODD_ROW = ("P", [text_property(b"ScalingPivot"), scalar(6), scalar(7), scalar(8)], [])


def table(*rows):
    return "Properties70", [], Inside(rows)


def tree(unit, level=1):
    """The records of a file whose lengths are in `unit` cm, with those of `scale` = 1 for a file in centimetres."""
    scale = 8.0 / unit
    lengths = [row(name, scalar(scale * 3), scalar(-scale, "F"), scalar(scale / 2)) for name in LENGTHS]
    matrix = np.arange(1.0, 17)
    matrix[list(TRANSLATION)] *= scale
    others = [row(name, scalar(3), scalar(4), scalar(5)) for name in ("Lcl Rotation", "Lcl Scaling", "Size")]

    def curve_node(number, name, scale):
        rows = [row(axis, scalar(scale)) for axis in ("d|X", "d|Y", "d|Z")] + [row("d|W", scalar(7))]
        return "AnimationCurveNode", [identity(number), text_property(name + b"\0\1AnimCurveNode"), text_property(b"")], [table(*rows)]

    def curve(number, scale):
        keys = [("KeyTime", [array([1, 2], "l", level)], []), ("KeyValueFloat", [array([scale, 2 * scale], "f", level)], [])]
        return "AnimationCurve", [identity(number), text_property(b""), text_property(b"")], [("Default", [scalar(scale)], []), *keys]

    objects = [
        (
            "Model",
            [identity(1)],
            [("Version", [b"I\1\0\0\0"], []), table(*lengths, *others, ("P", [], []), ODD_ROW, row("RotationPivot", b"I\1\0\0\0"))],
        ),
        ("NodeAttribute", [identity(2)], [table(row("Size", scalar(10 * scale)), row("RotationPivot", scalar(2)))]),
        ("Geometry", [identity(3)], [("Vertices", [array(scale * np.arange(6.0), level=level)], []), ("Normals", [array([1.0, 2])], [])]),
        ("Geometry", [identity(4)], [("Vertices", [array([1, 2], "i")], [])]),  # not as exporters write it
        ("Pose", [identity(5)], [("PoseNode", [], [("Node", [identity(1)], []), ("Matrix", [array(matrix, level=level)], [])])]),
        ("Deformer", [identity(6)], [*((name, [array(matrix, level=level)], []) for name in MATRICES), ("Weights", [array([3.0])], [])]),
        *(curve_node(10, b"T", scale), curve_node(-11, b"T", scale), curve_node(12, b"R", 1.0), curve_node(13, b"TX", 1.0)),
        *(curve(20, scale), curve(-21, scale), curve(22, 1.0), curve(23, 1.0), curve(24, 1.0)),
        ("Empty", [], Inside()),
    ]
    pairs = [(20, 10), (-21, -11), (22, 12), (23, 13), (24, 1), (999, 10), (10, 1)]
    connections = [("C", [text_property(b"OP"), identity(child), identity(parent)], []) for child, parent in pairs]
    units = [
        row("UnitScaleFactor", scalar(unit)),
        row("OriginalUnitScaleFactor", scalar(2 * unit - 1)),
        row("UnitScaleFactor", b"I\1\0\0\0"),
    ]
    return [
        ("Header", ALL_TYPES, [("Vertices", [array([1.0])], [])]),
        ("GlobalSettings", [], [("Version", [scalar(4)], []), table(*units, row("TimeSpanStop", scalar(9)))]),
        ("Documents", [], [table(row("UnitScaleFactor", scalar(6)))]),
        ("Objects", [], Inside(objects)),
        ("Connections", [], [*connections, ("C", [], [])]),
        ("Takes" + 200 * "s", [], []),
    ]


def file_of(records, version=7400):
    """The content of a file of (name, properties, inside) records, with the footer that programs write."""
    writer = Writer(version)

    def make(record):
        name, properties, inside = record
        parts = [make(one) for one in inside]
        # A function that writes nothing makes the record that closes nothing.
        return lambda at: writer.record(at, name.encode(), properties, parts or ([lambda _: b""] if isinstance(inside, Inside) else []))

    content = writer.start
    for record in records:
        content += make(record)(len(content))
    content += bytes(writer.head.size) + FOOTER_START
    return content + bytes(16 - len(content) % 16) + FOOTER_END


@pytest.mark.parametrize("version", [7300, 7499, 7500, 7700])
@pytest.mark.parametrize("unit", [128.0, 2.0, 0.5])
def test_a_file_in_another_unit_becomes_the_one_in_centimetres(tmp_path, version, unit):
    path = tmp_path / "a.fbx"
    path.write_bytes(file_of(tree(unit), version))
    write_centimetres(path)
    assert path.read_bytes() == file_of(tree(1.0), version)


def test_arrays_that_are_stored_or_packed_otherwise_are_read(tmp_path):
    path = tmp_path / "a.fbx"
    for level in (None, 9):
        path.write_bytes(file_of(tree(128.0, level)))
        write_centimetres(path)
        found, expected = (list(flat(read_records(content))) for content in (path.read_bytes(), file_of(tree(1.0))))
        assert found == expected


def flat(record):
    """The records of a tree with the values of their properties, outer ones first."""
    values = [record.floats(index) for index in range(len(record.properties))]
    yield record.name, record.is_block, [None if one is None else one.tolist() for one in values]
    for inner in record.inside:
        yield from flat(inner)


@pytest.mark.parametrize("more", range(16))
def test_the_footer_is_aligned(tmp_path, more):
    path = tmp_path / "a.fbx"
    records = [("Comment", [text_property(b"c" * more)], []), ("GlobalSettings", [], [table(row("UnitScaleFactor", scalar(2.5)))])]
    path.write_bytes(file_of(records))
    write_centimetres(path)
    assert path.read_bytes() == file_of([records[0], ("GlobalSettings", [], [table(row("UnitScaleFactor", scalar(1)))])])


@pytest.mark.parametrize("content", [file_of(tree(1.0, 9)), file_of(tree(2.0)[3:]), file_of([])], ids=["centimetres", "no unit", "empty"])
def test_a_file_in_centimetres_or_without_a_unit_is_not_written(tmp_path, monkeypatch, content):
    path = tmp_path / "a.fbx"
    path.write_bytes(content)
    monkeypatch.setattr(fbx_units, "write_records", None)
    write_centimetres(path)
    assert path.read_bytes() == content


def test_the_content_is_on_the_disk_at_the_end(tmp_path, monkeypatch):
    path, synced = tmp_path / "a.fbx", []
    path.write_bytes(file_of(tree(128.0)[1:2]))
    monkeypatch.setattr(os, "fsync", lambda number: synced.append((path.read_bytes(), os.fstat(number).st_ino)))
    write_centimetres(path)
    assert synced == [(path.read_bytes(), path.stat().st_ino)]


def test_a_damaged_file_is_refused_and_left(tmp_path):
    """Whatever is wrong, it is one kind of error, and the file is as it was."""
    path = tmp_path / "a.fbx"
    sound = file_of(tree(128.0))
    packed = sound.replace(b"\x78\x01", b"\x00\x01")  # the mark of packed data
    unknown = sound.replace(ALL_TYPES[0] + ALL_TYPES[1], b"q\1" + ALL_TYPES[1])
    for damaged in (b"", sound[:20], sound[:60], sound[: len(sound) // 2], packed, unknown):
        path.write_bytes(damaged)
        with pytest.raises(ValueError):
            write_centimetres(path)
        assert path.read_bytes() == damaged


@pytest.mark.parametrize("version", [7400, 7500])
def test_records_are_written_as_they_were_read(version):
    content = file_of(tree(128.0), version)
    root = read_records(content)
    assert root.name == b""
    assert [record.name for record in root.inside] == [
        b"Header",
        b"GlobalSettings",
        b"Documents",
        b"Objects",
        b"Connections",
        b"Takes" + 200 * b"s",
    ]
    assert root.inside[0].properties == ALL_TYPES and not root.inside[-1].is_block
    assert write_records(content, root) == content


def test_properties_of_another_type_or_place_are_none():
    record = Record(b"a", [text_property(b"name"), identity(-7), b"I\7\0\0\0", scalar(2.5), scalar(0.5, "F")])
    assert record.inside == [] and record.is_block is False
    assert [record.text(index) for index in range(6)] == [b"name", b"", b"", b"", b"", b""]
    assert [record.integer(index) for index in range(6)] == [None, -7, None, None, None, None]
    assert [record.floats(index) for index in range(3)] == [None, None, None]
    assert [record.floats(index).tolist() for index in (3, 4)] == [[2.5], [0.5]]


def test_records_are_found_by_their_path():
    leaf, other = Record(b"leaf", []), Record(b"leaf", [])
    root = Record(b"", [], [Record(b"a", [], [leaf, Record(b"b", [])]), Record(b"leaf", []), Record(b"a", [], [other])])
    assert list(root.named(b"a", b"leaf")) == [leaf, other] and list(root.named(b"a")) == [root.inside[0], root.inside[2]]
    assert list(root.named(b"b")) == list(root.named(b"a", b"leaf", b"leaf")) == []
