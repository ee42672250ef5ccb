"""Control rigs: controls and switches are keyed, and the deforming bones follow the plan."""

import bpy
import numpy as np
import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.core.rotations import angle_between_rotmats
from blender_meshrec.retarget.mapping.map_bones import map_bones
from blender_meshrec.retarget.rig import SIDES, RetargetOptions
from blender_meshrec.retarget.source.files import read_performance
from blender_meshrec.retarget.write.controls import control_names, switch_values
from blender_meshrec.scene.character.control_rig import find_control_parents
from blender_meshrec.scene.character.rig_reader import read_rig
from blender_meshrec.scene.motion.armature_performance import performance_from_armature
from blender_meshrec.scene.retargeting.retarget import retarget_armature
from tests.conftest import ROOT
from tests.support.blender_keyframes import fcurves_of_action
from tests.support.blender_rigs import generate_rigify
from tests.support.scene_dump import dump_scene

FRAMES = (1, 40, 75, 90, 130)
MILLIMETRE = 1e-3
# Mapped parts and their deforming bones.
DEFORM_BONES = {
    "upper_arm": "upper_arm",
    "lower_arm": "forearm",
    "hand": "hand",
    "upper_leg": "thigh",
    "lower_leg": "shin",
    "foot": "foot",
    "toes": "toe",
}


@pytest.fixture(scope="module")
def performance():
    return read_performance(ROOT / "scripts" / "demo_clip_truth.npz")


@pytest.fixture(scope="module")
def saved_rig(tmp_path_factory):
    """A generated Rigify character in a file: generating takes seconds, opening does not."""
    path = tmp_path_factory.mktemp("rigify") / "rig.blend"
    _, rig = generate_rigify(basic=False)
    name = rig.name
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path, name


@pytest.fixture
def rig(saved_rig):
    path, name = saved_rig
    bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False)
    return bpy.data.objects[name]


def limbs(rig, plan, frame):
    """For each limb its planned joints (N,3) and Blender's (N,3), in the armature's space."""
    bpy.context.scene.frame_set(frame)
    posed = rig.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
    for side in SIDES:
        for parts in (("upper_arm", "lower_arm", "hand"), ("upper_leg", "lower_leg", "foot", "toes")):
            controls = [plan.skeleton.index(plan.mapping.slots[f"{side}_{part}"][0]) for part in parts]
            bones = [f"DEF-{DEFORM_BONES[part]}.{side[0].upper()}" for part in parts]
            yield f"{side} {parts[0]}", plan.skeleton_motion.heads[frame - 1, controls], np.array([posed[bone].head for bone in bones])


def bone_angles(wanted, had):
    """Angles between the bones of a limb as planned and as evaluated, degrees."""
    first, second = np.diff(wanted, axis=0), np.diff(had, axis=0)
    cosine = (first * second).sum(1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


@pytest.mark.parametrize("root", ["hips", "root"])
def test_fk_limbs_follow_the_plan(rig, performance, root):
    result = retarget_armature(rig, performance, options=RetargetOptions(drive="fk", root=root))
    for frame in FRAMES:
        for limb, wanted, had in limbs(rig, result.plan, frame):
            assert np.abs(wanted - had).max() < 0.1 * MILLIMETRE, (frame, limb)
            assert bone_angles(wanted, had).max() < 0.05, (frame, limb)


@pytest.mark.parametrize("root", ["hips", "root"])
def test_ik_feet_and_hands_reach_their_planned_positions(rig, performance, root):
    result = retarget_armature(rig, performance, options=RetargetOptions(drive="ik", root=root))
    for frame in FRAMES:
        for limb, wanted, had in limbs(rig, result.plan, frame):
            ends = slice(2, None)
            assert np.abs(wanted[ends] - had[ends]).max() < 1 * MILLIMETRE, (frame, limb)
            # Rigify's solver also stretches the limbs a little, and so bends knees and elbows less.
            assert bone_angles(wanted, had).max() < 4.0, (frame, limb)
            planes = [np.cross(points[1] - points[0], points[2] - points[1]) for points in (wanted, had)]
            if all(np.linalg.norm(plane) > 0.005 for plane in planes):  # m^2; a straighter limb has no plane
                assert bone_angles(*(np.array([[0, 0, 0], plane]) for plane in planes)).max() < 4.0, (frame, limb)


def test_switching_to_ik_by_hand_keeps_hands_and_feet(rig, performance):
    result = retarget_armature(rig, performance)
    assert result.plan.switches["thigh_parent.L", "IK_FK"] == 1.0
    for bone in ("thigh_parent.L", "thigh_parent.R", "upper_arm_parent.L", "upper_arm_parent.R"):
        curves = [curve for curve in fcurves_of_action(result.action) if curve.data_path == f'pose.bones["{bone}"]["IK_FK"]']
        assert len(curves) == 1
        curves[0].keyframe_points[0].co.y = 0.0
    for frame in FRAMES:
        for limb, wanted, had in limbs(rig, result.plan, frame):
            assert np.abs(wanted[2:] - had[2:]).max() < 1 * MILLIMETRE, (frame, limb)


@pytest.mark.parametrize("drive", ["fk", "ik", "both"])
def test_only_controls_are_keyed(rig, performance, drive):
    result = retarget_armature(rig, performance, options=RetargetOptions(drive=drive))
    keyed = {curve.data_path.split('"')[1] for curve in fcurves_of_action(result.action)}
    assert not {bone for bone in keyed if bone.startswith(("DEF-", "ORG-", "MCH-"))}
    assert {"foot_ik.L", "thigh_ik_target.R", "hand_ik.R"} <= keyed or drive == "fk"
    assert {"thigh_fk.L", "hand_fk.R"} <= keyed or drive == "ik"
    assert {"torso", "head", "shoulder.L", "thigh_parent.L"} <= keyed


def test_finding_control_parents_changes_nothing(rig):
    old = bpy.data.actions.new("idle")
    rig.animation_data.action = old
    rig.pose.bones["torso"].location = (0.1, 0.2, 0.3)
    bpy.context.view_layer.update()
    mapping = map_bones(read_rig(rig))
    values = {bone.name: [list(bone.matrix_basis.row[i]) for i in range(4)] for bone in rig.pose.bones}
    before = dump_scene()
    follows = find_control_parents(rig, control_names(mapping), switch_values(mapping, "fk"))
    assert follows["torso"] in (None, "root") and follows["forearm_fk.L"] == "upper_arm_fk.L"
    assert follows["f_index.01.L"] == "hand_fk.L" and follows["thigh_fk.R"] == "torso" and follows["toe_ik.L"] == "foot_ik.L"
    assert dump_scene() == before and rig.animation_data.action == old
    assert values == {bone.name: [list(bone.matrix_basis.row[i]) for i in range(4)] for bone in rig.pose.bones}


def test_a_control_rig_is_read_by_its_deforming_bones(rig, performance):
    result = retarget_armature(rig, performance, options=RetargetOptions(drive="ik"))
    again = performance_from_armature(rig, 1, 40)
    mapping = result.mapping
    for frame in (1, 40):
        bpy.context.scene.frame_set(frame)
        posed = rig.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        for side in SIDES:
            for part in ("lower_leg", "foot", "lower_arm", "hand"):
                row = again.rig.index(mapping.slots[f"{side}_{part}"][0])
                deform_bone = posed[f"DEF-{DEFORM_BONES[part]}.{side[0].upper()}"]
                assert np.abs(again.heads[frame - 1, row] - deform_bone.head).max() < 0.1 * MILLIMETRE
                rest = np.array(deform_bone.bone.matrix_local.to_3x3())
                away = np.array(deform_bone.matrix.to_3x3().normalized()) @ rest.T
                assert np.degrees(angle_between_rotmats(again.rotations[frame - 1, row], away @ again.rig.rest[row, :3, :3])) < 0.1


def test_a_control_that_follows_two_others_is_refused(rig):
    """By default Rigify's neck follows the torso in part, so that its keys cannot be computed."""
    with pytest.raises(InputError, match="neck"):
        find_control_parents(rig, map_bones(read_rig(rig)).bones, {})


def test_locked_elbows_and_knees_move_no_hand_and_no_foot(rig, performance):
    """FK controls locked to the limb's hinge: wrists and ankles are within 2 cm of those of free ones, and feet slide no more."""
    free = retarget_armature(rig, performance).plan.skeleton_motion
    hinges = [f"{bone}_fk.{side}" for bone in ("forearm", "shin") for side in "LR"]
    for name in hinges:
        rig.pose.bones[name].lock_rotation = (False, True, True)
    plan = retarget_armature(rig, performance).plan
    locked = plan.skeleton_motion
    rows = [plan.skeleton.index(f"{bone}_fk.{side}") for bone in ("hand", "foot") for side in "LR"]
    assert np.linalg.norm(locked.heads[:, rows] - free.heads[:, rows], axis=-1).max() < 20 * MILLIMETRE
    assert locked.quality["foot_slide_after"] < free.quality["foot_slide_after"] + 0.5  # cm/s
    for name in hinges:
        np.testing.assert_allclose(locked.rotations[:, locked.bones.index(name), 2:], 0, atol=1e-6)
