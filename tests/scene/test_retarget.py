"""Retargeting to a character: Blender evaluates the planned pose, and nothing else of the file changes."""

import time

import bpy
import numpy as np
import pytest
from mathutils import Euler, Matrix

from blender_meshrec.core.errors import InputError
from blender_meshrec.core.rotations import angle_between_rotmats
from blender_meshrec.retarget.source.files import read_performance
from blender_meshrec.scene.motion.armature_performance import performance_from_armature
from blender_meshrec.scene.retargeting.retarget import plan_retarget, retarget_armature
from tests.conftest import ROOT
from tests.support.blender_characters import add_bone, make_character
from tests.support.scene_dump import dump_scene

MILLIMETRE = 1e-3
FRAMES = (1, 33, 70, 130)


@pytest.fixture(scope="module")
def performance():
    """The person of the bundled clip, who walks, turns and bends."""
    return read_performance(ROOT / "scripts" / "demo_clip_truth.npz")


def planned_pose(armature, plan, frame):
    """The planned heads (B,3) and rotations (B,3,3) at a frame, in the world."""
    matrix = np.array(armature.matrix_world)
    linear = matrix[:3, :3] / np.cbrt(np.linalg.det(matrix[:3, :3]))
    return plan.skeleton_motion.heads[frame - 1] @ matrix[:3, :3].T + matrix[:3, 3], linear @ plan.skeleton_motion.rotmats[frame - 1]


def evaluated_pose(armature, names):
    """The evaluated heads (B,3) and rotations (B,3,3), in the world."""
    posed = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    matrices = np.array([np.array(posed.matrix_world) @ np.array(posed.pose.bones[name].matrix) for name in names])
    linear = matrices[:, :3, :3]
    return matrices[:, :3, 3], linear / np.cbrt(np.linalg.det(linear))[:, None, None]


def assert_follows_plan(armature, result, names=None, max_distance=0.1 * MILLIMETRE, max_degrees=0.05):
    names = names or result.plan.rig.bones
    rows = [result.plan.skeleton.index(name) for name in names]
    for frame in FRAMES:
        bpy.context.scene.frame_set(frame)
        heads, rotations = evaluated_pose(armature, names)
        planned_heads, planned_rotations = planned_pose(armature, result.plan, frame)
        assert np.abs(heads - planned_heads[rows]).max() < max_distance, frame
        assert np.degrees(angle_between_rotmats(rotations, planned_rotations[rows])).max() < max_degrees, frame


def rotated_and_moved(matrix):
    return Matrix.Translation((0.4, -1.2, 0.3)) @ Euler((0.1, -0.2, 2.0)).to_matrix().to_4x4() @ matrix


@pytest.mark.parametrize("matrix", [Matrix(), rotated_and_moved(Matrix.Scale(0.01, 4)), rotated_and_moved(Matrix.Scale(2.1, 4))])
def test_the_evaluated_motion_follows_the_plan(performance, matrix):
    armature, _ = make_character(scale=1 / matrix.median_scale)
    armature.matrix_world = matrix
    for number, bone in enumerate(armature.pose.bones):
        bone.rotation_mode = ("QUATERNION", "XYZ", "AXIS_ANGLE", "ZXY", "YXZ")[number % 5]
    bpy.context.view_layer.update()
    result = retarget_armature(armature, performance)
    assert_follows_plan(armature, result)
    assert (result.fps, result.last_frame) == (performance.fps, len(performance))


def test_retargeting_adds_one_action_and_changes_nothing_else(performance):
    armature, mesh = make_character()
    bone = armature.pose.bones["LeftHand"]
    constraint = bone.constraints.new("LIMIT_ROTATION")
    constraint.min_x = -1.0
    other = bpy.data.actions.new("artist's own")
    other.use_fake_user = True
    armature["note"] = "mine"
    bpy.context.view_layer.update()
    bpy.context.scene.frame_set(17)
    before = dump_scene()
    selected = bpy.context.view_layer.objects.active
    result = retarget_armature(armature, performance, name="walk")
    after = dump_scene(leave_out=[result.action])
    assert result.action.name == "walk" and armature.animation_data.action == result.action
    changed = {key for key in before if before[key] != after.get(key)}
    new = {key for key in after if key not in before}
    assert len(before) > 1000
    assert changed == set()
    # Keying creates the armature's animation data, which holds the action alone.
    assert all(key[:3] == ("objects", armature.name, "animation_data") for key in new), new
    assert bpy.context.scene.frame_current == 17 and bpy.context.view_layer.objects.active == selected
    assert mesh.name in bpy.data.objects


def test_a_replaced_action_stays_in_the_file(performance, tmp_path):
    armature, _ = make_character()
    armature.animation_data_create().action = bpy.data.actions.new("idle")
    result = retarget_armature(armature, performance, name="walk")
    assert any('"idle"' in note for note in result.notes)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    assert {"idle", "walk"} <= set(bpy.data.actions.keys())


def test_poses_set_by_hand_do_not_affect_the_motion(performance):
    armature, _ = make_character()
    plain = plan_retarget(armature, performance)
    armature.pose.bones["Spine1"].rotation_quaternion = (0.9, 0.3, 0.1, 0)
    armature.pose.bones["LeftArm"].location = (0.1, 0.2, 0)
    armature.pose.bones["RightArm"].scale = (1, 2, 1)
    armature.pose.bones["Prop"].location = (0, 0, 0.5)
    bpy.context.view_layer.update()
    result = retarget_armature(armature, performance)
    assert np.array_equal(result.plan.skeleton_motion.rotmats, plain.skeleton_motion.rotmats)
    assert_follows_plan(armature, result, [name for name in result.plan.rig.bones if name != "Prop"])
    assert armature.pose.bones["Prop"].location.z == 0.5  # a bone without keyed descendants keeps the artist's pose


def test_bone_names_may_contain_quotes_and_backslashes(performance):
    armature, _ = make_character()
    for bone in armature.data.bones:
        bone.name = f'a "b" \\ {bone.name}'
    result = retarget_armature(armature, performance)
    assert_follows_plan(armature, result)


def test_constraints_on_keyed_bones_are_noted(performance):
    armature, _ = make_character()
    armature.pose.bones["LeftForeArm"].constraints.new("COPY_ROTATION").target = armature
    armature.pose.bones["LeftForeArm"].constraints[0].subtarget = "RightForeArm"
    notes = retarget_armature(armature, performance).notes
    assert len(notes) == 1 and "LeftForeArm" in notes[0]


def test_a_retargeted_armature_is_a_source_in_turn(performance):
    """The performance read from a retargeted character matches its plan."""
    armature, _ = make_character()
    armature.matrix_world = rotated_and_moved(Matrix.Scale(1.3, 4))
    result = retarget_armature(armature, performance)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = round(performance.fps), round(performance.fps) / performance.fps
    scene.frame_set(9)
    again = performance_from_armature(armature, 1, 130)
    assert scene.frame_current == 9
    assert len(again) == 130 and again.timestamps[-1] == pytest.approx(performance.timestamps[-1], abs=1e-6)
    for frame in FRAMES:
        heads, rotations = planned_pose(armature, result.plan, frame)
        rows = [result.plan.rig.index(name) for name in again.rig.bones]
        assert np.abs(again.heads[frame - 1] - heads[rows]).max() < 0.1 * MILLIMETRE
        assert np.degrees(angle_between_rotmats(again.rotations[frame - 1], rotations[rows])).max() < 0.05


def test_three_thousand_frames_are_retargeted_within_a_second(performance):
    armature, _ = make_character(fingers=True)
    assert len(armature.data.bones) >= 60
    count = 3000
    rows = np.abs((np.arange(count) + 129) % 258 - 129)
    long = type(performance)(
        performance.rig, performance.mapping, performance.rotations[rows], performance.heads[rows], 30.0, np.arange(count) / 30.0
    )
    seconds = []
    for _ in range(2):
        begun = time.process_time()  # CPU time, without other processes
        retarget_armature(armature, long)
        seconds.append(time.process_time() - begun)
    assert min(seconds) < 1.0


# --- rigs that cannot be animated ----------------------------------------------------------------------------------------


def not_an_armature():
    return bpy.data.objects.new("box", bpy.data.meshes.new("box"))


def no_bones():
    rig = bpy.data.objects.new("empty", bpy.data.armatures.new("empty"))
    bpy.context.scene.collection.objects.link(rig)
    return rig


def mirrored():
    armature, _ = make_character()
    armature.scale = (-1, 1, 1)
    return armature


def flat():
    armature, _ = make_character()
    armature.scale = (1, 1, 0)
    return armature


def circular():
    armature, _ = make_character()
    constraint = armature.pose.bones["Hips"].constraints.new("COPY_ROTATION")
    constraint.target, constraint.subtarget = armature, "Head"
    return armature


def circular_objects():
    armature, _ = make_character()
    empty = bpy.data.objects.new("handle", None)
    bpy.context.scene.collection.objects.link(empty)
    empty.parent, empty.parent_type, empty.parent_bone = armature, "BONE", "LeftHand"
    constraint = armature.pose.bones["Spine"].constraints.new("COPY_LOCATION")
    constraint.target = empty
    return armature


def no_length():
    armature, _ = make_character(short=("LeftArm",))
    return armature


def in_edit_mode():
    armature, _ = make_character()
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    return armature


def not_a_humanoid():
    armature, _ = make_character(only=("Hips", "Spine", "Head"))
    return armature


@pytest.mark.parametrize(
    "make_rig, message",
    [
        (not_an_armature, "not an armature"),
        (no_bones, "no bones"),
        (mirrored, "mirrored"),
        (flat, "flat"),
        (circular, "circle"),
        (circular_objects, "circle"),
        (no_length, "no length"),
        (in_edit_mode, "Edit Mode"),
        (not_a_humanoid, "person"),
    ],
)
def test_rigs_that_cannot_be_animated_are_refused_unchanged(performance, make_rig, message):
    rig = make_rig()
    bpy.context.view_layer.update()
    before = dump_scene()
    with pytest.raises(InputError, match=message) as caught:
        retarget_armature(rig, performance)
    assert caught.value.remedy
    assert dump_scene() == before
    assert not bpy.data.actions


def test_linked_characters_are_refused_but_library_overrides_are_not(performance, tmp_path):
    make_character()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (_, wanted):
        wanted.objects = ["character"]
    (armature,) = wanted.objects
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.update()
    with pytest.raises(InputError, match=r"linked from .*library\.blend"):
        retarget_armature(armature, performance)
    assert not bpy.data.actions
    local = armature.override_create(remap_local_usages=True)
    local.override_library.is_system_override = False
    bpy.context.view_layer.update()
    assert_follows_plan(local, retarget_armature(local, performance))


def test_ik_with_a_pole_is_not_a_cycle(performance):
    """Targets and poles of IK chains are common in valid rigs."""
    armature, _ = make_character()
    add_bone(armature, "goal", None, (0.1, 0.1, 0.1))
    add_bone(armature, "pole", None, (0.1, -0.6, 0.5))
    constraint = armature.pose.bones["LeftLeg"].constraints.new("IK")
    constraint.target = constraint.pole_target = armature
    constraint.subtarget, constraint.pole_subtarget, constraint.chain_count = "goal", "pole", 2
    assert retarget_armature(armature, performance).action
