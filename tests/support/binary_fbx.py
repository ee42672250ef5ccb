"""Small binary FBX files, written record by record."""

import struct
import zlib

import numpy as np

MAGIC = b"Kaydara FBX Binary  \x00\x1a\x00"


def array_property(kind, values, deflated=True, stated=None):
    """An array property; `stated` in place of the number of its values."""
    packed = zlib.compress(values.tobytes()) if deflated else values.tobytes()
    return kind + struct.pack("<III", len(values) if stated is None else stated, int(deflated), len(packed)) + packed


def text_property(text):
    return b"S" + struct.pack("<I", len(text)) + text


class Writer:
    """Writes the records of a version of FBX."""

    def __init__(self, version):
        self.start = MAGIC + struct.pack("<I", version)
        self.head = struct.Struct("<IIIB" if version < 7500 else "<QQQB")

    def record(self, at, name, properties=(), inside=()):
        """A record that begins at byte `at`; inside: functions of their own offset."""
        body = b"".join(properties)
        content = name + body
        for make in inside:
            content += make(at + self.head.size + len(content))
        if inside:
            content += bytes(self.head.size)
        return self.head.pack(at + self.head.size + len(content), len(properties), len(body), len(name)) + content

    def file(self, *records):
        content = self.start
        for make in records:
            content += make(len(content))
        return content + bytes(self.head.size) + b"\xfa\xbc\xab\x09footer"


def sound_file(version, properties=None):
    writer = Writer(version)
    numbers = [b"C\1", b"Y\1\0", b"I\1\0\0\0", b"F\0\0\0\0", b"D" + bytes(8), b"L" + bytes(8), text_property(b"a name")]
    arrays = [array_property(b"d", np.arange(1000.0)), array_property(b"i", np.arange(9, dtype=np.int32), deflated=False)]
    inner = lambda at: writer.record(at, b"Vertices", properties or arrays)  # noqa: E731
    return writer.file(
        lambda at: writer.record(at, b"GlobalSettings", numbers), lambda at: writer.record(at, b"Objects", (), [inner, inner])
    )
