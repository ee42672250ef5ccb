"""Calibrated people: bones that stretch to the calibrated joints, and the exact surface; both can be switched off."""

import bpy
import numpy as np
import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files.point_cache import write_point_cache
from blender_meshrec.core.motion import forward_kinematics
from blender_meshrec.scene.assemble import Person, assemble, match_scene
from blender_meshrec.scene.assembly import AssemblyOptions
from blender_meshrec.scene.motion.keyframes import snapped_key_frames
from blender_meshrec.scene.person.surface import SURFACE_MODIFIER
from tests.support.blender_keyframes import fcurves_of
from tests.support.blender_poses import pose_in_blender, vertices_in_blender
from tests.support.synthetic_bodies import make_recovery, motion_of, skin_recovery, with_calibrated_joints
from tests.support.synthetic_template import synthetic_template

MILLIMETRE = 1e-3
ROWS = (0, 7, 23, 41, 59)


@pytest.fixture(scope="module")
def stretched(template):
    return with_calibrated_joints(make_recovery(template))


def heads_at(rig, names, row):
    bpy.context.scene.frame_set(1 + row)
    return pose_in_blender(rig, names)[0]


def bone_matrices(rig, names):
    evaluated = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([evaluated.pose.bones[name].matrix for name in names])


def keyed_channels(rig):
    """The keyed channels of each bone: name -> {property: indices}."""
    found = {}
    for curve in fcurves_of(rig):
        if curve.data_path.startswith("pose.bones"):
            bone, prop = curve.data_path.split('"')[1], curve.data_path.rpartition(".")[2]
            found.setdefault(bone, {}).setdefault(prop, []).append(curve.array_index)
    return found


@pytest.mark.parametrize("bone_scale", [True, False])
def test_every_joint_is_at_its_calibrated_position(template, stretched, bone_scale):
    rig = assemble([Person("anna", stretched, template)], "clip", AssemblyOptions(bone_scale=bone_scale)).armatures[0]
    for row in ROWS:
        heads = heads_at(rig, template.joint_names, row)
        assert np.abs(heads - stretched.calibrated_joints[row]).max() < 0.1 * MILLIMETRE, row


def test_tails_reach_the_next_joint_without_shear(template, stretched):
    rig = assemble([Person("anna", stretched, template)], "clip").armatures[0]
    for row in ROWS:
        bpy.context.scene.frame_set(1 + row)
        posed = bone_matrices(rig, template.joint_names)[:, :3, :3]
        lengths = np.linalg.norm(posed, axis=1)
        assert np.abs(lengths[:, [0, 2]] - 1).max() < 1e-4  # thickness stays
        axes = posed / lengths[:, None]
        assert np.abs(np.swapaxes(axes, 1, 2) @ axes - np.eye(3)).max() < 1e-4
        for joint, name in enumerate(template.joint_names):
            children = [child for child, parent in enumerate(template.parents) if parent == joint]
            if len(children) == 1:
                tail = np.array(rig.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones[name].tail)
                assert np.abs(tail - stretched.calibrated_joints[row, children[0]]).max() < 0.1 * MILLIMETRE, name


def test_only_channels_that_change_are_keyed(tubes):
    stretched = with_calibrated_joints(make_recovery(tubes))
    found = keyed_channels(assemble([Person("anna", stretched, tubes)], "clip").armatures[0])
    with_location = {"pelvis", "left_hip", "right_hip", "spine1", "neck", "left_collar", "right_collar"}
    assert {bone for bone, keyed in found.items() if "location" in keyed} == with_location
    assert {tuple(keyed["scale"]) for keyed in found.values() if "scale" in keyed} == {(1,)}
    assert {bone for bone, keyed in found.items() if "scale" not in keyed} == {"pelvis", "spine3", "left_foot", "right_foot", "head",
                                                                            "left_hand", "right_hand"}  # fmt: skip
    still = assemble([Person("ben", stretched, tubes)], "clip", AssemblyOptions(bone_scale=False)).armatures[0]
    assert not any("scale" in keyed for keyed in keyed_channels(still).values())


def test_without_stretching_calibrated_joints_have_no_effect(tubes):
    stretched = with_calibrated_joints(make_recovery(tubes))
    plain = make_recovery(tubes)
    made = [
        assemble([Person("anna", stretched, tubes)], "clip", AssemblyOptions(stretch=False)).armatures[0],
        assemble([Person("ben", plain, tubes)], "clip").armatures[0],
    ]
    for rig in made:
        channels = keyed_channels(rig)
        assert {tuple(sorted(keyed)) for keyed in channels.values()} == {("rotation_quaternion",), ("location", "rotation_quaternion")}
        assert [bone for bone, keyed in channels.items() if "location" in keyed] == ["pelvis"]
        assert {bone.inherit_scale for bone in rig.data.bones} == {"FULL"}
    first, second = (
        {(curve.data_path, curve.array_index): np.array([point.co for point in curve.keyframe_points]) for curve in fcurves_of(rig)}
        for rig in made
    )
    assert first.keys() == second.keys() and all(np.array_equal(first[key], second[key]) for key in first)
    for row in ROWS:
        heads = heads_at(made[0], tubes.joint_names, row)
        assert np.abs(heads - forward_kinematics(motion_of(plain, tubes))[0][row]).max() < 0.05 * MILLIMETRE


@pytest.mark.parametrize("joints", [52, 55])
def test_fingers_and_faces_follow_the_stretched_body(joints):
    template = synthetic_template(joints=joints)
    recovery = with_calibrated_joints(make_recovery(template))
    rig = assemble([Person("anna", recovery, template)], "clip").armatures[0]
    expected = motion_of(recovery, template).joints
    for row in ROWS:
        heads = heads_at(rig, template.joint_names, row)
        assert np.abs(heads - expected[row]).max() < 0.1 * MILLIMETRE
        assert np.abs(heads[:22] - recovery.calibrated_joints[row, :22]).max() < 0.1 * MILLIMETRE


def test_skin_of_stretched_bones_is_linear_blend_skinning(tubes):
    """The expected vertices are the weighted sum of each bone's transform from rest to pose."""
    recovery = with_calibrated_joints(make_recovery(tubes))
    made = assemble([Person("anna", recovery, tubes)], "clip", AssemblyOptions(pose_shapes=False))
    rig, rest = made.armatures[0], tubes.rest_vertices(recovery.betas) @ [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    for row in ROWS[:3]:
        bpy.context.scene.frame_set(1 + row)
        posed = bone_matrices(rig, tubes.joint_names)
        still = np.array([rig.data.bones[name].matrix_local for name in tubes.joint_names])
        moves = posed @ np.linalg.inv(still)
        each = np.einsum("jab,vb->jva", moves[:, :3, :3], rest) + moves[:, None, :3, 3]
        expected = np.einsum("vj,jva->va", tubes.lbs_weights, each)
        assert np.abs(vertices_in_blender(made.meshes[0]) - expected).max() < 0.2 * MILLIMETRE


# --- the exact surface ------------------------------------------------------------------------------------------------


def write_surface(recovery, template, path):
    """Write a point cache of the skinned body with a wave added; returns its vertices (F,V,3) m."""
    waves = 0.03 * np.sin(np.arange(len(recovery)))[:, None, None]
    surface = np.stack([skin_recovery(recovery, template, row) for row in range(len(recovery))]) + waves
    write_point_cache(path, surface.shape[1], len(surface), [surface])
    return surface


@pytest.mark.parametrize("kind", ["even", "uneven", "another rate", "one frame"])
def test_the_mesh_plays_the_exact_surface(tubes, tmp_path, kind):
    frames = 1 if kind == "one frame" else 20
    times = np.cumsum(np.random.default_rng(2).uniform(0.02, 0.07, frames)) if kind == "uneven" else None
    recovery = with_calibrated_joints(make_recovery(tubes, frames, timestamps=None if times is None else times - times[0]))
    surface = write_surface(recovery, tubes, tmp_path / "a.pc2")
    fps = 30.0 if kind == "another rate" else recovery.mocap_framerate
    made = assemble([Person("anna", recovery, tubes, surface=tmp_path / "a.pc2")], "clip", AssemblyOptions(fps=fps))
    match_scene(bpy.context.scene, made, recovery.camera)
    keys = snapped_key_frames(recovery.timestamps, fps)
    for row in sorted({0, frames // 3, frames - 1}):
        bpy.context.scene.frame_set(int(keys[row]), subframe=float(keys[row] % 1))
        assert np.abs(vertices_in_blender(made.meshes[0]) - surface[row]).max() < 0.1 * MILLIMETRE, row


def test_the_surface_overrides_shape_and_pose_until_its_modifier_is_disabled(tubes, tmp_path):
    recovery = with_calibrated_joints(make_recovery(tubes, 6))
    surface = write_surface(recovery, tubes, tmp_path / "a.pc2")
    made = assemble([Person("anna", recovery, tubes, surface=tmp_path / "a.pc2")], "clip")
    body = made.meshes[0]
    assert [modifier.name for modifier in body.modifiers] == ["Armature", SURFACE_MODIFIER]
    bpy.context.scene.frame_set(4)
    body.modifiers[SURFACE_MODIFIER].show_viewport = False
    skin = vertices_in_blender(body)
    body.modifiers[SURFACE_MODIFIER].show_viewport = True
    body.data.shape_keys.key_blocks["beta_0"].value = 2.0
    made.armatures[0].data.pose_position = "REST"
    assert np.abs(vertices_in_blender(body) - surface[3]).max() < 0.1 * MILLIMETRE
    body.data.shape_keys.key_blocks["beta_0"].value = 0.0
    made.armatures[0].data.pose_position = "POSE"
    bpy.data.objects.remove(body)
    plain = assemble([Person("ben", recovery, tubes)], "clip").meshes[0]
    bpy.context.scene.frame_set(4)
    assert np.abs(vertices_in_blender(plain) - skin).max() < 1e-6


@pytest.mark.parametrize("wrong", ["frames", "points", "missing", "text"])
def test_a_surface_of_another_mesh_is_refused_and_leaves_nothing(tubes, tmp_path, wrong):
    recovery = with_calibrated_joints(make_recovery(tubes, 4))
    count, path = len(tubes.v_template), tmp_path / "a.pc2"
    if wrong == "text":
        path.write_text("no points")
    elif wrong != "missing":
        shape = (5 if wrong == "frames" else 4, count + (wrong == "points"), 3)
        write_point_cache(path, shape[1], shape[0], [np.zeros(shape)])
    with pytest.raises(InputError):
        assemble([Person("anna", recovery, tubes, surface=path)], "clip")
    assert not bpy.data.objects and not bpy.data.collections
