"""Words of the command line: what is accepted, what is refused, and the records that describe options."""

from argparse import ArgumentTypeError
from dataclasses import FrozenInstanceError, dataclass

import pytest

from blender_meshrec.core import option_parsers
from blender_meshrec.core.format_notes import format_notes
from blender_meshrec.core.option_parsers import parse_fps, parse_frame_range, parse_heights, parse_model, parse_non_negative, parse_person
from blender_meshrec.core.option_records import Argument, Choice, Option, PanelProperty, option, options_of

ACCEPTED = {
    parse_person: {"largest": "largest", "all": "all", "1": "1", "12": "12"},
    parse_frame_range: {"0:1": (0, 1), "5:9": (5, 9), ":3": (0, 3), "4:": (4, None), ":": (0, None), "0:": (0, None)},
    parse_fps: {"25": 25.0, "0.5": 0.5, "24000/1001": 24000 / 1001, "1000": 1000.0, "1/2": 0.5, "25/": 25.0},
    parse_non_negative: {"0": 0.0, "1.5": 1.5, "1e9": 1e9},
    parse_heights: {"50": 50.0, "250cm": 250.0, "182,165": (182.0, 165.0), "182CM 0": (182.0, 0.0)},
}
REFUSED = {
    parse_person: ["0", "-1", "", "1.5", "two", "²", "٣", "Largest", "1 "],
    parse_frame_range: ["5", "", "a:b", "3:3", "4:3", "-1:3", "1:2:3", "0:0", "0:-1", "1.5:2"],
    parse_fps: ["0", "-25", "1001", "1000.1", "nan", "inf", "a", "", "1/0", "1/x", "25/1/1"],
    parse_non_negative: ["-1", "-0.001", "inf", "nan", "a", ""],
    parse_heights: ["49.9", "250.1", "0", "nan", "a.mp4", "", ",", "182,-1", "1.82"],
}


@pytest.mark.parametrize("parse, word", [(parse, word) for parse, words in ACCEPTED.items() for word in words])
def test_words_become_values(parse, word):
    value = parse(word)
    assert value == ACCEPTED[parse][word] and type(value) is type(ACCEPTED[parse][word])


@pytest.mark.parametrize("parse, word", [(parse, word) for parse, words in REFUSED.items() for word in words])
def test_other_words_are_quoted_in_the_error(parse, word):
    with pytest.raises(ArgumentTypeError) as caught:
        parse(word)
    assert word in str(caught.value) and " " in str(caught.value)


def test_models_are_resolved_by_name(monkeypatch):
    from blender_meshrec.core.files import user_models

    monkeypatch.setattr(user_models, "resolve_model_path", lambda word: f"/models/{word}")
    assert parse_model("open") == "open" and parse_model("mine") == "/models/mine" and option_parsers.MAX_FPS == 1000


def test_an_option_takes_its_words_from_the_argument_or_the_choices():
    choices = (Choice("a", "A", "about a"), Choice(("b", "c"), "B", "about b", "BOTH"))
    assert [choice.item for choice in choices] == [("a", "A", "about a"), ("BOTH", "B", "about b")]
    bare = Option("bare", int, 3)
    assert (bare.words, bare.panel_identifier, bare.panel_choices, bare.is_model_file) == ((), "bare", (), False)
    assert (bare.choices, bare.argument, bare.panel) == ((), None, None)
    listed = Option("listed", str, "a", choices, Argument("--listed", "help"), PanelProperty("Label", "about"))
    assert (listed.words, listed.panel_identifier, listed.panel_choices) == (("a", "('b', 'c')"), "listed", choices)
    own = Option("own", str, "a", choices, Argument("--own", "help", words=("x",)), PanelProperty("L", "about", "mine", choices[:1]))
    assert (own.words, own.panel_identifier, own.panel_choices) == (("x",), "mine", choices[:1])
    argument, panel = Argument("--flag", "help"), PanelProperty("Label", "about")
    assert (argument.metavar, argument.parse, argument.words, argument.is_repeated) == (None, None, (), False)
    assert (panel.identifier, panel.choices, panel.minimum, panel.soft_maximum) == ("", (), None, None)
    for record in (bare, argument, panel, choices[0]):
        with pytest.raises(FrozenInstanceError):
            record.name = "other"


def test_the_options_of_a_record_are_its_described_fields_in_order():
    @dataclass
    class Record:
        plain: int = 1
        second: "str | None" = option(None, choices=(Choice("a", "A", ""),), panel=PanelProperty("P", ""))  # noqa: RUF009
        first: float = option(0.5, argument=Argument("--first", ""), is_model_file=True)

    second, first = options_of(Record)
    assert (second.name, second.value_type, second.default, second.choices[0].value) == ("second", str | None, None, "a")
    assert second.panel.label == "P" and second.argument is None and not second.is_model_file
    assert (first.name, first.default, first.argument.flag, first.is_model_file, first.panel) == ("first", 0.5, "--first", True, None)
    assert Record().first == 0.5 and Record(first=2).first == 2


@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".usdc", ".bvh", ".blend", ".npz"])
@pytest.mark.parametrize("stretched, surface, anatomy", [(s, f, a) for s in (0, 1) for f in (0, 1) for a in (0, 1)])
def test_notes_say_what_a_format_does_not_keep(suffix, stretched, surface, anatomy):
    expected = []
    if anatomy and suffix == ".bvh":
        expected.append("bvh-has-smpl-joints")
    if stretched and suffix in (".fbx", ".glb", ".usdc"):
        expected.append("format-moves-bones")
    if stretched and suffix == ".bvh":
        expected.append("bvh-has-joint-positions")
    if surface and suffix not in (".blend", ".npz"):
        expected.append("format-has-skinned-surface")
    notes = format_notes(suffix, "Ada", bool(stretched), bool(surface), anatomy=bool(anatomy))
    assert [note.name for note in notes] == expected
    assert all("Ada" in note for note in notes)
    if "format-has-skinned-surface" in expected:
        assert ".blend and .npz alone" in notes[-1] and suffix in notes[-1]
        assert format_notes(suffix, "Ada", False, True, surface_formats=(suffix,)) == []
    assert format_notes(".bvh", "Ada", False, False) == []
