"""`meshrec people`: the list of who is where in a clip, when: written without a reconstruction, shown, and edited."""

import os
from argparse import Namespace
from pathlib import Path

from ...bridge.backend_process import start_job
from ...bridge.messages import Progress, ReconstructRequest
from ...core import people_edits
from ...core.errors import ExitCode, InputError
from ...core.files.output_file import check_writable
from ...core.files.people_file import SUFFIX, is_people_file, people_from_text, read_people, write_people
from ...core.files.user_folders import cache_folder
from ...core.options import RECONSTRUCT_OPTIONS
from ...core.people_list import PeopleList
from ..arguments import request_values
from ..console import Console
from .reconstruct import missing_input_error

_CELLS = 40  # of the strip


def run(options: Namespace, console: Console) -> int:
    """Find the people of a clip or read a list, edit it, write it where something is new, and print it."""
    source = options.input
    if not os.path.exists(source):
        raise missing_input_error(source)
    is_list = is_people_file(source)
    output = _output(options, is_list)
    people = read_people(source) if is_list else find_people(source, options, console)
    for name, words in options.edits or ():
        people, said = edit(people, name, words)
        if said:
            console.print_result(said)
    if output is not None:
        write_people(output, people)
    for line in describe(people):
        console.print_result(line)
    if output is not None:
        console.done(source, [str(output)])
    return ExitCode.DONE


def _output(options: Namespace, is_list: bool) -> Path | None:
    """The file to write, or None where nothing is new. Raises InputError: it would be lost. OutputError: it cannot be written."""
    if is_list and not options.edits and options.output is None:
        return None
    output = Path(options.output or (options.input if is_list else _default_list(options.input)))
    if not is_list and output.exists() and not options.anew:
        raise InputError(
            "people-list-exists",
            "There is a list of people {path} already.",
            "Edit it with `meshrec people {path}`, write another one with -o, or this one again with --anew.",
            path=output,
        )
    check_writable(output)
    return output


def _default_list(source: str) -> Path:
    path = Path(os.path.abspath(source))
    return path.with_name(f"{path.name if path.is_dir() else path.stem}{SUFFIX}")


def find_people(source: str, options: Namespace, console: Console) -> PeopleList:
    """The list of the people of a clip, found by the backend. Raises MeshRecError."""
    cache = None if options.no_cache else os.path.abspath(options.cache or cache_folder())
    chosen = (option for option in RECONSTRUCT_OPTIONS if hasattr(options, option.name))
    request = ReconstructRequest(os.path.abspath(source), cache=cache, only_find=True, **request_values(options, chosen))

    def on_progress(progress: Progress) -> None:
        console.progress(progress, source)

    result = start_job(request, options.python).wait(on_progress)
    for warning in result.report.get("warnings", ()):
        console.warn(warning, source)
    return people_from_text(result.people_text)


def edit(people: PeopleList, name: str, words: tuple[str, ...]) -> tuple[PeopleList, str]:
    """The list after an edit of the command line, and what a user should know of it. Raises InputError."""
    if name == "name":
        return people_edits.name_person(people, int(words[0]), words[1]), ""
    first, *rest = map(int, words)
    if name == "merge":
        return people_edits.merge_people(people, first, rest), ""
    if name == "swap":
        return people_edits.swap_people(people, first, *rest), ""
    if name == "drop":
        return people_edits.drop_person(people, first), ""
    if name == "sure":
        return people_edits.confirm_person(people, first), ""
    changed, new = people_edits.split_person(people, first, *rest) if name == "split" else people_edits.add_track(people, first)
    return changed, f"Person {new} is new."


def describe(people: PeopleList) -> list[str]:
    """A line for each person: number and name, a strip over time, how much of the clip they are seen in, and the frames of each track."""
    titles = [f"{person.number} {person.name}".strip() for person in people.people]
    width = max(map(len, titles), default=0)
    lines: list[str] = []
    for title, person in zip(titles, people.people, strict=True):
        strip = "".join("#" if share > 0.5 else "-" if share > 0 else "." for share in people.seen_cells(person.number, _CELLS))
        where = ", ".join(f"{stretch.first}-{stretch.last} (track {stretch.track})" for stretch in person.stretches)
        doubt = f"; doubtful: {person.doubtful}" if person.doubtful else ""
        lines.append(f"person {title:<{width}} [{strip}] {100 * people.seen_share(person.number):3.0f} %, frames {where}{doubt}")
    return lines
