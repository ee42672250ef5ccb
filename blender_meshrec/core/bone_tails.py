"""Where bones end: joints say where bones begin, armatures and BVH files want the other end too."""

import numpy as np

# Which child a bone with several of them points to.
_MAIN_CHILD = {"pelvis": "spine1", "spine3": "neck", "left_wrist": "left_middle1", "right_wrist": "right_middle1"}
# Bones without a child: their direction (z up, the subject facing -y) and their length as a share of the rest's height.
_END_BONES = {
    "head": ((0.0, 0.0, 1.0), 0.11),
    "left_foot": ((0.0, -1.0, 0.0), 0.04),
    "right_foot": ((0.0, -1.0, 0.0), 0.04),
    "jaw": ((0.0, -1.0, 0.0), 0.03),
    "left_eye": ((0.0, -1.0, 0.0), 0.015),
    "right_eye": ((0.0, -1.0, 0.0), 0.015),
}
_MIN_LENGTH = 0.005  # m; Blender removes bones of no length


def bone_tails(motion):
    """Where each bone of a Motion ends at rest, (J,3) m: at the next joint of its limb, or a little further along at the ends."""
    heads, names, parents = motion.rest_joints, motion.joint_names, motion.parents
    height = np.ptp(heads[:, 2])
    tails = np.empty_like(heads)
    for joint, name in enumerate(names):
        children = [child for child in range(len(names)) if parents[child] == joint]
        if children:
            chosen = next((child for child in children if names[child] == _MAIN_CHILD.get(name)), children[0])
            tails[joint] = heads[chosen]
        elif name in _END_BONES:
            direction, share = _END_BONES[name]
            tails[joint] = heads[joint] + share * height * np.array(direction)
        else:  # hands and fingertips carry on the way their parent came
            tails[joint] = 2 * heads[joint] - heads[parents[joint]]
        if np.linalg.norm(tails[joint] - heads[joint]) < _MIN_LENGTH:
            tails[joint] = heads[joint] + [0, 0, _MIN_LENGTH]
    return tails
