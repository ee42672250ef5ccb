"""People filmed by cameras whose motion is known: how well both are recovered, against the same motion before a still camera.

    .venv/bin/python -m scripts.evaluate.filmed_cameras make MOCAP FOLDER
    .venv/bin/python -m scripts.evaluate.filmed_cameras measure FOLDER [NAME...]

`make` films the open body, which performs motion capture of the test subjects in a textured room, by cameras that stand, turn, zoom, shake
and move: FOLDER/NAME.mp4, and the truth in NAME.npz. `measure` reconstructs every clip as `meshrec reconstruct` does and prints a row of
the table in docs/cameras.md: the kind of camera that was found; the error of its rotations (median and 95th percentile, degrees) and of its
path (mean, % of its length, after one scale); W-MPJPE over 100 frames, mm; the speed of feet that stand, cm/s; and jitter over the truth's.
The numbers of a moving camera have those of the still one, which filmed the same motion, beside them.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from blender_meshrec.backend.pipeline import recover
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.array_types import FloatArray, ImageArray
from blender_meshrec.core.cameras import invert_rigid_transform, rigid_transform
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.metrics import jitter
from blender_meshrec.core.records import Recovery
from blender_meshrec.core.rotations import angle_between_rotmats, rotmat_from_rotvec, rotvec_from_rotmat
from blender_meshrec.core.skeletons import SMPL_JOINTS
from blender_meshrec.core.world_metrics import w_mpjpe
from scripts.evaluate.camera_clips import FOCAL, SIZE, Pose, Room, shake
from scripts.train.data.filmed_bodies.motion import Motion
from scripts.train.data.filmed_bodies.performer import Performance, perform
from scripts.train.data.filmed_bodies.renderer import Light, Window, paint_triangles, shade
from scripts.train.data.filmed_bodies.wardrobe import draw_betas, dress
from scripts.train.data.recordings import Recording, read_recordings, rotmats_from_quats

FRAMES = 100
FLOOR = 1.5  # m: the room's, in its axes with y down
LOW, BACK = 0.35, -1.8  # m, where the camera stands: 1.15 m above the floor, and along the room
STAGE = 2.8  # m along the room, where the person performs
ROOM_FROM_BODY = np.diag([1.0, -1.0, -1.0])  # y up and facing +z to y down and facing the camera
WORLD_FROM_ROOM = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # to z up
STANDS = 0.15  # m/s, below which the truth's foot stands
COLUMNS = (
    "camera", "motion", "found", "rotation, degrees (95 %)", "path, %", "length of the path, of the truth's", "W-MPJPE, mm (still)",
    "standing feet, cm/s (still)", "jitter, of the truth's (still)",
)  # fmt: skip
FEET = [SMPL_JOINTS.index(f"{side}_{part}") for side in ("left", "right") for part in ("ankle", "foot")]


@dataclass(frozen=True)
class Act:
    """A performance: recording, its first frame, how far it is turned about the vertical, degrees, and moved along the room, m."""

    recording: str
    first: int = 0
    turn: float = 0.0
    nearer: float = 0.0


ACTS = {
    "swordplay": Act("02_07", 60),
    "punches": Act("02_05", 40),
    "near": Act("02_05", 150, nearer=2.3),
    "jump": Act("02_04"),
    "walk across": Act("38_02", turn=90),
    "walk ahead": Act("38_01"),
}


@dataclass(frozen=True)
class Scene:
    """A performance and the camera's poses: rotvec of the turn, place and zoom of each frame, in the axes of the room."""

    name: str
    act: str
    poses: list[Pose]


def make_scenes(frames: int = FRAMES) -> list[Scene]:
    """Each act before a camera that stands, and the others before cameras that do not."""
    t = np.linspace(0, 1, frames)
    zero, hand, sway = np.zeros((frames, 3)), shake(frames, 0.8, 1), shake(frames, 0.03, 5)
    hand, sway = np.radians(hand - hand[0]), sway - sway[0]
    orbit = np.radians(60 * t - 30)
    reach = STAGE - BACK
    around = np.column_stack([reach * np.sin(orbit), 0 * t, reach - reach * np.cos(orbit)])
    beside = np.column_stack([-1.5 + 3 * t, 0 * t, 0 * t])

    def scene(name: str, act: str, turn: FloatArray = zero, way: FloatArray = zero, zoom: FloatArray | float = 1.0) -> Scene:
        zooms = np.broadcast_to(zoom, frames)
        places = way + [0, LOW, BACK]
        return Scene(name, act, [Pose(*one) for one in zip(turn, places, zooms.tolist(), strict=True)])

    def pan(degrees: FloatArray) -> FloatArray:
        return np.radians(degrees)[:, None] * [0, -1.0, 0]

    return [
        *(scene(f"still, {act}", act) for act in ACTS),
        scene("pan", "walk across", pan(20 * t - 10)),
        scene("tilt", "swordplay", np.radians(3 - 3 * np.cos(5 * t))[:, None] * [1.0, 0, 0]),
        scene("zoom", "swordplay", zoom=1 + 0.4 * t),
        scene("pan and zoom", "punches", pan(16 * np.sin(3 * t)), zoom=1.2 - 0.2 * np.cos(4 * t)),
        scene("shake of a hand", "punches", hand),
        scene("held in a hand", "swordplay", hand, sway),
        scene("walks beside", "walk across", hand, beside + sway),
        scene("walks ahead of them", "walk ahead", hand, np.column_stack([0 * t, 0 * t, -2.0 * t]) + sway),
        scene("walks towards them", "punches", hand, np.column_stack([0 * t, 0 * t, 1.5 * t]) + sway),
        scene("orbit", "swordplay", orbit[:, None] * [0, 1.0, 0], around),
    ]


def motion_of(act: Act, recordings: dict[str, Recording]) -> Motion:
    """A recording's piece of FRAMES frames, or what there is, on the stage."""
    recording = recordings[act.recording]
    rows = slice(act.first, min(act.first + FRAMES, len(recording.trans)))
    rotmats, transl = rotmats_from_quats(recording.quats[rows].astype(float)), recording.trans[rows].astype(float)
    turn = rotmat_from_rotvec(np.radians([0.0, act.turn, 0.0]))
    rotmats[:, 0] = turn @ rotmats[:, 0]
    transl = transl @ turn.T
    middle = (transl.max(0) + transl.min(0)) / 2
    legs = float(np.linalg.norm(recording.offsets[4]) + np.linalg.norm(recording.offsets[7]))
    return Motion(recording.subject, recording.text, recording.name, rotmats, transl - middle * [1, 0, 1], legs)


def film(scene: Scene, performance: Performance, body: Smpl, colours: FloatArray, nearer: float) -> Iterator[ImageArray]:
    """The pictures (H,W,3) of a scene."""
    room, generator = Room(1, 1.0), np.random.default_rng(3)
    light = np.array([0.3, -0.9, -0.4])
    empty = room.draw(scene.poses[0], SIZE, FOCAL).astype(np.float32)
    for camera, vertices in zip(scene.poses, performance.vertices, strict=False):
        image = empty.copy() if scene.name.startswith("still") else room.draw(camera, SIZE, FOCAL).astype(np.float32)
        seen = (in_room(vertices.astype(float), nearer) - camera.position) @ camera.rotation.T
        points = seen[:, :2] / np.maximum(seen[:, 2:], 0.05) * FOCAL * camera.zoom + np.array(SIZE) / 2
        painted = paint_triangles(points, seen[:, 2], body.faces, Window(0, 0, *SIZE))
        person, covered = shade(seen, body.faces, painted, colours, Light(camera.rotation @ light / np.linalg.norm(light), 0.45, 0.2))
        image[covered] = 255 * np.clip(person, 0, 1)
        noisy = cv2.GaussianBlur(image, (0, 0), 0.6) + generator.normal(0, 2.5, image.shape)
        yield np.clip(noisy, 0, 255).astype(np.uint8)


def in_room(points: FloatArray, nearer: float) -> FloatArray:
    """Points (...,3) m of a performer, y up, in the axes of the room."""
    return points @ ROOM_FROM_BODY.T + [0, FLOOR, STAGE - nearer]


def make(mocap: Path, folder: Path, names: list[str]) -> None:
    """Film the scenes that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    recordings = {recording.name: recording for recording in read_recordings(mocap) if recording.testing}
    body = make_body(load_body())
    for scene in make_scenes():
        path = folder / f"{scene.name}.mp4"
        if path.exists() or (names and scene.name not in names):
            continue
        rng = np.random.default_rng(list(ACTS).index(scene.act))
        betas = draw_betas(rng)
        outfit, act = dress(rng, body.template, betas), ACTS[scene.act]
        motion = motion_of(act, recordings)
        performance = perform(body, motion, betas, outfit.displacement)
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30, SIZE)
        for picture in film(scene, performance, body, outfit.colours, act.nearer):
            writer.write(picture[..., ::-1])
        writer.release()
        joints, cameras = truth_of(scene, motion, betas, body)
        np.savez(folder / f"{scene.name}.npz", joints=joints, camera_from_world=cameras)
        print(f"{path.name}: {len(motion.transl)} frames", flush=True)


def truth_of(scene: Scene, motion: Motion, betas: FloatArray, body: Smpl) -> tuple[FloatArray, FloatArray]:
    """Joints (F,24,3) m, z up, and camera_from_world (F,4,4) of these axes."""
    frames, rest = len(motion.transl), body.template.rest_joints(betas)[body.template.smpl_joint_indices]
    legs = float(np.linalg.norm(rest[4] - rest[1]) + np.linalg.norm(rest[7] - rest[4]))
    poses = rotvec_from_rotmat(motion.rotmats).reshape(frames, -1)
    posed = body.joints(betas, poses[:, :3], poses[:, 3:], motion.transl * legs / motion.leg_length - rest[0])
    joints = posed[:, body.template.smpl_joint_indices].detach().cpu().numpy().astype(float)
    cameras = scene.poses[:frames]
    rotations = np.array([camera.rotation for camera in cameras]) @ WORLD_FROM_ROOM.T
    places = np.array([camera.position for camera in cameras]) @ WORLD_FROM_ROOM.T
    camera_from_world = rigid_transform(rotations, -(rotations @ places[..., None])[..., 0])
    return in_room(joints, ACTS[scene.act].nearer) @ WORLD_FROM_ROOM.T, camera_from_world


def camera_errors(recovery: Recovery, truth: FloatArray) -> tuple[FloatArray, float]:
    """The errors of the rotations (F,), degrees, and of the path, % of its length; both from the first frame on.

    truth: camera_from_world (F,4,4).
    """
    found = recovery.camera_from_world
    turned = [one[:, :3, :3] @ one[:1, :3, :3].swapaxes(1, 2) for one in (found, truth)]
    ways = [(invert_rigid_transform(one)[:, :3, 3] - invert_rigid_transform(one)[0, :3, 3]) @ one[0, :3, :3].T for one in (found, truth)]
    length = float(np.linalg.norm(np.diff(ways[1], axis=0), axis=1).sum())
    scale = (ways[0] * ways[1]).sum() / max((ways[0] ** 2).sum(), 1e-12)
    error = 100 * float(np.linalg.norm(scale * ways[0] - ways[1], axis=1).mean()) / length if length > 1e-6 else float("nan")
    return np.degrees(angle_between_rotmats(*turned)), error


def path_length(camera_from_world: FloatArray) -> float:
    """The length, m, of a camera's path."""
    return float(np.linalg.norm(np.diff(invert_rigid_transform(camera_from_world)[:, :3, 3], axis=0), axis=1).sum())


def speed_of_standing_feet(joints: FloatArray, truth: FloatArray, rate: float = 30.0) -> float:
    """The mean speed, cm/s, of ankles and feet of joints (F,24,3) m where those of the truth stand."""
    speeds = [np.linalg.norm(np.diff(points[:, FEET], axis=0), axis=-1) * rate for points in (joints, truth)]
    return 100 * float(speeds[0][speeds[1] < STANDS].mean())


def measure(folder: Path, names: list[str]) -> None:
    """Reconstruct the clips and print their rows."""
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    still: dict[str, tuple[float, float, float]] = {}
    acts = {scene.act for scene in make_scenes() if not names or scene.name in names}
    for scene in make_scenes():
        path, is_still = folder / f"{scene.name}.mp4", scene.name.startswith("still")
        if not path.exists() or (scene.act not in acts if is_still else names and scene.name not in names):
            continue
        with np.load(folder / f"{scene.name}.npz") as stored:
            joints, cameras = stored["joints"], stored["camera_from_world"]
        result = recover(ReconstructRequest(str(path), cache=str(folder / "cache"), device="cpu"))
        recovery, report = result.recoveries[0], result.report["camera"]
        frames = min(len(recovery), len(joints))
        errors, way = camera_errors(recovery, cameras[: len(recovery)])
        found, true = recovery.joints[:frames].astype(float), joints[:frames]
        numbers = (
            w_mpjpe(found, true),
            speed_of_standing_feet(found, true),
            jitter(found, recovery.timestamps[:frames]) / jitter(true, recovery.timestamps[:frames]),
        )
        if is_still:
            still[scene.act] = numbers
        beside = still.get(scene.act, (float("nan"),) * 3)
        lengths = [path_length(recovery.camera_from_world), path_length(cameras)]
        length = lengths[0] / lengths[1] if lengths[1] > 1e-6 else float("nan")
        cells = [
            scene.name,
            scene.act,
            report["kind"],
            f"{np.median(errors):.2f} ({np.quantile(errors, 0.95):.2f})",
            f"{way:.1f}",
            f"{length:.2f}",
        ]
        digits = zip(numbers, beside, (0, 1, 2), strict=True)
        cells += [f"{number:.{places}f} ({other:.{places}f})" for number, other, places in digits]
        print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Film or measure as the command line says."""
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    making, measuring = commands.add_parser("make"), commands.add_parser("measure")
    making.add_argument("mocap", type=Path, help="folder of the motion capture")
    for command in (making, measuring):
        command.add_argument("folder", type=Path)
        command.add_argument("names", nargs="*", help="of the scenes; all without any")
    settings = parser.parse_args()
    if settings.command == "make":
        make(settings.mocap, settings.folder, settings.names)
    else:
        measure(settings.folder, settings.names)


if __name__ == "__main__":
    main()
