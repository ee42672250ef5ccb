"""Split bone names into words ("Char01_LeftUpLeg_JNT" into left, up, leg).

Words that most bones of the rig begin or end with are affixes of the rig and are removed.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import cache

from .naming_tables import load_naming_tables

_WORD_PATTERN = re.compile(r"\d+|[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[^\W\d_]+")
_MIN_COMPOUND_LENGTH = 4  # letters; shorter words are not split
_MAX_PIECE_LENGTH = 12  # letters of one word inside a compound
# A word at the beginning or end of at least this fraction of the names, and of this many, is an affix of the rig.
_MIN_AFFIX_FRACTION, _MIN_AFFIX_COUNT = 0.6, 4


def split_name(name: str) -> tuple[str, ...]:
    """Split a bone's name into lower-case words and numbers, without the namespace before the last ":" or "|"."""
    name = unicodedata.normalize("NFKC", name)
    name = re.split(r"[:|]", name.rstrip(":|"))[-1]
    if not name.isascii():
        for word, translation in load_naming_tables().translations:
            name = name.replace(word, translation)
    return tuple(part for word in _WORD_PATTERN.findall(name) for part in _split_compound(word.lower()))


@cache
def _split_compound(word: str) -> tuple[str, ...]:
    """The fewest known words that a word is made of: ("left", "forearm"); the word itself if it cannot be split."""
    tables = load_naming_tables()
    if word in tables.known_words or len(word) < _MIN_COMPOUND_LENGTH:
        return (word,)
    splits: dict[int, tuple[str, ...]] = {0: ()}  # end of a beginning of the word -> its shortest split
    for end in range(1, len(word) + 1):
        for start in range(max(0, end - _MAX_PIECE_LENGTH), end):
            if start not in splits or not _is_compound_piece(word, start, end):
                continue
            if end not in splits or len(splits[start]) + 1 < len(splits[end]):
                splits[end] = (*splits[start], word[start:end])
    pieces = splits.get(len(word), (word,))
    return pieces if any(piece in tables.part_words for piece in pieces) else (word,)


def _is_compound_piece(word: str, start: int, end: int) -> bool:
    """Whether word[start:end] is a known word, or a side's letter at either end of the compound."""
    piece = word[start:end]
    is_side_letter = piece in ("l", "r") and (start == 0 or end == len(word))
    return is_side_letter or piece in load_naming_tables().compound_words


def strip_common_affixes(names: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Remove the words that most names begin or end with, unless they name a part or a side."""
    remaining = [list(words) for words in names]
    for end in (0, -1):
        while (affix := _find_common_affix(remaining, end)) is not None:
            for words in remaining:
                if len(words) > 1 and words[end] == affix:
                    del words[end]
    return [tuple(words) for words in remaining]


def _find_common_affix(names: list[list[str]], end: int) -> str | None:
    """The word that most names have at one end (0 the beginning, -1 the end); None if there is none to remove."""
    tables = load_naming_tables()
    counts = Counter(words[end] for words in names if len(words) > 1)
    if not counts:
        return None
    word, count = counts.most_common(1)[0]
    if count < _MIN_AFFIX_FRACTION * len(names) or count < _MIN_AFFIX_COUNT:
        return None
    has_meaning = word in tables.part_words or word in tables.sides or (end == -1 and word.isdigit())
    return None if has_meaning else word
