"""The child process that makes scenes: found, run, and without files when it crashes."""

import ast
import os
import re
import sys
import tempfile
from pathlib import Path

import pytest

import blender_meshrec
from blender_meshrec.bridge import scene_process
from blender_meshrec.bridge.process_groups import start_process_group
from blender_meshrec.bridge.scene_process import RetargetTarget, SceneRequest, find_scene_command, run_scene_process
from blender_meshrec.cli.commands import doctor
from blender_meshrec.core.errors import InputError, MeshRecError, ModelError, OutputError
from blender_meshrec.core.files.motion_npz import write_motion
from tests.support.processes import ends_within, maker_command
from tests.support.synthetic_bodies import make_recovery, make_tube_body


@pytest.fixture
def request_in(tmp_path):
    """A function that makes a request for one person's FBX and .blend in `tmp_path/out`."""
    write_motion(tmp_path / "m.npz", make_recovery(make_tube_body(posedirs=False), frames=3))

    def make_request(**changes):
        values = dict(
            name="clip",
            people=(("clip person1", tmp_path / "m.npz"),),
            outputs=((tmp_path / "out" / "a.fbx", (0,)), (tmp_path / "out" / "a.blend", (0,))),
        )
        return SceneRequest(**{**values, **changes})

    return make_request


@pytest.fixture
def blender():
    try:
        return find_scene_command()[0]
    except InputError as error:
        pytest.skip(error.problem)


def test_a_job_says_all_that_the_maker_reads(request_in, tmp_path):
    """By the same names, without Blender: `scene/make_job.py` takes them out of the job, `retarget_files` those of a character."""
    scene = Path(blender_meshrec.__file__).parent / "scene"
    maker = (scene / "make_job.py").read_text(encoding="utf-8")
    target = RetargetTarget("hero.blend#Hero", {"hands": True}, "bones.json", "y")
    changes = {"retarget_target": target, "skel": "skel.pkl", "surfaces": (Path("a.pc2"),), "surface_paths": ((Path("b.pc2"),), ())}
    job = scene_process._job_settings(request_in(**changes), [tmp_path / "a.fbx", tmp_path / "a.blend"])
    read = set(re.findall(r'settings(?:\[|\.get\()"(\w+)"', maker))
    assert set(job) == read - {"map", "camera"}  # jobs of other kinds: a character is mapped, a camera read
    assert set(job["outputs"][0]) == set(re.findall(r'entry(?:\[|\.get\()"(\w+)"', maker))
    functions = [
        node
        for node in ast.parse((scene / "retargeting" / "retarget_outputs.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    ]
    (taken,) = [{argument.arg for argument in node.args.args[4:]} for node in functions if node.name == "retarget_files"]
    assert set(job["retarget"]) == taken
    assert job["retarget"]["options"] == {"hands": True} and job["retarget"]["up"] == "y" and not job["outputs"][1]["surfaces"]
    paths = [job["retarget"]["rig"], job["retarget"]["mapping"], job["skel"], *job["surfaces"], *job["outputs"][0]["surfaces"]]
    assert paths == [os.path.abspath(name) for name in ("hero.blend#Hero", "bones.json", "skel.pkl", "a.pc2", "b.pc2")]
    assert scene_process._job_settings(request_in(), [])["retarget"] is scene_process._job_settings(request_in(), [])["skel"] is None


def test_a_child_writes_the_files_and_no_others(request_in, tmp_path, blender, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(temporary))
    notes = run_scene_process(request_in(), blender).notes
    assert list(temporary.iterdir()) == []  # neither MeshRec's nor Blender's
    assert doctor.blender_version(Path(blender)).startswith("Blender") and list(temporary.iterdir()) == []
    assert any("no footage" in note for note in notes)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.blend", "a.fbx"]


@pytest.mark.parametrize(
    "changes, error",
    [({"preset": "maya"}, InputError), ({"body": "/nowhere/smpl.pkl"}, ModelError)],
)
def test_a_childs_errors_have_remedies_and_leave_no_files(request_in, tmp_path, blender, changes, error):
    with pytest.raises(error) as caught:
        run_scene_process(request_in(**changes), blender)
    assert caught.value.remedy
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="a script stands for Blender")
def test_a_killed_child_leaves_no_files(request_in, tmp_path):
    dying = tmp_path / "python-that-dies"
    dying.write_text(f"#!{sys.executable}\nimport os\nos.kill(os.getpid(), 9)\n")
    dying.chmod(0o755)
    with pytest.raises(MeshRecError, match="ended unexpectedly"):
        run_scene_process(request_in(), dying)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="a script stands for Blender")
@pytest.mark.parametrize("number, is_crash", [(11, True), (6, True), (7, True), (9, False)])
def test_a_blender_that_crashes_on_a_character_blames_its_file(request_in, tmp_path, number, is_crash):
    dying = tmp_path / "python-that-dies"
    dying.write_text(f"#!{sys.executable}\nimport os\nos.kill(os.getpid(), {number})\n")
    dying.chmod(0o755)
    target = scene_process.RetargetTarget(str(tmp_path / "hero.blend"))
    for run in (
        lambda: run_scene_process(request_in(retarget_target=target), dying),
        lambda: scene_process.run_mapping_process(str(tmp_path / "hero.blend#Hero"), dying),
    ):
        with pytest.raises(InputError if is_crash else MeshRecError, match=r"crashed on hero\.blend" if is_crash else "ended unexpectedly"):
            run()
    with pytest.raises(MeshRecError, match="ended unexpectedly"):
        run_scene_process(request_in(), dying)


@pytest.mark.skipif(os.name == "nt", reason="a script stands for Blender")
def test_an_interrupted_child_is_ended_and_leaves_no_files(request_in, tmp_path, monkeypatch):
    endless = tmp_path / "python-endless"
    endless.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(600)\n")
    endless.chmod(0o755)
    children = []
    from blender_meshrec.bridge import process_groups

    class Interrupted(process_groups.subprocess.Popen):
        def communicate(self, *arguments, **options):
            children.append(self)
            raise KeyboardInterrupt

    monkeypatch.setattr(process_groups.subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_scene_process(request_in(), endless)
    assert children[0].poll() is not None
    assert list((tmp_path / "out").iterdir()) == []


def test_a_missing_blender_or_unwritable_folder_is_reported(request_in, tmp_path, blender):
    with pytest.raises(InputError, match="--blender"):
        run_scene_process(request_in(), tmp_path / "no-blender")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError):
        run_scene_process(request_in(outputs=((tmp_path / "file" / "a.fbx", (0,)),)), blender)


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands for Blender")
def test_a_blender_that_hangs_is_ended_with_its_children_and_leaves_no_files(request_in, tmp_path, monkeypatch):
    monkeypatch.setenv("MESHREC_BLENDER_SECONDS", "1.5")
    endless = tmp_path / "python-endless"
    endless.write_text("#!/bin/sh\nsleep 600 &\necho $$ $! > " + f"'{tmp_path / 'pids'}'\nwait\n")
    endless.chmod(0o755)
    with pytest.raises(MeshRecError, match=r"had not finished after 2 seconds.*MESHREC_BLENDER_SECONDS"):
        run_scene_process(request_in(), endless)
    assert list((tmp_path / "out").iterdir()) == []
    assert all(ends_within(int(pid), 2) for pid in (tmp_path / "pids").read_text().split())


def test_the_time_limit_grows_with_the_work(request_in, tmp_path, monkeypatch):
    monkeypatch.delenv("MESHREC_BLENDER_SECONDS", raising=False)
    short = scene_process._time_limit(request_in())
    (tmp_path / "large.npz").write_bytes(bytes(3_000_000))
    longer = scene_process._time_limit(request_in(people=(("clip person1", tmp_path / "large.npz"),)))
    assert 900 <= short < 1000 and longer > short + 2000  # s
    with_rig = request_in(retarget_target=scene_process.RetargetTarget(f"{tmp_path / 'large.npz'}#name"))
    assert scene_process._time_limit(with_rig) > short + 20


def test_blender_is_looked_for_in_this_order(tmp_path, monkeypatch):
    """The one that is given; this Python; the checkout's modules, of which 4.5 or else the newest; Blender on PATH."""
    script = str(scene_process.PACKAGE_FOLDER / "scene" / "make_job.py")
    as_blender = ["-b", "--factory-startup", "--python", script, "--"]
    monkeypatch.setattr(scene_process, "PACKAGE_FOLDER", tmp_path / "checkout" / "package")
    monkeypatch.setattr(scene_process.importlib.util, "find_spec", lambda name: None)
    on_path: dict[str, str] = {}
    monkeypatch.setattr(scene_process.shutil, "which", on_path.get)
    with pytest.raises(InputError) as caught:
        find_scene_command()
    assert caught.value.name == "blender-not-found"
    on_path["blender"] = str(tmp_path / "blender")
    assert find_scene_command() == [str(tmp_path / "blender"), *as_blender]
    for version, chosen in (("4.2", "4.2"), ("4.5", "4.5"), ("5.0", "4.5")):
        python = scene_process.venv_python(tmp_path / "checkout" / ".venvs" / f"bpy-{version}")
        python.parent.mkdir(parents=True)
        python.touch()
        expected = scene_process.venv_python(tmp_path / "checkout" / ".venvs" / f"bpy-{chosen}")
        assert find_scene_command() == [str(expected), script]
    scene_process.venv_python(tmp_path / "checkout" / ".venvs" / "bpy-4.5").unlink()
    assert find_scene_command()[0].startswith(str(tmp_path / "checkout" / ".venvs" / "bpy-5.0"))
    monkeypatch.setattr(scene_process.importlib.util, "find_spec", {"bpy": object()}.get)
    assert find_scene_command() == [sys.executable, script]
    for name, expected in (("Blender", as_blender), ("Python3.11", [script])):
        (tmp_path / name).touch()
        assert find_scene_command(tmp_path / name) == [str(tmp_path / name), *expected]
    on_path["my-blender"] = str(tmp_path / "Blender")
    assert find_scene_command("my-blender")[0] == str(tmp_path / "Blender")
    with pytest.raises(InputError) as caught:
        find_scene_command(tmp_path)
    assert caught.value.name == "blender-not-at-path" and caught.value.problem.values == {"blender": str(tmp_path)}


@pytest.mark.skipif(os.name == "nt", reason="process groups of POSIX")
def test_the_maker_of_scenes_ends_when_its_standard_input_closes(tmp_path):
    child = start_process_group(maker_command(tmp_path, "import time\nprint('ready', flush=True)\ntime.sleep(600)\n"))
    assert child.stdout.readline() == b"ready\n" and child.poll() is None
    child.stdin.close()
    assert child.wait(5) != 0  # s
    child.stdout.close()
    child.stderr.close()
