"""The child process that makes scenes: found, run, and without files when it crashes."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from blender_meshrec.bridge import scene_process
from blender_meshrec.bridge.backend_location import PACKAGE_FOLDER
from blender_meshrec.bridge.process_groups import start_process_group
from blender_meshrec.bridge.scene_process import SceneRequest, find_scene_command, run_scene_process
from blender_meshrec.cli.commands import doctor
from blender_meshrec.core.errors import InputError, MeshRecError, ModelError, OutputError
from blender_meshrec.core.files.motion_npz import write_motion
from tests.support.processes import ends_within
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


@pytest.mark.skipif(os.name == "nt", reason="process groups of POSIX")
def test_the_maker_of_scenes_ends_when_its_standard_input_closes():
    code = (
        "import runpy, sys, threading, time\n"
        f"job = runpy.run_path({str(PACKAGE_FOLDER / 'scene' / 'make_job.py')!r})\n"
        "threading.Thread(target=job['_end_with_parent'], daemon=True).start()\n"
        "print('ready', flush=True)\ntime.sleep(600)\n"
    )
    child = start_process_group([sys.executable, "-c", code])
    assert child.stdout.readline() == b"ready\n" and child.poll() is None
    child.stdin.close()
    assert child.wait(5) != 0  # s
    child.stdout.close()
    child.stderr.close()
