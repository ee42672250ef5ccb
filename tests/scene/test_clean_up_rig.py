"""The clean-up rig of three clips: few keys, near the capture, IK where feet touch, and controls that an artist can use."""

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.motion_npz import read_motion
from blender_meshrec.core.rotations import angle_between_rotmats, rotmat_from_rotvec, rotvec_from_rotmat
from blender_meshrec.core.skel.inverse_kinematics import angles_from_smpl
from blender_meshrec.core.skel.template import load_skel
from blender_meshrec.core.skel.vocabulary import SKEL_JOINTS
from blender_meshrec.core.skeletons import SMPL_JOINTS
from blender_meshrec.scene.assemble import Person, assemble
from blender_meshrec.scene.assembly import AssemblyOptions
from blender_meshrec.scene.clean_up_rig.capture import FOLLOW
from blender_meshrec.scene.clean_up_rig.follow import clean_up_rig_of, is_following, remove_rig, set_following
from blender_meshrec.scene.clean_up_rig.make import make_clean_up_rig
from blender_meshrec.scene.clean_up_rig.rigify_rig import is_rigify_there
from blender_meshrec.scene.motion.keyframes import action_fcurves
from tests.support.synthetic_bodies import make_recovery, make_tube_body
from tests.support.synthetic_gait import squat, walk
from tests.support.synthetic_template import synthetic_template

ROOT = Path(__file__).resolve().parents[2]
MILLIMETRE, DEGREE = 1e-3, np.pi / 180
FPS = 30.0


def recovery_of(walker, template):
    """A Recovery of a synthetic performer, whose joints are the template's."""
    frames = len(walker.times)
    base = make_recovery(template, frames=frames, fps=FPS, timestamps=walker.times)
    poses = rotvec_from_rotmat(walker.rotmats).reshape(frames, 72)
    betas = np.zeros(10)
    trans = walker.pelvis - template.rest_joints(betas)[0]
    return replace(base, poses=poses, betas=betas, trans=trans, joints=walker.joints, contacts=walker.contacts, mocap_framerate=FPS)


def make_clip(kind):
    if kind == "filmed":
        recovery, template = read_motion(ROOT / "scripts" / "demo_clip_truth.npz"), load_body("open")
    else:
        template = synthetic_template(joints=24)
        recovery = recovery_of({"walk": walk, "squat": squat}[kind](np.arange(75) / FPS), template)
    bpy.context.scene.render.fps = 30
    return assemble([Person("anna", recovery, template)], "clip", AssemblyOptions(footage=False, pose_shapes=False)).armatures[0], recovery


def poses_of(armature_object, frames, names=SMPL_JOINTS):
    """World matrices (F,J,4,4) of the bones of joints at whole frames."""
    matrices = []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        evaluated = armature_object.evaluated_get(bpy.context.evaluated_depsgraph_get())
        matrices.append([np.array(evaluated.matrix_world @ evaluated.pose.bones[name].matrix) for name in names])
    return np.array(matrices)


def keys_in(obj):
    action = obj.animation_data.action
    return sum(len(curve.keyframe_points) for curve in action_fcurves(action, obj) if curve.data_path.startswith("pose."))


def blocks():
    return {
        kind: sorted(block.name for block in getattr(bpy.data, kind))
        for kind in ("objects", "armatures", "actions", "collections", "meshes")
    }


def distance_between(first, second):
    """The largest distance, m, and angle, rad, between two sets of poses."""
    angles = angle_between_rotmats(first[..., :3, :3], second[..., :3, :3])
    return np.linalg.norm(first[..., :3, 3] - second[..., :3, 3], axis=-1).max(), angles.max()


@pytest.mark.parametrize("clip", ["walk", "squat", "filmed"])
def test_the_person_stays_within_5_mm_and_1_degree_with_a_tenth_of_the_keys(clip):
    person, recovery = make_clip(clip)
    frames = range(1, len(recovery.poses) + 1)
    captured, captured_keys = poses_of(person, frames), keys_in(person)
    made = make_clean_up_rig(person, "light")
    distance, angle = distance_between(captured, poses_of(person, frames))
    assert distance <= 5 * MILLIMETRE and angle <= 1 * DEGREE
    assert abs(distance - made.distance) < 0.1 * MILLIMETRE and abs(angle - made.angle) < 0.02 * DEGREE
    assert keys_in(made.rig) == made.keys <= 0.1 * captured_keys
    assert keys_in(person) == captured_keys  # the capture stays


@pytest.mark.skipif(not is_rigify_there(), reason="this Blender has no Rigify")
def test_rigify_is_generated_and_keyed_where_it_is_there():
    person, recovery = make_clip("walk")
    before = blocks()
    frames = range(1, len(recovery.poses) + 1)
    captured = poses_of(person, frames)
    made = make_clean_up_rig(person)
    assert made.is_rigify and {"foot_ik.L", "thigh_fk.R", "torso"} <= set(made.rig.pose.bones.keys())
    distance, angle = distance_between(captured, poses_of(person, frames))
    assert distance <= 5 * MILLIMETRE and angle <= 1 * DEGREE
    assert keys_in(made.rig) <= 0.1 * keys_in(person)
    curves = {curve.data_path for curve in action_fcurves(made.action, made.rig)}
    assert 'pose.bones["thigh_parent.L"]["IK_FK"]' in curves
    remove_rig(person)
    assert blocks() == before  # the shapes of Rigify's controls are gone, too


def test_feet_are_on_ik_while_they_touch():
    person, recovery = make_clip("walk")
    rig = make_clean_up_rig(person, "light").rig
    touching = (recovery.contacts[:, :2] > 0.5).any(1)
    switch = next(curve for curve in action_fcurves(rig.animation_data.action, rig) if curve.data_path == 'pose.bones["foot_ik.L"]["IK"]')
    values = np.array([switch.evaluate(1 + row) for row in range(len(touching))])
    assert set(np.unique(values)) == {0.0, 1.0}
    assert (values == touching).mean() > 0.9
    assert {point.interpolation for point in switch.keyframe_points} == {"CONSTANT"}


def test_a_moved_ik_control_moves_the_planted_foot_and_nothing_else():
    person, _ = make_clip("squat")
    rig = make_clean_up_rig(person, "light").rig
    before = poses_of(person, [20])[0]
    rig.animation_data.action = None
    rig.pose.bones["foot_ik.L"].location.x += 0.05
    bpy.context.view_layer.update()
    evaluated = person.evaluated_get(bpy.context.evaluated_depsgraph_get())
    moved = {name: evaluated.pose.bones[name].head for name in SMPL_JOINTS}
    shift = {name: np.linalg.norm(np.array(moved[name]) - before[row, :3, 3]) for row, name in enumerate(SMPL_JOINTS)}
    assert abs(shift["left_ankle"] - 0.05) < 5 * MILLIMETRE and shift["left_knee"] > 5 * MILLIMETRE
    assert max(shift[name] for name in SMPL_JOINTS if not name.startswith("left_") or name.endswith(("wrist", "elbow"))) < MILLIMETRE


def test_an_arm_that_is_never_on_ik_has_its_ik_control_at_the_hand():
    person, _ = make_clip("squat")
    hand = poses_of(person, [1])[0, SMPL_JOINTS.index("left_wrist"), :3, 3]
    rig = make_clean_up_rig(person, "light").rig
    bpy.context.scene.frame_set(1)
    assert np.linalg.norm(np.array(rig.pose.bones["hand_ik.L"].head) - hand) < MILLIMETRE
    assert abs(rig.pose.bones["root"].head.z) < MILLIMETRE  # on the floor


def test_controls_have_shapes_side_colours_and_locks_of_what_has_no_use():
    person, _ = make_clip("squat")
    rig = make_clean_up_rig(person, "light").rig
    visible = [bone for bone in rig.pose.bones if any(group.is_visible for group in bone.bone.collections)]
    assert len(visible) > 35 and all(bone.custom_shape is not None for bone in visible)
    palettes = {bone.name: bone.bone.color.palette for bone in visible}
    assert palettes["foot_ik.L"] == palettes["hand_fk.L"] != palettes["foot_ik.R"] == palettes["hand_fk.R"]
    assert all(all(bone.lock_scale) for bone in visible)
    fk = rig.pose.bones["forearm_fk.L"]
    assert all(fk.lock_location) and not any(fk.lock_rotation)
    assert list(rig.pose.bones["shin_twist.R"].lock_rotation) == [True, False, True]
    assert not any(bone.use_deform for bone in rig.data.bones)
    assert all(bone.rotation_mode in {"XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"} for bone in visible)


def test_the_person_can_play_the_capture_again_and_lose_the_rig():
    person, _ = make_clip("squat")
    captured = poses_of(person, [30])
    made = make_clean_up_rig(person, "light")
    set_following(person, False)
    assert not is_following(person) and distance_between(captured, poses_of(person, [30]))[0] < 1e-6
    set_following(person, True)
    again = make_clean_up_rig(person, "light")  # a new click replaces the rig
    assert clean_up_rig_of(person) == again.rig and len([obj for obj in bpy.data.objects if obj.type == "ARMATURE"]) == 2
    assert abs(again.keys - made.keys) == 0
    remove_rig(person)
    assert clean_up_rig_of(person) is None and not any(c.name == FOLLOW for bone in person.pose.bones for c in bone.constraints)
    assert distance_between(captured, poses_of(person, [30]))[0] < 1e-6
    assert [obj for obj in bpy.data.objects if obj.type == "ARMATURE"] == [person]


def test_a_saved_and_appended_rig_lacks_nothing(tmp_path):
    person, _ = make_clip("squat")
    make_clean_up_rig(person, "light")
    expected = poses_of(person, [10, 50])
    path = tmp_path / "rig.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(path)) as (stored, wanted):
        wanted.collections = [name for name in stored.collections if name == "clip"]
    bpy.context.scene.collection.children.link(wanted.collections[0])
    bpy.context.scene.render.fps = 30
    appended = next(obj for obj in bpy.data.objects if "betas" in obj)
    rig = clean_up_rig_of(appended)
    assert rig is not None and all(bone.custom_shape for bone in rig.pose.bones if bone.name == "foot_ik.L")
    assert distance_between(expected, poses_of(appended, [10, 50]))[0] < 0.1 * MILLIMETRE


def test_other_skeletons_and_people_without_motion_are_refused_and_stay_as_they_are():
    person, _ = make_clip("squat")
    person.animation_data_clear()
    with pytest.raises(InputError, match="plays no motion"):
        make_clean_up_rig(person, "light")
    other = bpy.data.objects.new("other", bpy.data.armatures.new("other"))
    bpy.context.scene.collection.objects.link(other)
    with pytest.raises(InputError, match="bones of a person"):
        make_clean_up_rig(other, "light")
    assert len([obj for obj in bpy.data.objects if obj.type == "ARMATURE"]) == 2


def test_the_tube_body_of_other_tests_can_have_a_rig_too():
    template = make_tube_body()
    person = assemble(
        [Person("anna", make_recovery(template, frames=24), template)], "clip", AssemblyOptions(footage=False, pose_shapes=False)
    ).armatures[0]
    made = make_clean_up_rig(person, "light")
    assert made.distance <= 5 * MILLIMETRE and made.angle <= 1 * DEGREE


def skel_person(kind):
    """A person with SKEL's skeleton who walks, squats or does what the filmed person did."""
    template = load_skel("open")
    if kind == "filmed":
        recovery = read_motion(ROOT / "scripts" / "demo_clip_truth.npz")
    else:
        recovery = recovery_of({"walk": walk, "squat": squat}[kind](np.arange(75) / FPS), synthetic_template(joints=24))
    rotmats = rotmat_from_rotvec(recovery.poses[:, :72].reshape(-1, 24, 3))
    q, betas = angles_from_smpl(rotmats, template.bone_frames(np.zeros(10))).q, np.zeros(10)
    trans = recovery.joints[:, 0] - template.rest_joints(betas)[0]
    recovery = replace(recovery, q=q, skel_betas=betas, skel_trans=trans, skel_model_type="open")
    bpy.context.scene.render.fps = round(recovery.mocap_framerate)
    people = [Person("anna", recovery, load_body("open"), skel=template)]
    return assemble(people, "clip", AssemblyOptions(footage=False, pose_shapes=False)).armatures[0], recovery


@pytest.mark.parametrize("clip", ["walk", "squat", "filmed"])
def test_a_person_with_skel_stays_within_5_mm_and_1_degree(clip):
    """The spine and the shoulder blades of SKEL glide as they turn; legs are on IK while their feet touch."""
    person, recovery = skel_person(clip)
    frames = range(1, len(recovery.poses) + 1)
    captured, captured_keys = poses_of(person, frames, SKEL_JOINTS), keys_in(person)
    made = make_clean_up_rig(person)
    distance, angle = distance_between(captured, poses_of(person, frames, SKEL_JOINTS))
    print(f"{clip}: {made.keys} of {captured_keys} keys, {1000 * distance:.2f} mm, {np.degrees(angle):.2f} degrees")
    assert not made.is_rigify and {"foot_ik.L", "thigh_fk.R", "hand_fk.L", "heel.R"} <= set(made.rig.pose.bones.keys())
    assert distance <= 5 * MILLIMETRE and angle <= 1 * DEGREE
    assert keys_in(made.rig) == made.keys <= 0.1 * captured_keys
    remove_rig(person)
    assert distance_between(captured[:1], poses_of(person, [1], SKEL_JOINTS))[0] < 1e-6


def test_rigifys_rig_is_refused_for_skel():
    person, _ = skel_person("squat")
    with pytest.raises(InputError, match="Rigify's rig has not SKEL's bones"):
        make_clean_up_rig(person, "rigify")
    assert clean_up_rig_of(person) is None


def test_a_moved_ik_control_moves_the_foot_of_a_person_with_skel():
    person, _ = skel_person("squat")
    rig = make_clean_up_rig(person).rig
    before = poses_of(person, [20], SKEL_JOINTS)[0]
    rig.animation_data.action = None
    rig.pose.bones["foot_ik.L"].location.x += 0.05
    bpy.context.view_layer.update()
    evaluated = person.evaluated_get(bpy.context.evaluated_depsgraph_get())
    shift = {name: np.linalg.norm(np.array(evaluated.pose.bones[name].head) - before[row, :3, 3]) for row, name in enumerate(SKEL_JOINTS)}
    assert abs(shift["talus_l"] - 0.05) < 5 * MILLIMETRE and shift["tibia_l"] > 5 * MILLIMETRE
    assert max(shift[name] for name in SKEL_JOINTS if not name.endswith("_l") or name.startswith(("hand", "femur"))) < MILLIMETRE
