"""What the interface says, in the language that Blender is set to and in the words of its own buttons.

Names, tooltips and labels are translated by Blender as it draws them, from the table that `register` gives it; sentences that are
put together here are translated before their {placeholders} are filled in.
"""

import re
from functools import lru_cache

import bpy

from .german import GERMAN
from .german_errors import GERMAN_ERRORS
from .sentences import GERMAN_SENTENCES, PANEL_WORDS

# Blender takes a language for all its countries. Where it knows a word itself, its own translation is used.
_TABLES = {"de": {**GERMAN, **GERMAN_SENTENCES, **GERMAN_ERRORS}}
_CONTEXTS = ("*", "Operator")
# What these placeholders stand for is words, one or a list of them; other values are names and numbers.
_OF_WORDS = ("names", "device")


def say(msgid, **values):
    """A text in the artist's language. msgid: in English, with {names} of values."""
    text = look_up(msgid)
    return text.format(**values) if values else text


def translated(sentence):
    """A sentence that another part has put together in English, in the panel's words and the artist's language.

    Sentences that are not known stay as they are.
    """
    msgid, values = _recognised(sentence)
    words = {name: ", ".join(look_up(word) for word in value.split(", ")) if name in _OF_WORDS else value for name, value in values.items()}
    return say(msgid, **words)


def told(error):
    """A MeshRecError as one line: what is wrong, and what to do."""
    return f"{translated(error.problem)} {translated(error.remedy)}".strip()


def look_up(msgid):
    """Blender's own lookup; gives the msgid where there is no translation."""
    return bpy.app.translations.pgettext_iface(msgid)


@lru_cache(maxsize=256)
def _recognised(sentence):
    """The msgid of a finished sentence, and what its placeholders stand for."""
    for template, pattern in _patterns():
        if found := pattern.fullmatch(sentence):
            return PANEL_WORDS.get(template, template), found.groupdict()
    return sentence, {}


@lru_cache(maxsize=1)
def _patterns():
    """(template, pattern) of every sentence known, those with most text of their own first."""
    templates = sorted({*PANEL_WORDS, *GERMAN_SENTENCES, *GERMAN_ERRORS}, key=lambda template: -len(re.sub(r"\{\w+\}", "", template)))
    return [(template, pattern_of(template)) for template in templates]


def pattern_of(template):
    """What a template's sentences look like: each {name} is a group of that name."""
    parts = re.split(r"\{(\w+)\}", template)
    return re.compile("".join(f"(?P<{part}>.+?)" if i % 2 else re.escape(part) for i, part in enumerate(parts)), re.DOTALL)


def register():
    tables = {
        locale: {(context, msgid): text for msgid, text in table.items() for context in _CONTEXTS} for locale, table in _TABLES.items()
    }
    bpy.app.translations.register(__name__, tables)


def unregister():
    bpy.app.translations.unregister(__name__)
