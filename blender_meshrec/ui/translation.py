"""What the interface says: in the language that Blender is set to, and in the words of its own buttons.

Labels and tooltips are translated by Blender as it draws them, from the tables that `register` gives it. Messages of other parts come
as `core.messages.Message`: their wording in the panel and their translation are looked up by their name, then their values filled in.
The tables are `locale/*.po`, compiled by `scripts/translations.py`; where they are not compiled, everything is in English.
"""

import json
from pathlib import Path
from typing import Any

import bpy

from ..core.errors import MeshRecError
from ..core.messages import Message, fill_in

_LOCALE = Path(__file__).with_name("locale")
_PANEL = "panel_en"
# Blender takes a language for all its countries. Where it knows a word itself, its own translation is used.
_LABEL_CONTEXTS = ("*", "Operator")


def read_table(name: str) -> dict[str, dict[str, str]]:
    """A compiled table of `locale`: context (a message's name, or "") -> English text -> text; empty where there is none."""
    try:
        return json.loads((_LOCALE / f"{name}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


_PANEL_WORDING = read_table(_PANEL)


def translate(msgid: str, **values: Any) -> str:
    """A text in the artist's language. msgid: in English, with {names} of values."""
    text = look_up(msgid)
    return text.format(**values) if values else text


def translate_message(message: str) -> str:
    """A Message in the panel's words and the artist's language; any other text as it is, unless it is a label."""
    if not isinstance(message, Message):
        return look_up(message)
    return fill_in(look_up(panel_wording(message), message.name), {name: _translated(value) for name, value in message.values.items()})


def translate_error(error: MeshRecError) -> str:
    """A MeshRecError as one line: what is wrong, and what to do."""
    return f"{translate_message(error.problem)} {translate_message(error.remedy)}".strip()


def panel_wording(message: Message) -> str:
    """The English template of a Message where the panel says it otherwise than the command line, else its own."""
    by_name, shared = (_PANEL_WORDING.get(context, {}) for context in (message.name, ""))
    return by_name.get(message.text) or shared.get(message.text) or message.text


def look_up(msgid: str, name: str = "") -> str:
    """Blender's own lookup, by a message's name and then by the text alone; gives the msgid where there is no translation."""
    named = bpy.app.translations.pgettext_iface(msgid, name) if name else msgid
    return named if named and named != msgid else bpy.app.translations.pgettext_iface(msgid) or msgid


def _translated(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_translated, value))
    return translate_message(value) if isinstance(value, Message) else value


def blender_tables() -> dict[str, dict[tuple[str, str], str]]:
    """The tables as Blender takes them: language -> (context, English text) -> text."""
    return {path.stem: _blender_table(read_table(path.stem)) for path in _LOCALE.glob("*.json") if path.stem != _PANEL}


def _blender_table(table: dict[str, dict[str, str]]) -> dict[tuple[str, str], str]:
    contexts = ((context, texts) for name, texts in table.items() for context in ([name] if name else _LABEL_CONTEXTS))
    return {(context, msgid): text for context, texts in contexts for msgid, text in texts.items()}


def register() -> None:
    bpy.app.translations.register(__name__, blender_tables())  # pyrefly: ignore[bad-argument-type]  (its stub has no contexts)


def unregister() -> None:
    bpy.app.translations.unregister(__name__)
