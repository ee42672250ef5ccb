"""A SKEL person in Blender: its evaluated pose matches core/skel/kinematics."""

from dataclasses import replace

import bpy
import numpy as np
import pytest

from blender_meshrec.core.corrections import BadRange, PersonCorrections
from blender_meshrec.core.errors import InputError, ModelError
from blender_meshrec.core.skel.channels import world_from_upright_angles
from blender_meshrec.core.skel.kinematics import skel_kinematics
from blender_meshrec.core.skel.template import load_skel
from blender_meshrec.core.skel.vocabulary import DOF_LIMITS, DOF_NAMES, JOINT_DOFS, SKEL_JOINTS, dof_index
from blender_meshrec.scene.assemble import Person, assemble, match_scene
from blender_meshrec.scene.assembly import AssemblyOptions
from blender_meshrec.scene.corrections.corrections import set_corrections
from blender_meshrec.scene.corrections.solve_again import earlier_recovery, replace_motions
from blender_meshrec.scene.export.export import export_assembly
from blender_meshrec.scene.person.mesh import strongest_weights
from blender_meshrec.scene.person.skel_armature import channel_angle_name
from blender_meshrec.scene.person.skel_person import POSE_BONES
from blender_meshrec.scene.takes.takes import takes_of
from tests.support.blender_imports import import_file, imported_object
from tests.support.blender_poses import pose_in_blender, vertices_in_blender
from tests.support.synthetic_bodies import make_recovery, make_tube_body
from tests.support.synthetic_skel import synthetic_skel

MILLIMETRE = 1e-3
FRAMES, ROWS = 40, (0, 11, 39)


@pytest.fixture(scope="module", params=["synthetic", "open"])
def skel(request):
    if request.param == "synthetic":
        return synthetic_skel()
    try:
        return load_skel("open")
    except ModelError as error:
        pytest.skip(error.problem)


def moving_recovery(skel, seed=0):
    """A recovery in which every angle covers most of its range, while the person turns and moves."""
    rng = np.random.default_rng(seed)
    times = np.arange(FRAMES) / 24
    low, high = np.where(np.isfinite(DOF_LIMITS), DOF_LIMITS, [-0.5, 0.5]).T
    wave = np.sin(rng.uniform(0.5, 3, 46) * times[:, None] + rng.uniform(0, 6, 46))
    q = (low + high) / 2 + 0.48 * (high - low) * wave
    q[:, 2] = 3.0 * times
    betas = rng.normal(0, 0.5, 10)
    return replace(
        make_recovery(make_tube_body(), FRAMES),
        q=world_from_upright_angles(q, skel.bone_frames(betas)[0]),
        skel_betas=betas,
        skel_trans=np.stack([times, -times, 1 + 0.1 * np.sin(times)], -1),
        skel_model_type="open",
    )


@pytest.fixture
def made(skel):
    recovery = moving_recovery(skel)
    return recovery, assemble([Person("anna", recovery, make_tube_body(), skel)], "clip")


def expected_pose(recovery, skel):
    return skel_kinematics(recovery.q, skel.rest_joints(recovery.skel_betas), skel.bone_frames(recovery.skel_betas), recovery.skel_trans)


def test_bone_heads_match_the_kinematics(made, skel):
    recovery, assembly = made
    expected = expected_pose(recovery, skel)
    for row in ROWS:
        bpy.context.scene.frame_set(1 + row)
        heads, _ = pose_in_blender(assembly.armatures[0], SKEL_JOINTS)
        assert np.abs(heads - expected.joints[row]).max() < 0.1 * MILLIMETRE


def test_a_clip_that_was_solved_again_gives_a_new_action_and_moves_the_camera(made, skel):
    before, assembly = made
    moved = before.camera_from_world @ np.array([[1, 0, 0, 0.2], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    recovery = replace(moving_recovery(skel, seed=1), skel_betas=before.skel_betas, camera_from_world=moved)
    (rig,) = assembly.armatures
    old, at = rig.animation_data.action, np.array(assembly.camera.location)
    replace_motions({1: rig}, {1: recovery}, make_tube_body(), skel, 24.0)
    assert takes_of(rig) == [old, rig.animation_data.action] and not old.use_fake_user
    bpy.context.scene.frame_set(12)
    heads, _ = pose_in_blender(rig, SKEL_JOINTS)
    assert np.abs(heads - expected_pose(recovery, skel).joints[11]).max() < 0.1 * MILLIMETRE
    np.testing.assert_allclose(np.array(assembly.camera.location) - at, [-0.2, 0, 0], atol=1e-5)


def test_only_the_corrected_range_of_a_clip_that_was_solved_again_changes(made, skel):
    before, assembly = made
    recovery = replace(moving_recovery(skel, seed=1), skel_betas=before.skel_betas)
    (rig,) = assembly.armatures
    np.testing.assert_allclose(earlier_recovery(rig).poses, before.poses, atol=1e-6)
    set_corrections(rig, PersonCorrections(1, (BadRange(18, 20),)))
    replace_motions({1: rig}, {1: recovery}, make_tube_body(), skel, 24.0)
    for row, expected in ((19, recovery), (2, before), (38, before)):
        bpy.context.scene.frame_set(1 + row)
        heads, _ = pose_in_blender(rig, SKEL_JOINTS)
        assert np.abs(heads - expected_pose(expected, skel).joints[row]).max() < 0.1 * MILLIMETRE


def test_skin_and_bone_meshes_match_the_kinematics(made, skel):
    recovery, assembly = made
    pose, rest = expected_pose(recovery, skel), skel.rest_joints(recovery.skel_betas)
    skin, bones = assembly.meshes
    for row in ROWS:
        bpy.context.scene.frame_set(1 + row)
        vertices = skel.rest_vertices(recovery.skel_betas).astype(float)
        if skel.posedirs is not None:
            turned = [np.eye(3) if bone is None else pose.local_rotations[row, SKEL_JOINTS.index(bone)] for bone in POSE_BONES[1:]]
            vertices = vertices + skel.posedirs @ (np.array(turned) - np.eye(3)).ravel()
        for mesh, at_rest, lbs_weights in (
            (skin, vertices, skel.lbs_weights),
            (bones, skel.rest_bone_vertices(recovery.skel_betas), skel.bone_weights),
        ):
            chosen, weights = strongest_weights(lbs_weights)
            from_joints = np.einsum("vkab,vkb->vka", pose.rotations[row][chosen], at_rest[:, None] - rest[chosen])
            expected = (weights[..., None] * (from_joints + pose.joints[row][chosen])).sum(1)
            assert np.abs(vertices_in_blender(mesh) - expected).max() < 0.3 * MILLIMETRE


def test_euler_channels_are_the_anatomical_angles(made):
    recovery, assembly = made
    rig = assembly.armatures[0]
    bpy.context.scene.frame_set(1)
    found = {}
    for bone in rig.pose.bones:
        for column in range(3):
            if channel_angle_name(bone, column):
                found[channel_angle_name(bone, column)] = bone.rotation_euler[column]
            else:
                assert bone.lock_rotation[column] and abs(bone.rotation_euler[column]) < 1e-6
    assert set(found) == set(DOF_NAMES)
    for name in DOF_NAMES[3:]:  # the pelvis's angles are those of an upright body
        assert abs(found[name] - recovery.q[0, dof_index(name)]) < 1e-5


@pytest.mark.parametrize("beyond", [-1.0, 1.0])
def test_bones_stop_at_their_limits(made, skel, beyond):
    recovery, assembly = made
    rig = assembly.armatures[0]
    rig.animation_data.action = None
    betas = recovery.skel_betas
    bones = [bone for bone in SKEL_JOINTS[1:] if len(range(46)[JOINT_DOFS[SKEL_JOINTS.index(bone)]]) == 1]
    for name in bones:
        joint = SKEL_JOINTS.index(name)
        dof = JOINT_DOFS[joint].start
        column = next(column for column in range(3) if channel_angle_name(rig.pose.bones[name], column))
        rig.pose.bones[name].rotation_euler[column] = DOF_LIMITS[dof, int(beyond > 0)] + 0.4 * beyond
    bpy.context.view_layer.update()
    q = np.zeros((1, 46))
    for name in bones:
        q[0, JOINT_DOFS[SKEL_JOINTS.index(name)]] = DOF_LIMITS[JOINT_DOFS[SKEL_JOINTS.index(name)].start, int(beyond > 0)]
    expected = skel_kinematics(q, skel.rest_joints(betas), skel.bone_frames(betas)).local_rotations[0]
    _, turned = pose_in_blender(rig, SKEL_JOINTS)
    for name in bones:
        joint = SKEL_JOINTS.index(name)
        above = SKEL_JOINTS.index(rig.pose.bones[name].parent.name)
        # In the body's axes, not the world's.
        world_from_body = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
        local = world_from_body.T @ turned[above].T @ turned[joint] @ world_from_body
        assert np.abs(local - expected[joint]).max() < 1e-4, name


def test_a_motion_without_angles_is_refused_and_leaves_nothing(skel):
    with pytest.raises(InputError, match="SKEL"):
        assemble([Person("anna", make_recovery(make_tube_body()), make_tube_body(), skel)], "clip")
    assert not bpy.data.objects and not bpy.data.collections


@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".usdc", ".blend"])
def test_exported_people_import_unchanged(tmp_path, suffix):
    skel = synthetic_skel()
    recovery = replace(moving_recovery(skel), mocap_framerate=24.0)
    made = assemble([Person("anna", recovery, make_tube_body(), skel)], "clip", AssemblyOptions(pose_shapes=False, footage=False))
    match_scene(bpy.context.scene, made, recovery.camera)
    path = tmp_path / f"a{suffix}"
    export_assembly(path, made)
    import_file(path, 24)
    rig = imported_object("ARMATURE")
    expected = expected_pose(recovery, skel)
    for row in ROWS:
        bpy.context.scene.frame_set(1 + row)
        heads, _ = pose_in_blender(rig, SKEL_JOINTS)
        assert np.abs(heads - expected.joints[row]).max() < 0.5 * MILLIMETRE, row
