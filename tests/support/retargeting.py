"""Support for tests of retargeting: sources with known motion, characters of any proportions, independent measures of the result."""

import numpy as np

from blender_meshrec.core.conventions import WORLD_FROM_BODY
from blender_meshrec.core.records import Motion
from blender_meshrec.core.rotations import quat_from_rotmat, rotmat_from_quat
from blender_meshrec.core.skeletons import SMPL_JOINTS, SMPL_PARENTS
from blender_meshrec.retarget.rig import SIDES, BoneMapping
from tests.support.synthetic_rigs import make_humanoid
from tests.support.synthetic_template import REST

LIMBS = [
    (f"{side}_{part}", f"{side}_{below}")
    for side in SIDES
    for part, below in (("upper_arm", "lower_arm"), ("lower_arm", "hand"), ("upper_leg", "lower_leg"), ("lower_leg", "foot"))
]


def motion_from_walker(walker, contacts=True):
    """A Walker as a Motion of z-up joints."""
    local = WORLD_FROM_BODY @ walker.rotmats @ WORLD_FROM_BODY.T
    local[:, 0] = walker.rotmats[:, 0] @ WORLD_FROM_BODY.T
    fps = 1 / np.median(np.diff(walker.times))
    return Motion("smpl", SMPL_JOINTS, SMPL_PARENTS, REST @ WORLD_FROM_BODY.T, quat_from_rotmat(local), walker.pelvis, fps, walker.times,
                  walker.contacts if contacts else None)  # fmt: skip


def recorded_motion(recording):
    """A Recording of the motion capture as a Motion without contacts."""
    rest, trans = recording.rest_joints() @ WORLD_FROM_BODY.T, recording.trans.astype(float) @ WORLD_FROM_BODY.T
    local = WORLD_FROM_BODY @ rotmat_from_quat(recording.quats) @ WORLD_FROM_BODY.T
    return Motion("smpl", SMPL_JOINTS, SMPL_PARENTS, rest, quat_from_rotmat(local), trans, 30.0, np.arange(len(trans)) / 30)


def make_slots(spine=3, neck=1, split=(), without=()):
    """Bone names by slot for `make_humanoid`: bones are named like their slots; split parts have two bones."""
    truth = {"hips": ["hips"], "spine": [f"spine{k}" for k in range(spine)], "neck": [f"neck{k}" for k in range(neck)], "head": ["head"]}
    for side in SIDES:
        for part in ("clavicle", "upper_arm", "lower_arm", "hand", "upper_leg", "lower_leg", "foot", "toes"):
            if part not in without:
                truth[f"{side}_{part}"] = [f"{side}_{part}{k}" for k in range(2)] if part in split else [f"{side}_{part}"]
    return truth


def random_character(seed, **options):
    """A random character: proportions, rest pose, rolls, tails, numbers of spine and neck bones, split limbs. Rig and BoneMapping."""
    rng = np.random.default_rng(seed)
    split = [(), ("upper_arm", "lower_arm"), ("upper_leg",), ("lower_arm", "lower_leg")][seed % 4]
    truth = make_slots(spine=1 + seed % 5, neck=seed % 4, split=split)
    build = make_humanoid(truth, rng, arms_down=[0, 30, 50, 85][rng.integers(4)])
    rig = build.build_rig(rng, tails=("along", "anywhere")[seed % 2], **options)
    return rig, BoneMapping(truth)


def world_heads(rig, result):
    """Heads of every bone (F,B,3) m in the world."""
    return result.heads @ rig.world[:3, :3].T + rig.world[:3, 3]


def limb_vector(heads, rig, mapping, part, below):
    """The vector (F,3) from one mapped joint to the next, of heads (F,B,3)."""
    return heads[:, rig.index(mapping.slots[below][0])] - heads[:, rig.index(mapping.slots[part][0])]


def max_direction_error(performance, rig, mapping, result):
    """The largest angle, degrees, between a limb's direction in the world and the source's, over limbs and frames."""
    worst, heads = 0.0, world_heads(rig, result)
    for part, below in LIMBS:
        ours = limb_vector(heads, rig, mapping, part, below)
        theirs = limb_vector(performance.heads, performance.rig, performance.mapping, part, below)
        angle = np.arctan2(np.linalg.norm(np.cross(ours, theirs), axis=1), (ours * theirs).sum(1))
        worst = max(worst, np.degrees(angle).max())
    return worst


def world_point(rig, result, bone, point):
    """The position (F,3) in the world of a point fixed to a bone, (3,) in armature space at rest."""
    row = rig.index(bone)
    rest = rig.rest[row]
    local = np.linalg.solve(rest[:3, :3], point - rest[:3, 3])
    posed = result.heads[:, row] + result.rotmats[:, row] @ local
    return posed @ rig.world[:3, :3].T + rig.world[:3, 3]


def foot_slide_speed(points, touching, times):
    """Mean and maximum horizontal speed, cm/s, of a point (F,3) between successive frames in which it touches (F,)."""
    speed = 100 * np.linalg.norm(np.diff(points[:, :2], axis=0), axis=1) / np.diff(times)
    both = touching[1:] & touching[:-1]
    return (speed[both].mean(), speed[both].max()) if both.any() else (0.0, 0.0)


def joint_bending(rig, mapping, result, forward=(0.0, -1.0, 0.0)):
    """Flexion of left knee, left elbow, right knee, right elbow, degrees, (F,4), negative where they bend backwards.

    forward: of the character at rest, in armature space.
    """
    angles = []
    for side in SIDES:
        for upper, lower, end, towards in (("upper_leg", "lower_leg", "foot", -1), ("upper_arm", "lower_arm", "hand", 1)):
            rows = [rig.index(mapping.slots[f"{side}_{part}"][0]) for part in (upper, lower, end)]
            along = rig.rest[rows[1], :3, 3] - rig.rest[rows[0], :3, 3]
            hinge = np.cross(along, towards * np.array(forward))
            bone = rig.index(mapping.slots[f"{side}_{upper}"][-1])
            turned = result.rotmats[:, bone] @ rig.rest[bone, :3, :3].T @ (hinge / np.linalg.norm(hinge))
            a, b = (np.diff(result.heads[:, rows[k : k + 2]], axis=1)[:, 0] for k in range(2))
            angles.append(np.degrees(np.arctan2((np.cross(a, b) * turned).sum(1), (a * b).sum(1))))
    return np.stack(angles, 1)
