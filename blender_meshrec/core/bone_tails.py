"""Tail positions of bones: joints give the heads of bones, armatures and BVH files need the tails too."""

import numpy as np

from .array_types import FloatArray
from .records import Motion

# The child that a bone with several children points to.
_MAIN_CHILD = {"pelvis": "spine1", "spine3": "neck", "left_wrist": "left_middle1", "right_wrist": "right_middle1"}
# Bones without a child: direction (z up, the subject faces -y) and length as a fraction of the skeleton's height at rest.
_END_BONES = {
    "head": ((0.0, 0.0, 1.0), 0.11),
    "left_foot": ((0.0, -1.0, 0.0), 0.04),
    "right_foot": ((0.0, -1.0, 0.0), 0.04),
    "jaw": ((0.0, -1.0, 0.0), 0.03),
    "left_eye": ((0.0, -1.0, 0.0), 0.015),
    "right_eye": ((0.0, -1.0, 0.0), 0.015),
}
_MIN_LENGTH = 0.005  # m; Blender removes bones of length zero


def bone_tails(motion: Motion) -> FloatArray:
    """Tails (J,3) m of the bones of a Motion at rest: at the main child, or a short distance further at the ends of chains."""
    heads, names, parents = motion.rest_joints, motion.joint_names, motion.parents
    height = np.ptp(heads[:, 2])
    tails = np.empty_like(heads)
    for joint, name in enumerate(names):
        children = [child for child in range(len(names)) if parents[child] == joint]
        if children:
            main_child = next((child for child in children if names[child] == _MAIN_CHILD.get(name)), children[0])
            tails[joint] = heads[main_child]
        elif name in _END_BONES:
            direction, fraction = _END_BONES[name]
            tails[joint] = heads[joint] + fraction * height * np.array(direction)
        else:  # hands and fingertips continue in the direction of their parent
            tails[joint] = 2 * heads[joint] - heads[parents[joint]]
        if np.linalg.norm(tails[joint] - heads[joint]) < _MIN_LENGTH:
            tails[joint] = heads[joint] + [0, 0, _MIN_LENGTH]
    return tails
