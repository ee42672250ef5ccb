"""F-curves of a person: the bones of a Motion, and contacts and visibility as properties of the armature object."""

import bpy
import numpy as np

from ...core.array_types import AnyArray, IntArray
from ...core.body_contacts import CONTACT_PARTS
from ...core.records import Motion
from ...core.rotations import align_quat_signs
from ..context import set_property_range
from ..person.armature import bone_quats, rest_rotmats, root_location
from ..person.bone_stretching import stretch_curves
from .keyframes import Curve, vector_curves

CONTACT_PROPERTIES = tuple(f"contact_{part}" for part in CONTACT_PARTS)  # of the armature object, on or off
CONTACT_GROUP = "Contacts"  # the group of their channels


def motion_curves(armature_object: bpy.types.Object, motion: Motion, bone_scale: bool = True) -> list[Curve]:
    """Curves of bone rotations, on the short arc, and of the root's location; a Motion with `joints` stretches the bones.

    Args:
        bone_scale: as in `assemble`.
    """
    if motion.joints is not None:
        return stretch_curves(armature_object, motion, bone_scale)
    names = motion.joint_names
    rest = rest_rotmats(armature_object, names)
    rotations = align_quat_signs(bone_quats(motion.rotations, rest))
    locations = root_location(motion.transl, motion.rest_joints[0], rest[0])
    curves = vector_curves(f'pose.bones["{names[0]}"].location', locations, names[0])
    for joint, name in enumerate(names):
        curves += vector_curves(f'pose.bones["{name}"].rotation_quaternion', rotations[:, joint], name)
    return curves


def track_curves(armature_object: bpy.types.Object, contacts: AnyArray, visible: AnyArray) -> list[Curve]:
    """Curves of custom properties of the armature object, which are created.

    Args:
        contacts: (F,9) bool of CONTACT_PARTS: switches, with keys only where they change. visible: (F,), keyed at every frame.
    """
    curves: list[Curve] = []
    for track, touching in zip(CONTACT_PROPERTIES, contacts.T, strict=True):
        armature_object[track] = bool(touching[0])
        rows = change_rows(touching)
        curves.append(Curve(f'["{track}"]', 0, touching[rows].astype(float), CONTACT_GROUP, "CONSTANT", rows))
    armature_object["visible"] = float(visible[0])
    set_property_range(armature_object, "visible", 0.0, 1.0)
    return [*curves, Curve('["visible"]', 0, visible, "Footage", "CONSTANT")]


def change_rows(values: AnyArray) -> IntArray:
    """The first of values (F,), and those that differ from the one before: the keys that a switch needs."""
    return np.flatnonzero(np.diff(values.astype(float), prepend=2.0))
