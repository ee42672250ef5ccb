"""BVH files: their text, channels of the joints that move, angles, and the length of what is written."""

import dataclasses

import numpy as np
import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files import bvh
from blender_meshrec.core.files.bvh import euler_zxy_from_rotmat, write_bvh
from blender_meshrec.core.motion import forward_kinematics
from blender_meshrec.core.records import Motion
from blender_meshrec.core.rotations import quat_from_rotmat, rotmat_from_rotvec

QUARTER = np.sqrt(0.5)
TEXT = """HIERARCHY
ROOT pelvis
{
  OFFSET 0.000000 0.000000 0.000000
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT spine
  {
    OFFSET 0.000000 0.500000 0.000000
    CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT head
    {
      OFFSET 0.000000 0.250000 0.125000
      CHANNELS 3 Zrotation Xrotation Yrotation
      End Site
      {
        OFFSET %s
      }
    }
  }
  JOINT leg
  {
    OFFSET 0.100000 -0.400000 0.000000
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET %s
    }
  }
}
MOTION
Frames: 3
Frame Time: 0.040000000
"""


def make_motion(frames=3, fps=25.0, **changes):
    """Pelvis, spine, leg and head, z up, facing -y; the pelvis moves 1 m a second to the left and the spine turns about the up axis."""
    rotations = np.tile([1.0, 0, 0, 0], (frames, 4, 1))
    rotations[1:, 1] = QUARTER, 0, 0, QUARTER
    values = dict(
        skeleton="smpl",
        joint_names=("pelvis", "spine", "leg", "head"),
        parents=np.array([-1, 0, 0, 1]),
        rest_joints=np.array([[0, 0, 1.0], [0, 0, 1.5], [0.1, 0, 0.6], [0, -0.125, 1.75]]),
        rotations=rotations,
        transl=np.arange(frames)[:, None] / fps * [1.0, 0, 0] + [0, 0, 1.0],
        fps=fps,
        timestamps=np.arange(frames) / fps,
        contacts=np.zeros((frames, 4)),
    )
    return Motion(**{**values, **changes})


def write(tmp_path, motion):
    write_bvh(tmp_path / "a.bvh", motion)
    return (tmp_path / "a.bvh").read_bytes().decode("ascii")


def test_the_text_of_a_file(tmp_path):
    """Joints depth first, y up and facing +z, ends where the bones' tails are, and one row of numbers a frame."""
    motion = make_motion()
    tails = bvh.bone_tails(motion) - motion.rest_joints
    ends = [" ".join(f"{value + 0.0:.6f}" for value in (tails[joint][0], tails[joint][2], -tails[joint][1])) for joint in (3, 2)]
    head, rows = write(tmp_path, motion).split("0.040000000\n")
    assert (head + "0.040000000\n").replace("-0.000000", "0.000000") == (TEXT % tuple(ends)).replace("-0.000000", "0.000000")
    lines = [[float(word) for word in line.split()] for line in rows.removesuffix("\n").split("\n")]
    assert all(len(word.partition(".")[2]) == 6 for word in rows.split())
    for frame, line in enumerate(lines):
        turn = [0, 0, 90.0 if frame else 0]
        assert line == pytest.approx([0.04 * frame, 1, 0, 0, 0, 0, *turn, *[0] * 6], abs=1e-6)  # m and degrees
    assert len(lines) == 3


@pytest.mark.parametrize("moved, is_moving", [(0.0, False), (0.9e-5, False), (1.2e-5, True), (-0.1, True)])
def test_joints_that_move_from_their_parents_have_positions(tmp_path, moved, is_moving):
    motion = make_motion(rotations=np.tile([1.0, 0, 0, 0], (3, 4, 1)))
    joints = forward_kinematics(motion)[0].copy()
    along = motion.rest_joints[2] - motion.rest_joints[0]
    joints[1, 2] += moved * along / np.abs(along).max()  # along the leg, which then turns nothing
    lines = write(tmp_path, dataclasses.replace(motion, joints=joints)).splitlines()
    channels = [line.split()[1] for line in lines if "CHANNELS" in line]
    assert channels == ["6", "3", "3", "6" if is_moving else "3"]
    if is_moving:
        rows = np.array([[float(word) for word in line.split()] for line in lines[lines.index("MOTION") + 3 :]])
        np.testing.assert_allclose(rows[:, 12:14], [[0.1, -0.4], [0.1 + moved / 4, -0.4 - moved], [0.1, -0.4]], atol=1e-6)  # m


@pytest.mark.parametrize("first, second", [(np.pi / 2, 0.4), (-np.pi / 2, 0.4), (0.3, -0.8), (-1.5, 3.0)])
def test_angles_turn_back_to_their_rotation(first, second):
    turn = lambda *vector: rotmat_from_rotvec(np.array(vector, float))  # noqa: E731
    rotmat = turn(0, 0, 1.2) @ turn(first, 0, 0) @ turn(0, second, 0)
    a, b, c = euler_zxy_from_rotmat(rotmat)
    np.testing.assert_allclose(turn(0, 0, a) @ turn(b, 0, 0) @ turn(0, c, 0), rotmat, atol=1e-7)
    assert b == pytest.approx(first, abs=1e-7)
    if abs(first) == np.pi / 2:
        assert c == 0.0
        return
    assert (a, c) == pytest.approx((1.2, second))
    nearly = turn(0, 0, 1.2) @ turn(np.pi / 2 - 1e-5, 0, 0) @ turn(0, 0.4, 0)
    assert euler_zxy_from_rotmat(nearly)[2] == pytest.approx(0.4, abs=1e-3)  # not yet locked


@pytest.mark.parametrize("sine", [1 + 1e-15, -1 - 1e-15])
def test_rounding_beyond_a_right_angle_is_a_right_angle(sine):
    rotmat = np.array([[1.0, 0, 0], [0, 0, -sine], [0, sine, 0]])
    np.testing.assert_allclose(euler_zxy_from_rotmat(rotmat), [0, np.sign(sine) * np.pi / 2, 0], atol=1e-7)


def test_turns_go_on_beyond_half_a_turn(tmp_path):
    """From frame to frame no angle jumps by a whole turn."""
    turns = rotmat_from_rotvec(np.linspace(0, 9.0, 40)[:, None] * [0, 0, 1.0])
    rotations = np.tile([1.0, 0, 0, 0], (40, 4, 1))
    rotations[:, 1] = quat_from_rotmat(turns)
    rows = write(tmp_path, make_motion(40, rotations=rotations)).partition("Frame Time: 0.040000000\n")[2].splitlines()
    angles = np.array([float(row.split()[8]) for row in rows])
    np.testing.assert_allclose(angles, np.degrees(np.linspace(0, 9.0, 40)), atol=1e-5)


def test_a_variable_rate_is_written_at_the_nominal_one(tmp_path):
    times = np.array([0, 0.04, 0.1, 0.2])
    motion = make_motion(4, timestamps=times, transl=times[:, None] * [1.0, 0, 0])
    text = write(tmp_path, motion)
    assert "Frames: 6\n" in text
    rows = text.partition("Frame Time: 0.040000000\n")[2].splitlines()
    assert [float(row.split()[0]) for row in rows] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16, 0.2], abs=1e-6)  # m
    for last, count in ((0.07998, 3), (0.0799, 2)):  # the last frame is there in spite of a clock that rounds
        assert f"Frames: {count}\n" in write(tmp_path, make_motion(3, timestamps=np.array([0, 0.04, last])))


def test_a_motion_spans_as_many_frames_as_a_file_may_have(tmp_path, monkeypatch):
    assert bvh._MAX_RESAMPLED_FRAMES == 200_000
    monkeypatch.setattr(bvh, "_MAX_RESAMPLED_FRAMES", 40)
    for last, is_written in ((29, True), (39, True), (40, False)):
        motion = make_motion(4, timestamps=np.array([0, 1, 2, last]) / 25)
        if is_written:
            assert f"Frames: {last + 1}\n" in write(tmp_path, motion)
            continue
        with pytest.raises(InputError) as caught:
            write(tmp_path, motion)
        assert caught.value.name == "bvh-motion-too-long" and caught.value.problem.values == {"count": last + 1, "limit": 40}
    monkeypatch.setattr(bvh, "_MAX_RESAMPLED_FRAMES", 4)
    assert "Frames: 40\n" in write(tmp_path, make_motion(4, timestamps=np.array([0, 1, 2, 39]) / 25))  # ten times its own
