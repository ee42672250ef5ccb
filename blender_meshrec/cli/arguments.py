"""Arguments of the command line: those made from the table of options, and their values as the backend's request has them."""

import argparse
import os
from collections.abc import Iterable
from typing import Any

from ..core.option_choices import OUTPUT_SUFFIXES
from ..core.option_records import EMPTY_WORD, Option
from ..core.options import OPTIONS, RECONSTRUCT_OPTIONS


def add_option(command: argparse.ArgumentParser, option: Option, help_text: str | None = None) -> None:
    """Add an option to a command; its value gets the option's name.

    Args:
        help_text: for a command where the option means something else; the option's own by default.
    """
    argument = option.argument
    if argument is None:
        return
    settings: dict[str, Any] = {"dest": option.name, "default": option.default, "help": (help_text or argument.help).replace("%", "%%")}
    if option.value_type is bool:
        settings["action"] = "store_false" if option.default else "store_true"
    else:
        settings["type"] = argument.parse or _word_parser(option)
        settings["metavar"] = argument.metavar
        settings["choices"] = option.words or None
    if argument.is_repeated:
        settings |= {"action": "append", "default": None}
    command.add_argument(argument.flag, *argument.other_flags, **settings)


def add_options(command: argparse.ArgumentParser, options: Iterable[Option]) -> None:
    """Add options to a command, in their order."""
    for option in options:
        add_option(command, option)


def add_cache_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments about the detections that are cached."""
    command.add_argument("--cache", metavar="DIR", help="folder of detections, which later runs reuse; the user's cache by default")
    command.add_argument("--no-cache", action="store_true", help="analyse the footage again, and keep no detections")


def add_backend_argument(command: argparse.ArgumentParser) -> None:
    """Add the argument that says which Python runs the backend."""
    command.add_argument("--python", metavar="FILE", help="the Python of the backend's environment")


def _word_parser(option: Option) -> type | None:
    """The converter of an option's word where it has no parser of its own; None leaves it a str."""
    return option.value_type if option.value_type in (int, float) else None


def request_values(arguments: argparse.Namespace, options: Iterable[Option] = RECONSTRUCT_OPTIONS) -> dict[str, Any]:
    """Values of the options by name, as a ReconstructRequest has them; paths are absolute, so that results can store them."""
    return {option.name: _request_value(option, getattr(arguments, option.name)) for option in options if option.argument}


def _request_value(option: Option, value: Any) -> Any:
    if option.is_model_file:
        return value if value == option.default else os.path.abspath(value)
    if option.argument and option.argument.is_repeated:
        return option.default if value is None else tuple(word for word in value if word != EMPTY_WORD)
    return value


def join_words(words: Iterable[str]) -> list[str]:
    """The words of a command line as argparse reads them: those of `join_heights`, and the number behind --texture as --texture-size.

    An optional number of argparse's own would take the inputs behind --texture.
    """
    joined: list[str] = []
    for word in join_heights(words):
        flag, _, size = word.partition("=")
        if flag == "--texture" and size:
            joined += [flag, f"--texture-size={size}"]
        elif joined and joined[-1] == "--texture" and word in OPTIONS["texture_size"].words:
            joined.append(f"--texture-size={word}")
        else:
            joined.append(word)
    return joined


def join_heights(words: Iterable[str]) -> list[str]:
    """The words of a command line with the numbers behind --height as one word: `--height 182 165 -o a.fbx`.

    argparse would take the inputs behind them too.
    """
    joined: list[str] = []
    for word in words:
        is_number = word.lower().removesuffix("cm").replace(".", "", 1).isdecimal()
        if is_number and len(joined) > 1 and joined[-2] == "--height":
            joined[-1] += f",{word}"
        else:
            joined.append(word)
    return joined


def model_flags() -> tuple[str, ...]:
    """The flags, without dashes, of the options that name a model file."""
    return tuple(option.argument.flag.lstrip("-") for option in OPTIONS.values() if option.is_model_file and option.argument)


# --- values of arguments that are no options --------------------------------------------------------------------------


def parse_output_path(word: str) -> str:
    """Check that an output's path is not empty."""
    if word:
        return word
    raise argparse.ArgumentTypeError("it has no name")


def parse_count(word: str) -> int | None:
    """A whole number from 1; None for `auto`."""
    if word == "auto":
        return None
    if word.isdecimal() and int(word) > 0:
        return int(word)
    raise argparse.ArgumentTypeError(f"{word} is no number from 1")


def parse_formats(word: str) -> tuple[str, ...]:
    """The suffixes of a list of formats such as `fbx,npz`."""
    suffixes = tuple(dict.fromkeys(f".{name.strip().lower().removeprefix('.')}" for name in word.split(",")))
    if unknown := [suffix for suffix in suffixes if suffix not in OUTPUT_SUFFIXES]:
        raise argparse.ArgumentTypeError(f"there is no format {unknown[0]}; choose from {' '.join(OUTPUT_SUFFIXES)}")
    return suffixes
