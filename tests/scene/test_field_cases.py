"""Characters and shots of ../shared/cases in Blender that no other test of this folder reads."""

import re
import subprocess
import sys

import bpy
import pytest

from blender_meshrec.retarget.source.files import read_performance
from blender_meshrec.scene.outputs import Output
from blender_meshrec.scene.retargeting.retarget_outputs import write_retargeted
from tests.conftest import ROOT
from tests.support.blender_imports import import_file


@pytest.mark.parametrize("name", ["14_rig_unit_scale_0.01.blend", "00_rig_plain.blend"])
def test_characters_of_scenes_in_centimetres_have_their_height_in_metres(shared_cases, tmp_path, name):
    """1.48 m up to the head while it walks; the same character in a scene of metres is as tall."""
    performance = read_performance(ROOT / "scripts" / "demo_clip_truth.npz")
    write_retargeted([("walk", performance)], [Output(tmp_path / "out.glb", (0,))], str(shared_cases / name))
    import_file(tmp_path / "out.glb", performance.fps)
    (rig,) = (obj for obj in bpy.data.objects if obj.type == "ARMATURE")
    (head,) = (bone for bone in rig.data.bones if bone.name.lower().endswith("head"))
    assert (rig.matrix_world @ head.head_local).z == pytest.approx(1.46, abs=0.01)  # m, at rest
    bpy.context.scene.frame_set(1)
    assert (rig.matrix_world @ rig.pose.bones[head.name].matrix).translation.z == pytest.approx(1.48, abs=0.01)


def test_keys_of_the_script_of_the_field_lie_where_those_of_its_source_lie(shared_cases, tmp_path):
    """08_source_at_1001.py, run as it is but for its paths: an armature of the scene whose action begins at 1001."""
    script = (shared_cases / "08_source_at_1001.py").read_text()
    script = re.sub(r"sys\.path\.insert\(0,'[^']*'\)", f"sys.path.insert(0,{str(ROOT)!r})", script)
    script = re.sub(r"'[^']*00_rig_plain\.blend'", repr(str(shared_cases / "00_rig_plain.blend")), script)
    (tmp_path / "shot.py").write_text(script + "\nimport os; sys.stdout.flush(); os._exit(0)\n")
    done = subprocess.run([sys.executable, str(tmp_path / "shot.py")], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and "{'FINISHED'}" in done.stdout, done.stderr
    assert "(1001.0, 1040.0) scene 1001 1040" in done.stdout
    places = re.findall(r"frame (\d+) source y (-?[\d.]+) character y (-?[\d.]+)", done.stdout)
    assert [int(frame) for frame, _source, _character in places] == [1001, 1020, 1040]
    assert all(abs(float(source) - float(character)) < 0.02 for _frame, source, character in places)  # m
