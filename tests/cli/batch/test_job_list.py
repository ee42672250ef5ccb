"""Lists of jobs: both forms, and a message with line and field for each mistake."""

import json
from argparse import Namespace
from pathlib import Path

import pytest

from blender_meshrec.cli import program
from blender_meshrec.cli.batch.job_list import read_job_list
from blender_meshrec.cli.batch.located_json import parse_located_json
from blender_meshrec.cli.batch.plan import make_plan
from blender_meshrec.core.errors import InputError


def test_values_know_their_lines():
    content = parse_located_json('{"a": 1,\n "b": [1,\n\n 2, {"c":\n "\\u00e9\\n"}],\n "e": {}, "f": [], "a": 5}')
    assert content == {"a": 5, "b": [1, 2, {"c": "\u00e9\n"}], "e": {}, "f": []}
    assert content.lines == {"a": 6, "b": 2, "e": 6, "f": 6} and content.doubled == ["a"]
    assert content["b"].lines == [2, 4, 4] and content["b"][2].lines == {"c": 5}


@pytest.mark.parametrize("text", ["", "{", "[1,", '{"a":}', "[" * 100_000, "nul", "[1] 2"])
def test_what_is_not_json_is_refused(text):
    with pytest.raises(ValueError):
        parse_located_json(text)


def write(content, name="jobs.json"):
    Path(name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return name


# The mistake, its line and its field, and a word of the message.
LIST_MISTAKES = [
    ('[\n{"input": "walk.mp4",\n "output": "a.npz",\n "colour": 1}]', 4, "[0].colour", "no option"),
    ('[\n{"input": "walk.mp4",\n "output": "a.npz",\n "person": "me"}]', 4, "[0].person", "largest"),
    ('[\n{"input": "walk.mp4",\n "output": "a.npz",\n "contacts": 3}]', 4, "[0].contacts", "true or false"),
    ('[\n{"input": "walk.mp4",\n "output": "a.npz",\n "no_contacts": "x"}]', 4, "[0].no_contacts", "true or false"),
    ('[\n{"input": "walk.mp4", "output": "a.npz"},\n{"output": "b.npz"}]', 3, "[1]", "no input"),
    ('[\n{"input": "walk.mp4", "output": "a.npz"},\n{"input": "walk.mp4"}]', 3, "[1]", "no output"),
    ('[\n{"input": "walk.mp4", "output": "a.npz"},\n"b.mp4"]', 3, "[1]", "not an object"),
    ('[\n{"input": [],\n "output": "a.npz"}]', 2, "[0].input", "neither a path nor a list"),
    ('[\n{"input": 7,\n "output": "a.npz"}]', 2, "[0].input", "neither a path nor a list"),
    ('[\n{"input": "walk.mp4",\n "output": "a.npz",\n "fps": 1,\n "fps": 2}]', 5, "[0].fps", "more than once"),
    ('[\n{"input": ["walk.mp4", "jump.mov"],\n "output": "a.npz"}]', 3, "[0].output", "do not fit"),
    ('[\n{"input": "walk.mp4",\n "output": "a.obj"}]', 3, "[0].output", "no format"),
    ('[\n{"input": "walk.mp4", "output": "a.npz",\n "report": "a.npz"}]', 3, "[0].report", "is the output"),
    ('[\n{"input": "walk.mp4", "output": "a.npz",\n "report": "walk.mp4"}]', 3, "[0].report", "is the input"),
    ('[\n{"input": "walk.mp4", "output": "a.fbx",\n "rig": "none.fbx"}]', 3, "[0].rig", "no file"),
    ('[\n{"input":\n ["walk.mp4", "walk.mp4"], "output": "a"}]', 3, "[0].input", "twice"),
]
TABLE_MISTAKES = [
    ('{"clips": ["walk.mp4"],\n "colour": 1}', 2, "colour", "none of its fields"),
    ('{"folder":\n "out"}', 1, "clips", "no clips"),
    ('{"clips":\n []}', 2, "clips", "no clips"),
    ('{"clips": ["walk.mp4",\n 3]}', 2, "clips[1]", "neither a path"),
    ('{"clips": ["walk.mp4",\n {"name": "a"}]}', 2, "clips[1]", "neither a path"),
    ('{"clips": [{"input": "walk.mp4",\n "preset": "unreal"}]}', 2, "clips[0].preset", "no option"),
    ('{"clips": [{"input": "walk.mp4",\n "height": "tall"}]}', 2, "clips[0].height", "no height"),
    ('{"clips": ["walk.mp4"], "options":\n 5}', 2, "options", "neither an object nor a list"),
    ('{"clips": ["walk.mp4"], "options": [{},\n 5]}', 2, "options[1]", "not an object"),
    ('{"clips": ["walk.mp4"], "options": {"quality":\n "fine"}}', 2, "options.quality", "draft"),
    ('{"clips": ["walk.mp4"], "targets": [{"format": "npz"},\n {"format": "obj"}]}', 2, "targets[1].format", ".obj"),
    ('{"clips": ["walk.mp4"], "targets": {"quality":\n "draft"}}', 2, "targets.quality", "no option"),
    ('{"clips": ["walk.mp4"], "targets": {"rig":\n "none.fbx"}}', 2, "targets.rig", "no file"),
    ('{"clips": ["walk.mp4"], "targets": {"name":\n 5}}', 2, "targets.name", "not a text"),
    ('{"clips": ["walk.mp4"], "folder":\n 5}', 2, "folder", "not a text"),
    ('{"clips": ["walk.mp4"], "names":\n "{take}.{format}"}', 2, "names", "{take}"),
    ('{"clips": ["walk.mp4"], "names":\n "{clip}.fbx"}', 2, "names", "format"),
    ('{"clips": ["walk.mp4"], "names":\n "{clip.__class__}.{format}"}', 2, "names", "stands for nothing"),
    ('{"clips": ["walk.mp4"], "report":\n "{clip"}', 2, "report", "stands for nothing"),
]


@pytest.mark.parametrize("text, line, field, word", LIST_MISTAKES + TABLE_MISTAKES)
def test_each_mistake_is_named_with_its_line_and_field(no_backend, text, line, field, word, capsys):
    write(text)
    assert program.main(["batch", "jobs.json"]) == 2
    (message,) = capsys.readouterr().err.splitlines()
    assert word in message and f"(line {line}, field {field})" in message
    assert sorted(path.name for path in Path().iterdir()) == ["jobs.json", "jump.mov", "walk.mp4"]


def test_all_mistakes_of_a_list_are_told_at_once(no_backend, capsys):
    write('[{"input": "walk.mp4", "output": "a.npz",\n "colour": 1,\n "fps": false},\n {"input": 5, "output": "b.npz"}]')
    assert program.main(["batch", "jobs.json"]) == 2
    errors = capsys.readouterr().err
    assert [f"line {line}, field" in errors for line in (2, 3, 4)] == [True] * 3 and len(errors.splitlines()) == 3


@pytest.mark.parametrize("content", ["{}", '"a.mp4"', "[]", "null"])
def test_other_json_is_no_list_of_jobs(no_backend, content, capsys):
    write(content)
    assert program.main(["batch", "jobs.json"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_table_is_every_combination(backend):
    Path("hero.fbx").touch()
    table = {
        "clips": ["walk.mp4", {"input": "jump.mov", "name": "leap", "height": 182}],
        "options": [{"name": "draft", "quality": "draft"}, {"name": "best", "quality": "best"}],
        "targets": [{"name": "hero", "rig": "hero.fbx", "preset": "unreal"}, {"name": "motion", "format": "npz,bvh"}],
        "folder": "out",
    }
    plan = make_plan(write(table), None, None, Namespace())
    assert [(task.name, task.options.quality, task.options.height) for task in plan.tasks] == [
        ("walk_draft", "draft", None), ("walk_best", "best", None), ("leap_draft", "draft", 182), ("leap_best", "best", 182),
    ]  # fmt: skip
    task = plan.tasks[0]
    assert [path.name for path in task.paths] == ["walk_draft_hero.fbx", "walk_draft_motion.npz", "walk_draft_motion.bvh"]
    assert [target.options.preset for target in task.targets] == ["unreal", "blender"]
    assert task.targets[0].options.rig == str(Path("hero.fbx").absolute()) and task.targets[1].options.rig is None
    assert plan.folder == Path("out").absolute()


def test_names_are_by_the_template_and_reports_too(backend):
    table = {
        "clips": ["walk.mp4", "jump.mov"],
        "options": {"name": "a/b"},
        "names": "{number}/{file}-{options}.{format}",
        "report": "r/{clip}",
    }
    plan = make_plan(write(table), "elsewhere", None, Namespace())
    assert [path for task in plan.tasks for path in task.paths] == [
        Path("elsewhere/0001/walk.mp4-a_b.npz"), Path("elsewhere/0002/jump.mov-a_b.npz")
    ]  # fmt: skip
    assert [report.path for report in plan.reports] == [Path("elsewhere/r/walk.json"), Path("elsewhere/r/jump.json")]
    assert make_plan("jobs.json", None, "{clip}.{format}", Namespace()).tasks[0].paths[0].name == "walk.npz"


def test_names_that_collide_are_refused(backend):
    with pytest.raises(InputError, match="2 outputs would be written"):
        make_plan(write({"clips": ["walk.mp4", "jump.mov"], "names": "a.{format}"}), None, None, Namespace())
    with pytest.raises(InputError, match="2 outputs would be written"):
        make_plan(write({"clips": ["walk.mp4"], "targets": [{}, {"preset": "unreal"}]}), None, None, Namespace())


def test_options_of_the_command_line_count_where_a_job_says_nothing_else(backend):
    write([{"input": "walk.mp4", "output": "a.npz", "quality": "best"}, {"input": "jump.mov", "output": "b.npz"}])
    options = program.build_parser().parse_args(["batch", "jobs.json", "--quality", "draft", "--no-contacts"])
    from blender_meshrec.cli.commands.batch import given_options

    assert vars(given_options(options)) == {"quality": "draft", "contacts": False}
    plan = make_plan("jobs.json", None, None, given_options(options))
    assert [task.options.quality for task in plan.tasks] == ["best", "draft"] and not plan.tasks[0].options.contacts


def test_the_folder_of_a_list_is_that_of_its_outputs(backend):
    write([{"input": "walk.mp4", "output": "out/x/a.npz"}, {"input": "jump.mov", "output": "out/y/b.npz"}])
    assert make_plan("jobs.json", None, None, Namespace()).folder == Path("out").absolute()
    write([{"input": "walk.mp4", "output": "out/x/a.npz"}])
    assert make_plan("jobs.json", None, None, Namespace()).folder == Path("out/x").absolute()
    assert isinstance(read_job_list("jobs.json"), list)


def test_several_views_of_one_scene_are_one_clip(backend):
    views = ["walk.mp4", "jump.mov"]
    write([{"input": views, "output": "out/a.npz", "cameras": "auto"}])
    (task,) = make_plan("jobs.json", None, None, Namespace()).tasks
    assert [Path(path).name for path in (task.source, *task.views)] == views and task.paths == [Path("out/a.npz").absolute()]
    write({"clips": [{"input": views, "name": "both"}], "options": {"cameras": "auto"}, "folder": "out"})
    (task,) = make_plan("jobs.json", None, None, Namespace()).tasks
    assert [Path(path).name for path in (task.source, *task.views)] == views and task.paths[0].name == "both.npz"


def test_an_input_is_given_once(no_backend, capsys):
    write([{"input": ["walk.mp4", "walk.mp4"], "output": "out"}])
    assert program.main(["batch", "jobs.json"]) == 2
    assert "twice" in capsys.readouterr().err
