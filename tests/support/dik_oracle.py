"""A slow DIK as an oracle: frame by frame in numpy, by other algorithms.

Rotations by Rodrigues' formula, Kabsch by singular values, the knee's angle by bisection instead of in closed form.
Also the equations (1)-(10) as printed in the paper.
"""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.spatial.transform import Rotation

from blender_meshrec.core.skeletons import H36M17, SMPL_JOINTS, SMPL_PARENTS


def unit(vector):
    return vector / np.linalg.norm(vector)


def rodrigues(axis, angle):
    x, y, z = unit(np.asarray(axis, float))
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def angle_of(a, b):
    return np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)


def shortest_rotation(a, b):
    """The least rotation from direction a to direction b."""
    axis = np.cross(a, b)
    return np.eye(3) if np.linalg.norm(axis) < 1e-12 else rodrigues(axis, angle_of(a, b))


def kabsch(observed, rest):
    u, _, vt = np.linalg.svd(sum(np.outer(o, r) for o, r in zip(observed, rest)))
    return u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt


def flexion(upper, lower, hinge, angle):
    """The flexion at which the bones make `angle`, by bisection between straightest and fully folded less 0.05 degrees."""

    def angle_at(flexed):
        return angle_of(upper, rodrigues(hinge, flexed) @ lower)

    coarse = min(np.linspace(-np.pi, np.pi, 37), key=angle_at)
    straightest = minimize_scalar(
        lambda flexed: -np.cos(angle_at(flexed)), bounds=(coarse - 0.2, coarse + 0.2), method="bounded", options={"xatol": 1e-12}
    ).x
    low, high = straightest + np.radians(0.05), straightest + np.pi - np.radians(0.05)
    for _ in range(50):
        middle = (low + high) / 2
        if angle_at(middle) < angle:
            low = middle
        else:
            high = middle
    return low


def limb(parent, upper, lower, upper_seen, lower_seen, hinge):
    """Global rotations of hip and knee, or shoulder and elbow."""
    bend = angle_of(upper_seen, lower_seen)
    bent = rodrigues(hinge, flexion(upper, lower, hinge, bend))
    if np.sin(bend) > np.sin(np.radians(1)):
        first = frame(upper_seen, lower_seen) @ frame(upper, bent @ lower).T
    else:
        first = shortest_rotation(parent @ upper, upper_seen) @ parent
    second = first @ bent
    return first, shortest_rotation(second @ lower, lower_seen) @ second


def frame(a, b):
    """Gram-Schmidt."""
    x = unit(a)
    y = unit(b - (b @ x) * x)
    return np.stack([x, y, np.cross(x, y)], 1)


def match(joints, rest, spine_fractions=(1 / 3, 1 / 3, 1 / 3)):
    """Local rotations (24,3,3) of one frame of 24 or 17 joints."""
    names = SMPL_JOINTS if len(joints) == 24 else H36M17
    seen, still = dict(zip(names, joints)), dict(zip(names, rest))

    def bone(a, b):
        return seen[b] - seen[a], still[b] - still[a]

    def fit_bones(start, *ends):
        return kabsch(*zip(*(bone(start, end) for end in ends)))

    def swing_bone(parent, a, b):
        observed, resting = bone(a, b)
        return shortest_rotation(parent @ resting, observed) @ parent

    world = {}
    if len(joints) == 24:
        world["pelvis"] = fit_bones("pelvis", "left_hip", "right_hip", "spine1")
        world["spine1"] = swing_bone(world["pelvis"], "spine1", "spine2")
        world["spine2"] = swing_bone(world["spine1"], "spine2", "spine3")
        world["spine3"] = fit_bones("spine3", "neck", "left_collar", "right_collar")
        world["neck"] = swing_bone(world["spine3"], "neck", "head")
        for side in ("left", "right"):
            world[f"{side}_collar"] = swing_bone(world["spine3"], f"{side}_collar", f"{side}_shoulder")
    else:
        world["pelvis"] = fit_bones("hip", "left_hip", "right_hip", "spine")
        world["spine3"] = fit_bones("spine", "thorax", "left_shoulder", "right_shoulder")
        world["neck"] = fit_bones("thorax", "nose", "head_top")
        bend = Rotation.from_matrix(world["pelvis"].T @ world["spine3"]).as_rotvec()
        for i in (1, 2):
            world[f"spine{i}"] = world["pelvis"] @ Rotation.from_rotvec(bend * sum(spine_fractions[:i])).as_matrix()
        world["left_collar"] = world["right_collar"] = world["spine3"]
    for side, elbow in (("left", -1.0), ("right", 1.0)):
        for parent, first, second, third, hinge in (
            ("pelvis", "hip", "knee", "ankle", (1.0, 0, 0)),
            (f"{side}_collar", "shoulder", "elbow", "wrist", (0, elbow, 0)),
        ):
            upper_seen, upper = (unit(v) for v in bone(f"{side}_{first}", f"{side}_{second}"))
            lower_seen, lower = (unit(v) for v in bone(f"{side}_{second}", f"{side}_{third}"))
            rotations = limb(world[parent], upper, lower, upper_seen, lower_seen, np.array(hinge))
            world[f"{side}_{first}"], world[f"{side}_{second}"] = rotations
        if len(joints) == 24:
            world[f"{side}_ankle"] = swing_bone(world[f"{side}_knee"], f"{side}_ankle", f"{side}_foot")
            world[f"{side}_wrist"] = swing_bone(world[f"{side}_elbow"], f"{side}_wrist", f"{side}_hand")
    local = np.empty((24, 3, 3))
    for joint, (name, parent) in enumerate(zip(SMPL_JOINTS, SMPL_PARENTS)):
        above = np.eye(3) if parent < 0 else world[SMPL_JOINTS[parent]]
        world.setdefault(name, above)
        local[joint] = above.T @ world[name]
    return local


def forward(rotmats, rest):
    """Joints (24,3) of one pose, the root at its rest place."""
    world, joints = [rotmats[0]], [rest[0]]
    for joint in range(1, 24):
        parent = SMPL_PARENTS[joint]
        world.append(world[parent] @ rotmats[joint])
        joints.append(joints[parent] + world[parent] @ (rest[joint] - rest[parent]))
    return np.array(joints)


def paper_equations(joints):
    """The ten rotations by the paper's equations as printed, of one frame of h36m17, by the SMPL joint they turn.

    l(a, b) is the paper's l_{a.b}, the vector from a to b; x is its cross product. A rotation is P^T C.
    """
    seen = dict(zip(H36M17, joints))
    short = {"hp": "hip", "s": "spine", "n": "thorax", "hd": "nose", "t": "head_top"}
    for side in ("left", "right"):
        for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"):
            short[side[0] + part[0]] = f"{side}_{part}"

    def l(a, b):  # noqa: E743
        return seen[short[b]] - seen[short[a]]

    def x(a, b):
        return np.cross(a, b)

    found = {}

    def unit_of(name, parent, child):
        found[name] = np.stack(parent, 1).T @ np.stack(child, 1)

    for side, hip, knee, ankle, sign in (("right", "rh", "rk", "ra", 1), ("left", "lh", "lk", "la", -1)):
        thigh, shin, out = l(hip, knee), l(knee, ankle), sign * l("hp", hip)
        # (1), (3)
        x_p, z_p = unit(out), unit(x(out, l("hp", "s")))
        x_c, y_c = unit(x(shin, thigh)), unit(thigh)
        unit_of(f"{side}_hip", (x_p, x(x_p, z_p), z_p), (x_c, y_c, x(y_c, x_c)))
        # (2), (4)
        unit_of(f"{side}_knee", (x_c, y_c, x(y_c, x_c)), (x_c, unit(shin), x(unit(shin), x_c)))
    # (5)
    x_p, z_p = unit(l("n", "rs")), unit(x(-l("s", "n"), l("n", "rs")))
    x_c, y_c = unit(l("rs", "re")), unit(x(l("re", "rw"), l("rs", "re")))
    unit_of("right_shoulder", (x_p, x(x_p, z_p), z_p), (x_c, y_c, x(y_c, x_c)))
    # (6)
    unit_of("right_elbow", (x_c, y_c, x(y_c, x_c)), (unit(l("re", "rw")), y_c, x(y_c, unit(l("re", "rw")))))
    # (7)
    x_p, z_p = unit(-l("n", "ls")), unit(x(l("n", "s"), -l("n", "ls")))
    x_c, y_c = unit(-l("ls", "le")), unit(x(-l("ls", "le"), -l("le", "lw")))
    unit_of("left_shoulder", (x_p, x(x_p, z_p), z_p), (x_c, y_c, x(y_c, x_c)))
    # (8)
    unit_of("left_elbow", (x_c, y_c, x(y_c, x_c)), (unit(-l("le", "lw")), y_c, x(y_c, unit(-l("le", "lw")))))
    # (9)
    y_p, z_p = unit(-l("s", "n")), unit(x(-l("s", "n"), l("n", "rs")))
    x_c, y_c = unit(x(l("hd", "t"), -l("n", "hd"))), unit(l("t", "n"))
    unit_of("neck", (x(z_p, y_p), y_p, z_p), (x_c, y_c, x(y_c, x_c)))
    # (10)
    y_s, z_s = unit(-l("hp", "s")), unit(x(-l("hp", "s"), l("hp", "rh")))
    unit_of("spine3", (x(z_s, y_s), y_s, z_s), (x(z_p, y_p), y_p, z_p))
    return found
