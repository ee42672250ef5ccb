"""What bone names say: the side, the part of the body, and whether the bone is a helper that is no part of a body.

The meaning of words is data, in conventions.json.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from .conventions import recognise_convention
from .name_words import split_name, strip_common_affixes
from .naming_tables import Phrases, load_naming_tables

# Every unknown word makes a name less clear ("hand_grip" is less of a hand than "hand").
_UNKNOWN_WORD_FACTOR = 0.8
_TOE_WORDS = frozenset(("toe", "foot"))
_LIMB_WORDS = frozenset(("arm", "leg")) | _TOE_WORDS


@dataclass(frozen=True)
class ParsedName:
    """The meaning of one bone's name.

    side: "left", "right" or "". limbs: slot without its side -> 0..1, how clearly the name names it, for bones of arms and legs.
    centre: the same for hips, spine, neck, head and root. phrase: the words that name the part. finger: a finger's slot; "" if
    only its number is named, which `numbers` holds; None if it is no finger. exact_slot: the slot that a known convention gives
    this very name. is_helper, is_twist: other roles of the bone.
    """

    words: tuple[str, ...]
    side: str = ""
    limbs: dict[str, float] = field(default_factory=dict)
    centre: dict[str, float] = field(default_factory=dict)
    phrase: str = ""
    finger: str | None = None
    numbers: tuple[str, ...] = ()
    exact_slot: str = ""
    is_helper: bool = False
    is_twist: bool = False


def parse_names(bones: Iterable[str]) -> tuple[str, list[ParsedName]]:
    """Parse the names of all bones of a rig.

    Returns:
        the name of the recognised convention, or "", and one ParsedName a bone.
    """
    names = strip_common_affixes(split_name(bone) for bone in bones)
    convention, slot_of_bone = recognise_convention(names)
    return convention, [_parse_name(words, slot_of_bone.get(bone, "")) for bone, words in enumerate(names)]


def _parse_name(words: tuple[str, ...], exact_slot: str) -> ParsedName:
    tables = load_naming_tables()
    side, numbers, rest = _separate_words(words)
    is_twist = not tables.twist_words.isdisjoint(rest)
    limb_phrase, limbs = _match_phrase(rest, tables.limb_phrases)
    centre_phrase, centre = _match_phrase(rest, tables.centre_phrases)
    finger = None if centre else _parse_finger(rest)
    is_limb, is_centre = finger is None and side != "", finger is None and side == ""
    clarity = _clarity(rest, limb_phrase + centre_phrase)
    return ParsedName(
        words=words,
        side=side,
        limbs={slot: weight * clarity for slot, weight in limbs.items() if is_limb},
        centre={slot: weight * clarity for slot, weight in centre.items() if is_centre},
        phrase=" ".join(limb_phrase if is_limb and limbs else centre_phrase),
        finger=finger,
        numbers=numbers,
        exact_slot=exact_slot,
        is_helper=not exact_slot and (_has_helper_word(rest, is_twist) or _is_single_toe(rest)),
        is_twist=is_twist,
    )


def _separate_words(words: Iterable[str]) -> tuple[str, tuple[str, ...], list[str]]:
    """The side, the numbers and the other words of a name."""
    sides = load_naming_tables().sides
    unsided = [word for word in words if word not in sides]
    side = next((sides[word] for word in words if word in sides), "")
    return side, tuple(word for word in unsided if word.isdigit()), [word for word in unsided if not word.isdigit()]


def _match_phrase(words: list[str], phrases: Phrases) -> tuple[tuple[str, ...], dict[str, float]]:
    """The longest phrase whose words all occur, with the slots it names."""
    present = set(words)
    best = max((phrase for phrase in phrases if present.issuperset(phrase)), key=len, default=None)
    return (best, phrases[best]) if best else ((), {})


def _clarity(words: list[str], phrase: tuple[str, ...]) -> float:
    """How clearly the words name their part, 0..1: less with every unknown word."""
    tables = load_naming_tables()
    known = set(phrase) | tables.noise_words | tables.twist_words | set(tables.fingers) | tables.helper_words
    return _UNKNOWN_WORD_FACTOR ** sum(word not in known and len(word) > 1 for word in words)


def _finger_words(words: list[str]) -> list[str]:
    return [word for word in words if word in load_naming_tables().fingers]


def _parse_finger(words: list[str]) -> str | None:
    """The slot of the finger that the words name, "" if they name none in particular, None for other bones."""
    fingers = [load_naming_tables().fingers[word] for word in _finger_words(words)]
    if not fingers or not _LIMB_WORDS.isdisjoint(words):
        return None
    return next((finger for finger in fingers if finger), "")


def _is_single_toe(words: list[str]) -> bool:
    """Whether the words name one of the toes, such as the ring toe, which is not the toes."""
    return bool(_finger_words(words)) and not _TOE_WORDS.isdisjoint(words)


def _has_helper_word(words: list[str], is_twist: bool) -> bool:
    """Whether a word marks a helper bone. Twist bones may be leaves, and a thumb's first joint is its metacarpal."""
    tables = load_naming_tables()
    helper_words = tables.helper_words.intersection(words)
    if not helper_words or (is_twist and helper_words == {"leaf"}):
        return False
    is_thumb = "thumb" in (tables.fingers[word] for word in _finger_words(words))
    return not (is_thumb and helper_words <= {"metacarpal", "meta"})
