"""Records that describe an option: its choices, its argument on the command line and its property in Blender's panel."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, get_type_hints

T = TypeVar("T")
EMPTY_WORD = "none"  # on the command line, the value () of a repeated argument


@dataclass(frozen=True)
class Choice:
    """A value that an option may have, and the enum item that stands for it in the panel.

    identifier: of the enum item, which .blend files and presets store; the value by default.
    """

    value: str | tuple[str, ...]
    label: str
    description: str
    identifier: str = ""

    @property
    def item(self) -> tuple[str, str, str]:
        """The item of an EnumProperty: identifier, name, description."""
        return self.identifier or str(self.value), self.label, self.description


@dataclass(frozen=True)
class Argument:
    """An option on the command line.

    flag: such as --device. The flag of a bool takes no value and inverts the default: --no-NAME where it is True.
    parse: converts the word after the flag, and raises argparse.ArgumentTypeError. words: the words that are accepted; the values of
    the option's choices by default. is_repeated: the flag may be given several times and the option's value is a tuple;
    EMPTY_WORD stands for the empty tuple. other_flags: further names for the same.
    """

    flag: str
    help: str
    metavar: str | None = None
    parse: Callable[[str], object] | None = None
    words: tuple[str, ...] = ()
    is_repeated: bool = False
    other_flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class PanelProperty:
    """An option as an RNA property of the panel's settings; presets store it.

    identifier: the property's name, which .blend files and presets store; the option's name by default. choices: enum items, where
    they are not the option's choices. minimum, soft_maximum: of a number. is_path: a file's path; the option's value is a tuple of paths.
    """

    label: str
    description: str
    identifier: str = ""
    choices: tuple[Choice, ...] = ()
    minimum: float | None = None
    soft_maximum: float | None = None
    is_path: bool = False


@dataclass(frozen=True)
class Option:
    """An option of a reconstruction.

    value_type: bool, int, float, str, or another type with an argument that parses it. choices: the values it may have; empty where
    there is no list. is_model_file: the value is "open" or the path of a file; in the panel, an empty path stands for "open".
    argument, panel: None where the command line or the panel has no such option.
    """

    name: str
    value_type: Any
    default: Any
    choices: tuple[Choice, ...] = ()
    argument: Argument | None = None
    panel: PanelProperty | None = None
    is_model_file: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """The words that the command line accepts as values; empty where there is no list."""
        return (self.argument.words if self.argument else ()) or tuple(str(choice.value) for choice in self.choices)

    @property
    def panel_identifier(self) -> str:
        """The name of the panel's property."""
        return (self.panel.identifier if self.panel else "") or self.name

    @property
    def panel_choices(self) -> tuple[Choice, ...]:
        """The enum items of the panel's property; empty where it is no enum."""
        return (self.panel.choices if self.panel else ()) or self.choices


def option(
    default: T,
    *,
    choices: tuple[Choice, ...] = (),
    argument: Argument | None = None,
    panel: PanelProperty | None = None,
    is_model_file: bool = False,
) -> T:
    """The dataclass field of an option; see Option."""
    described = {"choices": choices, "argument": argument, "panel": panel, "is_model_file": is_model_file}
    return field(default=default, metadata={"option": described})


def options_of(record: type) -> tuple[Option, ...]:
    """The Options that are fields of a dataclass, in its order; other fields are left out."""
    hints = get_type_hints(record)
    return tuple(
        Option(entry.name, hints[entry.name], entry.default, **entry.metadata["option"])
        for entry in fields(record)
        if "option" in entry.metadata
    )
