"""Draw a contact sheet of a motion and its footage, by which a person judges a result, and print its numbers.

    .venv/bin/python -m scripts.evaluate.clip_sheets MOTION.npz... -o FOLDER [--cache DIR] [--person N] [--detector NAME] [--body FILE]

For every motion of `meshrec reconstruct` the script writes FOLDER/NAME.png and prints a row of a table. A sheet has a column for each
of five moments: the first and the last, the fastest, and the two of largest reprojection error. Its rows are the footage with the mesh,
its joints (red) and the detected keypoints (yellow), and the mesh from the camera's side (front), from its left (side) and from above,
with a grid of 1 m and the floor at z = 0 (brown below it). Green dots are feet in contact. The last column has the numbers, the height of
the pelvis (blue) and of the lowest vertex (red) over time, and the path of the pelvis from above.

Reprojection errors are shares of the height of the person's bounding box, over the twelve limb joints whose keypoints have a confidence
above 0.5: of the final joints, of the lifted joints as the motion has them, and of the lifted joints where each frame's translation is
the best for its keypoints, which is independent of how the solver placed them. Name the cache of the reconstruction, or people are
detected again.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np

from blender_meshrec.backend.footage.true_time import in_true_time
from blender_meshrec.backend.footage.video import open_footage
from blender_meshrec.backend.overlay import PERSON_COLOURS, PosedVertices, draw_mesh
from blender_meshrec.backend.tracking.detect_and_track import detect_and_track
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.array_types import FloatArray, ImageArray, IntArray
from blender_meshrec.core.cameras import project, rays_from_pixels, transform_points
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.motion_npz import read_motion
from blender_meshrec.core.metrics import CONFIDENCE_THRESHOLD
from blender_meshrec.core.records import Observations, Recovery
from blender_meshrec.core.skeletons import H36M17, KEYPOINT_SETS, SMPL_JOINTS, limb_indices

TILE, STRIP, NUMBERS_WIDTH = 224, 22, 330  # px: a tile's side, the height of a line of text, the width of the last column
MIN_WINDOW, MAX_WINDOW, BELOW_FLOOR = 2.2, 6.0, 0.3  # m: width of the orthographic views, and how far they reach below the floor
VIEW_DISTANCE = 1000.0  # m: so far away, the perspective of draw_mesh is orthographic
PAPER, BELOW, GRID, FLOOR, INK = (244, 244, 240), (222, 208, 192), (205, 205, 205), (120, 80, 40), (20, 20, 20)
RED, YELLOW, GREEN, BLUE = (230, 40, 40), (255, 220, 0), (20, 160, 60), (40, 90, 220)
FEET = [SMPL_JOINTS.index(joint) for joint in ("left_ankle", "left_foot", "right_ankle", "right_foot")]
LEGS = [[SMPL_JOINTS.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle")] for side in ("left", "right")]
# An orthographic view's axes in the world: right, down and forward, (3,3).
View: TypeAlias = FloatArray
Colour: TypeAlias = tuple[int, int, int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("motions", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--cache", help="the observation cache of the reconstruction")
    parser.add_argument("--person", type=int, default=1)
    parser.add_argument("--detector", default="auto")
    parser.add_argument("--body", default="open")
    arguments = parser.parse_args()
    body = make_body(load_body(arguments.body))
    arguments.output.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(arguments.motions):
        recovery = read_motion(path)
        frames = (recovery.first_frame, recovery.first_frame + len(recovery))
        request = ReconstructRequest(recovery.footage, frames=frames, cache=arguments.cache, detector=arguments.detector)
        tracked = detect_and_track(request)
        observations = tracked.looked_at.observed(tracked.people[arguments.person - 1])
        judged = Judged.of(recovery, observations, body)
        numbers = judged.numbers()
        if number == 0:
            print("| clip | " + " | ".join(numbers) + " |\n|---|" + "---:|" * len(numbers))
        print(f"| {path.stem} | " + " | ".join(numbers.values()) + " |", flush=True)
        sheet = draw_sheet(path.stem, judged, read_verdict(path.with_suffix(".json")))
        cv2.imwrite(str(arguments.output / f"{path.stem}.png"), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))


@dataclass(frozen=True)
class Judged:
    """A motion, what was observed, and what is measured of both.

    lowest: (F,) m, height of the lowest vertex. final, lifted, placed: (F,12) reprojection errors as shares of the box height, nan
    where no keypoint counts. faces: (T,3). vertices: gives (V,3) m of a row.
    """

    recovery: Recovery
    observations: Observations
    vertices: PosedVertices
    faces: IntArray
    lowest: FloatArray
    final: FloatArray
    lifted: FloatArray
    placed: FloatArray

    @classmethod
    def of(cls, recovery: Recovery, observations: Observations, body: Smpl) -> "Judged":
        """Measure a motion. Raises ValueError: the observations are of other frames."""
        if len(recovery) != len(observations):
            raise ValueError(f"{recovery.footage}: {len(observations)} observed frames for a motion of {len(recovery)}")
        vertices = PosedVertices(recovery, body)
        lowest = np.array([vertices(row)[:, 2].min() for row in range(len(recovery))])
        joints = transform_points(recovery.camera_from_world, recovery.joints.astype(float))
        lifted = transform_points(recovery.camera_from_world, recovery.lifted_joints.astype(float))
        placed = place_joints(lifted, observations, recovery.frame_intrinsics)
        errors = (
            relative_errors(points, names, observations, recovery.frame_intrinsics)
            for points, names in ((joints, SMPL_JOINTS), (lifted, H36M17), (placed, H36M17))
        )
        return cls(recovery, observations, vertices, np.asarray(body.faces), lowest, *errors)

    def numbers(self) -> dict[str, str]:
        """What is written on the sheet and into the table, by name."""
        recovery, seen = self.recovery, self.recovery.visible
        root = recovery.joints[seen, 0].astype(float)
        steps = np.linalg.norm(np.diff(root[:, :2], axis=0), axis=-1)
        forward = recovery.camera_from_world[:, 2, :3]
        position = -np.einsum("fji,fj->fi", recovery.camera_from_world[:, :3, :3], recovery.camera_from_world[:, :3, 3])
        pitch = np.degrees(np.arcsin(np.clip(-forward[:, 2], -1, 1)))
        return {
            "final %": _median_and_95th(self.final),
            "lifted %": _median_and_95th(self.lifted),
            "placed %": _median_and_95th(self.placed),
            "pelvis m": f"{root[:, 2].min():.2f} .. {root[:, 2].max():.2f}",
            "lowest p5 p50 p95 cm": " ".join(f"{100 * value:.0f}" for value in np.percentile(self.lowest[seen], (5, 50, 95))),
            "path m": f"{steps.sum():.2f}",
            "moved m": f"{np.linalg.norm(root[-1, :2] - root[0, :2]):.2f}",
            "knee deg": f"{np.median(knee_bend(recovery.joints[seen])):.0f}",
            "contact": " ".join(f"{value:.2f}" for value in (recovery.contacts[seen] > CONFIDENCE_THRESHOLD).mean(0)),
            "camera deg m": f"{np.median(pitch):.0f} {np.median(position[:, 2]):.2f}",
            "seen": f"{seen.mean():.2f}",
        }

    def moments(self) -> dict[int, str]:
        """Rows of the five moments in order, and why each was chosen."""
        seen = np.flatnonzero(self.recovery.visible)
        joints, times = self.recovery.joints.astype(float), self.recovery.timestamps
        speed = np.zeros(len(times))
        if len(times) > 2:
            speed[1:-1] = np.linalg.norm((joints[2:] - joints[:-2]) / (times[2:] - times[:-2])[:, None, None], axis=-1).mean(-1)
        error = np.nan_to_num(_mean_error(self.final), nan=-1.0)
        chosen = {int(seen[0]): "start", int(seen[-1]): "end"}
        apart = len(seen) / 12
        for name, score in (("fastest", speed), ("worst", error), ("2nd worst", error)):
            free = [int(row) for row in seen if min(abs(int(row) - other) for other in chosen) > apart]
            if free:
                chosen[max(free, key=lambda row: float(score[row]))] = name
        return dict(sorted(chosen.items()))


def relative_errors(points: FloatArray, names: Sequence[str], observations: Observations, intrinsics: FloatArray) -> FloatArray:
    """Reprojection errors (F,12) of joints (F,J,3) in camera axes as shares of the box height; nan where no keypoint counts."""
    detected = observations.keypoints[:, limb_indices(KEYPOINT_SETS[observations.keypoint_set].points)]
    distance = np.linalg.norm(project(points[:, limb_indices(names)], intrinsics) - detected[..., :2], axis=-1)
    height = np.maximum(observations.boxes[:, 3] - observations.boxes[:, 1], 1e-6)[:, None]
    counted = (detected[..., 2] > CONFIDENCE_THRESHOLD) & observations.visible[:, None]
    return np.where(counted, distance / height, np.nan)


def place_joints(joints: FloatArray, observations: Observations, intrinsics: FloatArray) -> FloatArray:
    """h36m17 joints (F,17,3) in camera axes, each frame moved to where its limbs' projections fit the keypoints best.

    Linear least squares of depth times error: x + tx = u (z + tz), y + ty = v (z + tz) for the line of sight (u, v) of a keypoint.
    """
    detected = observations.keypoints[:, limb_indices(KEYPOINT_SETS[observations.keypoint_set].points)].astype(float)
    limbs, rays = joints[:, limb_indices(H36M17)], rays_from_pixels(detected[..., :2], intrinsics)
    weight = np.where(detected[..., 2] > CONFIDENCE_THRESHOLD, 1.0, 0.01)[..., None]
    rows = np.zeros((*limbs.shape[:2], 2, 3))
    rows[..., 0, 0] = rows[..., 1, 1] = 1
    rows[..., 2] = -rays
    offsets = rays * limbs[..., 2:] - limbs[..., :2]
    normal = np.einsum("fjab,fja,fjac->fbc", rows, np.broadcast_to(weight, offsets.shape), rows) + 1e-9 * np.eye(3)
    right = np.einsum("fjab,fja->fb", rows, weight * offsets)
    return joints + np.linalg.solve(normal, right[..., None])[:, None, :, 0]


def knee_bend(joints: FloatArray) -> FloatArray:
    """Flexion of the knees in SMPL joints (F,24,3), degrees, (2F,); 0 is straight."""
    thigh, shin = (np.concatenate([joints[:, leg[n + 1]] - joints[:, leg[n]] for leg in LEGS]) for n in (0, 1))
    cosine = (thigh * shin).sum(-1) / (np.linalg.norm(thigh, axis=-1) * np.linalg.norm(shin, axis=-1))
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def read_verdict(report: Path) -> str:
    """Verdict, reasons and warnings of the report beside a motion, in one line; empty without one."""
    if not report.is_file():
        return ""
    content = json.loads(report.read_text(encoding="utf-8"))
    person: Mapping[str, Any] = (content.get("people") or [{}])[0]
    words = [person.get("verdict", ""), *person.get("reasons", ()), *content.get("warnings", ())]
    return "; ".join(str(word) for word in words if word)


def draw_sheet(name: str, judged: Judged, verdict: str) -> ImageArray:
    """The whole picture, RGB."""
    moments, recovery = judged.moments(), judged.recovery
    images = read_rows(recovery, list(moments))
    first = int(np.flatnonzero(recovery.visible)[0])
    views = views_of(recovery.camera_from_world[first])
    reach = max(float(np.ptp(judged.vertices(row), axis=0).max()) for row in moments)
    top = max(float(judged.vertices(row)[:, 2].max()) for row in moments)
    window = float(np.clip(max(1.1 * reach, top + BELOW_FLOOR + 0.1), MIN_WINDOW, MAX_WINDOW))
    columns: list[ImageArray] = []
    for row, why in moments.items():
        error = 100 * float(_mean_error(judged.final)[row])
        tiles = [footage_tile(judged, row, images[row]), *(view_tile(judged, row, view, window) for view in views.values())]
        title = write_lines(blank(STRIP, TILE), [f"{why}: frame {row}, {recovery.timestamps[row]:.2f} s, {error:.1f} %"])
        columns.append(np.vstack([np.pad(tile, ((1, 1), (1, 1), (0, 0))) for tile in (title, *tiles)]))
    height = len(columns[0])
    lines = [name, *(f"{key}: {value}" for key, value in judged.numbers().items()), f"views {window:.1f} m: {', '.join(views)}"]
    lines += [verdict[start : start + 52] for start in range(0, min(len(verdict), 312), 52)]
    plots = height_plot(judged), path_plot(judged, views["above"])
    panel = write_lines(blank(height - sum(len(plot) for plot in plots), NUMBERS_WIDTH), lines)
    return np.hstack([*columns, np.vstack([panel, *plots])])


def read_rows(recovery: Recovery, rows: Sequence[int]) -> dict[int, ImageArray]:
    """The footage's RGB images of some rows of a motion, by row."""
    footage = open_footage(recovery.footage, (recovery.first_frame, None))
    footage, _speed = in_true_time(footage, recovery.footage_speed * footage.play_rate)
    black = np.zeros((footage.size[1], footage.size[0], 3), np.uint8)
    found = dict.fromkeys(rows, black)
    for frame in footage.read():
        row = int(np.abs(recovery.timestamps - frame.time).argmin())
        if row > max(rows) or frame.time > recovery.timestamps[-1] + 1e-3:
            break
        if row in found and frame.image is not None:
            found[row] = frame.image
    return found


def views_of(camera_from_world: FloatArray) -> dict[str, View]:
    """The three views, turned about the vertical so that the front is seen from the camera's side."""
    up = np.array([0.0, 0.0, 1.0])
    forward = camera_from_world[2, :3] * (1, 1, 0)
    if np.linalg.norm(forward) < 0.05:  # a camera that looks straight down or up: its image's upper edge is ahead
        forward = -camera_from_world[1, :3] * (1, 1, 0)
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, up)
    return {
        "front": np.stack([right, -up, forward]),
        "side": np.stack([-forward, -up, right]),
        "above": np.stack([right, -forward, -up]),
    }


def footage_tile(judged: Judged, row: int, image: ImageArray) -> ImageArray:
    """The footage about the person, with the mesh, its joints and the keypoints."""
    recovery, intrinsics = judged.recovery, judged.recovery.frame_intrinsics[row]
    camera_from_world = recovery.camera_from_world[row]
    drawn = draw_mesh(image, transform_points(camera_from_world, judged.vertices(row)), judged.faces, intrinsics, PERSON_COLOURS[0], 0.6)
    joints = project(transform_points(camera_from_world, recovery.joints[row].astype(float)), intrinsics)
    points = judged.observations.keypoints[row]
    box = judged.observations.boxes[row].astype(float)
    shown = np.vstack([joints[np.isfinite(joints).all(-1)], box[:2], box[2:]])
    low, high = np.clip(shown.min(0), -image.shape[1], image.shape[1]), np.clip(shown.max(0), 0, 2 * image.shape[1])
    side = 1.15 * float((high - low).max())
    scale = TILE / side
    corner = (low + high) / 2 - side / 2
    to_tile = np.array([[scale, 0, -scale * corner[0]], [0, scale, -scale * corner[1]]])
    tile: ImageArray = np.asarray(cv2.warpAffine(drawn, to_tile, (TILE, TILE)), np.uint8)
    counted = limb_indices(KEYPOINT_SETS[judged.observations.keypoint_set].points)
    for point in points[counted]:
        if point[2] > CONFIDENCE_THRESHOLD:
            dot(tile, scale * (point[:2] - corner), YELLOW, 3)
    for joint in joints[limb_indices(SMPL_JOINTS)]:
        dot(tile, scale * (joint - corner), RED, 2)
    return tile


def view_tile(judged: Judged, row: int, view: View, window: float) -> ImageArray:
    """The mesh in an orthographic view of `window` m, with the floor, a grid of 1 m, and feet in contact."""
    joints = judged.recovery.joints[row].astype(float)
    centre = joints[0].copy()
    if view[1, 2]:  # the floor has its place in views from the side
        centre[2] = window / 2 - BELOW_FLOOR
    scale = TILE / window
    tile = blank(TILE, TILE)
    draw_floor(tile, view, centre, scale)
    to_view = np.eye(4)
    to_view[:3, :3], to_view[:3, 3] = view, -view @ centre + (0, 0, VIEW_DISTANCE)
    lens = np.array([[scale * VIEW_DISTANCE, 0, TILE / 2], [0, scale * VIEW_DISTANCE, TILE / 2], [0, 0, 1]])
    tile = draw_mesh(tile, transform_points(to_view, judged.vertices(row)), judged.faces, lens, PERSON_COLOURS[0], 0.85)
    for joint, contact in zip(FEET, judged.recovery.contacts[row]):
        if contact > CONFIDENCE_THRESHOLD:
            dot(tile, project(transform_points(to_view, joints[joint, None]), lens)[0], GREEN, 3)
    return tile


def draw_floor(tile: ImageArray, view: View, centre: FloatArray, scale: float) -> None:
    """Draw the grid of whole metres and, where the view is horizontal, the floor into a tile."""
    middle = view[:2] @ centre  # m along the view's axes
    half = TILE / scale / 2
    if view[1, 2]:
        cv2.rectangle(tile, (0, round(TILE / 2 + scale * (0 - middle[1]))), (TILE, TILE), BELOW, -1)
    for axis in (0, 1):
        for metre in range(int(np.ceil(middle[axis] - half)), int(np.floor(middle[axis] + half)) + 1):
            at = round(TILE / 2 + scale * (metre - middle[axis]))
            is_floor = axis == 1 and metre == 0 and bool(view[1, 2])
            ends = ((at, 0), (at, TILE)) if axis == 0 else ((0, at), (TILE, at))
            cv2.line(tile, *ends, FLOOR if is_floor else GRID, 2 if is_floor else 1)


def height_plot(judged: Judged) -> ImageArray:
    """Heights of the pelvis and of the lowest vertex over time, with lines of half a metre."""
    plot = blank(TILE, NUMBERS_WIDTH)
    heights = [(judged.recovery.joints[:, 0, 2].astype(float), BLUE), (judged.lowest, RED)]
    low = min(-0.3, min(float(values.min()) for values, _colour in heights))
    high = max(1.2, max(float(values.max()) for values, _colour in heights))
    scale = (TILE - 12) / (high - low)
    for half_metres in range(int(np.ceil(2 * low)), int(np.floor(2 * high)) + 1):
        at = round(TILE - 6 - scale * (half_metres / 2 - low))
        cv2.line(plot, (0, at), (NUMBERS_WIDTH, at), FLOOR if half_metres == 0 else GRID, 1)
    across = np.linspace(4, NUMBERS_WIDTH - 4, len(judged.lowest))
    for values, colour in heights:
        curve(plot, np.stack([across, TILE - 6 - scale * (values - low)], -1), colour)
    return under_title(plot, f"heights {low:.1f} .. {high:.1f} m over {judged.recovery.timestamps[-1]:.1f} s")


def path_plot(judged: Judged, above: View) -> ImageArray:
    """The path of the pelvis from above, from its green start, with a grid of 1 m."""
    plot = blank(TILE, NUMBERS_WIDTH)
    path = judged.recovery.joints[judged.recovery.visible, 0].astype(float) @ above[:2].T
    middle = (path.min(0) + path.max(0)) / 2
    scale = (TILE - 20) / max(1.0, float(np.ptp(path, axis=0).max()))
    offset = np.array([NUMBERS_WIDTH, TILE]) / 2 - scale * middle
    for axis, length in ((0, NUMBERS_WIDTH), (1, TILE)):
        for metre in range(int(np.ceil(-offset[axis] / scale)), int(np.floor((length - offset[axis]) / scale)) + 1):
            at = round(offset[axis] + scale * metre)
            cv2.line(plot, *(((at, 0), (at, TILE)) if axis == 0 else ((0, at), (NUMBERS_WIDTH, at))), GRID, 1)
    curve(plot, offset + scale * path, BLUE)
    dot(plot, offset + scale * path[0], GREEN, 4)
    return under_title(plot, "path from above, camera below")


def blank(height: int, width: int) -> ImageArray:
    return np.full((height, width, 3), PAPER, np.uint8)


def dot(image: ImageArray, at: FloatArray, colour: Colour, radius: int) -> None:
    """Draw a dot at a pixel (2,) if it is near the image."""
    if np.isfinite(at).all() and (np.abs(at) < 1e4).all():
        cv2.circle(image, (round(float(at[0])), round(float(at[1]))), radius, colour, -1, cv2.LINE_AA)


def curve(image: ImageArray, points: FloatArray, colour: Colour) -> None:
    """Draw a line through pixels (N,2)."""
    cv2.polylines(image, [np.clip(points, -1e4, 1e4).round().astype(np.int32)], False, colour, 1, cv2.LINE_AA)


def write_lines(image: ImageArray, lines: Sequence[str]) -> ImageArray:
    """An image with lines of text from its top, in the font's ASCII."""
    written = image.copy()
    for number, line in enumerate(lines):
        cv2.putText(written, line, (4, 14 + 17 * number), cv2.FONT_HERSHEY_SIMPLEX, 0.4, INK, 1, cv2.LINE_AA)
    return written


def under_title(plot: ImageArray, title: str) -> ImageArray:
    """A plot with a line of text above it."""
    return np.vstack([write_lines(blank(STRIP, plot.shape[1]), [title]), plot])


def _mean_error(errors: FloatArray) -> FloatArray:
    """Mean of the errors (F,12) that are not nan, by frame, (F,); nan where all are."""
    counted = np.isfinite(errors)
    total = np.where(counted, errors, 0).sum(-1)
    return np.where(counted.any(-1), total / np.maximum(counted.sum(-1), 1), np.nan)


def _median_and_95th(errors: FloatArray) -> str:
    """Median and 95th percentile of errors, in percent."""
    counted = errors[np.isfinite(errors)]
    return " / ".join(f"{100 * value:.1f}" for value in np.percentile(counted, (50, 95))) if counted.size else "none"


if __name__ == "__main__":
    main()
