"""Performances from motions of our own: an SMPL-type Motion as a source whose bones are its joints."""

import numpy as np

from ...core.axis_rotations import rotation_between
from ...core.bone_tails import bone_tails
from ...core.conventions import WORLD_FROM_BODY
from ...core.motion import forward_kinematics
from ..rig import SIDES, BoneMapping, Performance, Rig

_BODY = {"hips": ("pelvis",), "spine": ("spine1", "spine2", "spine3"), "neck": ("neck",), "head": ("head",)}
_LIMBS = {
    "clavicle": "collar", "upper_arm": "shoulder", "lower_arm": "elbow", "hand": "wrist",
    "upper_leg": "hip", "lower_leg": "knee", "foot": "ankle", "toes": "foot",
}  # fmt: skip
_FINGERS = {"thumb": "thumb", "index": "index", "middle": "middle", "ring": "ring", "little": "pinky"}


def performance_from_motion(motion, template=None, betas=None):
    """A Motion as a Performance: every joint a bone.

    Args:
        motion: a Motion of SMPL, SMPL-H or SMPL-X joints. template, betas: its BodyTemplate and shape, for the soles of its feet;
            without them they are told from the joints.
    """
    joints, rotations = forward_kinematics(motion)
    along = bone_tails(motion) - motion.rest_joints
    rest = np.tile(np.eye(4), (len(along), 1, 1))
    rest[:, :3, :3] = rotation_between([0.0, 1.0, 0.0], along)  # bones lie along their own y
    rest[:, :3, 3] = motion.rest_joints
    rig = Rig(motion.skeleton, motion.joint_names, motion.parents, rest, np.linalg.norm(along, axis=1))
    return Performance(
        rig=rig,
        mapping=smpl_mapping(motion.joint_names),
        rotations=rotations @ rest[:, :3, :3],
        heads=joints,
        fps=motion.fps,
        timestamps=motion.timestamps,
        contacts=motion.contacts,
        soles=None if template is None else _soles(motion, template, betas, joints, rotations),
    )


def _soles(motion, template, betas, joints, rotations):
    """Heels and toes (F,4,3) m on the ground below the feet of a body: heels move with the ankles, toes with the feet."""
    vertices = template.rest_vertices(betas) @ WORLD_FROM_BODY.T
    number = {name: joint for joint, name in enumerate(motion.joint_names)}
    owner = np.asarray(template.lbs_weights).argmax(1)
    feet = [number[f"{side}_{joint}"] for side in SIDES for joint in ("ankle", "foot")]
    floor = vertices[np.isin(owner, feet), 2].min()
    points = []
    for joint, name in zip(feet, (f"{side}_{point}" for side in SIDES for point in ("heel", "big_toe")), strict=True):
        point = np.array([*vertices[template.landmarks[name], :2], floor])
        points.append(joints[:, joint] + rotations[:, joint] @ (point - motion.rest_joints[joint]))
    return np.stack(points, 1)


def smpl_mapping(joint_names):
    """The BoneMapping of SMPL's joints by name, with fingers where the body has them."""
    slots = dict(_BODY)
    for side in SIDES:
        slots.update({f"{side}_{slot}": (f"{side}_{joint}",) for slot, joint in _LIMBS.items()})
        slots.update({f"{side}_{slot}": tuple(f"{side}_{finger}{k}" for k in (1, 2, 3)) for slot, finger in _FINGERS.items()})
    have = set(joint_names)
    return BoneMapping({slot: [joint for joint in joints if joint in have] for slot, joints in slots.items()}, convention="SMPL")
