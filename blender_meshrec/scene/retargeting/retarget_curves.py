"""F-curves of a retargeted motion: of the keyed bones, of the rig's switches, and of channels that are reset to rest."""

from collections.abc import Iterable, Mapping

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ...retarget.rig import RetargetedMotion, Rig
from ...retarget.write.channels import rotation_channels
from ..context import pose_bones
from ..motion.keyframes import Curve, vector_curves

_REST_VALUES = {"location": (0, 0, 0), "rotation_quaternion": (1, 0, 0, 0), "rotation_axis_angle": (0, 0, 1, 0), "scale": (1, 1, 1)}


def key_curves(keys: RetargetedMotion, rig: Rig) -> list[Curve]:
    """Curves of the locations and rotations of keyed bones, in each bone's rotation mode."""
    modes = dict(zip(rig.bones, rig.rotation_modes))
    curves: list[Curve] = []
    for bone, values in keys.locations.items():
        curves += _bone_curves(bone, "location", values)
    for column, bone in enumerate(keys.bones):
        curves += _bone_curves(bone, *rotation_channels(keys.rotations[:, column], modes[bone]))
    return curves


def switch_curves(armature_object: bpy.types.Object, switches: Mapping[tuple[str, str], float]) -> list[Curve]:
    """One key for each switch (bone, property) that the rig has."""
    bones = pose_bones(armature_object)
    return [
        Curve(f'{_bone_path(bone)}["{bpy.utils.escape_identifier(name)}"]', 0, np.array([float(value)]), bone, "CONSTANT")
        for (bone, name), value in switches.items()
        if bone in bones and name in bones[bone]
    ]


def rest_curves(armature_object: bpy.types.Object, bones: Iterable[str], keys: RetargetedMotion) -> list[Curve]:
    """One key at rest for each channel of these bones that has no key otherwise."""
    posed = pose_bones(armature_object)
    curves: list[Curve] = []
    for bone in bones:
        rotation_channel = _rotation_channel(posed[bone].rotation_mode)
        keyed = {rotation_channel} if bone in keys.bones else set()
        keyed |= {"location"} if bone in keys.locations else set()
        for channel in ("location", rotation_channel, "scale"):
            if channel not in keyed:
                curves += _bone_curves(bone, channel, np.array([_REST_VALUES.get(channel, (0, 0, 0))], float))
    return curves


def _rotation_channel(mode: str) -> str:
    return {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}.get(mode, "rotation_euler")


def _bone_path(bone: str) -> str:
    return f'pose.bones["{bpy.utils.escape_identifier(bone)}"]'


def _bone_curves(bone: str, channel: str, values: FloatArray) -> list[Curve]:
    return vector_curves(f"{_bone_path(bone)}.{channel}", values, bone)
