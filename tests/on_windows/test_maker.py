"""The maker of scenes on Windows itself, or as Wine has it, started by a Python that has bpy."""

import os
import subprocess
import sys
import threading
import time

import pytest

pytestmark = pytest.mark.skipif(os.name != "nt", reason="Windows")
pytest.importorskip("bpy")

from blender_meshrec.bridge import process_groups, scene_process  # noqa: E402
from blender_meshrec.bridge.scene_process import SceneRequest, run_scene_process  # noqa: E402
from blender_meshrec.core.errors import MeshRecError, OutputError  # noqa: E402
from blender_meshrec.core.files.motion_npz import write_motion  # noqa: E402
from tests.support.processes import ends_within, maker_command  # noqa: E402
from tests.support.synthetic_bodies import make_recovery, make_tube_body  # noqa: E402


def make_request(folder, *names):
    folder.mkdir(exist_ok=True)
    write_motion(folder / "motion.npz", make_recovery(make_tube_body(posedirs=False), frames=3))
    return SceneRequest("clip", (("clip person1", folder / "motion.npz"),), tuple((folder / "out" / name, (0,)) for name in names))


def test_scenes_are_written_in_a_folder_of_any_name(tmp_path):
    request = make_request(tmp_path / "Lauf über die Straße 場所", "ä.fbx", "ü.blend", "a b.glb")
    run_scene_process(request, sys.executable)
    assert sorted(path.name for path in request.outputs[0][0].parent.iterdir()) == ["a b.glb", "ä.fbx", "ü.blend"]


def test_an_output_that_is_open_is_named(tmp_path):
    request = make_request(tmp_path, "a.fbx")
    path = request.outputs[0][0]
    path.parent.mkdir()
    path.write_text("old")
    with open(path), pytest.raises(OutputError, match="Another program has"):
        run_scene_process(request, sys.executable)
    assert path.read_text() == "old" and [item.name for item in path.parent.iterdir()] == ["a.fbx"]


@pytest.mark.parametrize("seconds", [0.2, 1.5])
def test_a_killed_maker_leaves_no_files(tmp_path, monkeypatch, seconds):
    started = []

    def start(*arguments, **options):
        started.append(process_groups.start_process_group(*arguments, **options))
        threading.Timer(seconds, started[0].kill).start()
        return started[0]

    monkeypatch.setattr(scene_process, "start_process_group", start)
    request = make_request(tmp_path, "a.fbx", "a.blend", "a.glb")
    begun = time.monotonic()
    with pytest.raises(MeshRecError, match="ended unexpectedly"):
        run_scene_process(request, sys.executable)
    assert time.monotonic() - begun < 30
    assert list((tmp_path / "out").iterdir()) == []


def test_the_maker_ends_with_its_parent(tmp_path):
    command = maker_command(tmp_path, "import time\nprint('ready', flush=True)\ntime.sleep(60)\n")
    child = process_groups.start_process_group(command, stderr=subprocess.STDOUT)
    assert child.stdout.readline().strip() == b"ready" and child.poll() is None
    child.stdin.close()
    assert child.wait(5) == 1 and ends_within(child.pid, 1)
    child.stdout.close()
