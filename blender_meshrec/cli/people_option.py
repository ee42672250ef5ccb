"""The list of people of a command: its file, which is written where it does not exist yet, and the names that it gives."""

import os
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from ..bridge.messages import Result
from ..core.errors import InputError
from ..core.files.output_file import atomic_write, check_writable
from ..core.files.people_file import SUFFIX, people_from_text, read_people


def people_file(people: str | None, source: str) -> str | None:
    """The file of the list of an input's people; people: that file, or a folder for the lists of several inputs."""
    if people is None or people.lower().endswith(".json"):
        return people
    path = Path(os.path.abspath(source))
    return os.path.join(people, f"{path.name if path.is_dir() else path.stem}{SUFFIX}")


def check_people_files(people: str | None, sources: Sequence[str]) -> None:
    """Check the lists of people of some inputs before the work: those that exist can be read, the others written.

    Raises:
        InputError: one is no list of people, or one file is to be that of several inputs. OutputError: one cannot be written.
    """
    if people is None:
        return
    if len(sources) > 1 and people_file(people, sources[0]) == people:
        raise InputError(
            "people-list-of-several-inputs",
            "{path} is the list of people of one clip, and there are {count} inputs.",
            "Give --people a folder, which gets a list for each input.",
            path=people,
            count=len(sources),
        )
    for path in (people_file(people, source) for source in sources):
        if path is not None and os.path.exists(path):
            read_people(path)
        elif path is not None:
            check_writable(Path(path))


def write_missing_list(options: Namespace, source: str, result: Result) -> Path | None:
    """Write the list of people of a result where its file does not exist yet; returns the file. Raises OutputError."""
    path = people_file(getattr(options, "people_list", None), source)
    if path is None or os.path.exists(path) or not result.people_text:
        return None
    with atomic_write(path) as temporary:
        temporary.write_text(result.people_text, encoding="utf-8")
    return Path(path)


def names_of_people(result: Result) -> dict[int, str]:
    """The names that a result's list of people gives to some of them, by number."""
    if not result.people_text:
        return {}
    return {person.number: person.name for person in people_from_text(result.people_text).people if person.name}
