"""Tails of bones: at the next joint of the chain, and never at the head."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from blender_meshrec.core.bone_tails import bone_tails
from blender_meshrec.core.skeletons import SMPL_JOINTS
from tests.support.retargeting import motion_from_walker
from tests.support.synthetic_gait import stand

AT = {name: joint for joint, name in enumerate(SMPL_JOINTS)}


@pytest.fixture(scope="module")
def motion():
    return motion_from_walker(stand(np.arange(4) / 30))


def test_tails_of_chains_are_at_the_next_joint(motion):
    tails = bone_tails(motion)
    chains = [("pelvis", "spine1", "spine2", "spine3", "neck", "head")]
    chains += [tuple(f"{side}_{name}" for name in names) for side in ("left", "right")
               for names in (("hip", "knee", "ankle", "foot"), ("collar", "shoulder", "elbow", "wrist", "hand"))]  # fmt: skip
    for chain in chains:
        for joint, below in pairwise(chain):
            assert np.array_equal(tails[AT[joint]], motion.rest_joints[AT[below]]), joint


def test_end_bones_point_up_forwards_and_outwards(motion):
    away = bone_tails(motion) - motion.rest_joints
    assert away[AT["head"]] @ [0, 0, 1] > 0.1  # m
    for side, sign in (("left", 1), ("right", -1)):
        assert away[AT[f"{side}_foot"]] @ [0, -1, 0] > 0.04 and away[AT[f"{side}_hand"]] @ [sign, 0, 0] > 0.04  # m


def test_eyes_and_jaws_point_forwards(motion):
    """Of bodies with faces: as long as shares of the height of the joints."""
    names = {"left_hand": "left_eye", "right_hand": "right_eye", "left_foot": "jaw"}
    motion = replace(motion, joint_names=tuple(names.get(name, name) for name in motion.joint_names))
    away = (bone_tails(motion) - motion.rest_joints) / np.ptp(motion.rest_joints[:, 2])
    for joint, length in (("left_hand", 0.015), ("right_hand", 0.015), ("left_foot", 0.03)):
        np.testing.assert_allclose(away[AT[joint]], [0, -length, 0], atol=1e-9)


def test_coincident_joints_have_bones_of_nonzero_length(motion):
    rest = np.array(motion.rest_joints)
    rest[AT["spine1"]] = rest[AT["pelvis"]]
    lengths = np.linalg.norm(bone_tails(replace(motion, rest_joints=rest)) - rest, axis=-1)
    assert lengths.min() > 1e-3  # m


def test_bones_shorter_than_blender_keeps_point_up(motion):
    """Blender removes bones of no length: shorter than 5 mm is lengthened to 5 mm, longer stays as it is."""
    for length, expected in ((0.0049, [0, 0, 0.005]), (0.0051, [0.0051, 0, 0]), (0.0, [0, 0, 0.005])):
        rest = np.array(motion.rest_joints)
        rest[AT["spine1"]] = rest[AT["pelvis"]] + [length, 0, 0]
        away = bone_tails(replace(motion, rest_joints=rest)) - rest
        np.testing.assert_allclose(away[AT["pelvis"]], expected, atol=1e-12)
    rest = motion.rest_joints - motion.rest_joints[AT["pelvis"]]
    rest[AT["spine1"]] = [0.005, 0, 0]  # 5 mm is enough
    np.testing.assert_array_equal(bone_tails(replace(motion, rest_joints=rest))[AT["pelvis"]], [0.005, 0, 0])
