"""Finding and tracking several people: what they cost against one person, and what tracking costs against finding them."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from blender_meshrec.backend.detection.detections import Detection
from blender_meshrec.backend.footage.video import open_footage
from blender_meshrec.backend.footage.video_writer import VideoWriter
from blender_meshrec.backend.tracking import detect_and_track
from blender_meshrec.backend.tracking.tracker import Tracker
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.array_types import FloatArray, ImageArray
from scripts import ROOT

CLIP = ROOT / "scripts" / "demo_clip.mp4"
HEIGHT, FRAMES, PEOPLE = 480, 60, 4


def measure_several_people() -> tuple[float, float]:
    """The time that PEOPLE people take to find, in times of one, and the share, %, of tracking in finding 8.

    The clips show the person of the bundled clip once, and several times side by side, each a little later.
    """
    images = [frame.image for frame in open_footage(CLIP).read() if frame.image is not None]
    with tempfile.TemporaryDirectory() as folder:
        one, several = (_find(Path(folder) / f"{count}.mp4", images, count) for count in (1, PEOPLE))
    points = np.asarray(one[1].people[0].keypoints, float)
    per_frame = several[0] / FRAMES * 8 / PEOPLE
    return several[0] / one[0], 100 * tracking_time(points[points[..., 2].any(1)], 8) / per_frame


def _find(clip: Path, images: list[ImageArray], count: int) -> tuple[float, detect_and_track.TrackingResult]:
    """The seconds that it takes to find the people of a clip of `count`, and who was found."""
    write_side_by_side(clip, images, count)
    found = detect_and_track.detect_and_track(ReconstructRequest(str(clip), quality="draft"))
    return found.seconds["find people"], found


def write_side_by_side(path: Path, images: list[ImageArray], count: int) -> None:
    """A clip in whose frames `count` copies of the person of `images` stand side by side, in a picture of one size for every count."""
    height, width = images[0].shape[:2]
    scaled = [cv2.resize(image, (round(width * HEIGHT / height), HEIGHT), interpolation=cv2.INTER_AREA) for image in images]
    empty = np.zeros_like(scaled[0])
    with VideoWriter(path, 15) as writer:
        for index in range(FRAMES):
            row = [scaled[_there_and_back(index + 5 * copy, len(scaled))] if copy < count else empty for copy in range(PEOPLE)]
            writer.write(np.asarray(np.hstack(row), np.uint8))


def _there_and_back(index: int, length: int) -> int:
    place = index % (2 * length - 2)
    return place if place < length else 2 * length - 2 - place


def tracking_time(points: FloatArray, count: int, frames: int = 300) -> float:
    """Seconds a frame that it takes to track `count` people who move as keypoints (F,K,3) do, side by side, and to join their tracks."""
    width = float(np.ptp(points[..., 0]))
    looks = np.random.default_rng(0).dirichlet(np.full(64, 0.2), count)

    def track() -> None:
        tracker = Tracker("blazepose33")
        for row in range(frames):
            moved = points[_there_and_back(row, len(points))]
            shifts = [0.8 * width * np.array([person, 0, 0]) for person in range(count)]
            tracker.update(row, row / 30, [Detection(moved + shift, None, 0.9, look) for shift, look in zip(shifts, looks)])
        tracker.people()

    return _shortest(track) / frames


def _shortest(action: Callable[[], object], repeats: int = 3) -> float:
    times: list[float] = []
    for _ in range(repeats):
        begun = time.perf_counter()
        action()
        times.append(time.perf_counter() - begun)
    return min(times)
