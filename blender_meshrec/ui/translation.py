"""Translates the interface into Blender's language, and messages into the wording of the panel.

Blender translates labels and tooltips itself as it draws them, from the tables that `register` adds. Other packages send messages
as `core.messages.Message`: the panel's wording and its translation are looked up by the message's name, then the values are filled
in. The tables are `locale/*.po`, compiled by `scripts/translations.py`; without the compiled tables everything is in English.
"""

import json
from pathlib import Path
from typing import Any

import bpy

from ..core.errors import MeshRecError
from ..core.messages import Message, fill_in

_LOCALE = Path(__file__).with_name("locale")
_PANEL = "panel_en"
# The contexts of labels and tooltips. Blender's own translation of a word comes before these tables.
_LABEL_CONTEXTS = ("*", "Operator")


def read_table(name: str) -> dict[str, dict[str, str]]:
    """Read a compiled table of `locale`: context (a message's name, or "") -> English text -> text; empty if there is no such file."""
    try:
        return json.loads((_LOCALE / f"{name}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


_PANEL_WORDING = read_table(_PANEL)


def translate(msgid: str, **values: Any) -> str:
    """Translate a text to Blender's language and fill in values. msgid: the English text, with {placeholders}."""
    text = look_up(msgid)
    return text.format(**values) if values else text


def translate_message(message: str) -> str:
    """Translate a Message in the panel's wording; any other text only if the tables have it as a label."""
    if not isinstance(message, Message):
        return look_up(message)
    return fill_in(look_up(panel_wording(message), message.name), {name: _translate_value(value) for name, value in message.values.items()})


def translate_error(error: MeshRecError) -> str:
    """Translate an error to one line: the problem, then the remedy."""
    return f"{translate_message(error.problem)} {translate_message(error.remedy)}".strip()


def panel_wording(message: Message) -> str:
    """The English template that the panel uses instead of the Message's own, if there is one; else its own."""
    by_name, shared = (_PANEL_WORDING.get(context, {}) for context in (message.name, ""))
    return by_name.get(message.text) or shared.get(message.text) or message.text


def look_up(msgid: str, name: str = "") -> str:
    """Look a text up in Blender's tables, by a message's name and then by the text alone; the msgid if there is no translation."""
    named = bpy.app.translations.pgettext_iface(msgid, name) if name else msgid
    return named if named and named != msgid else bpy.app.translations.pgettext_iface(msgid) or msgid


def _translate_value(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_translate_value, value))
    return translate_message(value) if isinstance(value, Message) else value


def blender_tables() -> dict[str, dict[tuple[str, str], str]]:
    """The tables in the form that Blender registers: language -> (context, English text) -> text."""
    return {path.stem: _blender_table(read_table(path.stem)) for path in _LOCALE.glob("*.json") if path.stem != _PANEL}


def _blender_table(table: dict[str, dict[str, str]]) -> dict[tuple[str, str], str]:
    contexts = ((context, texts) for name, texts in table.items() for context in ([name] if name else _LABEL_CONTEXTS))
    return {(context, msgid): text for context, texts in contexts for msgid, text in texts.items()}


def register() -> None:
    bpy.app.translations.register(__name__, blender_tables())  # pyrefly: ignore[bad-argument-type]  (its stub has no contexts)


def unregister() -> None:
    bpy.app.translations.unregister(__name__)
