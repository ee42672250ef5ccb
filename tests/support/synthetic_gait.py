"""Synthetic performers who walk, squat, jump and stand, with exact joints, rotations and contacts; and cameras that film them.

World: metres, z up, floor z = 0. Motion is a function of time, so every frame rate, uniform or not, samples the same motion.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blender_meshrec.core.array_types import ArrayLike, FloatArray
from blender_meshrec.core.cameras import default_intrinsics, project, rigid_transform, transform_points
from blender_meshrec.core.conventions import WORLD_FROM_BODY, WORLD_FROM_LEVEL_CAMERA
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import SMPL_JOINTS, SMPL_PARENTS, h36m17_weights_from_names
from tests.support.synthetic_template import REST

# Points of the sole, relative to the ankle, and of the head, relative to its joint, m, y up.
HEEL, TOE = np.array([0, -0.08, -0.05]), np.array([0, -0.08, 0.17])
NOSE, HEAD_TOP = np.array([0, 0.02, 0.1]), np.array([0, 0.17, 0.02])
LEGS = ((1, 4, 7, 10), (2, 5, 8, 11))
ANKLE_TO_WEIGHT = 0.045  # m; a standing person's weight is in front of the ankles, over the middle of the feet
STEP, CADENCE, STANCE = 0.62, 1.8, 0.62  # m a step, steps a second, fraction of a stride with the foot on the ground


@dataclass
class Walker:
    """The ground truth of a motion.

    times: (F,) s. rotmats: (F,24,3,3) local, the root's in the world. pelvis: (F,3) m. joints: (F,24,3) m. h36m17: (F,17,3) m.
    points: (F,4,3) m and contacts (F,4) of left heel, left toe, right heel, right toe.
    """

    times: FloatArray
    rotmats: FloatArray
    pelvis: FloatArray
    joints: FloatArray
    h36m17: FloatArray
    points: FloatArray
    contacts: FloatArray


def walk(times: ArrayLike, turn: float = 0.0) -> Walker:
    """Walk in the direction `turn` rad off -y: heel and toe down, a roll over the toe, a swing."""
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


def squat(times: ArrayLike, period: float = 2.5, depth: float = 0.35, ahead: float = 0.0, back: float = 0.1, lean: float = 0.6) -> Walker:
    """Squat in place with flat feet; ahead: initial distance of the hips in front of the ankles; back: by how much they go back, m; and
    lean: how far the torso leans forward, rad, both at the lowest."""
    times = np.asarray(times, float)
    down = 0.5 - 0.5 * np.cos(2 * np.pi * times / period)
    pelvis = np.stack([0 * times, back * down - ahead, 0.92 - depth * down], -1)
    return _pose(times, pelvis, _standing(times), np.ones((len(times), 4)), lean=lean * down, arms=-1.2 * down)


def stand(times: ArrayLike) -> Walker:
    """Stand still, apart from breathing and a little sway."""
    times = np.asarray(times, float)
    pelvis = np.stack([0.006 * np.sin(1.3 * times), 0.004 * np.cos(0.9 * times) - ANKLE_TO_WEIGHT, 0.925 + 0 * times], -1)
    return _pose(times, pelvis, _standing(times), np.ones((len(times), 4)), lean=0.02 * np.sin(times), arms=0 * times)


def jump(times: ArrayLike, at: float = 1.0, height: float = 0.3) -> Walker:
    """Crouch, take off at `at` s, rise by `height` m, land and stand."""
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


def _standing(times: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
    """Toe positions (F,3) m and pitches (F,) rad of both feet standing side by side."""
    return [(np.tile([x, -TOE[2], 0.0], (len(times), 1)), np.zeros(len(times))) for x in (0.1, -0.1)]


def _pose(
    times: FloatArray,
    pelvis: FloatArray,
    feet: list[tuple[FloatArray, FloatArray]],
    contacts: FloatArray,
    lean: FloatArray,
    arms: FloatArray,
    turn: float = 0.0,
) -> Walker:
    """Pose a performer who faces -y by pelvis (F,3) m and feet (toe (F,3) m, pitch (F,) rad); then turn the whole about z."""
    frames = len(times)
    turn_rotmat = rotmat_from_rotvec([0, 0, turn])
    world = np.tile(np.eye(3), (frames, 24, 1, 1))  # global rotations
    world[:] = WORLD_FROM_BODY @ _about_x(lean)[:, None]
    world[:, 0] = WORLD_FROM_BODY @ _about_x(0.3 * lean)
    for collar, sign in ((13, 1), (14, -1)):  # arms hang at the sides and swing
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
        world[:, hip], world[:, knee] = _solve_leg(hip_at, ankle_at, offsets[knee], offsets[ankle])
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


def _solve_leg(hip: FloatArray, ankle: FloatArray, thigh: FloatArray, shin: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Global rotations of thigh and shin with the ankle at its target and the knee forward (towards -y), by the law of cosines."""
    reach = ankle - hip
    a, b = np.linalg.norm(thigh), np.linalg.norm(shin)
    distance = np.linalg.norm(reach, axis=-1, keepdims=True)
    assert (distance < a + b).all(), "a leg is too short for its target"
    down = reach / distance
    side = np.cross([0.0, -1.0, 0.0], down)  # the hinge: body +x when the leg points down
    side /= np.linalg.norm(side, axis=-1, keepdims=True)
    front = np.cross(side, -down)
    cosine = (distance**2 + a * a - b * b) / (2 * a * distance)
    knee = hip + a * (cosine * down + np.sqrt(1 - cosine**2) * front)
    return _frames(knee - hip, side) @ _frames(thigh, [1, 0, 0]).T, _frames(ankle - knee, side) @ _frames(shin, [1, 0, 0]).T


def _frames(along: FloatArray, hinge: ArrayLike) -> FloatArray:
    """Orthonormal axes (...,3,3): columns `along`, `hinge` and their normal, for nearly perpendicular inputs."""
    along = along / np.linalg.norm(along, axis=-1, keepdims=True)
    third = np.cross(along, hinge)
    third /= np.linalg.norm(third, axis=-1, keepdims=True)
    return np.stack([along, np.cross(third, along), third], -1)


def _about_x(angle: FloatArray) -> FloatArray:
    return rotmat_from_rotvec(np.stack([angle, 0 * angle, 0 * angle], -1))


@dataclass
class View:
    """A camera on a tripod: camera_from_world (4,4), intrinsics (3,3) px, size px."""

    camera_from_world: FloatArray
    intrinsics: FloatArray
    size: tuple[int, int]

    def joints(self, points: FloatArray) -> FloatArray:
        """Points (...,3) m of the world in camera axes."""
        return transform_points(self.camera_from_world, points)

    def keypoints(self, points: FloatArray, confidence: float = 1.0) -> FloatArray:
        """Keypoints (F,K,3), px and confidence, of points (F,K,3) m in the world."""
        pixels = project(self.joints(points), self.intrinsics)
        return np.concatenate([pixels, np.full((*pixels.shape[:-1], 1), confidence)], -1)


def make_view(
    distance: float = 4.5,
    height: float = 1.3,
    pitch: float = 0.0,
    roll: float = 0.0,
    look_at: tuple[float, float, float] = (0.0, 0.0, 0.9),
    bearing: float = 0.0,
    size: tuple[int, int] = (1280, 720),
    aim: bool = True,
) -> View:
    """A camera `distance` m from `look_at`, in the direction -y turned by `bearing` rad.

    pitch > 0 looks down, roll > 0 turns clockwise seen from behind, rad. aim: move the camera up or down so that look_at
    is in the image's middle row despite the pitch.
    """
    turn = rotmat_from_rotvec([0, 0, bearing])
    centre = np.array(look_at) + turn @ [0, -distance, 0]
    centre[2] = look_at[2] + distance * np.tan(pitch) if aim else height
    world_from_camera = turn @ WORLD_FROM_LEVEL_CAMERA @ _rotation(-pitch, 0) @ _rotation(roll, 2)
    return View(rigid_transform(world_from_camera.T, -world_from_camera.T @ centre), default_intrinsics(size), size)


def _rotation(angle: float, axis: int) -> FloatArray:
    return rotmat_from_rotvec(angle * np.eye(3)[axis])


def write_keypoints(path: Path, walker: Walker, view: View) -> Path:
    """Write the exact keypoints of a motion as a view sees them, 30 frames a second, as a file to reconstruct; returns its path."""
    np.savez(path, keypoints=view.keypoints(walker.h36m17), keypoint_set="h36m17", image_size=view.size, fps=30.0)
    return path
