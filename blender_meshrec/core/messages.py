"""Messages to the user: finished English sentences that keep the template and values they were made of, for translation."""

import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, Self, TypeAlias

# A Message is a str and so also a MessageValue.
MessageValue: TypeAlias = "str | int | float | tuple[MessageValue, ...]"


class Message(str):
    """An English sentence with a stable identity.

    As a str it is the finished sentence, which reports, logs and terminals use directly. The user interface can look up
    another wording or language by its name and fill in the same values.

    Args:
        name: stable identity, in kebab case.
        text: the English template, with {placeholders}.
        values: values of the placeholders: str, int, float, Message, or a tuple of these, which is joined by commas.
            Other values are converted to str.
    """

    __slots__ = ("name", "text", "values")
    name: str
    text: str
    values: dict[str, MessageValue]

    def __new__(cls, name: str, text: str, /, **values: object) -> Self:
        plain_values = {key: _plain_value(value) for key, value in values.items()}
        message = super().__new__(cls, fill_in(text, plain_values))
        message.name, message.text, message.values = name, text, plain_values
        return message

    def __getnewargs_ex__(self) -> tuple[tuple[str, str], dict[str, MessageValue]]:
        return (self.name, self.text), self.values


def label(text: str) -> Message:
    """A fixed word or short label as a Message whose name is its English text."""
    return Message(text, text.replace("{", "{{").replace("}", "}}"))


def title_of(identifier: str) -> str:
    """An identifier as a label of the interface: left_heel is "Left Heel"."""
    return identifier.replace("_", " ").title()


def fill_in(template: str, values: Mapping[str, MessageValue]) -> str:
    """Replace the {placeholders} of a template by their values; tuples are joined by commas."""
    return template.format(**{key: ", ".join(map(str, value)) if isinstance(value, tuple) else value for key, value in values.items()})


def message_to_json(message: str) -> str | dict[str, Any]:
    """Convert a Message to {"name", "text", "values"} for JSON; any other str stays as it is."""
    if not isinstance(message, Message):
        return message
    return {"name": message.name, "text": message.text, "values": {key: _value_to_json(value) for key, value in message.values.items()}}


def message_from_json(content: str | Mapping[str, Any]) -> str:
    """The inverse of `message_to_json`.

    Raises:
        ValueError, TypeError, KeyError: `content` is neither a str nor such a dictionary.
    """
    if isinstance(content, str):
        return content
    return Message(content["name"], content["text"], **{key: _value_from_json(value) for key, value in content["values"].items()})


def messages_to_text(messages: Iterable[str]) -> str:
    """Messages as one text that can be stored in a .blend file."""
    return json.dumps(list(map(message_to_json, messages)))


def messages_from_text(text: str) -> list[str]:
    """The inverse of `messages_to_text`; files of earlier versions store plain sentences, one per line."""
    return list(map(message_from_json, json.loads(text))) if text.startswith("[") else [line for line in text.split("\n") if line]


def describe_exception(error: BaseException) -> str:
    """An exception's text in one line, fit for the middle of a sentence.

    Blender's errors hold the place in its own code, and those of its Python operators a whole traceback, of which the last line counts.
    """
    lines = [line.strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith("Location: ")]
    if any(line.endswith("Traceback (most recent call last):") for line in lines):
        lines = lines[-1:]
    return re.sub(r"^(Error: )+", "", " ".join(lines))


def _plain_value(value: object) -> MessageValue:
    if isinstance(value, BaseException):
        return describe_exception(value)
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple)):
        return tuple(map(_plain_value, value))
    return value.item() if hasattr(value, "item") else str(value)  # numpy scalars; exceptions


def _value_to_json(value: MessageValue) -> Any:
    if isinstance(value, tuple):
        return [_value_to_json(item) for item in value]
    return message_to_json(value) if isinstance(value, str) else value


def _value_from_json(value: Any) -> MessageValue:
    if isinstance(value, list):
        return tuple(map(_value_from_json, value))
    return message_from_json(value) if isinstance(value, dict) else value
