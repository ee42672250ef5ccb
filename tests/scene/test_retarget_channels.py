"""Channels of pose bones, computed in numpy, against Blender's own evaluation."""

import bpy
import numpy as np
import pytest
from mathutils import Euler, Matrix, Quaternion

from blender_meshrec.core.rotations import quat_from_rotmat, rotmat_from_quat
from blender_meshrec.retarget.rig import BoneMapping
from blender_meshrec.retarget.solve.forward_kinematics import Pose
from blender_meshrec.retarget.solve.rest_pose import RestPose
from blender_meshrec.retarget.write.channels import rotation_channels, solve_bone_channels
from blender_meshrec.scene.character.rig_reader import read_rig

MODES = ("QUATERNION", "AXIS_ANGLE", "XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")
# Bones that RestPose needs for a body, in addition to those that are tested.
BODY = {
    "hips": (0, 0, 1), "head": (0, 0, 1.6), "left_upper_arm": (0.2, 0, 1.4), "left_lower_arm": (0.5, 0, 1.4),
    "right_upper_arm": (-0.2, 0, 1.4), "right_lower_arm": (-0.5, 0, 1.4), "left_upper_leg": (0.1, 0, 0.9), "left_lower_leg": (0.1, 0, 0.5),
    "right_upper_leg": (-0.1, 0, 0.9), "right_lower_leg": (-0.1, 0, 0.5),
}  # fmt: skip


def build_rig(rng, count=14):
    """A rig of a body's bones and a random tree with every kind of bone; its object is rotated, moved and evenly scaled."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    armature = bpy.data.armatures.new("rig")
    rig = bpy.data.objects.new("rig", armature)
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    made = []
    for name, head in BODY.items():
        bone = armature.edit_bones.new(name)
        bone.head, bone.tail = head, np.add(head, [0, 0, 0.1])
    for number in range(count):
        bone = armature.edit_bones.new(f"bone{number}")
        parent = made[rng.integers(len(made))] if made and rng.random() < 0.9 else None
        bone.parent = parent
        bone.use_connect = bool(parent) and rng.random() < 0.3
        if not bone.use_connect:
            bone.head = rng.normal(size=3)
        bone.tail = np.add(bone.head, rng.normal(size=3))
        bone.roll = rng.uniform(-3, 3)
        bone.use_inherit_rotation = rng.random() < 0.7
        bone.use_local_location = rng.random() < 0.6
        made.append(bone)
    bpy.ops.object.mode_set(mode="OBJECT")
    for bone in rig.pose.bones:
        bone.rotation_mode = MODES[rng.integers(len(MODES))]
    rig.matrix_world = Matrix.LocRotScale(rng.normal(size=3), Quaternion(rng.normal(size=4)).normalized(), (0.37,) * 3)
    bpy.context.view_layer.update()
    return rig


def random_turns(rng, frames):
    return rotmat_from_quat(rng.normal(size=(frames, 4)))


@pytest.mark.parametrize("seed", range(8))
def test_evaluated_pose_matches_the_computed_channels(seed):
    """World rotations and heads of every bone match the depsgraph's, for any flags, rotation modes and object matrix."""
    rng = np.random.default_rng(seed)
    armature = build_rig(rng)
    rig = read_rig(armature)
    rest = RestPose(rig, BoneMapping({slot: [slot] for slot in BODY}))
    bones = [rig.index(f"bone{number}") for number in range(14)]
    turns = {bone: random_turns(rng, 3) for bone in bones if rng.random() < 0.7}
    heads = {bone: rng.normal(size=(3, 3)) for bone in turns if not rig.connected[bone] and rng.random() < 0.5}
    pose = Pose(rest, turns, heads, 3)
    keyed, quats, locations = solve_bone_channels(pose, turns, heads)
    for frame in range(3):
        for row, bone in enumerate(keyed):
            posed = armature.pose.bones[rig.bones[bone]]
            name, values = rotation_channels(quats[:, row], posed.rotation_mode)
            setattr(posed, name, values[frame])
            if bone in locations:
                posed.location = locations[bone][frame]
        bpy.context.view_layer.update()
        evaluated = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
        matrices = np.array([evaluated.pose.bones[name].matrix for name in rig.bones])
        found = rest.world_rotation @ matrices[:, :3, :3]
        np.testing.assert_allclose(found, pose.rotations[:, frame], atol=2e-5)
        np.testing.assert_allclose(rest.scale * matrices[:, :3, 3] @ rest.world_rotation.T, pose.heads[:, frame], atol=2e-5)
        for bone, wanted in turns.items():
            np.testing.assert_allclose(found[bone], wanted[frame], atol=2e-5)


@pytest.mark.parametrize("mode", MODES[2:])
def test_euler_angles_match_blenders(mode):
    rng = np.random.default_rng(3)
    quats = rng.normal(size=(50, 4))
    quats[10] = quat_from_rotmat(np.array(Euler((0.4, np.pi / 2, 0.2), mode).to_matrix()))
    _, angles = rotation_channels(quats, mode)
    for quat, row in zip(quats, angles, strict=True):
        np.testing.assert_allclose(np.array(Euler(row, mode).to_matrix()), rotmat_from_quat(quat), atol=1e-5)


def test_locked_channels_stay_at_rest_while_child_bones_rotate():
    """A bone that is locked to its x axis rotates about it alone, in any mode; its child still has the wanted rotation."""
    rng = np.random.default_rng(5)
    for mode in ("XYZ", "ZYX", "QUATERNION"):
        armature = build_rig(rng, 1)
        bpy.context.view_layer.objects.active = armature
        bpy.ops.object.mode_set(mode="EDIT")
        lower = armature.data.edit_bones.new("below")
        lower.parent = armature.data.edit_bones["bone0"]
        lower.head, lower.tail = (0, 0, 3), (0, 1, 3)
        bpy.ops.object.mode_set(mode="OBJECT")
        posed = armature.pose.bones["bone0"]
        posed.rotation_mode, posed.lock_rotation = mode, (False, True, True)
        rig = read_rig(armature)
        rest = RestPose(rig, BoneMapping({slot: [slot] for slot in BODY}))
        turns = {rig.index(bone): random_turns(rng, 4) for bone in ("bone0", "below")}
        pose = Pose(rest, turns, {}, 4)
        keyed, quats, _ = solve_bone_channels(pose, turns, {})
        row = list(keyed).index(rig.index("bone0"))
        np.testing.assert_allclose(quats[:, row, 2:], 0, atol=1e-9)
        assert np.abs(quats[:, row, 1]).max() > 0.05
        np.testing.assert_allclose(pose.rotations[rig.index("below")], turns[rig.index("below")], atol=1e-9)
