"""JSON whose objects and lists know the line of each of their values, for messages that say where a mistake is."""

import json
from bisect import bisect_right
from collections.abc import Callable
from json.decoder import JSONArray, JSONObject  # pyrefly: ignore[missing-module-attribute] - the pure-Python parts of the decoder
from json.scanner import py_make_scanner  # pyrefly: ignore[missing-module-attribute]
from typing import Any, TypeAlias

Scanner: TypeAlias = Callable[[str, int], tuple[Any, int]]


class LocatedDict(dict[str, Any]):
    """An object. lines: the line of each value, from 1; doubled: the names that were given more than once."""

    lines: dict[str, int]
    doubled: list[str]


class LocatedList(list[Any]):
    """A list. lines: the line of each value, from 1."""

    lines: list[int]


class _Decoder(json.JSONDecoder):
    def __init__(self, text: str) -> None:
        super().__init__()
        self._line_starts = [0, *(index + 1 for index, letter in enumerate(text) if letter == "\n")]
        self.parse_object = self._object
        self.parse_array = self._array
        self.scan_once = py_make_scanner(self)

    def _object(
        self, begin: tuple[str, int], strict: bool, scan: Scanner, _hook: object, _pairs_hook: object, memo: Any
    ) -> tuple[LocatedDict, int]:
        lines, tracked = self._track(scan)
        pairs, end = JSONObject(begin, strict, tracked, None, list, memo)
        found = LocatedDict(pairs)
        found.lines = {name: line for (name, _value), line in zip(pairs, lines)}
        names = [name for name, _value in pairs]
        found.doubled = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        return found, end

    def _array(self, begin: tuple[str, int], scan: Scanner) -> tuple[LocatedList, int]:
        lines, tracked = self._track(scan)
        values, end = JSONArray(begin, tracked)
        found = LocatedList(values)
        found.lines = lines
        return found, end

    def _track(self, scan: Scanner) -> tuple[list[int], Scanner]:
        """A scanner that notes the line of each value which it reads, and its notes."""
        lines: list[int] = []

        def tracked(text: str, index: int) -> tuple[Any, int]:
            lines.append(bisect_right(self._line_starts, index))
            return scan(text, index)

        return lines, tracked


def parse_located_json(text: str) -> Any:
    """The content of a JSON text. Raises ValueError, also for one that is nested without end."""
    try:
        return _Decoder(text).decode(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
