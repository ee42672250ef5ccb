"""Words of bone names: compounds, affixes that a rig's names share, other languages, and the tables that give words their meaning."""

import pytest

from blender_meshrec.retarget.mapping.name_words import split_name, strip_common_affixes
from blender_meshrec.retarget.mapping.names import parse_names
from blender_meshrec.retarget.mapping.naming_tables import load_naming_tables

TABLES = load_naming_tables()
Words = list[tuple[str, ...]]


@pytest.mark.parametrize(
    "name, words",
    [
        ("larm", "l arm"),  # four letters
        ("armr", "arm r"),
        ("rhand", "r hand"),
        ("lefttoebase", "left toe base"),
        ("leftshoulderjointtwist", "left shoulder joint twist"),
        ("fore", "fore"),  # known as it is
        ("forearm", "forearm"),
        ("hlr", "hlr"),
        ("armlhand", "armlhand"),  # a side's letter only at an end
        ("twistjoint", "twistjoint"),  # no part of a body
        ("handle", "handle"),
        ("leftxyz", "leftxyz"),
        ("HTMLArm", "html arm"),
        ("UpperArm2Left", "upper arm 2 left"),
        ("rig:left|Leg_L", "leg l"),
        ("Arm:", "arm"),
        ("ns:Arm|", "arm"),
        ("Ｌｅｇ．Ｒ", "leg r"),  # full width
        ("右ひざ", "right knee"),
        ("Ärmel", "ärmel"),
        ("", ""),
    ],
)
def test_names_are_split_into_the_fewest_known_words(name: str, words: str):
    assert split_name(name) == tuple(words.split())


@pytest.mark.parametrize("side", ["left", "right", "lft", "rgt"])
def test_any_part_may_be_joined_with_a_side(side: str):
    for word in sorted(TABLES.part_words):
        if len(word) <= 12:
            for name in (side + word, word + side):
                assert "".join(split_name(name)) == name and len(split_name(name)) == 2, name


def affixed(count: int, total: int, *, prefix: str = "zork", suffix: str = "") -> Words:
    """Names of which some have an affix."""
    return [tuple(word for word in (prefix if k < count else "", f"w{k}", suffix if k < count else "") if word) for k in range(total)]


@pytest.mark.parametrize("count, total, removed", [(4, 4, True), (3, 3, False), (6, 10, True), (5, 9, False), (4, 6, True), (4, 7, False)])
def test_an_affix_is_on_three_fifths_of_the_names_and_on_four(count: int, total: int, removed: bool):
    plain = [(f"w{k}",) for k in range(total)]
    for names in (affixed(count, total), affixed(count, total, prefix="", suffix="zork")):
        assert strip_common_affixes(names) == (plain if removed else names)


def test_affixes_are_removed_one_after_another_at_both_ends():
    names = [("rig", "zork", f"w{k}", "blub", "qux") for k in range(5)]
    assert strip_common_affixes(names) == [(f"w{k}",) for k in range(5)]


@pytest.mark.parametrize("word", ["hand", "left", "l", "spine"])
def test_words_with_a_meaning_are_no_affixes(word: str):
    for names in (affixed(5, 5, prefix=word), affixed(5, 5, prefix="", suffix=word)):
        assert strip_common_affixes(names) == names


def test_numbers_at_the_end_tell_bones_apart_and_at_the_beginning_do_not():
    assert strip_common_affixes(affixed(5, 5, prefix="01")) == [(f"w{k}",) for k in range(5)]
    numbered = affixed(5, 5, prefix="", suffix="01")
    assert strip_common_affixes(numbered) == numbered


def test_names_of_one_word_keep_it_and_count_as_names():
    assert strip_common_affixes([("zork",)] * 5) == [("zork",)] * 5
    names = [("zork",), *affixed(4, 4)]
    assert strip_common_affixes(names) == [("zork",), ("w0",), ("w1",), ("w2",), ("w3",)]
    assert strip_common_affixes([*affixed(4, 4), ("a",), ("b",), ("c",)]) == [*affixed(4, 4), ("a",), ("b",), ("c",)]
    assert strip_common_affixes([]) == []


# --- tables ---------------------------------------------------------------------------------------------------------------


def test_every_phrase_names_its_slots_as_clearly_as_the_table_says():
    for phrase, slots in TABLES.limb_phrases.items():
        for words in (("left", *phrase), (*phrase, "l")):
            _, (name,) = parse_names(["_".join(words)])
            assert name.side == "left" and name.limbs == pytest.approx(slots), phrase
    for phrase, slots in TABLES.centre_phrases.items():
        _, (name,) = parse_names(["_".join(phrase)])
        assert name.side == "" and name.centre == pytest.approx(slots), phrase


def test_every_word_for_a_finger_a_twist_a_helper_or_a_side_has_that_meaning():
    for word, finger in TABLES.fingers.items():
        _, (name,) = parse_names([f"{word}_r"])
        assert name.finger == finger and name.side == "right", word
    for word in TABLES.twist_words:
        _, (name,) = parse_names([f"upper_arm_{word}_l"])
        assert name.is_twist and not name.is_helper and name.limbs == {"upper_arm": 1.0}, word
    for word in TABLES.helper_words:
        _, (name,) = parse_names([f"hand_{word}_l"])
        assert name.is_helper and name.limbs == {"hand": 1.0}, word
    for word, side in TABLES.sides.items():
        _, (name,) = parse_names([f"hand_{word}"])
        assert name.side == side, word


def test_compounds_are_made_of_parts_of_any_length_and_of_other_words_of_three_letters():
    assert TABLES.part_words <= TABLES.compound_words <= TABLES.known_words
    others = TABLES.known_words - TABLES.part_words
    assert {len(word) > 2 for word in others & TABLES.compound_words} == {True}
    assert {len(word) > 2 for word in others - TABLES.compound_words} == {False}
    assert set(TABLES.sides) | TABLES.twist_words | TABLES.helper_words | TABLES.noise_words <= TABLES.known_words
    lengths = [len(word) for word, _ in TABLES.translations]
    assert lengths == sorted(lengths, reverse=True), "the longest first"


def test_conventions_name_both_sides_of_limbs_and_the_torso_once():
    for convention in TABLES.conventions:
        named = dict(convention.slot_names())
        for part, templates in convention.bones.items():
            if "{side}" in templates[0]:
                left, right = (named[f"{side}_{part}"] for side in ("left", "right"))
                assert left == [template.replace("{side}", convention.sides[0]) for template in templates]
                assert right == [template.replace("{side}", convention.sides[1]) for template in templates]
            else:
                assert named[part] == list(templates)
        assert len(named) == sum(2 if "{side}" in templates[0] else 1 for templates in convention.bones.values())
