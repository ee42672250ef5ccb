"""The converter of raw CMU motion capture: every format gives the same positions, 24 joints follow the source, test performers stay out."""

import lzma

import numpy as np
import pytest

from blender_meshrec.core.axis_rotations import rotation_about_axis, transpose, twist_angle
from blender_meshrec.core.kinematics import global_rotmats
from blender_meshrec.core.rotations import angle_between_rotmats, rotmat_from_rotvec
from blender_meshrec.core.skeletons import SMPL_JOINTS, SMPL_PARENTS
from scripts.train.data.motion_clips import read_clips
from scripts.train.data.raw_motion.asf_amc import euler_rotmat, pose_skeleton, read_amc, read_asf
from scripts.train.data.raw_motion.cmu_bvh import JOINT_OF_BONE, read_packed_bvh
from scripts.train.data.raw_motion.cmu_fbx import motion_from_poses
from scripts.train.data.raw_motion.cmu_skeleton import BONE_PARENTS, METRES, CmuMotion
from scripts.train.data.raw_motion.conversion import convert_folder
from scripts.train.data.raw_motion.grading import floor_height, valid_frames
from scripts.train.data.raw_motion.neo_fbx import is_neo, map_neo_poses
from scripts.train.data.raw_motion.performers import assume_skeleton
from scripts.train.data.raw_motion.smpl_mapping import EXTRA_PARENTS, JOINT, map_motions
from scripts.train.data.raw_motion.sources import find_asf
from scripts.train.data.recordings import read_recordings, rotmats_from_quats

SPREAD = np.radians(20.0)
# Length (file units), direction in the zero pose (left side), axis (degrees) and angles of each bone.
BONES = {
    "lowerback": (2.1, (0, 1, 0), (0, 0, 0), "xyz"),
    "upperback": (2.1, (0, 1, 0), (0, 0, 0), "xyz"),
    "thorax": (2.1, (0, 1, 0), (0, 0, 0), "xyz"),
    "lowerneck": (1.6, (0, 0.99, 0.15), (0, 0, 0), "xyz"),
    "upperneck": (1.7, (0, 0.99, -0.13), (0, 0, 0), "xyz"),
    "head": (1.7, (0, 1, -0.05), (0, 0, 0), "xyz"),
    "hipjoint": (2.4, (0.63, -0.71, 0.3), (0, 0, 0), ""),
    "femur": (7.2, (np.sin(SPREAD), -np.cos(SPREAD), 0), (0, 0, 20), "xyz"),
    "tibia": (7.4, (np.sin(SPREAD), -np.cos(SPREAD), 0), (0, 0, 20), "x"),
    "foot": (2.3, (0.1, -0.27, 0.95), (-90, 0, 20), "xz"),
    "toes": (1.1, (0, 0, 1), (-90, 0, 20), "x"),
    "clavicle": (3.4, (0.95, 0.25, -0.17), (0, 0, 0), "yz"),
    "humerus": (5.2, (1, 0, 0), (180, -30, -90), "xyz"),
    "radius": (3.6, (1, 0, 0), (180, -30, -90), "x"),
    "wrist": (1.8, (1, 0, 0), (0, 90, 90), "y"),
    "hand": (0.6, (1, 0, 0), (0, 90, 90), "xz"),
    "fingers": (0.5, (1, 0, 0), (0, 90, 90), "x"),
}
MIRROR = np.array([-1, 1, 1])
AXIS_MIRROR = np.array([1, -1, -1])


def bone_row(name):
    """Length, direction, axis and angles of a bone of either side."""
    side, bone = (name[0], name[1:]) if name not in BONES else ("l", name)
    length, direction, axis, dof = BONES[bone]
    if side == "r":
        return length, np.array(direction) * MIRROR, np.array(axis) * AXIS_MIRROR, dof
    return length, np.array(direction, float), np.array(axis, float), dof


def write_asf(scale=1.0):
    """A skeleton file; scale: of all lengths."""
    lines = [":units", "  length 0.45", "  angle deg", ":root", "  order TX TY TZ RX RY RZ", "  axis XYZ", ":bonedata"]
    for name in BONE_PARENTS:
        length, direction, axis, dof = bone_row(name)
        lines += ["begin", f"name {name}", f"direction {' '.join(map(str, direction))}", f"length {length * scale}"]
        lines += [f"axis {' '.join(map(str, axis))} XYZ", *([f"dof {' '.join('r' + letter for letter in dof)}"] if dof else []), "end"]
    lines += [":hierarchy", "begin"]
    parents = list(dict.fromkeys(BONE_PARENTS.values()))
    lines += [f"{parent} {' '.join(bone for bone, above in BONE_PARENTS.items() if above == parent)}" for parent in parents]
    return "\n".join([*lines, "end"])


def write_amc(frames):
    """A motion file of frames {bone: angles}; the root stands at (1, 17, 2) unless a frame says otherwise."""
    lines = [":FULLY-SPECIFIED", ":DEGREES"]
    for number, frame in enumerate(frames):
        lines.append(str(4 * number + 1))
        lines.append("root " + " ".join(map(str, frame.get("root", (1, 17, 2, 0, 0, 0)))))
        for name in BONE_PARENTS:
            if dof := bone_row(name)[3]:
                lines.append(f"{name} " + " ".join(map(str, frame.get(name, [0] * len(dof)))))
    return "\n".join(lines)


def motion_of(frames, fps=30.0):
    return pose_skeleton(read_asf(write_asf()), read_amc(write_amc(frames)), fps)


def random_frames(count, size=25.0, seed=3):
    """Poses with random angles of up to `size` degrees, smooth over time."""
    rng = np.random.default_rng(seed)
    goal = {name: rng.uniform(-size, size, len(bone_row(name)[3])) for name in BONE_PARENTS}
    turns = rng.uniform(-size, size, 3)
    return [
        {"root": (1, 17, 2 + 0.1 * i, *(turns * i / count)), **{name: angles * i / count for name, angles in goal.items()}}
        for i in range(count)
    ]


def test_zero_pose_has_the_directions_and_lengths_of_the_file():
    motion = motion_of([{}])
    ends = motion.bone_ends()
    for name, parent in BONE_PARENTS.items():
        length, direction, _, _ = bone_row(name)
        expected = direction / np.linalg.norm(direction) * length * METRES
        assert np.abs(ends[name] - ends[parent] - expected).max() < 1e-12, name  # m
    assert np.abs(motion.root - np.array([1, 17, 2]) * METRES).max() < 1e-12  # m


def test_amc_angles_turn_about_the_bones_own_axes():
    """The thigh's first axis is across the spread leg: -90 degrees about it raise the thigh to the front."""
    ends = motion_of([{"lfemur": (-90, 0, 0)}]).bone_ends()
    thigh = ends["lfemur"] - ends["lhipjoint"]
    assert np.abs(thigh - [0, 0, 7.2 * METRES]).max() < 1e-9  # m
    # The elbow has one axis, the bone's own x, across the arm.
    axis = euler_rotmat(np.array([180.0, -30.0, -90.0]), "xyz")[:, 0]
    ends = motion_of([{"lradius": (90,)}]).bone_ends()
    forearm = (ends["lradius"] - ends["lhumerus"]) / (3.6 * METRES)
    assert np.abs(forearm - np.cross(axis, [1, 0, 0])).max() < 1e-9
    assert forearm[0, 2] > 0.8  # a bent elbow brings the hand to the front


def test_amc_root_turns_about_x_first():
    """x by 90 degrees brings the spine to the front, where z by 90 degrees leaves it."""
    ends = motion_of([{"root": (0, 0, 0, 90, 0, 90)}]).bone_ends()
    assert np.abs(ends["lowerback"] - [0, 0, 2.1 * METRES]).max() < 1e-9  # m


def test_amc_with_missing_frames_is_refused():
    text = write_amc([{}, {}, {}])
    with pytest.raises(ValueError, match="lacks frames"):
        read_amc(text.replace("\n9\n", "\n10\n"))


def test_joints_follow_the_source():
    """All joints but the head are where the source's bones begin; the head's distance to the neck is the mean."""
    motion = motion_of(random_frames(12))
    mapped = map_motions([motion])[0]
    joints, extra = mapped.joints()
    ends = motion.bone_ends()
    for side in ("left", "right"):
        for name, bone in {"hip": "hipjoint", "knee": "femur", "ankle": "tibia", "foot": "foot", "shoulder": "clavicle",
                           "elbow": "humerus", "wrist": "wrist", "hand": "hand"}.items():  # fmt: skip
            assert np.abs(joints[:, JOINT[f"{side}_{name}"]] - ends[side[0] + bone]).max() < 1e-9, name  # m
    for name, bone in {"spine2": "lowerback", "spine3": "upperback", "neck": "thorax", "left_collar": "thorax"}.items():
        assert np.abs(joints[:, JOINT[name]] - ends[bone]).max() < 1e-9, name  # m
    head, found = ends["upperneck"] - ends["thorax"], joints[:, JOINT["head"]] - joints[:, JOINT["neck"]]
    assert np.abs(found / np.linalg.norm(found, axis=-1, keepdims=True) - head / np.linalg.norm(head, axis=-1, keepdims=True)).max() < 1e-9
    assert np.allclose(np.linalg.norm(found, axis=-1), np.linalg.norm(head, axis=-1).mean())
    for row, bone in enumerate(("head", "ltoes", "rtoes")):
        start = {"head": "upperneck", "ltoes": "lfoot", "rtoes": "rfoot"}[bone]
        assert np.abs(extra[:, row] - joints[:, EXTRA_PARENTS[row]] - ends[bone] + ends[start]).max() < 1e-9  # m


def test_zero_rotation_is_the_t_pose():
    """Legs point down, arms to the sides, soles forward; the captured zero pose has the legs spread."""
    mapped = map_motions([motion_of([{}] * 25)])[0]
    offsets = mapped.skeleton.offsets
    for side, sign in (("left", 1), ("right", -1)):
        for name, direction in {"knee": (0, -1, 0), "ankle": (0, -1, 0), "elbow": (sign, 0, 0), "wrist": (sign, 0, 0)}.items():
            offset = offsets[JOINT[f"{side}_{name}"]]
            assert np.abs(offset / np.linalg.norm(offset) - direction).max() < 1e-9, name
        foot = offsets[JOINT[f"{side}_foot"]]
        assert abs(foot[0]) < 0.01 and foot[2] > 0.1 and 10 <= np.degrees(np.arctan2(-foot[1], foot[2])) <= 24  # m
        spread = rotation_about_axis([0.0, 0.0, 1.0], sign * SPREAD)
        assert np.abs(mapped.rotmats[:, JOINT[f"{side}_hip"]] - spread).max() < 1e-9
    head = global_rotmats(mapped.rotmats, SMPL_PARENTS)[0, JOINT["head"]]
    assert np.isclose(np.degrees(np.arcsin(head[1, 2])), 12)  # the captured zero pose looks up


def test_standing_soles_are_level():
    """Feet that stand still with a tilt of 5 degrees have no rotation against the floor afterwards."""
    tilted = {"lfoot": (5, 0), "rfoot": (5, 0), "lfemur": (0, 0, -20), "rfemur": (0, 0, 20)}
    mapped = map_motions([motion_of([tilted] * 40)])[0]
    turns = mapped.rotmats[:, JOINT["left_hip"]] @ mapped.rotmats[:, JOINT["left_knee"]] @ mapped.rotmats[:, JOINT["left_ankle"]]
    assert abs(turns[0, 1, 2]) < 1e-6  # the sole's front neither rises nor falls


def test_feet_of_an_assumed_skeleton_have_the_usual_pitch():
    tilted = {"lfoot": (5, 0), "rfoot": (5, 0), "lfemur": (0, 0, -20), "rfemur": (0, 0, 20)}
    mapped = map_motions([motion_of([tilted] * 40)], assumed=True)[0]
    foot = mapped.skeleton.offsets[JOINT["left_foot"]]
    assert np.isclose(np.degrees(np.arctan2(-foot[1], foot[2])), 17)
    assert abs(global_rotmats(mapped.rotmats, SMPL_PARENTS)[0, JOINT["left_ankle"], 1, 2]) < 1e-6


def test_forearm_twist_goes_half_to_elbow_and_half_to_wrist():
    still, twisted = (map_motions([motion_of([frame])])[0].rotmats[0] for frame in ({}, {"lwrist": (60,)}))
    for joint in ("left_elbow", "left_wrist"):
        assert np.isclose(np.degrees(angle_between_rotmats(still[JOINT[joint]], twisted[JOINT[joint]])), 30)


def write_bvh(path, motion):
    """The library's BVH of a motion: a T-pose, then its frames; the bones `thorax` and `wrist` have no length."""
    order: list[str] = []

    def joint_lines(bone, depth):
        order.append(bone)
        parent = BONE_PARENTS.get(bone, "")
        lost = parent[1:] == "wrist" or parent in ("root", "thorax", "")
        offset = np.zeros(3) if lost else motion.offsets[parent] / METRES
        channels = "6 Xposition Yposition Zposition" if not parent else "3"
        lines = [f"{'JOINT' if depth else 'ROOT'} {JOINT_OF_BONE[bone]}", "{", "OFFSET " + " ".join(map(repr, map(float, offset)))]
        lines.append(f"CHANNELS {channels} Zrotation Yrotation Xrotation")
        children = [child for child, above in BONE_PARENTS.items() if above == bone]
        for child in children:
            lines += joint_lines(child, depth + 1)
        if not children:
            lines += ["End Site", "{", "OFFSET " + " ".join(map(repr, map(float, motion.offsets[bone] / METRES))), "}"]
        return [*lines, "}"]

    lines = ["HIERARCHY", *joint_lines("root", 0), "MOTION", f"Frames: {len(motion.root) + 1}", "Frame Time: 0.0333333"]
    lines.append(" ".join(["0"] * (3 + 3 * len(order))))
    for frame in range(len(motion.root)):
        values = list(motion.root[frame] / METRES)
        for bone in order:
            turns = motion.rotmats[bone][frame]
            local = motion.rotmats[BONE_PARENTS[bone]][frame].T @ turns if bone in BONE_PARENTS else turns
            y = -np.arcsin(local[2, 0])
            values += list(np.degrees([np.arctan2(local[1, 0], local[0, 0]), y, np.arctan2(local[2, 1], local[2, 2])]))
        lines.append(" ".join(map(repr, map(float, values))))
    path.write_bytes(lzma.compress("\n".join(lines).encode()))


def test_bvh_gives_the_motion_of_amc(tmp_path):
    motion = motion_of(random_frames(6))
    write_bvh(tmp_path / "x.bvh.xz", motion)
    check_same_motion(read_packed_bvh(tmp_path / "x.bvh.xz", 30.0), motion)


def check_same_motion(found, motion):
    """The bones of this test's skeleton are such that what the conversion loses is restored exactly."""
    ends = motion.bone_ends()
    for bone, end in found.bone_ends().items():
        assert np.abs(end - ends[bone]).max() < 1e-6, bone  # m
        assert np.abs(found.rotmats[bone] - motion.rotmats[bone]).max() < 1e-6, bone


def test_fbx_gives_the_motion_of_amc():
    """The arrays that Blender's step writes: the rest pose is the T-pose, and bones have axes of their own."""
    motion = motion_of(random_frames(6))
    t_pose = {"lfemur": [0, 0, -21], "rfemur": [0, 0, 21], "lowerneck": [-16, 0, 0], "upperneck": [21, 0, 0], "head": [11, 0, 0],
              "lhumerus": [0, 0, -8], "rhumerus": [0, 0, 8]}  # fmt: skip
    turns, starts = {"root": np.eye(3)}, {"root": np.array([3.0, 12.0, 5.0])}
    for bone, parent in BONE_PARENTS.items():
        turns[bone] = turns[parent] @ rotmat_from_rotvec(np.radians(t_pose.get(bone, [0, 0, 0])))
        length = 0 if parent[1:] == "wrist" or parent in ("root", "thorax") else 1  # the conversion loses these
        starts[bone] = starts[parent] + length * turns[parent] @ motion.offsets.get(parent, np.zeros(3)) / METRES
    own = {bone: rotmat_from_rotvec(np.random.default_rng(number).normal(size=3)) for number, bone in enumerate(turns)}
    first = {bone: turns[bone] @ own[bone] for bone in turns}
    tips = ["head", "ltoes", "rtoes", "lfingers", "rfingers"]
    names = [*(JOINT_OF_BONE[bone] for bone in turns), *(JOINT_OF_BONE[bone] + "_end" for bone in tips)]
    heads = [*starts.values(), *(starts[bone] + turns[bone] @ motion.offsets[bone] / METRES for bone in tips)]
    rotations = [[first[bone], *(motion.rotmats[bone] @ own[bone])] for bone in turns] + [[np.eye(3)] * 7] * len(tips)
    poses = {
        "names": np.array(names),
        "heads": np.array(heads),
        "axes": np.array([frames[0] for frames in rotations]),
        "rotations": np.array(rotations).swapaxes(0, 1),
        "positions": np.tile(np.concatenate([np.zeros((1, 3)), motion.root / METRES])[:, None], (1, len(names), 1)),
    }
    check_same_motion(motion_from_poses(poses, 30.0), motion)


def test_neo_poses_become_the_same_joints():
    """A humanoid whose bones have the axes of Unity's "Neo": its T-pose, turned and bent, gives the joints where they were."""
    up, front, left = np.array([0, 1.0, 0]), np.array([0, 0, 1.0]), np.array([1.0, 0, 0])
    offsets = {
        "Hips": ("", (0, 0.92, 0)), "Spine": ("Hips", (0, 0.1, 0)), "Spine1": ("Spine", (0, 0.17, 0)), "Spine2": ("Spine1", (0, 0.14, 0)),
        "Neck": ("Spine2", (0, 0.19, 0)), "Head": ("Neck", (0, 0.13, 0)),
        **{side + bone: (parent if parent in ("Hips", "Spine2") else side + parent, np.multiply(offset, (sign, 1, 1)))
           for side, sign in (("Left", 1), ("Right", -1)) for bone, parent, offset in (
               ("UpLeg", "Hips", (0.09, -0.04, 0)), ("Leg", "UpLeg", (0, -0.41, 0)), ("Foot", "Leg", (0, -0.44, 0)),
               ("ToeBase", "Foot", (0, -0.03, 0.12)), ("Shoulder", "Spine2", (0.09, 0.13, 0)), ("Arm", "Shoulder", (0.12, 0, 0)),
               ("ForeArm", "Arm", (0.24, 0, 0)), ("Hand", "ForeArm", (0.27, 0, 0)))},
    }  # fmt: skip
    frames, rng = 30, np.random.default_rng(5)
    goals = {bone: rng.normal(0, 0.3, 3) * (bone not in ("LeftToeBase", "RightToeBase")) for bone in offsets}
    turned, at = {"": np.tile(np.eye(3), (frames, 1, 1))}, {"": np.zeros((frames, 3))}
    for bone, (parent, offset) in offsets.items():
        at[bone] = at[parent] + turned[parent] @ np.asarray(offset, float)
        turned[bone] = turned[parent] @ rotmat_from_rotvec(goals[bone] * np.linspace(0, 1, frames)[:, None])
    own = dict.fromkeys(offsets, (up, front, left))
    own |= dict.fromkeys(("LeftUpLeg", "LeftLeg", "LeftFoot", "LeftToeBase"), (-up, -front, left))
    own |= dict.fromkeys(("LeftArm", "LeftForeArm", "LeftHand"), (left, front, -up))
    own |= dict.fromkeys(("RightArm", "RightForeArm", "RightHand"), (left, -front, up))
    rotations = [turned[bone] @ np.stack(own[bone], 1) for bone in offsets]
    names = np.array(["Neo_" + bone for bone in offsets])
    poses = {"names": names, "positions": np.stack([at[bone] for bone in offsets], 1), "rotations": np.stack(rotations, 1), "fps": 30.0}
    assert is_neo(poses) and not is_neo({"names": np.array(["Hips"])})
    mapped = map_neo_poses([poses], 30.0)[0]
    joints, _ = mapped.joints()
    bones = {"left_knee": "LeftLeg", "right_ankle": "RightFoot", "head": "Head", "left_wrist": "LeftHand", "right_elbow": "RightForeArm"}
    for joint, bone in bones.items():
        assert np.abs(joints[:, JOINT[joint]] - at[bone][:-1]).max() < 1e-9, joint  # m
    for side, sign in (("left", 1), ("right", -1)):
        assert np.abs(mapped.skeleton.offsets[JOINT[f"{side}_wrist"]] - [sign * 0.27, 0, 0]).max() < 1e-9  # m
        assert np.abs(mapped.skeleton.offsets[JOINT[f"{side}_ankle"]] - [0, -0.44, 0]).max() < 1e-9  # m
        still = global_rotmats(mapped.rotmats[0], SMPL_PARENTS)
        for joint in ("hip", "knee", "shoulder", "elbow", "wrist"):
            assert np.abs(still[JOINT[f"{side}_{joint}"]] - np.eye(3)).max() < 1e-9, joint
        forearm, hand = (turned[side.title() + bone][:-1] for bone in ("ForeArm", "Hand"))
        twist = twist_angle(transpose(forearm) @ hand, left)
        assert np.abs(twist_angle(mapped.rotmats[:, JOINT[f"{side}_wrist"]], left) - twist / 2).max() < 1e-9  # rad
    with pytest.raises(ValueError, match="frame rates"):
        map_neo_poses([poses | {"fps": 24.0}], 30.0)


def test_resampling_keeps_every_fourth_frame_or_interpolates():
    motion = motion_of(random_frames(25), fps=120.0)
    fewer = motion.resampled(30.0)
    assert np.array_equal(fewer.root, motion.root[::4]) and np.array_equal(fewer.rotmats["head"], motion.rotmats["head"][::4])
    film = CmuMotion(motion.offsets, motion.root, motion.rotmats, 24.0).resampled(30.0)
    assert len(film.root) == 31 and np.abs(film.root[-1] - motion.root[-1]).max() < 1e-9  # 1 s
    assert np.abs(film.rotmats["lfemur"][5] - motion.rotmats["lfemur"][4]).max() < 1e-9
    assert np.abs(film.rotmats["lfemur"] @ transpose(film.rotmats["lfemur"]) - np.eye(3)).max() < 1e-9


def test_glitches_are_not_valid():
    """A frame with a raised arm, one where the pelvis is 0.5 m off, one with a turned head; the steady motion around them is valid."""
    frames = random_frames(60, size=10.0)
    frames[20] = frames[20] | {"lhumerus": (120, 0, 60)}
    frames[52] = frames[52] | {"head": (0, 130, 0)}
    mapped = map_motions([motion_of(frames)])[0]
    mapped.trans[40, 0] += 0.5
    valid = valid_frames(mapped, 30.0)
    assert not valid[20] and not valid[40] and not valid[52]
    assert valid[:17].all() and valid[24:37].all() and valid[44:49].all() and valid[56:].all()


def test_floor_far_from_zero_is_found():
    mapped = map_motions([motion_of([{}] * 10)])[0]
    sole = mapped.joints()[0][0, [JOINT["left_foot"], JOINT["right_foot"]], 1].min()
    at_zero = mapped.lowered(sole - 0.03)
    assert floor_height(at_zero) == 0
    assert abs(floor_height(at_zero.lowered(0.5)) + 0.5) < 0.06  # m


def test_assumed_skeleton_stands_on_the_floor(tmp_path):
    """Of a giant and one of nearly the right size, the latter is taken and scaled."""
    (tmp_path / "giant.asf").write_text(write_asf(2.0).replace("length 6.8", "length 12"))  # long clavicles
    (tmp_path / "other.asf").write_text(write_asf(0.95))
    standing = motion_of([{"lfemur": (0, 0, -20), "rfemur": (0, 0, 20)}])
    height = -(standing.bone_ends()["lfoot"][0, 1] - standing.root[0, 1]) / METRES  # of the pelvis above the toe base, file units
    values = read_amc(write_amc([{"root": (0, height + 0.035 / METRES, 0, 0, 0, 0), "lfemur": (0, 0, -20), "rfemur": (0, 0, 20)}]))
    skeleton = assume_skeleton([values], [tmp_path / "giant.asf", tmp_path / "other.asf"])
    assert abs(np.linalg.norm(skeleton.bones["lfemur"].offset) - 7.2 * METRES) < 1e-6  # m
    assert abs(np.linalg.norm(skeleton.bones["lclavicle"].offset) - 3.4 * METRES) < 1e-6  # m


def test_skeleton_file_of_a_motion(tmp_path):
    for name in ("1.asf", "14.asf.xz", "9.asf"):
        (tmp_path / name).touch()
    found = find_asf(tmp_path / "14_02.amc.xz")
    assert found is not None and found.name == "14.asf.xz"
    assert find_asf(tmp_path / "27_01.amc") is None


@pytest.fixture
def mocap(tmp_path):
    """A folder whose raw/ has clips of a new performer, of two test performers, and of an unknown one who is a test performer."""
    rows = ["source_repo\tpath\tsubject_trial\tframes_in_source\tfps\tseconds\tformat\tlicence\tlabel\tnote\tkept_file"]
    stand = {"lfemur": (0, 0, -20), "rfemur": (0, 0, 20)}
    for name, scale in {"77_01": 1.0, "77_02": 1.0, "13_05": 1.1, "02_09": 1.05, "unkQ_walk": 1.05, "unkA_dance": 1.1}.items():
        subject = name.split("_")[0]
        folder = tmp_path / "raw" / subject
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{subject}.asf.xz").write_bytes(lzma.compress(write_asf(scale).encode()))
        frames = [frame | stand for frame in random_frames(20, size=5.0)]
        (folder / f"{name}.amc.xz").write_bytes(lzma.compress(write_amc(frames).encode()))
        kept = "AMC (kept: every 4th frame, lines unchanged)"
        rows.append(f"someone/files\t{name}.amc\t{name}\t80\t120\t0.67\t{kept}\tfree\twalk | Subject\texact\t{subject}/{name}.amc.xz")
    (tmp_path / "raw" / "SOURCES.tsv").write_text("\n".join(rows))
    lengths = map_motions([pose_skeleton(read_asf(write_asf(1.05)), read_amc(write_amc([{}])), 30.0)])[0].skeleton
    np.savez(
        tmp_path / "cmu_smpl24_A.npz", quat=np.zeros((2, 24, 4), np.int16), trans=np.zeros((2, 3), np.float32), valid=np.ones(2, bool),
        clip_start=[0, 1, 2], clip_name=["02_01", "77_02"], clip_subject=["02", "77"], clip_text=["", ""], clip_skeleton=[0, 0],
        skel_offsets=lengths.offsets[None], skel_extra=lengths.extra[None],
    )  # fmt: skip
    return tmp_path


def test_folder_is_converted_without_test_performers_and_duplicates(mocap, capsys):
    convert_folder(mocap / "raw", mocap / "out", None)
    recordings = read_recordings(mocap / "out")
    assert [(one.name, one.subject, one.text) for one in recordings] == [("77_01", "77", "walk")]
    said = capsys.readouterr().out
    assert "unkA_dance (unkA_dance.amc.xz): edited by hand" in said
    assert "13_05" in said and "02_09" in said and "there already" in said
    assert "all of unkQ: the skeleton is that of test performer 02" in said
    frames = [frame | {"lfemur": (0, 0, -20), "rfemur": (0, 0, 20)} for frame in random_frames(20, size=5.0)]
    joints = map_motions([motion_of(frames)])[0].joints()[0]
    rotmats, found = rotmats_from_quats(recordings[0].quats), recordings[0]
    offsets = np.tile(found.offsets, (20, 1, 1))
    position, turn = [found.trans], [rotmats[:, 0]]
    for joint in range(1, len(SMPL_JOINTS)):
        parent = SMPL_PARENTS[joint]
        position.append(position[parent] + (turn[parent] @ offsets[:, joint, :, None])[..., 0])
        turn.append(turn[parent] @ rotmats[:, joint])
    apart = np.stack(position, 1) - joints
    assert np.abs(apart - apart[:, :1]).max() < 3e-4  # m: rounded quaternions; the floor may differ
    assert len(read_clips(mocap / "out")) == 1
