"""What a bone's name says: which side, which part, and whether it is a helper that carries no part of a body.

Names are cut into words ("Char01_LeftUpLeg_JNT" into left, up, leg); words that nearly every bone of the rig begins or ends
with say nothing and go. Facts about words and conventions are data, in conventions.json.
"""

import json
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from ..rig import REQUIRED_SLOTS, SIDES

_WORD_PATTERN = re.compile(r"\d+|[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[^\W\d_]+")
# A word at the beginning or end of this share of the bones is a prefix or suffix of the rig, not of the bone.
_COMMON_SHARE = 0.6
# A word nobody knows makes a name speak less clearly for its part ("hand_grip" is less of a hand than "hand").
_UNKNOWN_WORD_FACTOR = 0.8
# A convention is recognised when the rig has this share of its body bones, those of REQUIRED_SLOTS among them.
_MIN_CONVENTION_SHARE = 0.75


@dataclass(frozen=True)
class ParsedName:
    """What one name says.

    side: "left", "right" or "". limbs: slots without their side -> 0..1, for bones of arms and legs. centre: the same for
    hips, spine, neck, head and root. phrase: the words that said so. finger: a finger's slot, or "" with `numbers` holding the
    finger's number. exact_slot: the slot a known convention gives this very name. is_helper, is_twist: what the bone is otherwise.
    """

    words: tuple
    side: str = ""
    limbs: dict = field(default_factory=dict)
    centre: dict = field(default_factory=dict)
    phrase: str = ""
    finger: str | None = None
    numbers: tuple = ()
    exact_slot: str = ""
    is_helper: bool = False
    is_twist: bool = False


@cache
def _load_tables():
    tables = json.loads(Path(__file__).with_name("conventions.json").read_text(encoding="utf-8"))
    words = tables["words"]
    phrases = {kind: {tuple(phrase.split()): slots for phrase, slots in words[kind].items()} for kind in ("limbs", "centre")}
    side_of = {word: side for side, forms in words["sides"].items() for word in forms}
    parts = {word for kind in phrases.values() for phrase in kind for word in phrase} | set(words["fingers"])
    # Words a longer one may be made of: "leftforearm", "toebase", "rhand".
    glue = parts | {word for word in (*side_of, *words["twist"], *words["helpers"], *words["noise"]) if len(word) > 2}
    known = glue | set(side_of) | set(words["noise"]) | set(words["helpers"]) | set(words["twist"])
    return {
        "phrases": phrases,
        "side_of": side_of,
        "parts": parts,
        "glue": glue,
        "known": known,
        "fingers": words["fingers"],
        "twist": frozenset(words["twist"]),
        "noise": frozenset(words["noise"]),
        "helpers": frozenset(words["helpers"]),
        "translate": sorted(words["translate"].items(), key=lambda pair: -len(pair[0])),
        "conventions": tables["conventions"],
    }


@cache
def _split_compound(word):
    """The known words a word is made of, as few as possible: ("left", "fore", "arm"); the word itself where there are none."""
    tables = _load_tables()
    if word in tables["known"] or len(word) < 4:
        return (word,)
    best = {0: ()}
    for end in range(1, len(word) + 1):
        for start in range(max(0, end - 12), end):
            piece = word[start:end]
            lone_side = piece in ("l", "r") and (start == 0 or end == len(word))
            if start in best and (piece in tables["glue"] or lone_side) and (end not in best or len(best[start]) + 1 < len(best[end])):
                best[end] = (*best[start], piece)
    pieces = best.get(len(word), (word,))
    return pieces if any(piece in tables["parts"] for piece in pieces) else (word,)


def split_name(name):
    """Cut a bone's name into lower-case words and numbers, without what stands before the last ":" or "|"."""
    name = unicodedata.normalize("NFKC", name)
    name = re.split(r"[:|]", name.rstrip(":|"))[-1]
    if not name.isascii():
        for theirs, ours in _load_tables()["translate"]:
            name = name.replace(theirs, ours)
    return tuple(part for piece in _WORD_PATTERN.findall(name) for part in _split_compound(piece.lower()))


def _strip_common_affixes(names):
    """Take away the words that most names begin or end with, as long as those say nothing about a part or a side."""
    tables = _load_tables()
    telling = tables["parts"] | set(tables["side_of"])
    names = [list(words) for words in names]
    for end in (0, -1):
        while True:
            longer = [words for words in names if len(words) > 1]
            if not longer:
                break
            word, count = Counter(words[end] for words in longer).most_common(1)[0]
            if count < _COMMON_SHARE * len(names) or count < 4 or word in telling or (end == -1 and word.isdigit()):
                break
            for words in longer:
                if words[end] == word:
                    del words[end]
    return [tuple(words) for words in names]


def _name_key(words):
    return "".join(words)


def recognise_convention(names):
    """The known convention that names follow best.

    Args:
        names: words of every bone, without common prefixes.

    Returns:
        its name, and bone number -> slot for the bones it names; ("", {}) where none fits.
    """
    by_key = {}
    for bone, words in enumerate(names):
        by_key.setdefault(_name_key(words), bone)
    best, best_share = ("", {}), 0.0
    for convention in _load_tables()["conventions"]:
        found, wanted, slots = {}, 0, set()
        for slot, forms in convention["bones"].items():
            sides = zip(SIDES, convention["sides"], strict=True) if "{side}" in forms[0] else [("", "")]
            for side, form in sides:
                full = f"{side}_{slot}" if side else slot
                bones = [by_key.get(_name_key(split_name(name.format(side=form)))) for name in forms]
                wanted += slot not in ("root", "neck")
                if any(bone is not None for bone in bones):
                    slots.add(full)
                    found.update({bone: full for bone in bones if bone is not None})
        share = len(slots - {"root", "neck"}) / wanted + 0.001 * len(found)
        if slots.issuperset(REQUIRED_SLOTS) and share >= _MIN_CONVENTION_SHARE and share > best_share:
            best, best_share = (convention["name"], found), share
    return best


def _match_phrase(words, phrases):
    """The longest phrase whose words all occur, with the slots it speaks for."""
    present = set(words)
    best = max((phrase for phrase in phrases if present.issuperset(phrase)), key=len, default=None)
    return (best, phrases[best]) if best else ((), {})


def _is_excused_helper(words, twist, fingers):
    """Whether a helper's word is no such thing here: twist bones are leaves, and a thumb's first joint is its metacarpal."""
    said = {word for word in words if word in _load_tables()["helpers"]}
    return (twist and said == {"leaf"}) or ("thumb" in fingers and said <= {"metacarpal", "meta"})


def _parse_name(words, exact):
    tables = _load_tables()
    side, helper, twist, fingers, numbers, rest = "", False, False, [], [], []
    for word in words:
        if word in tables["side_of"]:
            side = side or tables["side_of"][word]
        elif word.isdigit():
            numbers.append(word)
        else:
            rest.append(word)
            twist = twist or word in tables["twist"]
            helper = helper or word in tables["helpers"]
            if word in tables["fingers"]:
                fingers.append(tables["fingers"][word])
    if helper and _is_excused_helper(rest, twist, fingers):
        helper = False
    limb_phrase, limbs = _match_phrase(rest, tables["phrases"]["limbs"])
    centre_phrase, centre = _match_phrase(rest, tables["phrases"]["centre"])
    used = set(limb_phrase) | set(centre_phrase) | tables["noise"] | tables["twist"] | set(tables["fingers"]) | tables["helpers"]
    clarity = _UNKNOWN_WORD_FACTOR ** sum(word not in used and len(word) > 1 for word in rest)
    finger = None
    if fingers and not (centre or any(word in ("arm", "leg", "toe", "foot") for word in rest)):
        finger = next((name for name in fingers if name), "")
    elif fingers and any(word in ("toe", "foot") for word in rest):
        helper = True  # the ring toe is not the toes
    if finger is not None or not side or (centre_phrase and len(centre_phrase) >= len(limb_phrase) and not limbs):
        limbs = {}
    if side or finger is not None or (limb_phrase and not centre_phrase):
        centre = {}
    return ParsedName(
        words=words,
        side=side,
        limbs={slot: weight * clarity for slot, weight in limbs.items()},
        centre={slot: weight * clarity for slot, weight in centre.items()},
        phrase=" ".join(limb_phrase if limbs else centre_phrase),
        finger=finger,
        numbers=tuple(numbers),
        exact_slot=exact,
        is_helper=helper and not exact,
        is_twist=twist,
    )


def parse_names(bones):
    """Read every bone's name of a rig.

    Returns:
        the convention that was recognised, or "", and one Reading a bone.
    """
    names = _strip_common_affixes([split_name(bone) for bone in bones])
    convention, exact = recognise_convention(names)
    return convention, [_parse_name(words, exact.get(bone, "")) for bone, words in enumerate(names)]
