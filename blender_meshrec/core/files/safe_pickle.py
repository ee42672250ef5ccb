"""Safe reading of the pickles that SMPL and SKEL files are: nothing in them is executed.

A pickle is a program for a stack machine, some of whose instructions call any Python function that the program names. This is such a
machine without these abilities: only the globals of `pickle_stubs.ALLOWED_GLOBALS` may be named, and a call makes an inert stub or is
refused. Persistent ids, extension codes, out-of-band buffers and old-style instances are refused. All numbers come from bytes of the
file, so a short file cannot take much memory.

Source: the instruction set documented in CPython's Lib/pickletools.py, protocols 0 to 5.
"""

import codecs
import mmap
import pickletools
import struct
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from ..errors import ModelError
from .pickle_evaluation import StubEvaluator
from .pickle_stubs import DamagedError, StubFactory, decode_key
from .read_errors import file_not_readable

_MARK = object()
UNREADABLE = (DamagedError, ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError, struct.error)
_INCONSISTENT = "it does not fit together"


def read_model_pickle(path: str | Path) -> dict[Any, Any]:
    """The top-level dictionary of a body file in pickle format.

    Arrays, sparse matrices (as dense arrays) and chumpy arrays become numpy arrays, byte strings become text (latin-1). An array that
    is not numeric becomes a `pickle_stubs.UnreadValue`.

    Raises:
        ModelError: the file cannot be read, is damaged, holds no dictionary, or asks for something that no body file needs.
    """
    path = Path(path)
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as buffer:
            stub_factory = StubFactory(path.name)
            content = PickleMachine(buffer, stub_factory).run()
            if not isinstance(content, dict):
                raise DamagedError("it does not hold a table of named values")
            evaluator = StubEvaluator(stub_factory)
            return {key: evaluator.to_plain(value) for key, value in content.items()}
    except OSError as error:
        raise file_not_readable(path, error) from error
    except UNREADABLE as error:
        reason = str(error) if isinstance(error, DamagedError) else _INCONSISTENT
        raise ModelError(
            "body-pickle-damaged",
            "{name} is not a whole body file: {reason}.",
            "Download it again from its official site.",
            name=path.name,
            reason=reason,
        ) from error


class PickleMachine:
    """The stack machine: `run` returns what the program in `buffer` leaves on the stack.

    extra_instructions: by the names in pickletools, of formats that build on pickles; they come before the refused ones.
    """

    extra_instructions: ClassVar[Mapping[str, Callable[[Any], object]]] = {}

    def __init__(self, buffer: mmap.mmap | bytes, stub_factory: StubFactory) -> None:
        self.buffer = buffer
        self.stub_factory = stub_factory
        self.position = 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> object:
        while (code := self.read(1)) != _STOP:
            name = _OPCODE_NAMES.get(code, "")
            if name in self.extra_instructions:
                self.extra_instructions[name](self)
                continue
            if name in _REFUSED_OPCODES:
                raise self.stub_factory.refusal_error(f"the pickle instruction {name}")
            if name not in _INSTRUCTIONS:
                raise DamagedError("it is not a pickle")
            _INSTRUCTIONS[name](self)
        return self.stack.pop()

    # --- reading the program ---

    def read(self, count: int) -> bytes:
        end = self.position + count
        if count < 0 or end > len(self.buffer):
            raise DamagedError("it breaks off")
        piece = self.buffer[self.position : end]
        self.position = end
        return piece

    def read_number(self, layout: str) -> Any:
        """A number in a layout of `struct`."""
        return struct.unpack(layout, self.read(struct.calcsize(layout)))[0]

    def read_bytes(self, layout: str) -> bytes:
        """Bytes that follow their length."""
        return self.read(self.read_number(layout))

    def read_text(self, layout: str) -> str:
        """UTF-8 text that follows its length in bytes."""
        return self.read_bytes(layout).decode("utf-8", "surrogatepass")

    def read_long(self, layout: str) -> int:
        """An integer of any size that follows its length in bytes."""
        return int.from_bytes(self.read_bytes(layout), "little", signed=True)

    def read_line(self) -> bytes:
        end = self.buffer.find(b"\n", self.position)
        if end < 0:
            raise DamagedError("it breaks off")
        piece = self.buffer[self.position : end]
        self.position = end + 1
        if piece.endswith(b"\r"):
            raise DamagedError("its line endings were changed on the way here")
        return piece

    def read_integer_line(self) -> int:
        text = self.read_line().removesuffix(b"L")
        return {b"00": False, b"01": True}[text] if text in (b"00", b"01") else int(text)

    def read_string_line(self) -> bytes:
        text = self.read_line().strip()
        if len(text) < 2 or text[:1] not in (b"'", b'"') or text[-1:] != text[:1]:
            raise DamagedError("a string has no end")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # a stray backslash, in a damaged file
            return codecs.escape_decode(text[1:-1])[0]

    # --- the stack ---

    def push(self, value: object) -> None:
        self.stack.append(value)

    def pop(self, count: int) -> tuple[Any, ...]:
        """The last `count` values, oldest first."""
        items = tuple(self.stack.pop() for _ in range(count))[::-1]
        if any(item is _MARK for item in items):
            raise DamagedError(_INCONSISTENT)
        return items

    def pop_to_mark(self) -> list[Any]:
        """The values after the last mark; removes the mark too."""
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index] is _MARK:
                items = self.stack[index + 1 :]
                del self.stack[index:]
                return items
        raise DamagedError(_INCONSISTENT)

    def extend_list(self, items: tuple[Any, ...] | list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise DamagedError(_INCONSISTENT)
        self.stack[-1].extend(items)

    def set_items(self, items: tuple[Any, ...] | list[Any]) -> None:
        """Add alternating keys and values to the dictionary on the stack."""
        if not isinstance(self.stack[-1], dict) or len(items) % 2:
            raise DamagedError(_INCONSISTENT)
        for key, value in zip(items[::2], items[1::2]):
            self.stack[-1][decode_key(key)] = value

    def push_dictionary(self) -> None:
        items = self.pop_to_mark()
        self.push({})
        self.set_items(items)

    def memoize(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    # --- stubs ---

    def push_global(self, module: object, name: object) -> None:
        self.push(self.stub_factory.resolve_global(module, name))

    def call(self) -> None:
        self.push(self.stub_factory.call_global(*self.pop(2)))

    def build(self) -> None:
        (state,) = self.pop(1)
        self.stub_factory.build(self.stack[-1], state)


_OPCODE_NAMES = {opcode.code.encode("latin-1"): opcode.name for opcode in pickletools.opcodes}
_STOP = b"."

# Instructions that reach outside the file, or make calls of the file's choice.
_REFUSED_OPCODES = {"PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "INST", "OBJ", "NEWOBJ_EX", "NEXT_BUFFER", "READONLY_BUFFER"}

_Instruction: TypeAlias = Callable[[PickleMachine], object]
_Reader: TypeAlias = Callable[[PickleMachine, str], object]

# Instructions that push a value which follows in the program: how it is read, and the `struct` layout of the number or of its length.
_PUSHED_VALUES: Mapping[str, tuple[_Reader, str]] = {
    "BININT": (PickleMachine.read_number, "<i"),
    "BININT1": (PickleMachine.read_number, "<B"),
    "BININT2": (PickleMachine.read_number, "<H"),
    "BINFLOAT": (PickleMachine.read_number, ">d"),
    "LONG1": (PickleMachine.read_long, "<B"),
    "LONG4": (PickleMachine.read_long, "<i"),
    "BINSTRING": (PickleMachine.read_bytes, "<i"),
    "SHORT_BINSTRING": (PickleMachine.read_bytes, "<B"),
    "SHORT_BINBYTES": (PickleMachine.read_bytes, "<B"),
    "BINBYTES": (PickleMachine.read_bytes, "<I"),
    "BINBYTES8": (PickleMachine.read_bytes, "<Q"),
    "BYTEARRAY8": (PickleMachine.read_bytes, "<Q"),
    "SHORT_BINUNICODE": (PickleMachine.read_text, "<B"),
    "BINUNICODE": (PickleMachine.read_text, "<I"),
    "BINUNICODE8": (PickleMachine.read_text, "<Q"),
}


def _push_instruction(read_value: _Reader, layout: str) -> _Instruction:
    return lambda machine: machine.push(read_value(machine, layout))


# By the names in pickletools. Sets become lists, so that no value of the file's choice is hashed.
_INSTRUCTIONS: Mapping[str, _Instruction] = {
    "PROTO": lambda m: m.read(1),
    "FRAME": lambda m: m.read(8),
    "MARK": lambda m: m.push(_MARK),
    "POP": lambda m: m.stack.pop(),
    "POP_MARK": lambda m: m.pop_to_mark(),
    "DUP": lambda m: m.push(m.stack[-1]),
    "NONE": lambda m: m.push(None),
    "NEWTRUE": lambda m: m.push(True),
    "NEWFALSE": lambda m: m.push(False),
    "INT": lambda m: m.push(m.read_integer_line()),
    "LONG": lambda m: m.push(m.read_integer_line()),
    "FLOAT": lambda m: m.push(float(m.read_line())),
    "STRING": lambda m: m.push(m.read_string_line()),
    "UNICODE": lambda m: m.push(m.read_line().decode("raw-unicode-escape")),
    **{name: _push_instruction(read_value, layout) for name, (read_value, layout) in _PUSHED_VALUES.items()},
    "EMPTY_TUPLE": lambda m: m.push(()),
    "TUPLE1": lambda m: m.push(m.pop(1)),
    "TUPLE2": lambda m: m.push(m.pop(2)),
    "TUPLE3": lambda m: m.push(m.pop(3)),
    "TUPLE": lambda m: m.push(tuple(m.pop_to_mark())),
    "EMPTY_LIST": lambda m: m.push([]),
    "EMPTY_SET": lambda m: m.push([]),
    "LIST": lambda m: m.push(m.pop_to_mark()),
    "FROZENSET": lambda m: m.push(m.pop_to_mark()),
    "APPEND": lambda m: m.extend_list(m.pop(1)),
    "APPENDS": lambda m: m.extend_list(m.pop_to_mark()),
    "ADDITEMS": lambda m: m.extend_list(m.pop_to_mark()),
    "EMPTY_DICT": lambda m: m.push({}),
    "DICT": lambda m: m.push_dictionary(),
    "SETITEM": lambda m: m.set_items(m.pop(2)),
    "SETITEMS": lambda m: m.set_items(m.pop_to_mark()),
    "PUT": lambda m: m.memoize(int(m.read_line())),
    "BINPUT": lambda m: m.memoize(m.read_number("<B")),
    "LONG_BINPUT": lambda m: m.memoize(m.read_number("<I")),
    "MEMOIZE": lambda m: m.memoize(len(m.memo)),
    "GET": lambda m: m.push(m.memo[int(m.read_line())]),
    "BINGET": lambda m: m.push(m.memo[m.read_number("<B")]),
    "LONG_BINGET": lambda m: m.push(m.memo[m.read_number("<I")]),
    "GLOBAL": lambda m: m.push_global(m.read_line(), m.read_line()),
    "STACK_GLOBAL": lambda m: m.push_global(*m.pop(2)),
    "REDUCE": lambda m: m.call(),
    "NEWOBJ": lambda m: m.call(),
    "BUILD": lambda m: m.build(),
}
