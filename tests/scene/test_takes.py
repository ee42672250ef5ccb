"""Takes of people with SKEL's skeleton and with a calibrated surface, and what `assemble` keeps of earlier results."""

from dataclasses import replace

import bpy
import numpy as np
import pytest

from blender_meshrec.core.motion import forward_kinematics
from blender_meshrec.core.skel.vocabulary import SKEL_JOINTS
from blender_meshrec.scene.assemble import Person, assemble
from blender_meshrec.scene.assembly import AssemblyOptions
from blender_meshrec.scene.free_names import free_name
from blender_meshrec.scene.takes.new_take import fits_take, show_take
from blender_meshrec.scene.takes.takes import first_frame_of, is_edited, remove_take, takes_of
from tests.scene.test_skel_person import expected_pose, moving_recovery
from tests.support.blender_poses import pose_in_blender
from tests.support.synthetic_bodies import make_recovery, make_tube_body, motion_of, with_calibrated_joints
from tests.support.synthetic_skel import synthetic_skel

MILLIMETRE = 1e-3


def give_take(made, person, **options):
    return assemble(
        [replace(person, rig=made.armatures[0])], "clip", AssemblyOptions(earlier=made.collection, camera=made.camera, **options)
    )


def test_a_skel_person_gets_another_shape_in_place():
    skel = synthetic_skel()
    before, after = moving_recovery(skel, seed=1), moving_recovery(skel, seed=2)
    after = replace(after, betas=before.betas + 0.5)
    made = assemble([Person("clip anna", before, make_tube_body(), skel)], "clip")
    again = give_take(made, Person("clip anna", after, make_tube_body(), skel))
    (rig,) = made.armatures
    assert again.armatures == made.armatures and len(takes_of(rig)) == 2
    for take, recovery in ((None, after), (takes_of(rig)[0], before)):
        if take is not None:
            show_take(rig, take, make_tube_body(), skel)
        bpy.context.scene.frame_set(12)
        heads, _ = pose_in_blender(rig, SKEL_JOINTS)
        assert np.abs(heads - expected_pose(recovery, skel).joints[11]).max() < 0.2 * MILLIMETRE


def test_a_take_that_stretches_bones_and_one_that_does_not(tubes):
    plain, stretched = make_recovery(tubes), with_calibrated_joints(make_recovery(tubes))
    made = assemble([Person("clip anna", stretched, tubes)], "clip")
    give_take(made, Person("clip anna", plain, tubes))
    (rig,) = made.armatures
    joints, _ = forward_kinematics(motion_of(plain, tubes))
    bpy.context.scene.frame_set(24)
    assert np.abs(pose_in_blender(rig, tubes.joint_names)[0] - joints[23]).max() < 0.1 * MILLIMETRE
    show_take(rig, takes_of(rig)[0], tubes)
    bpy.context.scene.frame_set(24)
    assert np.abs(pose_in_blender(rig, tubes.joint_names)[0] - stretched.calibrated_joints[23]).max() < 0.1 * MILLIMETRE


def test_another_skeleton_or_body_does_not_fit(tubes):
    skel = synthetic_skel()
    rig = assemble([Person("clip anna", make_recovery(tubes), tubes)], "clip").armatures[0]
    assert fits_take(rig, Person("clip anna", make_recovery(tubes, seed=2), tubes))
    assert not fits_take(rig, Person("clip anna", moving_recovery(skel, seed=1), tubes, skel))
    assert not fits_take(rig, Person("clip anna", replace(make_recovery(tubes), gender="male"), tubes))
    rig.data.bones["left_knee"].name = "shin.L"
    assert not fits_take(rig, Person("clip anna", make_recovery(tubes), tubes))


def test_a_take_begins_at_its_frame_and_knows_whether_it_was_edited(tubes):
    rig = assemble([Person("clip anna", make_recovery(tubes), tubes)], "clip", AssemblyOptions(first_frame=101)).armatures[0]
    (take,) = takes_of(rig)
    assert take.name == "clip - anna (take 1)" and take.frame_range[0] == 101 and first_frame_of(take) == 101
    assert not is_edited(rig, take)
    from tests.support.blender_keyframes import fcurves_of

    fcurves_of(rig)[0].keyframe_points[3].co.y += 0.01
    assert is_edited(rig, take)
    remove_take(rig, take)
    assert takes_of(rig) == [] and rig.animation_data.action is None and not bpy.data.actions


@pytest.mark.parametrize("taken, expected", [((), "a"), (("a",), "a 2"), (("a", "a 2"), "a 3")])
def test_free_names_have_no_numbers_of_blender(taken, expected):
    assert free_name("a", taken) == expected
    assert len(free_name("ü" * 80, {"ü" * 31}).encode()) <= 63
