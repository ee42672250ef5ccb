"""Calibrated people: bones that stretch until every joint lands, the exact surface, and neither where it is not asked for."""

import bpy
import numpy as np
import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files.point_cache import write_point_cache
from blender_meshrec.core.motion import forward_kinematics
from blender_meshrec.scene.assemble import Person, assemble, match_scene
from blender_meshrec.scene.keyframes import snapped_key_frames
from blender_meshrec.scene.surface import SURFACE_MODIFIER
from tests.support.blender_poses import pose_in_blender, vertices_in_blender
from tests.support.synthetic_bodies import make_recovery, motion_of, skin_recovery, with_calibrated_joints
from tests.support.synthetic_template import synthetic_template

MILLIMETRE = 1e-3
FIVE = (0, 7, 23, 41, 59)


@pytest.fixture(scope="module")
def stretched(template):
    return with_calibrated_joints(make_recovery(template))


def heads_at(rig, names, row):
    bpy.context.scene.frame_set(1 + row)
    return pose_in_blender(rig, names)[0]


def matrices(rig, names):
    evaluated = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([evaluated.pose.bones[name].matrix for name in names])


def curves_of(owner):
    action = owner.animation_data.action
    if hasattr(action, "slots"):
        return list(action.layers[0].strips[0].channelbag(owner.animation_data.action_slot).fcurves)
    return list(action.fcurves)


def keyed(rig):
    """What is keyed of each bone: name -> {property: indices}."""
    found = {}
    for curve in curves_of(rig):
        if curve.data_path.startswith("pose.bones"):
            bone, prop = curve.data_path.split('"')[1], curve.data_path.rpartition(".")[2]
            found.setdefault(bone, {}).setdefault(prop, []).append(curve.array_index)
    return found


@pytest.mark.parametrize("bone_scale", [True, False])
def test_every_joint_lands_where_it_was_calibrated(template, stretched, bone_scale):
    rig = assemble([Person("anna", stretched, template)], "clip", bone_scale=bone_scale).armatures[0]
    for row in FIVE:
        heads = heads_at(rig, template.joint_names, row)
        assert np.abs(heads - stretched.calibrated_joints[row]).max() < 0.1 * MILLIMETRE, row


def test_tails_land_too_and_nothing_shears(template, stretched):
    rig = assemble([Person("anna", stretched, template)], "clip").armatures[0]
    for row in FIVE:
        bpy.context.scene.frame_set(1 + row)
        posed = matrices(rig, template.joint_names)[:, :3, :3]
        lengths = np.linalg.norm(posed, axis=1)
        assert np.abs(lengths[:, [0, 2]] - 1).max() < 1e-4  # thickness stays
        axes = posed / lengths[:, None]
        assert np.abs(np.swapaxes(axes, 1, 2) @ axes - np.eye(3)).max() < 1e-4
        for joint, name in enumerate(template.joint_names):
            children = [child for child, parent in enumerate(template.parents) if parent == joint]
            if len(children) == 1:
                tail = np.array(rig.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones[name].tail)
                assert np.abs(tail - stretched.calibrated_joints[row, children[0]]).max() < 0.1 * MILLIMETRE, name


def test_only_what_moves_is_keyed(tubes):
    stretched = with_calibrated_joints(make_recovery(tubes))
    found = keyed(assemble([Person("anna", stretched, tubes)], "clip").armatures[0])
    placed = {"pelvis", "left_hip", "right_hip", "spine1", "neck", "left_collar", "right_collar"}
    assert {bone for bone, what in found.items() if "location" in what} == placed
    assert {tuple(what["scale"]) for what in found.values() if "scale" in what} == {(1,)}
    assert {bone for bone, what in found.items() if "scale" not in what} == {"pelvis", "spine3", "left_foot", "right_foot", "head",
                                                                            "left_hand", "right_hand"}  # fmt: skip
    still = assemble([Person("ben", stretched, tubes)], "clip", bone_scale=False).armatures[0]
    assert not any("scale" in what for what in keyed(still).values())


def test_without_stretching_people_are_as_if_never_calibrated(tubes):
    stretched = with_calibrated_joints(make_recovery(tubes))
    plain = make_recovery(tubes)
    made = [
        assemble([Person("anna", stretched, tubes)], "clip", stretch=False).armatures[0],
        assemble([Person("ben", plain, tubes)], "clip").armatures[0],
    ]
    for rig in made:
        assert {tuple(sorted(what)) for what in keyed(rig).values()} == {("rotation_quaternion",), ("location", "rotation_quaternion")}
        assert [bone for bone, what in keyed(rig).items() if "location" in what] == ["pelvis"]
        assert {bone.inherit_scale for bone in rig.data.bones} == {"FULL"}
    first, second = (
        {(curve.data_path, curve.array_index): np.array([point.co for point in curve.keyframe_points]) for curve in curves_of(rig)}
        for rig in made
    )
    assert first.keys() == second.keys() and all(np.array_equal(first[key], second[key]) for key in first)
    for row in FIVE:
        heads = heads_at(made[0], tubes.joint_names, row)
        assert np.abs(heads - forward_kinematics(motion_of(plain, tubes))[0][row]).max() < 0.05 * MILLIMETRE


@pytest.mark.parametrize("joints", [52, 55])
def test_fingers_and_faces_come_along(joints):
    template = synthetic_template(joints=joints)
    recovery = with_calibrated_joints(make_recovery(template))
    rig = assemble([Person("anna", recovery, template)], "clip").armatures[0]
    expected = motion_of(recovery, template).joints
    for row in FIVE:
        heads = heads_at(rig, template.joint_names, row)
        assert np.abs(heads - expected[row]).max() < 0.1 * MILLIMETRE
        assert np.abs(heads[:22] - recovery.calibrated_joints[row, :22]).max() < 0.1 * MILLIMETRE


def test_the_skin_follows_the_bones_as_linear_blend_skinning_has_it(tubes):
    """The obvious way: each vertex moved by each bone's matrix from rest to pose, by its weight."""
    recovery = with_calibrated_joints(make_recovery(tubes))
    made = assemble([Person("anna", recovery, tubes)], "clip", pose_shapes=False)
    rig, rest = made.armatures[0], tubes.rest_vertices(recovery.betas) @ [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    for row in FIVE[:3]:
        bpy.context.scene.frame_set(1 + row)
        posed = matrices(rig, tubes.joint_names)
        still = np.array([rig.data.bones[name].matrix_local for name in tubes.joint_names])
        moves = posed @ np.linalg.inv(still)
        each = np.einsum("jab,vb->jva", moves[:, :3, :3], rest) + moves[:, None, :3, 3]
        expected = np.einsum("vj,jva->va", tubes.lbs_weights, each)
        assert np.abs(vertices_in_blender(made.meshes[0]) - expected).max() < 0.2 * MILLIMETRE


# --- the exact surface ------------------------------------------------------------------------------------------------


def surface_of(recovery, template, path):
    """A point cache of what is nearly the skinned body."""
    waves = 0.03 * np.sin(np.arange(len(recovery)))[:, None, None]
    surface = np.stack([skin_recovery(recovery, template, row) for row in range(len(recovery))]) + waves
    write_point_cache(path, surface.shape[1], len(surface), [surface])
    return surface


@pytest.mark.parametrize("kind", ["even", "uneven", "another rate", "one frame"])
def test_the_mesh_is_the_exact_surface(tubes, tmp_path, kind):
    frames = 1 if kind == "one frame" else 20
    times = np.cumsum(np.random.default_rng(2).uniform(0.02, 0.07, frames)) if kind == "uneven" else None
    recovery = with_calibrated_joints(make_recovery(tubes, frames, timestamps=None if times is None else times - times[0]))
    surface = surface_of(recovery, tubes, tmp_path / "a.pc2")
    fps = 30.0 if kind == "another rate" else recovery.mocap_framerate
    made = assemble([Person("anna", recovery, tubes, surface=tmp_path / "a.pc2")], "clip", fps=fps)
    match_scene(bpy.context.scene, made, recovery.camera)
    keys = snapped_key_frames(recovery.timestamps, fps)
    for row in sorted({0, frames // 3, frames - 1}):
        bpy.context.scene.frame_set(int(keys[row]), subframe=float(keys[row] % 1))
        assert np.abs(vertices_in_blender(made.meshes[0]) - surface[row]).max() < 0.1 * MILLIMETRE, row


def test_a_beta_key_and_the_pose_do_not_disturb_the_surface_and_its_eye_brings_the_skin_back(tubes, tmp_path):
    recovery = with_calibrated_joints(make_recovery(tubes, 6))
    surface = surface_of(recovery, tubes, tmp_path / "a.pc2")
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
def test_a_surface_of_something_else_is_refused_and_leaves_nothing(tubes, tmp_path, wrong):
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
