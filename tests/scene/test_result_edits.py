"""Edits of a result in the scene: sliders and layers that leave the capture, and an artist's keys, as they are."""

from dataclasses import replace

import bpy
import numpy as np
import pytest
from mathutils import Quaternion

from blender_meshrec.core.errors import InputError
from blender_meshrec.core.result_edits import ResultEdits
from blender_meshrec.scene.assemble import Person, assemble
from blender_meshrec.scene.assembly import AssemblyOptions
from blender_meshrec.scene.motion.keyframes import action_fcurves
from blender_meshrec.scene.person.armature import build_armature
from blender_meshrec.scene.result_edits.edited_action import apply_edits, captured_action, is_edited
from blender_meshrec.scene.result_edits.nla_layers import CAPTURE_TRACK, CORRECTIONS_TRACK, add_corrections, capture_to_strip
from blender_meshrec.scene.takes.takes import takes_of
from tests.support.synthetic_bodies import make_recovery, make_tube_body, motion_of

FRAMES = 48


@pytest.fixture
def person():
    template = make_tube_body()
    bpy.context.scene.render.fps = 24
    people = [Person("anna", make_recovery(template, frames=FRAMES), template)]
    return assemble(people, "clip", AssemblyOptions(footage=False, pose_shapes=False)).armatures[0]


def heads(armature_object, *names, frames=range(1, FRAMES + 1, 5)):
    places = []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        places.append([armature_object.pose.bones[name].head.copy() for name in names])
    return np.array(places)


def keys_of(armature_object):
    action = armature_object.animation_data.action
    return {(c.data_path, c.array_index): [tuple(p.co) for p in c.keyframe_points] for c in action_fcurves(action, armature_object)}


def test_sliders_change_the_pose_and_zero_gives_the_capture_back(person):
    capture, before = person.animation_data.action, keys_of(person)
    at_rest = heads(person, "pelvis", "left_wrist")
    apply_edits(person, ResultEdits(hip_height=0.05, arm_spread=0.2))
    assert is_edited(person) and captured_action(person) == capture
    assert np.allclose((heads(person, "pelvis") - at_rest[:, :1]), [0, 0, 0.05], atol=1e-5)
    assert np.abs(heads(person, "left_wrist") - at_rest[:, 1:]).max() > 0.02
    apply_edits(person, ResultEdits(hip_height=0.05))
    assert len(bpy.data.actions) == 2  # the edited action is made anew, not added to
    assert apply_edits(person, ResultEdits()) == capture
    assert person.animation_data.action == capture and len(bpy.data.actions) == 1
    assert keys_of(person) == before and np.abs(heads(person, "pelvis", "left_wrist") - at_rest).max() < 1e-6


def test_what_an_artist_keys_on_an_edited_action_is_kept_as_a_take(person):
    edited = apply_edits(person, ResultEdits(smoothing=0.5))
    bone = person.pose.bones["left_elbow"]
    bone.rotation_quaternion = Quaternion((1, 0, 0), 1.0)
    bone.keyframe_insert("rotation_quaternion", frame=10)
    apply_edits(person, ResultEdits())
    assert edited in takes_of(person) and not is_edited(person)


def test_fewer_keys_follow_the_capture(person):
    before = heads(person, "left_wrist", "right_foot", "head")
    count = sum(len(points) for (path, _), points in keys_of(person).items() if path.startswith("pose."))
    apply_edits(person, ResultEdits(key_error=0.005))
    fewer = sum(len(points) for (path, _), points in keys_of(person).items() if path.startswith("pose."))
    assert fewer < 0.5 * count
    assert np.linalg.norm(heads(person, "left_wrist", "right_foot", "head") - before, axis=-1).max() < 0.01


def test_trimmed_frames_have_no_keys_and_contacts_keep_theirs(person):
    tracks = {key: points for key, points in keys_of(person).items() if not key[0].startswith("pose.")}
    apply_edits(person, ResultEdits(trim_start=5, trim_end=8))
    keys = keys_of(person)
    frames = [frame for (path, _), points in keys.items() if path.startswith("pose.") for frame, _ in points]
    assert (min(frames), max(frames)) == (6, FRAMES - 8)
    assert {key: points for key, points in keys.items() if not key[0].startswith("pose.")} == tracks


def test_the_capture_becomes_a_strip_that_plays_the_same(person):
    before, action = heads(person, "left_wrist", "right_foot"), person.animation_data.action
    strip = capture_to_strip(person)
    assert strip.action == action and person.animation_data.action is None
    assert [track.name for track in person.animation_data.nla_tracks] == [CAPTURE_TRACK]
    assert np.abs(heads(person, "left_wrist", "right_foot") - before).max() < 1e-5
    with pytest.raises(InputError, match="plays no action"):
        capture_to_strip(person)


def test_corrections_add_to_the_capture_and_can_be_left_and_opened_again(person):
    before = heads(person, "left_elbow", "right_foot", "left_wrist")
    action = add_corrections(person)
    tracks = person.animation_data.nla_tracks
    assert [track.name for track in tracks] == [CAPTURE_TRACK, CORRECTIONS_TRACK]
    assert tracks[1].strips[0].blend_type == "COMBINE" and person.animation_data.use_tweak_mode
    assert np.abs(heads(person, "left_elbow", "right_foot", "left_wrist") - before).max() < 1e-5
    bpy.context.scene.frame_set(20)
    bone = person.pose.bones["left_shoulder"]
    bone.rotation_quaternion = Quaternion((1, 0, 0), 0.4) @ bone.rotation_quaternion
    bone.keyframe_insert("rotation_quaternion", frame=20)
    corrected = heads(person, "left_elbow", "right_foot", "left_wrist")
    assert np.abs(corrected[:, 1] - before[:, 1]).max() < 1e-5
    assert (np.linalg.norm(corrected[:, 0] - before[:, 0], axis=-1) > 0.01).all()  # one key corrects the whole clip
    person.animation_data.use_tweak_mode = False
    assert np.abs(heads(person, "left_elbow", "right_foot", "left_wrist") - corrected).max() < 1e-5
    assert add_corrections(person) == action and len(tracks) == 2


def test_bones_that_the_motion_does_not_move_are_locked(person):
    assert not any(person.pose.bones["pelvis"].lock_location)
    assert all(all(bone.lock_location) for bone in person.pose.bones if bone.name != "pelvis")
    assert all(all(bone.lock_scale) for bone in person.pose.bones)


def test_left_and_right_bones_have_the_same_axes_mirrored():
    template = make_tube_body()
    motion = motion_of(make_recovery(template, frames=2, betas=np.zeros(10)), template)
    rest = motion.rest_joints.copy()
    for side, slope in (("left", 0.71), ("right", 0.69)):  # feet between pointing forwards and pointing down, a little unlike each other
        ankle, foot = (motion.joint_names.index(f"{side}_{joint}") for joint in ("ankle", "foot"))
        rest[foot] = rest[ankle] + 0.1 * np.array([0.0, -slope, -np.sqrt(1 - slope**2)])
    rig = build_armature("anna", replace(motion, rest_joints=rest), bpy.context.scene.collection)
    mirror = np.diag([-1.0, 1.0, 1.0])
    axes = {bone.name: np.array(bone.matrix_local.to_3x3()) for bone in rig.data.bones}
    for name, left in axes.items():
        if name.startswith("left_"):
            expected = mirror @ left @ mirror  # Blender's own mirror: X turns about, Y and Z are reflected
            right = axes[name.replace("left_", "right_")]
            assert np.degrees(np.arccos(np.clip((expected * right).sum(0), -1, 1))).max() < 3.0, name
