"""The arguments of `meshrec people`: options of finding people, and edits, which are made in the order in which they are given."""

import argparse
from collections.abc import Sequence
from typing import Any

from ..core.options import OPTIONS
from .arguments import add_backend_argument, add_cache_arguments, add_options, parse_output_path

_FINDING = ("frames", "fps", "capture_fps", "detector", "method", "quality", "device")


class _Edit(argparse.Action):
    """Appends (name, words) to the list of edits."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: str | None = None
    ) -> None:
        words: Sequence[str] = values if isinstance(values, list) else [values]
        name = (option_string or "").lstrip("-")
        numbers = words[:1] if name == "name" else words
        if wrong := [word for word in numbers if not (word.isascii() and word.isdigit())]:
            parser.error(f"argument {option_string}: {wrong[0]} is no number of a person or of a frame")
        if name == "merge" and len(words) < 2:
            parser.error(f"argument {option_string}: give the person who stays, and who else is the same person")
        namespace.edits = [*(namespace.edits or ()), (name, tuple(words))]


def add_people_arguments(command: argparse.ArgumentParser) -> None:
    """Add all arguments of `meshrec people` but those of every command."""
    command.add_argument("input", metavar="CLIP|people.json", help="footage whose people are to be found, or a list of people")
    command.add_argument(
        "-o",
        "--output",
        type=parse_output_path,
        metavar="people.json",
        help="the list to write; of a clip, NAME.people.json beside it by default, and of a list, the list itself",
    )
    edits: tuple[tuple[str, Any, Any, str], ...] = (
        ("--merge", "+", ("N", "M"), "M, or several, are the same person as N"),
        ("--split", 2, ("N", "FRAME"), "from FRAME on, N is somebody else, who gets a new number"),
        ("--swap", 3, ("N", "M", "FRAME"), "from FRAME on, N is M and M is N"),
        ("--name", 2, ("N", "NAME"), "call N by a name, which the person has in Blender too; an empty one takes it away"),
        ("--drop", 1, "N", "leave N out"),
        ("--add", 1, "TRACK", "make a person of a track that belongs to nobody, such as that of somebody dropped before"),
        ("--sure", 1, "N", "confirm that N, who is listed as doubtful, is a person"),
    )
    for flag, count, metavar, explanation in edits:
        command.add_argument(flag, dest="edits", action=_Edit, nargs=count, metavar=metavar, help=explanation)
    command.add_argument("--anew", action="store_true", help="of a clip: write the list again where there is one, and lose its edits")
    add_options(command, (OPTIONS[name] for name in _FINDING))
    add_cache_arguments(command)
    add_backend_argument(command)
