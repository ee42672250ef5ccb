"""Characters whose feet hang from the root: Blender evaluates what was planned, also where IK follows the feet; missing parts are said."""

import bpy
import numpy as np
import pytest

from blender_meshrec.core.rotations import angle_between_rotmats
from blender_meshrec.retarget.source.files import read_performance
from blender_meshrec.scene.character.character_motion import motion_from_plan
from blender_meshrec.scene.retargeting.retarget import retarget_armature
from tests.conftest import ROOT
from tests.support.blender_characters import add_bone, make_character
from tests.support.blender_rigs import import_rig

FRAMES = (1, 33, 70, 130)


@pytest.fixture(scope="module")
def performance():
    """The person of the bundled clip, who walks, turns and bends."""
    return read_performance(ROOT / "scripts" / "demo_clip_truth.npz")


def detach_feet(armature):
    """Hang the feet of `make_character` from a root bone."""
    add_bone(armature, "Root", None, (0, 0, 0))
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones
    for bone in ("Hips", "LeftFoot", "RightFoot"):
        bones[bone].parent = bones["Root"]
    bpy.ops.object.mode_set(mode="OBJECT")


def add_leg_ik(armature):
    """Let the legs follow the feet by IK, with poles in front of the knees that hang from the root."""
    for side, sign in (("Left", 1), ("Right", -1)):
        add_bone(armature, f"{side}Pole", "Root", (0.1 * sign, -1.0, 0.55))
        constraint = armature.pose.bones[f"{side}Leg"].constraints.new("IK")
        constraint.target = constraint.pole_target = armature
        constraint.subtarget, constraint.pole_subtarget, constraint.chain_count = f"{side}Foot", f"{side}Pole", 2
        constraint.pole_angle = _pole_angle(armature, side)


def _pole_angle(armature, side):
    """The pole angle with which IK leaves the legs as they are at rest."""
    best = None
    for angle in np.radians(np.arange(-180, 180, 2.0)):
        armature.pose.bones[f"{side}Leg"].constraints["IK"].pole_angle = angle
        bpy.context.view_layer.update()
        bone = armature.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones[f"{side}UpLeg"]
        error = np.abs(np.array(bone.matrix) - np.array(bone.bone.matrix_local)).max()
        best = min(best or (error, angle), (error, angle))
    return best[1]


def distance_from_plan(armature, plan, names):
    """The largest distance, m, of bones' evaluated heads and tails from the plan."""
    worst = 0.0
    for frame in FRAMES:
        bpy.context.scene.frame_set(frame)
        posed = armature.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        for name in names:
            row = plan.skeleton.index(name)
            head = plan.skeleton_motion.heads[frame - 1, row]
            tail = head + plan.skeleton_motion.rotmats[frame - 1, row, :, 1] * plan.skeleton.lengths[row]
            worst = max(worst, np.abs(np.array(posed[name].head) - head).max(), np.abs(np.array(posed[name].tail) - tail).max())
    return worst


LEGS = [f"{side}{part}" for side in ("Left", "Right") for part in ("UpLeg", "Leg", "Foot", "ToeBase")]


def test_feet_of_the_root_stay_at_the_legs(performance):
    """Ankles are at the ends of the shins within 0.1 mm."""
    armature, _ = make_character()
    detach_feet(armature)
    result = retarget_armature(armature, performance)
    assert distance_from_plan(armature, result.plan, LEGS) < 1e-4
    for frame in FRAMES:
        bpy.context.scene.frame_set(frame)
        posed = armature.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        for side in ("Left", "Right"):
            assert (posed[f"{side}Leg"].tail - posed[f"{side}Foot"].head).length < 1e-4
    assert "bones-keyed-as-targets" in [note.name for note in result.notes]
    motion = motion_from_plan(result.plan)  # as .bvh has it: a foot is a child of the shin
    assert motion.joint_names[motion.parents[motion.joint_names.index("LeftFoot")]] == "LeftLeg"


def test_legs_that_follow_the_feet_by_ik_bend_as_planned(performance):
    """With IK from foot and pole, both keyed, the legs are within 5 mm of the plan."""
    armature, _ = make_character()
    detach_feet(armature)
    add_leg_ik(armature)
    result = retarget_armature(armature, performance)
    assert distance_from_plan(armature, result.plan, LEGS) < 5e-3
    assert {"LeftPole", "RightPole"} <= set(result.plan.keys.locations)
    assert result.obstacle is None


def test_ik_with_locked_axes_bends_the_legs_as_planned(performance):
    """Knees that IK turns about one axis and thighs that it does not twist, as in Quaternius' files: within 0.5 degrees of the plan."""
    armature, _ = make_character()
    detach_feet(armature)
    add_leg_ik(armature)
    for side in ("Left", "Right"):
        thigh, shin = (armature.pose.bones[f"{side}{part}"] for part in ("UpLeg", "Leg"))
        thigh.lock_ik_y = shin.lock_ik_y = shin.lock_ik_z = True
        rest = np.array(shin.bone.matrix_local)[:3, :3]
        hinge = np.abs(rest.T @ [1.0, 0.0, 0.0])  # the knee's axis in the shin's own axes
        shin.lock_ik_x, shin.lock_ik_z = (True, False) if hinge[2] > hinge[0] else (False, True)
    result = retarget_armature(armature, performance)
    plan = result.plan
    worst = 0.0
    for frame in range(1, result.last_frame + 1, 3):
        bpy.context.scene.frame_set(frame)
        posed = armature.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        for name in LEGS:
            turned = np.array(posed[name].matrix)[:3, :3]
            planned = plan.skeleton_motion.rotmats[frame - 1, plan.skeleton.index(name)]
            worst = max(worst, np.degrees(angle_between_rotmats(turned, planned)))
    assert worst < 0.5
    assert result.obstacle is None


def test_missing_feet_and_hands_are_said(performance):
    trunk = ["Hips", "Spine", "Spine1", "Spine2", "Neck", "Head"]
    limbs = [f"{side}{part}" for side in ("Left", "Right") for part in ("Shoulder", "Arm", "ForeArm", "UpLeg", "Leg")]
    armature, _ = make_character(only=(*trunk, *limbs))
    result = retarget_armature(armature, performance)
    assert {"rig-without-feet", "rig-without-hands"} <= {note.name for note in result.notes}
    whole, _ = make_character("whole")
    assert retarget_armature(whole, performance).notes == ()


def test_astronaut_of_quaternius(performance, shared_rigs):
    """Its feet and the ends of its shins keep their distance within 1 mm."""
    armature = import_rig(shared_rigs / "quat_astronaut.glb")
    result = retarget_armature(armature, performance)
    assert result.mapping.slots["left_foot"] == ("Foot.L",)
    rows = {bone: result.plan.rig.index(bone) for bone in ("LowerLeg.L", "Foot.L")}
    rest = result.plan.rig.rest[list(rows.values()), :3, 3]
    heads = result.plan.keys.heads[:, list(rows.values())]
    np.testing.assert_allclose(np.linalg.norm(heads[:, 0] - heads[:, 1], axis=1), np.linalg.norm(rest[0] - rest[1]), atol=1e-3)


def test_big_shoes_of_the_knight_stay_on_the_floor(performance, shared_rigs):
    """His evaluated skin is at most 5 mm below the floor, and the report says how much."""
    armature = import_rig(shared_rigs / "kaykit_Knight.glb")
    result = retarget_armature(armature, performance)
    legs = [item for item in bpy.data.objects if item.name in ("Knight_LegLeft", "Knight_LegRight")]
    lowest = 0.0
    for frame in range(1, result.last_frame + 1, 3):
        bpy.context.scene.frame_set(frame)
        for leg in legs:
            evaluated = leg.evaluated_get(bpy.context.evaluated_depsgraph_get())
            heights = [(evaluated.matrix_world @ vertex.co).z for vertex in evaluated.data.vertices]
            lowest = min(lowest, *heights)
    assert len(legs) == 2 and lowest > -5e-3
    assert result.quality["floor_penetration_after"] < 5  # mm
    assert result.quality["floor_penetration_before"] > 20
