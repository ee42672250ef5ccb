"""Messages to the user: an English sentence that keeps the name and the values it was made of, so that it can be translated."""

import json
import os


class Message(str):
    """An English sentence with its identity.

    It is the finished sentence, so that reports, logs and terminals use it like any text; the user interface looks up another
    wording or language by its name and fills in the same values.

    Args:
        name: stable identity, in kebab case. text: the English template, with {placeholders}. values: what stands for the
            placeholders: str, int, float, Message, or a tuple of these, which is joined by commas. Anything else becomes text.
    """

    __slots__ = ("name", "text", "values")

    def __new__(cls, name, text, /, **values):
        values = {key: _plain_value(value) for key, value in values.items()}
        message = super().__new__(cls, fill_in(text, values))
        message.name, message.text, message.values = name, text, values
        return message

    def __getnewargs_ex__(self):
        return (self.name, self.text), self.values


def label(text):
    """A fixed word or short label as a Message: its English text is its name."""
    return Message(text, text.replace("{", "{{").replace("}", "}}"))


def fill_in(template, values):
    """A template with its values in the places of its {placeholders}; tuples are joined by commas."""
    return template.format(**{key: ", ".join(map(str, value)) if isinstance(value, tuple) else value for key, value in values.items()})


def message_to_json(message):
    """A Message as JSON can hold it: {"name", "text", "values"}; any other str as it is."""
    if not isinstance(message, Message):
        return message
    return {"name": message.name, "text": message.text, "values": {key: _value_to_json(value) for key, value in message.values.items()}}


def message_from_json(content):
    """The Message that `message_to_json` wrote, or the str that it kept.

    Raises:
        ValueError, TypeError, KeyError: it is neither.
    """
    if isinstance(content, str):
        return content
    return Message(content["name"], content["text"], **{key: _value_from_json(value) for key, value in content["values"].items()})


def messages_to_text(messages):
    """Messages as a text that a .blend file keeps."""
    return json.dumps(list(map(message_to_json, messages)))


def messages_from_text(text):
    """The Messages that `messages_to_text` wrote; a file of an earlier version has plain sentences, one a line."""
    return list(map(message_from_json, json.loads(text))) if text.startswith("[") else [line for line in text.split("\n") if line]


def _plain_value(value):
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, list | tuple):
        return tuple(map(_plain_value, value))
    return value.item() if hasattr(value, "item") else str(value)  # numpy's numbers; errors


def _value_to_json(value):
    return [_value_to_json(item) for item in value] if isinstance(value, tuple) else message_to_json(value)


def _value_from_json(value):
    if isinstance(value, list):
        return tuple(map(_value_from_json, value))
    return message_from_json(value) if isinstance(value, dict) else value
