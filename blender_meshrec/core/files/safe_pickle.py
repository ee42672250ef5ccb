"""Read the pickles that SMPL and SKEL files are, without executing anything in them.

A pickle is a program for a small stack machine, and some of its instructions call whatever Python function they name.
This is that machine without those powers: a name stands for nothing but itself (`pickle_stubs.ALLOWED_GLOBALS` lists the few allowed),
and a call makes an inert piece or is refused. Persistent ids, extension codes, out-of-band buffers and old-style
instances do not exist here. Numbers come from bytes that are in the file, so a short file cannot ask for much memory.

Source: the instruction set as documented in CPython's Lib/pickletools.py, protocols 0 to 5.
"""

import codecs
import mmap
import struct
import warnings
from pathlib import Path

from ..errors import ModelError
from .pickle_stubs import DamagedError, StubFactory, decode_key

_MARK = object()
_UNREADABLE = (DamagedError, ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError, struct.error)


def read_model_pickle(path):
    """The top-level dictionary of a body file in pickle format.

    Arrays, sparse matrices (made dense) and chumpy arrays come as read-only or fresh numpy arrays, byte strings as
    latin-1 text. An array that does not hold plain numbers comes as an `pickle_stubs.UnreadValue`, unread.

    Raises:
        ModelError: the file cannot be read, is damaged, is not a dictionary, or asks for what body files never need.
    """
    path = Path(path)
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as buffer:
            stub_factory = StubFactory(path.name)
            content = _PickleMachine(buffer, stub_factory).run()
            if not isinstance(content, dict):
                raise DamagedError("it does not hold a table of named values")
            return {key: stub_factory.to_numpy(value) for key, value in content.items()}
    except OSError as error:
        raise ModelError(
            "body-file-not-readable",
            "{path} cannot be read: {reason}.",
            "Check the path and that you may read it.",
            path=path,
            reason=error.strerror,
        ) from error
    except _UNREADABLE as error:
        reason = str(error) if isinstance(error, DamagedError) else "it does not fit together"
        raise ModelError(
            "body-pickle-damaged",
            "{name} is not a whole body file: {reason}.",
            "Download it again from its official site.",
            name=path.name,
            reason=reason,
        ) from error


class _PickleMachine:
    """The stack machine: `run` gives what the program in `buffer` leaves on the stack."""

    def __init__(self, buffer, stub_factory):
        self.buffer = buffer
        self.stub_factory = stub_factory
        self.position = 0
        self.stack = []
        self.memo = {}

    def run(self):
        while (code := self.take(1)) != b".":
            step = _OPCODES.get(code)
            if step is None and code in _REFUSED_OPCODES:
                raise self.stub_factory.refusal_error(f"the pickle instruction {_REFUSED_OPCODES[code]}")
            if step is None:
                raise DamagedError("it is not a pickle")
            step(self)
        return self.stack.pop()

    # --- the program's bytes ---

    def take(self, count):
        end = self.position + count
        if count < 0 or end > len(self.buffer):
            raise DamagedError("it breaks off")
        piece = self.buffer[self.position : end]
        self.position = end
        return piece

    def number(self, layout):
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def sized(self, layout):
        return self.take(self.number(layout))

    def text(self, layout):
        return self.sized(layout).decode("utf-8", "surrogatepass")

    def line(self):
        end = self.buffer.find(b"\n", self.position)
        if end < 0:
            raise DamagedError("it breaks off")
        piece = self.buffer[self.position : end]
        self.position = end + 1
        if piece.endswith(b"\r"):
            raise DamagedError("its line endings were changed on the way here")
        return piece

    def integer_line(self):
        text = self.line().removesuffix(b"L")
        return {b"00": False, b"01": True}[text] if text in (b"00", b"01") else int(text)

    def string_line(self):
        text = self.line().strip()
        if len(text) < 2 or text[:1] not in (b"'", b'"') or text[-1:] != text[:1]:
            raise DamagedError("a string has no end")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # a stray backslash, in a damaged file
            return codecs.escape_decode(text[1:-1])[0]

    def long(self, layout):
        return int.from_bytes(self.sized(layout), "little", signed=True)

    # --- the stack ---

    def push(self, value):
        self.stack.append(value)

    def to_mark(self):
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index] is _MARK:
                items = self.stack[index + 1 :]
                del self.stack[index:]
                return items
        raise DamagedError("it does not fit together")

    def last(self, count):
        items = tuple(self.stack.pop() for _ in range(count))[::-1]
        if any(item is _MARK for item in items):
            raise DamagedError("it does not fit together")
        return items

    def extend(self, items):
        if not isinstance(self.stack[-1], list):
            raise DamagedError("it does not fit together")
        self.stack[-1].extend(items)

    def set_items(self, items):
        if not isinstance(self.stack[-1], dict) or len(items) % 2:
            raise DamagedError("it does not fit together")
        for key, value in zip(items[::2], items[1::2]):
            self.stack[-1][decode_key(key)] = value

    def dictionary(self):
        items = self.to_mark()
        self.push({})
        self.set_items(items)

    def remember(self, index):
        self.memo[index] = self.stack[-1]

    # --- stand-ins ---

    def name(self, module, name):
        self.push(self.stub_factory.resolve_global(module, name))

    def call(self):
        self.push(self.stub_factory.call_global(*self.last(2)))

    def build(self):
        (state,) = self.last(1)
        self.stub_factory.build(self.stack[-1], state)


# Instructions that reach outside the file, or call with what it chooses.
_REFUSED_OPCODES = {
    b"P": "PERSID", b"Q": "BINPERSID", b"\x82": "EXT1", b"\x83": "EXT2", b"\x84": "EXT4", b"i": "INST", b"o": "OBJ",
    b"\x92": "NEWOBJ_EX", b"\x97": "NEXT_BUFFER", b"\x98": "READONLY_BUFFER",
}  # fmt: skip

# Sets are kept as lists, so that nothing of the file's choosing is hashed.
_OPCODES = {
    b"\x80": lambda m: m.take(1),  # PROTO
    b"\x95": lambda m: m.take(8),  # FRAME
    b"(": lambda m: m.push(_MARK),
    b"0": lambda m: m.stack.pop(),
    b"1": lambda m: m.to_mark(),
    b"2": lambda m: m.push(m.stack[-1]),  # DUP
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"I": lambda m: m.push(m.integer_line()),
    b"L": lambda m: m.push(m.integer_line()),
    b"J": lambda m: m.push(m.number("<i")),
    b"K": lambda m: m.push(m.number("<B")),
    b"M": lambda m: m.push(m.number("<H")),
    b"\x8a": lambda m: m.push(m.long("<B")),
    b"\x8b": lambda m: m.push(m.long("<i")),
    b"F": lambda m: m.push(float(m.line())),
    b"G": lambda m: m.push(m.number(">d")),
    b"S": lambda m: m.push(m.string_line()),
    b"T": lambda m: m.push(m.sized("<i")),
    b"U": lambda m: m.push(m.sized("<B")),
    b"C": lambda m: m.push(m.sized("<B")),
    b"B": lambda m: m.push(m.sized("<I")),
    b"\x8e": lambda m: m.push(m.sized("<Q")),
    b"\x96": lambda m: m.push(m.sized("<Q")),  # BYTEARRAY8
    b"V": lambda m: m.push(m.line().decode("raw-unicode-escape")),
    b"\x8c": lambda m: m.push(m.text("<B")),
    b"X": lambda m: m.push(m.text("<I")),
    b"\x8d": lambda m: m.push(m.text("<Q")),
    b")": lambda m: m.push(()),
    b"\x85": lambda m: m.push(m.last(1)),
    b"\x86": lambda m: m.push(m.last(2)),
    b"\x87": lambda m: m.push(m.last(3)),
    b"t": lambda m: m.push(tuple(m.to_mark())),
    b"]": lambda m: m.push([]),
    b"l": lambda m: m.push(m.to_mark()),
    b"\x8f": lambda m: m.push([]),  # EMPTY_SET
    b"\x91": lambda m: m.push(m.to_mark()),  # FROZENSET
    b"a": lambda m: m.extend(m.last(1)),
    b"e": lambda m: m.extend(m.to_mark()),
    b"\x90": lambda m: m.extend(m.to_mark()),  # ADDITEMS
    b"}": lambda m: m.push({}),
    b"d": lambda m: m.dictionary(),
    b"s": lambda m: m.set_items(m.last(2)),
    b"u": lambda m: m.set_items(m.to_mark()),
    b"p": lambda m: m.remember(int(m.line())),
    b"q": lambda m: m.remember(m.number("<B")),
    b"r": lambda m: m.remember(m.number("<I")),
    b"\x94": lambda m: m.remember(len(m.memo)),
    b"g": lambda m: m.push(m.memo[int(m.line())]),
    b"h": lambda m: m.push(m.memo[m.number("<B")]),
    b"j": lambda m: m.push(m.memo[m.number("<I")]),
    b"c": lambda m: m.name(m.line(), m.line()),
    b"\x93": lambda m: m.name(*m.last(2)),  # STACK_GLOBAL
    b"R": lambda m: m.call(),
    b"\x81": lambda m: m.call(),  # NEWOBJ
    b"b": lambda m: m.build(),
}
