"""A character's armature as the Rig that retargeting thinks about; nothing is changed by looking."""

import numpy as np

from ..retarget.rig import Rig


def read_rig(armature_object, humanoid=None):
    """Read an armature's rest pose, hierarchy, channels and place in the world.

    Args:
        armature_object: an armature object outside Edit Mode. humanoid: VRM's own map of its bones, where the file had one.

    Returns:
        A Rig of the B bones, parents before children.
    """
    bones = armature_object.data.bones
    count = len(bones)
    names = [bone.name for bone in bones]
    index = {name: number for number, name in enumerate(names)}
    parents = np.array([index[bone.parent.name] if bone.parent else -1 for bone in bones], np.int64).reshape(count)
    rest = _columns(bones, "matrix_local", 16).reshape(count, 4, 4).swapaxes(1, 2)
    posed = [armature_object.pose.bones[name] for name in names]
    rig = {
        "bones": names,
        "parents": parents,
        "rest": rest,
        "lengths": _columns(bones, "length", 1)[:, 0],
        "deform": _columns(bones, "use_deform", 1, bool)[:, 0],
        "rotation_modes": [bone.rotation_mode for bone in posed],
        "lock_location": np.array([bone.lock_location for bone in posed], bool).reshape(count, 3),
        "lock_rotation": np.array([bone.lock_rotation for bone in posed], bool).reshape(count, 3),
        "inherit_rotation": _columns(bones, "use_inherit_rotation", 1, bool)[:, 0],
        "local_location": _columns(bones, "use_local_location", 1, bool)[:, 0],
        "connected": _columns(bones, "use_connect", 1, bool)[:, 0],
    }
    return Rig(name=armature_object.name, world=np.array(armature_object.matrix_world), humanoid=dict(humanoid or {}), **rig)


def _columns(bones, attribute, width, kind=np.float32):
    values = np.empty(len(bones) * width, kind)
    bones.foreach_get(attribute, values)
    return values.reshape(len(bones), width)
