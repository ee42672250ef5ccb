"""A character's armature as a Rig, the record that retargeting works with. Reading does not change the armature."""

from collections.abc import Mapping, Sequence

import bpy
import numpy as np
import numpy.typing as npt

from ...core.array_types import AnyArray, BoolArray
from ...retarget.rig import Rig
from ..context import armature_data, pose_bones
from ..unit_scale import world_in_metres
from .constraint_cycles import constrained_bones


def read_rig(armature_object: bpy.types.Object, humanoid: Mapping[str, str] | None = None) -> Rig:
    """Read an armature's rest pose, hierarchy, channels and world matrix.

    Args:
        armature_object: an armature object outside Edit Mode. humanoid: VRM's own map of its bones, if the file has one.

    Returns:
        A Rig of the B bones, parents before children.
    """
    bones = armature_data(armature_object).bones
    count = len(bones)
    names = tuple(bone.name for bone in bones)
    index = {name: row for row, name in enumerate(names)}
    all_posed = pose_bones(armature_object)
    posed = [all_posed[name] for name in names]
    return Rig(
        name=armature_object.name,
        bones=names,
        parents=np.array([index[bone.parent.name] if bone.parent else -1 for bone in bones], np.int64).reshape(count),
        rest=_read_attribute(bones, "matrix_local", 16).reshape(count, 4, 4).swapaxes(1, 2),
        lengths=_read_attribute(bones, "length", 1)[:, 0],
        world=world_in_metres(armature_object),
        deform=_read_attribute(bones, "use_deform", 1, bool)[:, 0],
        rotation_modes=tuple(bone.rotation_mode for bone in posed),
        lock_location=np.array([bone.lock_location for bone in posed], bool).reshape(count, 3),
        lock_rotation=np.array([bone.lock_rotation for bone in posed], bool).reshape(count, 3) | _ik_hinge_locks(posed),
        inherit_rotation=_read_attribute(bones, "use_inherit_rotation", 1, bool)[:, 0],
        local_location=_read_attribute(bones, "use_local_location", 1, bool)[:, 0],
        connected=_read_attribute(bones, "use_connect", 1, bool)[:, 0],
        humanoid=dict(humanoid or {}),
    )


def _ik_hinge_locks(posed: Sequence[bpy.types.PoseBone]) -> BoolArray:
    """The axes (B,3) that IK locks on bones that it turns about one axis: their own keys have no effect on the other two."""
    hinges: dict[str, tuple[bool, bool, bool]] = {}
    for bone in posed:
        for constraint in bone.constraints:
            if isinstance(constraint, bpy.types.KinematicConstraint) and not constraint.mute and constraint.influence > 0:
                chain = set(constrained_bones(bone, constraint))
                hinges |= {link.name: (link.lock_ik_x, link.lock_ik_y, link.lock_ik_z) for link in posed if link.name in chain}
    locks = np.array([hinges.get(bone.name, (False,) * 3) for bone in posed], bool).reshape(-1, 3)
    return locks & (locks.sum(1) == 2)[:, None]


def _read_attribute(bones: bpy.types.ArmatureBones, attribute: str, width: int, dtype: npt.DTypeLike = np.float32) -> AnyArray:
    """An attribute of every bone, (B,width)."""
    values = np.empty(len(bones) * width, dtype)
    bones.foreach_get(attribute, values)
    return values.reshape(len(bones), width)
