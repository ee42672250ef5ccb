"""Clips with a known camera: how well its kind, rotations and lens are recovered from the background.

    .venv/bin/python -m scripts.evaluate.camera_clips [NAME...] [--write FOLDER]

A textured room with boxes is drawn by casting rays; something like a textured person walks in front of it. Each clip has a camera that
stands, turns, zooms, shakes like a hand, or moves. For each the script prints the kind that was found, the error of the rotations against
the truth (median and 95th percentile, degrees), of the path (mean, % of its length, after one scale), of the focal length, and the
seconds a frame of the footage pass and of the solve.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from blender_meshrec.backend.camera.background_matcher import BackgroundMatcher, small_size
from blender_meshrec.backend.camera.solve_camera import CameraPath, Kind, solve_camera
from blender_meshrec.backend.camera.tracks import FrameMatches, join_matches
from blender_meshrec.core.array_types import FloatArray, ImageArray
from blender_meshrec.core.cameras import default_intrinsics
from blender_meshrec.core.rotations import angle_between_rotmats, rotmat_from_rotvec

SIZE = (480, 270)  # px
FOCAL = 460.0  # px; the prior is 551, the image's diagonal
FRAMES = 60
ROOM = np.array([[-6.0, -2.5, -4.0], [6.0, 1.5, 8.0]])  # m, corners of the room about the camera; y down, z ahead
BOXES = (((-3.0, 0.0, 4.0), (-1.8, 1.5, 5.0)), ((1.5, -0.8, 3.0), (2.3, 1.5, 3.8)), ((3.0, 0.5, 5.5), (4.5, 1.5, 6.5)))


@dataclass(frozen=True)
class Pose:
    """The camera in one frame: rotvec (3,) rad of its turn, position (3,) m, zoom, and which room it is in."""

    rotvec: FloatArray
    position: FloatArray
    zoom: float = 1.0
    room: int = 0

    @property
    def rotation(self) -> FloatArray:
        """camera_from_world (3,3)."""
        return rotmat_from_rotvec(self.rotvec)


@dataclass(frozen=True)
class CameraClip:
    """A camera's poses over a clip, its kind, the height of the person as a share of the image's, and how strong the texture is."""

    name: str
    kind: Kind
    poses: list[Pose]
    person: float = 0.6
    contrast: float = 1.0


def pose(
    pan: float = 0.0, tilt: float = 0.0, roll: float = 0.0, right: float = 0.0, ahead: float = 0.0, zoom: float = 1.0, room: int = 0
) -> Pose:
    """A pose from angles in degrees and metres."""
    return Pose(np.radians([tilt, pan, roll]), np.array([right, 0.0, ahead]), zoom, room)


def shake(frames: int, degrees: float, seed: int) -> FloatArray:
    """A hand's shake (F,3) degrees: smooth noise of periods about half a second, and tremble."""
    noise = np.random.default_rng(seed).normal(size=(3, frames + 40))
    kernel = np.exp(-0.5 * (np.arange(-20, 21) / 6.0) ** 2)
    slow = np.array([np.convolve(row, kernel, "valid") for row in noise])
    slow /= slow.std(axis=1, keepdims=True)
    return degrees * (slow[:, :frames] + 0.1 * noise[:, :frames]).T


def make_clips() -> list[CameraClip]:
    """The clips, by the camera."""
    t = np.linspace(0, 1, FRAMES)
    hand = shake(FRAMES, 0.8, 1)
    hand = hand - hand[0]
    step = 0.02 * np.abs(np.sin(8 * np.pi * t))
    return [
        CameraClip("still", "still", [pose()] * FRAMES),
        CameraClip("still, person fills half", "still", [pose()] * FRAMES, 1.6),
        CameraClip("still, low contrast", "still", [pose()] * FRAMES, 0.6, 0.1),
        CameraClip("pan", "turning", [pose(pan=40 * x) for x in t]),
        CameraClip("fast pan and back", "turning", [pose(pan=60 * np.sin(np.pi * x)) for x in t]),
        CameraClip("tilt and pan", "turning", [pose(pan=25 * x, tilt=8 * np.sin(4 * x)) for x in t]),
        CameraClip("pan, person fills half", "turning", [pose(pan=30 * x) for x in t], 1.6),
        CameraClip("small pan", "turning", [pose(pan=3 * x) for x in t]),
        CameraClip("zoom", "turning", [pose(zoom=1 + 0.6 * x) for x in t]),
        CameraClip("zoom and pan", "turning", [pose(pan=20 * x, zoom=1 + 0.4 * x) for x in t]),
        CameraClip("hand shake", "turning", [pose(*angles[[1, 0, 2]]) for angles in hand]),
        CameraClip("walks beside", "moving", [pose(right=-2 + 4 * x) for x in t]),
        CameraClip("walks behind", "moving", [pose(ahead=-2 + 3 * x) for x in t]),
        CameraClip("walks beside, by hand", "moving", [pose(*a[[1, 0, 2]], right=-1.5 + 3 * x + s) for a, x, s in zip(hand, t, step)]),
        *make_walks(),
        CameraClip("orbit", "moving", [pose(pan=-30 * x, right=2.5 * np.sin(np.radians(30 * x))) for x in t]),
        CameraClip("cut", "turning", [pose(pan=10 * x) for x in t[:30]] + [pose(room=1)] * 30),
        CameraClip("textureless", "unknown", [pose(pan=20 * x) for x in t], 0.6, 0.0),
        CameraClip("3 frames", "turning", [pose(pan=x) for x in (0.0, 1.0, 2.0)]),
    ]


def make_walks(frames: int = 90) -> list[CameraClip]:
    """Clips whose camera is carried: beside somebody, around them, towards them, and in a hand that hardly holds it still."""
    t = np.linspace(0, 1, frames)
    hand, sway = (shake(frames, size, seed) for size, seed in ((0.8, 1), (0.02, 5)))
    hand, sway, wide = hand - hand[0], sway - sway[0], shake(frames, 0.08, 7)
    orbit = np.radians(60 * t)
    ways = {
        "carried beside": np.column_stack([-2 + 4 * t, 0 * t, 0 * t]) + sway,
        "orbit by 60 degrees": np.column_stack([3 * np.sin(orbit), 0 * t, 3 - 3 * np.cos(orbit)]),
        "carried towards": np.column_stack([0 * t, 0 * t, 3 * t - 3]) + sway,
        "held in a hand": wide - wide[0],
    }
    turns = {"orbit by 60 degrees": np.column_stack([0 * t, -orbit, 0 * t]), "held in a hand": np.radians(hand * [1, 2, 1])}
    return [
        CameraClip(name, "moving", [Pose(turn, place) for turn, place in zip(turns.get(name, np.radians(hand)), way, strict=True)])
        for name, way in ways.items()
    ]


def texture(seed: int, contrast: float) -> ImageArray:
    """A surface's picture (512,512,3): smooth noise and some rectangles."""
    generator = np.random.default_rng(seed)
    coarse, fine = (cv2.resize(generator.normal(size=(n, n, 3)), (512, 512), interpolation=cv2.INTER_CUBIC) for n in (12, 90))
    picture = 128 + contrast * (25 * coarse + 18 * fine)
    for _ in range(25):
        left, top = generator.integers(0, 470, 2)
        width, height = generator.integers(12, 60, 2)
        picture[top : top + height, left : left + width] += contrast * generator.normal(0, 40, 3)
    return np.clip(picture, 0, 255).astype(np.uint8)


class Room:
    """A room of textured walls and boxes that is drawn by casting rays."""

    def __init__(self, seed: int, contrast: float) -> None:
        self._boxes = [ROOM, *(np.array(box) for box in BOXES)]
        self._pictures = [[texture(100 * seed + 10 * i + side, contrast) for side in range(6)] for i in range(len(self._boxes))]

    def draw(self, camera: Pose, size: tuple[int, int], focal: float) -> ImageArray:
        """A view (H,W,3) uint8 RGB."""
        x, y = np.meshgrid(np.arange(size[0]) + 0.5 - size[0] / 2, np.arange(size[1]) + 0.5 - size[1] / 2)
        rays = np.stack([x, y, np.full_like(x, focal * camera.zoom)], -1) @ camera.rotation
        nearest, image = np.full(x.shape, np.inf), np.zeros((*x.shape, 3), np.uint8)
        for i, (box, pictures) in enumerate(zip(self._boxes, self._pictures, strict=True)):
            for side, picture in enumerate(pictures):
                axis, end = side % 3, side // 3
                others = [other for other in range(3) if other != axis]
                with np.errstate(divide="ignore", invalid="ignore"):
                    depth = (box[end, axis] - camera.position[axis]) / rays[..., axis]
                    points = camera.position[others] + depth[..., None] * rays[..., others]
                place = (points - box[0, others]) / (box[1, others] - box[0, others])
                is_hit = (depth > 0) & (depth < nearest) & (place >= 0).all(-1) & (place <= 1).all(-1)
                if is_hit.any():
                    metres = np.where(is_hit[..., None], points - box[0, others], 0) * (512 / (6.0 if i == 0 else 1.5))
                    across, down = np.moveaxis(metres.astype(np.float32), -1, 0).copy()
                    looked = cv2.remap(picture, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
                    image[is_hit], nearest[is_hit] = looked[is_hit], depth[is_hit]
        return image


def draw_frames(clip: CameraClip, size: tuple[int, int] = SIZE, focal: float = FOCAL) -> Iterator[tuple[ImageArray, FloatArray]]:
    """Each frame (H,W,3) of a clip with its person's box (4,) px."""
    rooms = {room: Room(room, clip.contrast) for room in {camera.room for camera in clip.poses}}
    coat = texture(999, 1.0)
    generator = np.random.default_rng(0)
    for row, camera in enumerate(clip.poses):
        image = rooms[camera.room].draw(camera, size, focal)
        height = clip.person * size[1]
        middle = np.array([size[0] * (0.5 + 0.15 * np.sin(0.12 * row)), size[1] * (0.55 + 0.01 * np.sin(0.9 * row))])
        axes = np.array([0.2 * height, 0.5 * height])
        mask = np.zeros(size[::-1], np.uint8)
        cv2.ellipse(mask, middle.astype(int).tolist(), axes.astype(int).tolist(), 8 * np.sin(0.5 * row), 0, 360, 255, -1)
        look = cv2.warpAffine(coat, np.array([[1.0, 0, middle[0] - 256 + 6 * np.sin(row)], [0, 1, middle[1] - 256]]), size)
        image[mask > 0] = look[mask > 0]
        noisy = cv2.GaussianBlur(image, (0, 0), 0.6) + generator.normal(0, 2.5, image.shape)
        yield np.clip(noisy, 0, 255).astype(np.uint8), np.array([*(middle - axes), *(middle + axes)])


def recover_camera(clip: CameraClip, write: Callable[[ImageArray], object] = lambda frame: None) -> tuple[CameraPath, float, float]:
    """The camera that is found in a clip, and the seconds a frame of the footage pass and of the solve, CPU time."""
    matcher, seconds = BackgroundMatcher(), 0.0
    kept: list[FrameMatches] = []
    for frame, box in draw_frames(clip):
        write(frame)
        begun = time.process_time()
        kept.append(matcher.update(frame, [box])[1])
        seconds += time.process_time() - begun
    begun = time.process_time()
    path = solve_camera(join_matches(kept, SIZE, small_size(SIZE)), SIZE, float(default_intrinsics(SIZE)[0, 0]))
    return path, seconds / len(kept), (time.process_time() - begun) / len(kept)


def rotation_errors(clip: CameraClip, path: CameraPath) -> FloatArray:
    """(F,) degrees, against the first frame of each shot that was found."""
    truth = np.array([camera.rotation for camera in clip.poses])
    relative = truth.copy()
    for shot in path.shots:
        relative[shot.first : shot.last] = truth[shot.first : shot.last] @ truth[shot.first].T
    return np.degrees(angle_between_rotmats(path.camera_from_first, relative))


def path_error(clip: CameraClip, path: CameraPath) -> float:
    """The mean distance of the path from the truth after one scale, % of its length; nan without one."""
    if path.centres is None:
        return float("nan")
    places = np.array([camera.position for camera in clip.poses])
    true = (places - places[0]) @ clip.poses[0].rotation.T
    scale = (path.centres * true).sum() / max((path.centres**2).sum(), 1e-12)
    length = np.linalg.norm(np.diff(true, axis=0), axis=1).sum()
    return 100 * float(np.linalg.norm(scale * path.centres - true, axis=1).mean()) / max(float(length), 1e-9)


def main() -> None:
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--write", type=Path, help="a folder for the clips, as .mp4")
    arguments = parser.parse_args()
    print(
        "clip                       kind      found     shots  rotation deg  path %     focal px (460)  zoom       ms a frame: pass, solve"
    )
    for clip in make_clips():
        if arguments.names and clip.name not in arguments.names:
            continue
        writer = None
        if arguments.write is not None:
            arguments.write.mkdir(parents=True, exist_ok=True)
            writer = cv2.VideoWriter(str(arguments.write / f"{clip.name}.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 30, SIZE)
        path, per_frame, solving = recover_camera(clip, lambda frame, out=writer: None if out is None else out.write(frame[..., ::-1]))
        if writer is not None:
            writer.release()
        errors = rotation_errors(clip, path)
        zoom = path.zoom[-1] / (clip.poses[-1].zoom / clip.poses[0].zoom)
        print(
            f"{clip.name:26} {clip.kind:9} {path.kind:9} {len(path.shots):5}  {np.median(errors):5.2f} {np.quantile(errors, 0.95):6.2f}"
            f"  {path_error(clip, path):6.2f}"
            f"   {path.focal:8.0f} +-{path.focal_sigma:4.0f}   x{zoom:5.3f}   {1e3 * per_frame:6.1f} {1e3 * solving:6.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
