"""Corrections in the solve: a clip whose keypoints are wrong for a while is mended by them, and stays as it was elsewhere."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.pipeline import recover
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.cameras import project, transform_points
from blender_meshrec.core.corrections import BadRange, ContactSpan, Corrections, PersonCorrections, Pin
from blender_meshrec.core.files.corrections import write_corrections
from blender_meshrec.core.files.motion_npz import read_motion, write_motion
from blender_meshrec.core.foot_planting.leg_kinematics import pose_legs, soles_from_template
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import H36M17, SMPL_JOINTS
from tests.support import synthetic_gait

TIMES = np.arange(90) / 30
VIEW = synthetic_gait.make_view(distance=5, pitch=0.15, bearing=0.3)
FOCAL = f"{VIEW.intrinsics[0, 0]}px"
WRONG = slice(40, 55)  # frames in which the detector sees the left arm elsewhere
ARM = ("left_shoulder", "left_elbow", "left_wrist")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("clip")


@pytest.fixture(scope="module")
def walk():
    return synthetic_gait.walk(TIMES)


@pytest.fixture(scope="module")
def clip(folder, walk):
    """Keypoints of a walk; in some frames the left arm is seen straight up."""
    keypoints = VIEW.keypoints(walk.h36m17)
    raised = walk.h36m17.copy()
    shoulder = raised[:, H36M17.index("left_shoulder")]
    for name, length in (("left_elbow", 0.28), ("left_wrist", 0.53)):
        raised[:, H36M17.index(name)] = shoulder + [0.02, 0.02, length]
    keypoints[WRONG] = VIEW.keypoints(raised)[WRONG]
    np.savez(folder / "walk.npz", keypoints=keypoints, keypoint_set="h36m17", image_size=VIEW.size, fps=30.0)
    return folder / "walk.npz"


@pytest.fixture(scope="module")
def earlier(clip, folder):
    (recovery,) = recover(ReconstructRequest(str(clip), focal=FOCAL)).recoveries
    write_motion(folder / "earlier.npz", recovery)
    return recovery


def pixel_of(walk, joint, frame):
    """Where a joint truly is in the picture."""
    return tuple(VIEW.keypoints(walk.h36m17)[frame, H36M17.index(joint), :2].tolist())


def pins(walk):
    return tuple(pin for frame in (42, 47, 52) for pin in pins_at(walk, frame))


def pins_at(walk, frame):
    return tuple(Pin(frame, joint, pixel_of(walk, joint, frame)) for joint in ("left_elbow", "left_wrist"))


def solve(clip, earlier, folder, name, person):
    write_corrections(folder / f"{name}.corrections.json", Corrections("walk.npz", (person,)))
    betas = folder / "earlier.npz"
    request = ReconstructRequest(str(clip), focal=FOCAL, corrections=str(folder / f"{name}.corrections.json"), betas=(str(betas),))
    return recover(request).recoveries[0]


def image_error(recovery, walk, joints=ARM[1:]):
    """The distance px of joints from where they truly are in the picture, (F,N)."""
    seen = transform_points(recovery.camera_from_world, recovery.joints[:, [SMPL_JOINTS.index(joint) for joint in joints]].astype(float))
    truth = VIEW.keypoints(walk.h36m17)[:, [H36M17.index(joint) for joint in joints], :2]
    return np.linalg.norm(project(seen, recovery.camera_intrinsics) - truth, axis=-1)


@pytest.fixture(scope="module")
def mended(clip, earlier, folder, walk):
    person = PersonCorrections(1, (BadRange(WRONG.start, WRONG.stop - 1, "left_arm"),), pins(walk), (), "earlier.npz")
    return solve(clip, earlier, folder, "arm", person)


def test_the_detector_has_put_the_arm_elsewhere(earlier, walk):
    assert image_error(earlier, walk)[WRONG].mean() > 60 > 25 > image_error(earlier, walk)[:30].mean()


def test_a_dragged_arm_is_where_it_was_dragged_and_between(mended, walk):
    error = image_error(mended, walk)
    assert error[[42, 47, 52]].max() < 5  # px of a person 300 px high
    assert error[WRONG].max() < 30


def test_the_rest_of_the_clip_stays(mended, earlier):
    """Exactly, but for the quarter of a second around the pins in which the motion joins."""
    far = np.r_[0:28, 67:90]
    moved = np.linalg.norm(mended.joints - earlier.joints, axis=-1)
    assert moved[far].max() < 1e-4  # m
    legs = [SMPL_JOINTS.index(name) for name in ("left_ankle", "right_ankle", "left_knee", "right_knee")]
    assert moved[:, legs].max() < 0.03
    np.testing.assert_array_equal(mended.contacts[far], earlier.contacts[far])
    np.testing.assert_allclose(mended.camera_from_world, earlier.camera_from_world, atol=1e-9)


def test_the_motion_joins_without_a_jump(mended, earlier):
    speed = np.linalg.norm(np.diff(mended.joints, axis=0), axis=-1).max(1)
    usual = np.linalg.norm(np.diff(earlier.joints[:30], axis=0), axis=-1).max()
    assert speed.max() < 2.5 * usual


def test_a_new_reconstruction_takes_the_corrections(clip, earlier, folder, walk):
    """Without the earlier result: the whole clip is solved, and the arm is where it was dragged."""
    person = PersonCorrections(1, (BadRange(WRONG.start, WRONG.stop - 1, "left_arm"),), pins(walk))
    recovery = solve(clip, earlier, folder, "anew", person)
    assert image_error(recovery, walk)[[42, 47, 52]].max() < 5 and image_error(recovery, walk)[WRONG].max() < 30


def test_pins_alone_mend_the_frames_between_them(clip, earlier, folder, walk):
    """The start's raised arm is the detector's mistake: nothing of it stays between the pins, with contacts or without."""
    toe = earlier.contacts[:, 1] > 0.5
    end = next(row for row in range(12, 80) if toe[row - 1] and not toe[row])
    for name, spans in (("pins", ()), ("pins-and-toe", (ContactSpan(end, end + 1, "left_toe", True),))):
        person = PersonCorrections(1, (), pins_at(walk, 40) + pins_at(walk, 47) + pins_at(walk, 54), spans, "earlier.npz")
        assert image_error(solve(clip, earlier, folder, name, person), walk)[WRONG].max() < 15


def test_a_small_correction_keeps_the_motion_around_it(clip, earlier, folder):
    """A wrist dragged by 4 px in one frame: the arm swings on around it as it did."""
    joint = SMPL_JOINTS.index("right_wrist")
    seen = project(transform_points(earlier.camera_from_world[20], earlier.joints[20, [joint]].astype(float)), earlier.camera_intrinsics)[0]
    pin = Pin(20, "right_wrist", tuple((seen + [4.0, 0.0]).tolist()))
    recovery = solve(clip, earlier, folder, "nudge", PersonCorrections(1, (), (pin,), (), "earlier.npz"))
    moved = np.linalg.norm(recovery.joints - earlier.joints, axis=-1)[:, joint]
    assert moved[20] > 0.005 and moved.max() < 0.05  # m


def test_a_posed_arm_counts_in_depth_too(clip, earlier, folder):
    """An arm that was posed 20 degrees farther forward in one frame is there: within 3 cm, of 10 and more."""
    joints = [SMPL_JOINTS.index(name) for name in ("right_elbow", "right_wrist")]
    shoulder = earlier.joints[20, SMPL_JOINTS.index("right_shoulder")].astype(float)
    turn = rotmat_from_rotvec([0.35, 0.0, 0.0])
    posed = shoulder + (earlier.joints[20, joints].astype(float) - shoulder) @ turn.T
    seen = transform_points(earlier.camera_from_world[20], posed)
    pixels = project(seen, earlier.camera_intrinsics)
    entries = tuple(
        Pin(20, SMPL_JOINTS[joint], tuple(pixel.tolist()), float(point[2])) for joint, pixel, point in zip(joints, pixels, seen)
    )
    recovery = solve(clip, earlier, folder, "depth", PersonCorrections(1, (), entries, (), "earlier.npz"))
    errors = [np.linalg.norm(found.joints[20, joints] - posed, axis=-1) for found in (earlier, recovery)]
    assert errors[0][1] > 0.1 and errors[1].max() < 0.03


def soles_of(recovery, template):
    """Heels and toes (F,4,3) m on the soles."""
    rest, rotmats = template.rest_joints(recovery.betas), rotmat_from_rotvec(recovery.poses.reshape(len(recovery), -1, 3))
    return pose_legs(rotmats, recovery.trans + rest[0], rest, soles_from_template(template, recovery.betas)).points


def test_contacts_are_set_in_their_ranges_alone(clip, earlier, folder, template):
    """A toe that stays two frames longer, and a heel that does not touch where it was found to."""
    toe, heel = earlier.contacts[:, 1] > 0.5, earlier.contacts[:, 2] > 0.5
    end = next(row for row in range(20, 60) if toe[row - 1] and not toe[row])
    off = next(row for row in range(60, 80) if heel[row : row + 3].all())
    spans = (ContactSpan(end, end + 1, "left_toe", True), ContactSpan(off, off + 2, "right_heel", False))
    recovery = solve(clip, earlier, folder, "contact", PersonCorrections(1, (), (), spans, "earlier.npz"))
    assert (recovery.contacts[end : end + 2, 1] > 0.5).all() and (recovery.contacts[off : off + 3, 2] < 0.5).all()
    far = (np.abs(np.arange(90) - end) > 12) & (np.abs(np.arange(90) - off) > 12)
    assert far.sum() > 20 and np.linalg.norm(recovery.joints - earlier.joints, axis=-1)[far].max() < 1e-4
    toe = [np.ptp(soles_of(found, template)[end - 1 : end + 2, 1], axis=0).max() for found in (earlier, recovery)]
    assert toe[1] < 0.003 < 0.01 < toe[0]


def test_corrections_that_change_nothing_leave_the_result(clip, earlier, folder):
    recovery = solve(clip, earlier, folder, "none", PersonCorrections(1, earlier="earlier.npz"))
    assert np.linalg.norm(recovery.joints - earlier.joints, axis=-1).max() < 1e-4
    assert read_motion(folder / "earlier.npz").free_legs is not None and replace(recovery).free_legs is not None
