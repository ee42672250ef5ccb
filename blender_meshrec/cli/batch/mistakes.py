"""Mistakes in a list of jobs: each with its line and field, all of them reported at once."""

import dataclasses
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ...core.errors import InputError
from .located_json import LocatedDict, LocatedList

LIST_REMEDY = (
    'Write a list of jobs such as [{{"input": "a.mp4", "output": "a.fbx"}}], or clips, options and targets; docs/batches.md has both.'
)


class JobListError(InputError):
    """A list of jobs has mistakes. mistakes: each of them; as an error, it is the first."""

    def __init__(self, mistakes: Sequence[InputError]) -> None:
        first = mistakes[0]
        super().__init__(first.name, first.problem, first.remedy)
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True)
class Place:
    """A value of the list. field: such as `[0].person` or `targets[1].rig`. line: from 1. who: what messages call what it is part of.

    content: the value, where it is an object whose fields are looked up later; None where the value is from no list.
    """

    field: str
    line: int
    who: str = "The list"
    content: object = None

    def inside(self, container: object, key: str | int, who: str | None = None) -> "Place":
        """The place of a value of the object or list at this place."""
        field = f"{self.field}[{key}]" if isinstance(key, int) else f"{self.field}.{key}".lstrip(".")
        line, content = self.line, None
        if isinstance(container, LocatedDict) and isinstance(key, str):
            line, content = container.lines.get(key, line), container.get(key)
        elif isinstance(container, LocatedList) and isinstance(key, int):
            line, content = container.lines[key], container[key]
        return dataclasses.replace(self, field=field, line=line, who=who or self.who, content=content)

    def of_option(self, flag: str) -> "Place":
        """The place of the option of this object that was given, under any of its names; this place where none is found."""
        names = {flag, flag.removeprefix("no-")}
        for key in self.content if isinstance(self.content, LocatedDict) else ():
            if key.replace("_", "-").removeprefix("no-") in names:
                return self.inside(self.content, key)
        return self

    def error(self, name: str, problem: str, remedy: str, /, **values: object) -> InputError:
        """An InputError whose problem ends in this place; `who` and `place` are among its values."""
        where = f"line {self.line}" + (f", field {self.field}" if self.field else "")
        return InputError(name, f"{problem.rstrip('.')} ({{place}}).", remedy, **{"who": self.who, "place": where, **values})


class Mistakes:
    """Collects mistakes, so that all are known before the first is reported."""

    def __init__(self) -> None:
        self.found: list[InputError] = []

    @contextmanager
    def collected(self) -> Generator[None, None, None]:
        """Collect an InputError of the block."""
        try:
            yield
        except JobListError as error:
            self.found += error.mistakes
        except InputError as error:
            self.found.append(error)

    def check(self) -> None:
        """Raise JobListError if there is a mistake."""
        if self.found:
            raise JobListError(self.found)


def require(is_right: bool, place: Place, name: str, problem: str, remedy: str = LIST_REMEDY, **values: Any) -> None:
    """Raise the InputError of a place unless something is right."""
    if not is_right:
        raise place.error(name, problem, remedy, **values)
