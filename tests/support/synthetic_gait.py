"""Made-up people who walk, squat, jump and stand: joints, rotations and contacts known exactly; and cameras to see them by.

World: metres, z up, floor z = 0. Everything is a function of time, so any frame rate, even or not, films the same motion.
"""

from dataclasses import dataclass

import numpy as np

from blender_meshrec.core.cameras import default_intrinsics, project, rigid_transform, transform_points
from blender_meshrec.core.conventions import WORLD_FROM_BODY, WORLD_FROM_LEVEL_CAMERA
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import SMPL_JOINTS, SMPL_PARENTS, h36m17_weights_from_names
from tests.support.synthetic_template import REST

# Points fixed to a foot, from its ankle, y up: heel and toe on the sole; and the head's, from the head joint.
HEEL, TOE = np.array([0, -0.08, -0.05]), np.array([0, -0.08, 0.17])
NOSE, HEAD_TOP = np.array([0, 0.02, 0.1]), np.array([0, 0.17, 0.02])
LEGS = ((1, 4, 7, 10), (2, 5, 8, 11))
ANKLE_TO_WEIGHT = 0.045  # m; who stands has their weight before their ankles, over the middle of their feet
STEP, CADENCE, STANCE = 0.62, 1.8, 0.62  # m a step, steps a second, share of a stride a foot stands


@dataclass
class Walker:
    """A motion's truth: rotmats (F,24,3,3), the root's in the world; pelvis (F,3); points (F,4,3) and contacts (F,4) of heels and toes."""

    times: np.ndarray
    rotmats: np.ndarray
    pelvis: np.ndarray
    joints: np.ndarray
    h36m17: np.ndarray
    points: np.ndarray
    contacts: np.ndarray


def walk(times, turn=0.0):
    """Along the direction `turn` rad off -y: heel and toe down, then rolling off over the toe, then a swing."""
    times = np.asarray(times, float)
    stride = 2 / CADENCE
    feet, contacts = [], []
    for side, late in ((0.09, 0.0), (-0.09, 0.5)):
        phase = times / stride + late
        cycle, phase = np.floor(phase), phase % 1.0
        print_at = (cycle - late) * 2 * STEP + 0.32
        swing = np.clip((phase - STANCE) / (1 - STANCE), 0, 1)
        glide = swing**3 * (10 - 15 * swing + 6 * swing**2)
        lift = np.where(phase < 0.42, 0, np.clip((phase - 0.42) / (STANCE - 0.42), 0, 1)) ** 2 * 0.5
        pitch = np.where(swing > 0, 0.5 * (1 - glide), lift)
        forward = print_at + 2 * STEP * glide
        height = 0.12 * (4 * swing * (1 - swing)) ** 2
        toe = np.stack([np.full_like(times, side), -(forward + TOE[2]), height], -1)
        feet.append((toe, pitch))
        contacts += [phase < 0.42, phase < STANCE]
    along = times * STEP * CADENCE
    bounce = 0.845 + 0.012 * np.cos(2 * np.pi * times * CADENCE)
    pelvis = np.stack([0.01 * np.sin(np.pi * times * CADENCE), -along, bounce], -1)
    arms = 0.5 * np.sin(np.pi * CADENCE * times)
    return _pose(times, pelvis, feet, np.stack(contacts, -1), lean=np.full_like(times, 0.04), arms=arms, turn=turn)


def squat(times, period=2.5, depth=0.35, ahead=0.0):
    """Down and up on the spot, the torso leaning forward; feet flat throughout. ahead: m that the hips are before the ankles at first."""
    times = np.asarray(times, float)
    down = 0.5 - 0.5 * np.cos(2 * np.pi * times / period)
    pelvis = np.stack([0 * times, 0.1 * down - ahead, 0.92 - depth * down], -1)
    return _pose(times, pelvis, _standing(times), np.ones((len(times), 4)), lean=0.6 * down, arms=-1.2 * down)


def stand(times):
    """Still, but for breathing and a little sway."""
    times = np.asarray(times, float)
    pelvis = np.stack([0.006 * np.sin(1.3 * times), 0.004 * np.cos(0.9 * times) - ANKLE_TO_WEIGHT, 0.925 + 0 * times], -1)
    return _pose(times, pelvis, _standing(times), np.ones((len(times), 4)), lean=0.02 * np.sin(times), arms=0 * times)


def jump(times, at=1.0, height=0.3):
    """A crouch, a flight that begins `at` s and rises by `height` m, a landing, standing."""
    times = np.asarray(times, float)
    speed = np.sqrt(2 * 9.81 * height)
    flight = 2 * speed / 9.81
    since = times - at
    flying = (since > 0) & (since < flight)
    air = np.where(flying, speed * since - 9.81 / 2 * since**2, 0)
    dip = 0.25 * np.where(since <= 0, np.exp(-(((since + 0.3) / 0.14) ** 2)), np.exp(-(((since - flight - 0.25) / 0.14) ** 2)))
    dip = np.where(flying, 0, dip)
    pelvis = np.stack([0 * times, 0 * times, 0.92 - dip + air], -1)
    feet = [(toe + air[:, None] * [0, 0, 1], pitch) for toe, pitch in _standing(times)]
    return _pose(times, pelvis, feet, np.repeat(~flying[:, None], 4, 1), lean=1.2 * dip, arms=-3 * dip)


def _standing(times):
    return [(np.tile([x, -TOE[2], 0.0], (len(times), 1)), np.zeros(len(times))) for x in (0.1, -0.1)]


def _pose(times, pelvis, feet, contacts, lean, arms, turn=0.0):
    """Solve the legs for pelvis (F,3) and feet (toe (F,3), pitch (F,) rad) of somebody who faces -y; then turn it all."""
    frames = len(times)
    turn_rotmat = rotmat_from_rotvec([0, 0, turn])
    world = np.tile(np.eye(3), (frames, 24, 1, 1))  # global rotations
    world[:] = WORLD_FROM_BODY @ _about_x(lean)[:, None]
    world[:, 0] = WORLD_FROM_BODY @ _about_x(0.3 * lean)
    for collar, sign in ((13, 1), (14, -1)):  # arms hang by the sides and swing
        for joint in (16, 18, 20, 22):
            j = joint + (collar == 14)
            hang = rotmat_from_rotvec([0, 0, -sign * 1.3])
            world[:, j] = WORLD_FROM_BODY @ _about_x(sign * arms) @ hang
    offsets = REST - REST[np.maximum(SMPL_PARENTS, 0)]
    points = []
    for (hip, knee, ankle, foot), (toe, pitch) in zip(LEGS, feet):
        world[:, ankle] = world[:, foot] = WORLD_FROM_BODY @ _about_x(pitch)
        ankle_at = toe - world[:, ankle] @ TOE
        hip_at = pelvis + world[:, 0] @ offsets[hip]
        world[:, hip], world[:, knee] = _two_bones(hip_at, ankle_at, offsets[knee], offsets[ankle])
        points += [ankle_at + world[:, ankle] @ HEEL, toe]
    world, pelvis, points = turn_rotmat @ world, pelvis @ turn_rotmat.T, np.stack(points, 1) @ turn_rotmat.T
    joints = np.empty((frames, 24, 3))
    rotmats = world.copy()
    for joint, parent in enumerate(SMPL_PARENTS):
        joints[:, joint] = pelvis if parent < 0 else joints[:, parent] + world[:, parent] @ offsets[joint]
        if parent >= 0:
            rotmats[:, joint] = np.swapaxes(world[:, parent], -1, -2) @ world[:, joint]
    face = joints[:, 15, None] + np.stack([world[:, 15] @ NOSE, world[:, 15] @ HEAD_TOP], 1)
    h36m17 = h36m17_weights_from_names((*SMPL_JOINTS, "nose", "head_top")) @ np.concatenate([joints, face], 1)
    return Walker(times, rotmats, pelvis, joints, h36m17, points, contacts.astype(float))


def _two_bones(hip, ankle, thigh, shin):
    """Global rotations of thigh and shin that bring the ankle to its place, the knee forward (towards -y)."""
    reach = ankle - hip
    a, b = np.linalg.norm(thigh), np.linalg.norm(shin)
    distance = np.linalg.norm(reach, axis=-1, keepdims=True)
    assert (distance < a + b).all(), "a walker's leg does not reach"
    down = reach / distance
    side = np.cross([0.0, -1.0, 0.0], down)  # the hinge: body +x when the leg points down
    side /= np.linalg.norm(side, axis=-1, keepdims=True)
    front = np.cross(side, -down)
    cosine = (distance**2 + a * a - b * b) / (2 * a * distance)
    knee = hip + a * (cosine * down + np.sqrt(1 - cosine**2) * front)
    return _frames(knee - hip, side) @ _frames(thigh, [1, 0, 0]).T, _frames(ankle - knee, side) @ _frames(shin, [1, 0, 0]).T


def _frames(along, hinge):
    along = along / np.linalg.norm(along, axis=-1, keepdims=True)
    third = np.cross(along, hinge)
    third /= np.linalg.norm(third, axis=-1, keepdims=True)
    return np.stack([along, np.cross(third, along), third], -1)


def _about_x(angle):
    return rotmat_from_rotvec(np.stack([angle, 0 * angle, 0 * angle], -1))


@dataclass
class View:
    """A camera on a tripod: camera_from_world (4,4), intrinsics (3,3) px, size px."""

    camera_from_world: np.ndarray
    intrinsics: np.ndarray
    size: tuple

    def joints(self, points):
        """From the world into camera axes."""
        return transform_points(self.camera_from_world, points)

    def keypoints(self, points, confidence=1.0):
        """(F,K,3) px and confidence of points (F,K,3) m in the world."""
        pixels = project(self.joints(points), self.intrinsics)
        return np.concatenate([pixels, np.full((*pixels.shape[:-1], 1), confidence)], -1)


def make_view(distance=4.5, height=1.3, pitch=0.0, roll=0.0, look_at=(0.0, 0.0, 0.9), bearing=0.0, size=(1280, 720), aim=True):
    """A camera `distance` m from `look_at`, in the direction -y turned by `bearing`.

    pitch > 0 looks down, roll > 0 is turned clockwise seen from behind. aim: move the camera up or down so that look_at
    stays in the picture's middle row, in spite of the pitch.
    """
    turn = rotmat_from_rotvec([0, 0, bearing])
    centre = np.array(look_at) + turn @ [0, -distance, 0]
    centre[2] = look_at[2] + distance * np.tan(pitch) if aim else height
    world_from_camera = turn @ WORLD_FROM_LEVEL_CAMERA @ _rotation(-pitch, 0) @ _rotation(roll, 2)
    return View(rigid_transform(world_from_camera.T, -world_from_camera.T @ centre), default_intrinsics(size), size)


def _rotation(angle, axis):
    return rotmat_from_rotvec(angle * np.eye(3)[axis])
