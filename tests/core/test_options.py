"""The table of options: the request, the command line and batch are made from it."""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.bridge.scene_process import SceneRequest
from blender_meshrec.cli import program
from blender_meshrec.cli.arguments import add_options, join_heights, request_values
from blender_meshrec.cli.commands import batch, reconstruct
from blender_meshrec.core.catalog import catalog_entries
from blender_meshrec.core.option_records import Argument, PanelProperty, option, options_of
from blender_meshrec.core.options import CHARACTER_OPTIONS, OPTIONS, RECONSTRUCT_OPTIONS, SCENE_OPTIONS, ReconstructOptions
from blender_meshrec.core.quality_levels import QUALITY_LEVELS
from blender_meshrec.retarget.rig import RetargetOptions

ROOT = Path(__file__).resolve().parents[2]
# Fields of a request that belong to the job and are no options.
JOB_PATHS = {"views", "source", "cache", "surface", "camera_text", "people_text", "only_find"}


@dataclass(frozen=True, kw_only=True)
class ExtendedOptions(ReconstructOptions):
    """The options, and two made-up ones."""

    sharpness: float = option(0.5, argument=Argument("--sharpness", "how sharp, in %", "X"), panel=PanelProperty("Sharpness", "How sharp"))
    shadows: bool = option(True, argument=Argument("--no-shadows", "ignore shadows"))


def parsed(*words):
    return program.build_parser().parse_args(["reconstruct", "a.mp4", "-o", "a.npz", *words])


def command_help(name, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "1000")
    assert program.main([name, "--help"]) == 0
    return " ".join(capsys.readouterr().out.split())


def test_every_field_of_a_request_has_an_entry():
    assert {entry.name for entry in fields(ReconstructRequest)} == JOB_PATHS | {entry.name for entry in RECONSTRUCT_OPTIONS}


def test_names_flags_and_properties_are_unique():
    flags = [entry.argument.flag for entry in OPTIONS.values() if entry.argument]
    properties = [entry.panel_identifier for entry in OPTIONS.values() if entry.panel]
    assert len(OPTIONS) == len((*RECONSTRUCT_OPTIONS, *SCENE_OPTIONS, *CHARACTER_OPTIONS))
    assert len(set(flags)) == len(flags) and len(set(properties)) == len(properties)


@pytest.mark.parametrize("entry", OPTIONS.values(), ids=OPTIONS)
def test_defaults_are_valid_and_bool_flags_invert_them(entry):
    if entry.choices:
        assert entry.default in {choice.value for choice in entry.choices}
    if entry.panel_choices:
        assert entry.default in {choice.value for choice in entry.panel_choices}
    if entry.value_type is bool:
        assert entry.argument.flag.startswith("--no-") is entry.default


def test_without_options_the_command_line_gives_the_defaults():
    request = reconstruct.build_request("/a.mp4", parsed("--no-cache"))
    assert request == ReconstructRequest("/a.mp4")
    single = [entry for entry in OPTIONS.values() if not (entry.argument and entry.argument.is_repeated)]
    assert {entry.name: getattr(parsed(), entry.name) for entry in single} == {entry.name: entry.default for entry in single}


def test_other_records_have_the_same_defaults():
    scene, character = SceneRequest("clip", (), ()), RetargetOptions()
    for record in (scene, character):
        shared = OPTIONS.keys() & {entry.name for entry in fields(record)}
        assert shared and all(getattr(record, name) == OPTIONS[name].default for name in shared)


def test_help_texts_come_from_the_table(monkeypatch, capsys):
    text = command_help("reconstruct", monkeypatch, capsys)
    for entry in OPTIONS.values():
        assert entry.argument.flag in text and " ".join(entry.argument.help.split()) in text


def test_every_word_of_an_option_is_accepted():
    for entry in (entry for entry in OPTIONS.values() if entry.words):
        for word in entry.words:
            assert getattr(parsed(entry.argument.flag, word), entry.name) in (word, [word])


def test_the_other_names_of_a_flag_mean_the_same():
    assert [parsed(flag).smplh for flag in ("--smplh", "--amass-version")] == [True, True]
    others = [flag for entry in OPTIONS.values() for flag in entry.argument.other_flags]
    assert len(set(others)) == len(others) and not set(others) & {entry.argument.flag for entry in OPTIONS.values()}


def test_every_entry_of_the_catalogue_can_be_chosen():
    """In the panel and on the command line; refiners of a quality come with it."""
    with_quality = {name for level in QUALITY_LEVELS.values() for name in level.refiners}
    for role, name in (("detector", "detector"), ("estimator", "method"), ("refiner", "refine")):
        values = {choice.value for choice in OPTIONS[name].panel_choices}
        offered = {word for value in values for word in ((value,) if isinstance(value, str) else value)} | with_quality
        names = {entry.name for entry in catalog_entries(role)}
        assert names and names <= offered and names <= set(OPTIONS[name].words)


def test_a_new_field_is_an_argument_of_the_command_line(capsys):
    options = options_of(ExtendedOptions)
    parser = argparse.ArgumentParser()
    add_options(parser, options)
    values = request_values(parser.parse_args(["--sharpness", "2", "--no-shadows"]), options)
    assert (values["sharpness"], values["shadows"]) == (2.0, False)
    assert request_values(parser.parse_args([]), options) == {entry.name: entry.default for entry in options}
    assert "how sharp, in %" in parser.format_help()


def test_an_option_without_an_argument_keeps_its_default():
    @dataclass(frozen=True, kw_only=True)
    class PanelOnly(ReconstructOptions):
        hidden: int = option(3)

    parser = argparse.ArgumentParser()
    add_options(parser, options_of(PanelOnly))
    assert "hidden" not in request_values(parser.parse_args([]), options_of(PanelOnly)) and PanelOnly().hidden == 3


@pytest.mark.parametrize("entry", [entry for entry in OPTIONS.values() if not entry.is_model_file], ids=lambda entry: entry.name)
def test_batch_accepts_the_flag_of_every_option(entry, tmp_path):
    numbers = {"person": "2", "frames": "0:5", "fps": 25, "capture_fps": 120, "focal": 28, "sensor": 23.5, "smoothing": 2, "height": 182}
    numbers |= {"betas": "tall.npz", "known_contacts": "edited.npz", "cameras": "auto", "corrections": "clip.corrections.json"}
    numbers |= {"camera": "camera.json", "camera_frame": 7, "floor": 0.1, "people_list": "people.json"}
    value = True if entry.value_type is bool else numbers.get(entry.name)
    value = entry.words[0] if value is None else value
    (tmp_path / "jobs.json").write_text(json.dumps([{"input": "a.mp4", "output": "a.npz", entry.argument.flag.lstrip("-"): value}]))
    (words,) = batch.read_jobs(tmp_path / "jobs.json")
    assert getattr(program.build_parser().parse_args(words), entry.name) is not None


def test_heights_of_a_batch_are_a_list_and_files_lie_beside_it(tmp_path):
    job = {"input": "a.mp4", "output": "a.npz", "height": [182, 165.5], "betas": ["a.npz", "b.npz"], "contacts": "c.npz"}
    (tmp_path / "jobs.json").write_text(json.dumps([job]))
    (words,) = batch.read_jobs(tmp_path / "jobs.json")
    request = reconstruct.build_request("/a.mp4", program.build_parser().parse_args(words))
    assert request.height == (182.0, 165.5) and request.contacts
    assert request.betas == (str(tmp_path / "a.npz"), str(tmp_path / "b.npz")) and request.known_contacts == (str(tmp_path / "c.npz"),)


@pytest.mark.parametrize(
    ("words", "joined"),
    [
        (["--height", "182", "165", "-o", "a"], ["--height", "182,165", "-o", "a"]),
        (["--height", "182cm", "165.5cm", "0", "a.mp4"], ["--height", "182cm,165.5cm,0", "a.mp4"]),
        (["--height", "182", "a.mp4", "12"], ["--height", "182", "a.mp4", "12"]),
        (["--height=182", "-o", "2"], ["--height=182", "-o", "2"]),
        (["12", "13"], ["12", "13"]),
    ],
)
def test_numbers_behind_height_are_one_word(words, joined):
    assert join_heights(words) == joined


def test_files_of_people_are_absolute():
    request = reconstruct.build_request("/a.mp4", parsed("--betas", "b.npz", "--contacts", "c.npz", "--height", "170"))
    assert (request.height, request.betas, request.known_contacts) == (170.0, (os.path.abspath("b.npz"),), (os.path.abspath("c.npz"),))


def test_the_table_is_free_of_numpy():
    code = "import sys, blender_meshrec.core.options; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
