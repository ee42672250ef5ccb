"""F-curves of a person: the bones of a Motion, and contacts and visibility as properties of the armature object."""

import bpy

from ..core.array_types import AnyArray, FloatArray
from ..core.records import Motion
from ..core.rotations import align_quat_signs
from .armature import bone_quats, rest_rotmats, root_location
from .bone_stretching import stretch_curves
from .context import set_property_range
from .keyframes import Curve, vector_curves

CONTACT_PROPERTIES = ("contact_left_heel", "contact_left_toe", "contact_right_heel", "contact_right_toe")


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


def track_curves(armature_object: bpy.types.Object, contacts: FloatArray | None, visible: AnyArray) -> list[Curve]:
    """Curves of custom properties of the armature object, which are created: contacts (F,4) or None, and visible (F,)."""
    tracks = dict(zip(CONTACT_PROPERTIES, contacts.T)) if contacts is not None else {}
    curves: list[Curve] = []
    for track, values in {**tracks, "visible": visible}.items():
        armature_object[track] = float(values[0])
        set_property_range(armature_object, track, 0.0, 1.0)
        curves.append(Curve(f'["{track}"]', 0, values, "Footage", "CONSTANT" if track == "visible" else "LINEAR"))
    return curves
