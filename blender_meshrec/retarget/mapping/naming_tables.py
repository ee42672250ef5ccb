"""The words of bone names and the known naming conventions, read from conventions.json."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

from ..rig import SIDES

# Words that a name must contain, in any order -> slot without its side -> 0..1, how clearly they name it.
Phrases: TypeAlias = dict[tuple[str, ...], dict[str, float]]


@dataclass(frozen=True)
class NamingConvention:
    """One maker's bone names.

    sides: how left and right are written. bones: slot without its side -> templates of the names, with "{side}" in those of limbs.
    """

    name: str
    sides: tuple[str, ...]
    bones: dict[str, tuple[str, ...]]

    def slot_names(self) -> Iterator[tuple[str, list[str]]]:
        """Each slot that the convention names, with its bone names."""
        for part, templates in self.bones.items():
            if "{side}" not in templates[0]:
                yield part, [template.format(side="") for template in templates]
                continue
            for side, side_word in zip(SIDES, self.sides, strict=True):
                yield f"{side}_{part}", [template.format(side=side_word) for template in templates]


@dataclass(frozen=True)
class NamingTables:
    """What words in bone names mean.

    limb_phrases: for arms and legs. centre_phrases: for hips, spine, neck, head and root. sides: word -> "left" or "right".
    fingers: word -> finger's slot, "" for the word "finger" itself. part_words: every word that names a part. compound_words: words
    that a longer one may be made of ("leftforearm", "toebase", "rhand"). translations: word of another language -> English words,
    the longest first.
    """

    limb_phrases: Phrases
    centre_phrases: Phrases
    sides: dict[str, str]
    fingers: dict[str, str]
    twist_words: frozenset[str]
    helper_words: frozenset[str]
    noise_words: frozenset[str]
    part_words: frozenset[str]
    compound_words: frozenset[str]
    known_words: frozenset[str]
    translations: tuple[tuple[str, str], ...]
    conventions: tuple[NamingConvention, ...]


@cache
def load_naming_tables() -> NamingTables:
    """The tables of conventions.json."""
    content = json.loads(Path(__file__).with_name("conventions.json").read_text(encoding="utf-8"))
    words = content["words"]
    limb_phrases, centre_phrases = ({tuple(phrase.split()): slots for phrase, slots in words[kind].items()} for kind in ("limbs", "centre"))
    sides = {word: side for side, spellings in words["sides"].items() for word in spellings}
    part_words = {word for phrases in (limb_phrases, centre_phrases) for phrase in phrases for word in phrase} | set(words["fingers"])
    other_words = {*sides, *words["twist"], *words["helpers"], *words["noise"]}
    return NamingTables(
        limb_phrases=limb_phrases,
        centre_phrases=centre_phrases,
        sides=sides,
        fingers=words["fingers"],
        twist_words=frozenset(words["twist"]),
        helper_words=frozenset(words["helpers"]),
        noise_words=frozenset(words["noise"]),
        part_words=frozenset(part_words),
        compound_words=frozenset(part_words | {word for word in other_words if len(word) > 2}),
        known_words=frozenset(part_words | other_words),
        translations=tuple(sorted(words["translate"].items(), key=lambda pair: -len(pair[0]))),
        conventions=tuple(
            NamingConvention(entry["name"], tuple(entry["sides"]), {part: tuple(names) for part, names in entry["bones"].items()})
            for entry in content["conventions"]
        ),
    )
