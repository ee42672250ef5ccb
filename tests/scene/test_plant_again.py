"""Contact channels of a person, and planting by them, without footage and backend."""

from dataclasses import replace
from functools import cache

import bpy
import numpy as np
import pytest

from blender_meshrec.core.body_contacts import CONTACT_PARTS
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.foot_planting.foot_lock import lock_feet
from blender_meshrec.core.foot_planting.leg_kinematics import LEG_JOINTS, pose_legs, soles_from_template
from blender_meshrec.core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from blender_meshrec.scene.assemble import Person, assemble
from blender_meshrec.scene.assembly import AssemblyOptions
from blender_meshrec.scene.corrections.contact_channels import contact_curve, is_touching, read_contacts, set_contact, touching_run
from blender_meshrec.scene.corrections.edited_contacts import read_edited_contacts
from blender_meshrec.scene.corrections.plant_again import plant_person, unheld_notes
from tests.support.blender_poses import pose_in_blender
from tests.support.synthetic_bodies import make_recovery

FRAMES = 60
MILLIMETRE = 1e-3
CAMERA = np.array([0.2, -4.5, 1.1])  # m, as of make_recovery


@cache
def open_body():
    return load_body("open")


def stroll():
    """A person who glides along with bent knees, so that planted feet show; the right foot was found to touch from row 20 to 39."""
    template = open_body()
    base = make_recovery(template, frames=FRAMES, fps=30.0)
    poses = np.zeros((FRAMES, base.poses.shape[1]))
    poses[:, :3] = [np.pi / 2, 0, 0]
    poses[:, 3 * 1] = poses[:, 3 * 2] = -0.3
    poses[:, 3 * 4] = poses[:, 3 * 5] = 0.6
    poses[:, 3 * 7] = poses[:, 3 * 8] = -0.3
    poses[:, 3 * 18 + 1] = -0.8  # elbows
    poses[:, 3 * 19 + 1] = 0.8
    rest, betas = template.rest_joints(np.zeros(10)), np.zeros(10)
    soles = soles_from_template(template, betas)
    rotmats = rotmat_from_rotvec(poses.reshape(FRAMES, -1, 3))
    height = -pose_legs(rotmats, np.zeros((FRAMES, 3)), rest, soles).points[0, :, 2].min()
    pelvis = np.stack([np.zeros(FRAMES), -0.004 * np.arange(FRAMES), np.full(FRAMES, height + 0.01)], -1)
    contacts = np.zeros((FRAMES, 4))
    contacts[20:40, 2:] = 1.0
    locked, _ = lock_feet(rotmats, pelvis, rest, soles, contacts, base.timestamps, CAMERA)
    return replace(
        base,
        poses=rotvec_from_rotmat(locked).reshape(FRAMES, -1),
        trans=pelvis - rest[0],
        betas=betas,
        contacts=contacts,
        visible=np.ones(FRAMES, bool),
        free_legs=poses.reshape(FRAMES, -1, 3)[:, LEG_JOINTS.ravel()],
    )


@pytest.fixture
def person():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return assemble([Person("anna", stroll(), open_body())], "clip", AssemblyOptions(pose_shapes=False)).armatures[0]


def ankle_path(armature, side="right", rows=range(FRAMES)):
    names, path = [bone.name for bone in armature.pose.bones], []
    for row in rows:
        bpy.context.scene.frame_set(1 + row)
        path.append(pose_in_blender(armature, names)[0][names.index(f"{side}_ankle")])
    return np.array(path)


def test_channels_are_switches_with_keys_where_they_change(person):
    curve = contact_curve(person, "right_toe")
    assert [(key.co.x, key.co.y, key.interpolation) for key in curve.keyframe_points] == [
        (1, 0, "CONSTANT"), (21, 1, "CONSTANT"), (41, 0, "CONSTANT")
    ]  # fmt: skip
    assert curve.group.name == "Contacts"
    bpy.context.scene.frame_set(25)
    assert person["contact_right_toe"] is True and person["contact_left_toe"] is False
    assert set(CONTACT_PARTS) == {name.removeprefix("contact_") for name in list(person.keys()) if name.startswith("contact_")}


def test_a_contact_is_switched_over_a_range(person):
    set_contact(person, "right_toe", 10, 24, True)
    found = read_contacts(person, np.arange(1, FRAMES + 1))[:, CONTACT_PARTS.index("right_toe")]
    assert np.flatnonzero(found).tolist() == list(range(9, 40))
    set_contact(person, "right_toe", 15, 18, False)
    assert not is_touching(person, "right_toe", 15) and is_touching(person, "right_toe", 19)
    assert touching_run(person, "right_toe", 16, (1, FRAMES)) == (15, 18)
    assert len(contact_curve(person, "right_toe").keyframe_points) == 5
    edited = read_edited_contacts(person).contacts[:, CONTACT_PARTS.index("right_toe")]
    assert np.flatnonzero(~np.isnan(edited)).tolist() == [*range(9, 14), *range(18, 20), *range(14, 14)]


def test_planting_what_was_found_changes_nothing(person):
    before = ankle_path(person)
    plant_person(person, open_body())
    assert np.abs(ankle_path(person) - before).max() < 0.1 * MILLIMETRE


def test_a_foot_obeys_its_channel(person):
    """Switched on, it stays; switched off, it goes on with the body, as if it had never been planted."""
    before = ankle_path(person)
    for part in ("left_heel", "left_toe"):
        set_contact(person, part, 21, 40, True)
    plant_person(person, open_body())
    left = ankle_path(person, "left", range(20, 40))
    assert np.ptp(left, axis=0).max() < MILLIMETRE
    assert np.abs(ankle_path(person) - before).max() < 0.1 * MILLIMETRE  # the right one is as it was
    for part in ("right_heel", "right_toe"):
        set_contact(person, part, 1, FRAMES, False)
    plant_person(person, open_body())
    right = ankle_path(person)
    steps = np.diff(right[:, 1])
    assert np.abs(steps + 0.004).max() < 0.2 * MILLIMETRE  # it glides again
    assert np.ptp(ankle_path(person, "left", range(20, 40)), axis=0).max() < MILLIMETRE


def test_a_hand_stays_where_it_touches(person):
    set_contact(person, "left_hand", 21, 40, True)
    plant_person(person, open_body())
    names = [bone.name for bone in person.pose.bones]
    path = []
    for frame in range(21, 41):
        bpy.context.scene.frame_set(frame)
        path.append(pose_in_blender(person, names)[0][names.index("left_wrist")])
    assert np.ptp(np.array(path), axis=0).max() < 2 * MILLIMETRE


def test_what_an_artist_keyed_stays(person):
    """A leg that was raised by hand is planted from there, and bones that touch nothing keep their keys."""
    action = person.animation_data.action
    curves = {(c.data_path, c.array_index): c for c in read_curves(person, action)}
    elbow = curves['pose.bones["left_elbow"].rotation_quaternion', 1]
    elbow.keyframe_points[10].co.y = 0.5
    ankle = [curves['pose.bones["left_ankle"].rotation_quaternion', k] for k in range(4)]
    turned = np.array([curve.keyframe_points[50].co.y for curve in ankle]) + [0.0, 0.0, 0.2, 0.0]  # about the bone, which stays where it is
    for curve, value in zip(ankle, turned / np.linalg.norm(turned)):
        curve.keyframe_points[50].co.y = value
    set_contact(person, "right_toe", 5, 9, True)
    plant_person(person, open_body())
    assert elbow.keyframe_points[10].co.y == pytest.approx(0.5)
    quat = np.array([curve.keyframe_points[50].co.y for curve in ankle])
    assert abs(quat @ turned) / np.linalg.norm(turned) > np.cos(np.radians(1.0))


def read_curves(owner, action):
    from blender_meshrec.scene.motion.keyframes import action_fcurves

    return action_fcurves(action, owner)


def test_a_contact_out_of_reach_is_said(person):
    """The body glides on by half a metre while the foot shall stay: no leg is as long, and a few frames are no problem."""
    body = person.animation_data.action
    for curve in (curve for curve in read_curves(person, body) if curve.data_path == 'pose.bones["pelvis"].location'):
        first = curve.keyframe_points[0].co.y
        for point in curve.keyframe_points:
            point.co.y = first + 10 * (point.co.y - first)
    for part in ("left_heel", "left_toe"):
        set_contact(person, part, 10, 50, True)
    plant_person(person, open_body())
    notes = [note for note in unheld_notes(person, open_body()) if note.values["part"] in ("Left Heel", "Left Toe")]
    assert notes and all(note.name == "contact-out-of-reach" for note in notes)
    assert {(note.values["first"], note.values["last"]) for note in notes} == {(10, 50)} and notes[0].values["distance"] > 10  # cm


def test_what_is_held_is_not_said(person):
    for part in ("left_heel", "left_toe"):
        set_contact(person, part, 21, 30, True)
    plant_person(person, open_body())
    assert unheld_notes(person, open_body()) == []
