"""Performances from Motions of SMPL-family joints: every joint is a bone."""

from collections.abc import Iterable

import numpy as np

from ...core.array_types import ArrayLike, FloatArray
from ...core.axis_rotations import rotation_between
from ...core.bone_tails import bone_tails
from ...core.conventions import WORLD_FROM_BODY
from ...core.files.body_template import BodyTemplate
from ...core.motion import forward_kinematics
from ...core.records import Motion
from ..rig import SIDES, BoneMapping, Performance, Rig

_TORSO_JOINTS = {"hips": ("pelvis",), "spine": ("spine1", "spine2", "spine3"), "neck": ("neck",), "head": ("head",)}
_LIMB_JOINTS = {
    "clavicle": "collar", "upper_arm": "shoulder", "lower_arm": "elbow", "hand": "wrist",
    "upper_leg": "hip", "lower_leg": "knee", "foot": "ankle", "toes": "foot",
}  # fmt: skip
_FINGER_JOINTS = {"thumb": "thumb", "index": "index", "middle": "middle", "ring": "ring", "little": "pinky"}


def performance_from_motion(motion: Motion, template: BodyTemplate | None = None, betas: ArrayLike = ()) -> Performance:
    """A Motion as a Performance.

    Args:
        motion: of SMPL, SMPL-H or SMPL-X joints. template, betas: its body and shape, from whose skin the soles of the feet come;
            without them they are estimated from the joints.
    """
    joints, rotations = forward_kinematics(motion)
    directions = bone_tails(motion) - motion.rest_joints
    rest = np.tile(np.eye(4), (len(directions), 1, 1))
    rest[:, :3, :3] = rotation_between([0.0, 1.0, 0.0], directions)  # a bone's y axis is along the bone
    rest[:, :3, 3] = motion.rest_joints
    rig = Rig(motion.skeleton, motion.joint_names, motion.parents, rest, np.linalg.norm(directions, axis=1))
    return Performance(
        rig=rig,
        mapping=smpl_mapping(motion.joint_names),
        rotations=rotations @ rest[:, :3, :3],
        heads=joints,
        fps=motion.fps,
        timestamps=motion.timestamps,
        contacts=motion.contacts,
        soles=None if template is None else _soles_from_skin(motion, template, betas, joints, rotations),
    )


def _soles_from_skin(motion: Motion, template: BodyTemplate, betas: ArrayLike, joints: FloatArray, rotations: FloatArray) -> FloatArray:
    """Heels and toes (F,4,3) m on the floor below a body's feet; heels are fixed to the ankle joints, toes to the foot joints."""
    vertices = template.rest_vertices(betas) @ WORLD_FROM_BODY.T
    joint_of_name = {name: joint for joint, name in enumerate(motion.joint_names)}
    foot_joints = [joint_of_name[f"{side}_{joint}"] for side in SIDES for joint in ("ankle", "foot")]
    landmarks = [f"{side}_{point}" for side in SIDES for point in ("heel", "big_toe")]
    main_joints = np.asarray(template.lbs_weights).argmax(1)  # of the vertices
    floor = vertices[np.isin(main_joints, foot_joints), 2].min()
    points = []
    for joint, landmark in zip(foot_joints, landmarks, strict=True):
        point = np.array([*vertices[template.landmarks[landmark], :2], floor])
        points.append(joints[:, joint] + rotations[:, joint] @ (point - motion.rest_joints[joint]))
    return np.stack(points, 1)


def smpl_mapping(joint_names: Iterable[str]) -> BoneMapping:
    """The BoneMapping of SMPL-family joints, with fingers if the body has them."""
    slots = dict(_TORSO_JOINTS)
    for side in SIDES:
        slots |= {f"{side}_{slot}": (f"{side}_{joint}",) for slot, joint in _LIMB_JOINTS.items()}
        slots |= {f"{side}_{slot}": tuple(f"{side}_{finger}{k}" for k in (1, 2, 3)) for slot, finger in _FINGER_JOINTS.items()}
    existing = set(joint_names)
    return BoneMapping(
        slots={slot: tuple(joint for joint in joints if joint in existing) for slot, joints in slots.items()}, convention="SMPL"
    )
