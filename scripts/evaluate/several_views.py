"""Join pairs of calibrated, synchronised videos with and without their calibration; compare with the triangulation of all views.

    .venv/bin/python -m scripts.evaluate.several_views CALIBRATION cam01.mp4 cam02.mp4 cam03.mp4 [--pairs 0-2,0-3] [--cache FOLDER]

The reference is triangulated from the default detector's 2D points in all views, weighted by their confidence and robustly: it shares
the detector's bias, and the calibration's errors. Printed are, for each of the first view's people, PA-MPJPE over the twelve limb
joints, mm, of the body's joints and of `lifted_joints`, the clocks that were found, frames, and the reprojection in each view, px.
Who is who in the reference is the combination of tracks whose lines of sight meet best, so that a swap shows as decimetres.
"""

import argparse
from collections.abc import Sequence
from itertools import combinations, product
from pathlib import Path

import numpy as np

from blender_meshrec.backend.pipeline import recover
from blender_meshrec.backend.tracking.detect_and_track import detect_and_track
from blender_meshrec.backend.views.footage_views import cameras_of_views, intrinsics_in_picture, undistorted
from blender_meshrec.bridge.messages import ReconstructRequest, Result
from blender_meshrec.core.array_types import BoolArray, FloatArray
from blender_meshrec.core.cameras import rays_from_pixels
from blender_meshrec.core.files.calibrations.read_calibration import read_calibration
from blender_meshrec.core.metrics import pa_mpjpe
from blender_meshrec.core.skeletons import H36M17, SMPL_JOINTS, limb_indices, to_h36m17

LIMBS, BODY_LIMBS = limb_indices(H36M17), limb_indices(SMPL_JOINTS)
MAX_TRACKS = 3  # the largest of a view
ROUNDS, OUTLIER = 8, 0.006  # of weighing views by their errors, of a ray: a view in which somebody is hidden or swapped counts little
MAX_ERROR = 0.02  # of a ray: tracks of different people are farther off


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("calibration", type=Path)
    parser.add_argument("views", nargs="+", help="videos that begin together")
    parser.add_argument("--pairs", help="such as 0-2,0-3: views by their place, from 0; all pairs by default")
    parser.add_argument("--cache", help="folder of detections")
    arguments = parser.parse_args()
    reference = Reference(arguments.calibration, arguments.views, arguments.cache)
    print(f"{len(reference.people)} people are seen by all views, in tracks {[tracks for tracks, _points, _known in reference.people]}")
    for line in reference.doubts():
        print(line, flush=True)
    words = arguments.pairs.split(",") if arguments.pairs else None
    pairs = [tuple(map(int, word.split("-"))) for word in words] if words else list(combinations(range(len(arguments.views)), 2))
    for pair in pairs:
        for cameras in (str(arguments.calibration), "auto"):
            sources = [arguments.views[number] for number in pair]
            request = ReconstructRequest(sources[0], person="all", views=tuple(sources[1:]), cameras=cameras, cache=arguments.cache)
            for line in reference.compare(recover(request), pair[0]):
                print([Path(source).stem for source in sources], "auto" if cameras == "auto" else "calibrated", line, flush=True)


class Reference:
    """The triangulation of all views.

    people: each one's tracks, one a view, joints (F,17,3) m and the frames (F,) in which all see them.
    """

    def __init__(self, calibration: Path, views: Sequence[str], cache: str | None) -> None:
        self.matrices: list[FloatArray] = []
        tracks: list[list[FloatArray]] = []
        for source, camera in zip(views, cameras_of_views(views, read_calibration(calibration)), strict=True):
            tracked = detect_and_track(ReconstructRequest(source, cache=cache))
            intrinsics = intrinsics_in_picture(camera, tracked.frames)
            self.matrices.append(camera.camera_from_world[:3])
            people = [undistorted(person, intrinsics, camera) for person in tracked.people[:MAX_TRACKS]]
            points = [to_h36m17(person.keypoints, person.keypoint_set).astype(float) * person.visible[:, None, None] for person in people]
            tracks.append([np.concatenate([rays_from_pixels(own[..., :2], intrinsics), own[..., 2:]], -1) for own in points])
        frames = min(len(track) for own in tracks for track in own)
        self.tracks = [[track[:frames] for track in own] for own in tracks]
        self.people = self._people(self.tracks)

    def doubts(self) -> list[str]:
        """A line for each person: how far the triangulations of all views but one are from the reference."""
        lines: list[str] = []
        for tracks, points, known in self.people:
            rays = np.stack([own[number] for own, number in zip(self.tracks, tracks, strict=True)])
            found: list[str] = []
            for left_out in range(len(rays) if len(rays) > 2 else 0):
                views = [view for view in range(len(rays)) if view != left_out]
                less = self.triangulate(rays[views], views)[0]
                found.append(f"{pa_mpjpe(less[known][:, LIMBS], points[known][:, LIMBS]):.1f}")
            lines.append(f"tracks {tracks}: without one view each the reference differs by {', '.join(found)} mm")
        return lines

    def _people(self, tracks: list[list[FloatArray]]) -> list[tuple[tuple[int, ...], FloatArray, BoolArray]]:
        """The best combinations of tracks, each track once."""
        found: list[tuple[float, tuple[int, ...], FloatArray, BoolArray]] = []
        for combination in product(*(range(len(own)) for own in tracks)):
            rays = np.stack([own[number] for own, number in zip(tracks, combination, strict=True)])
            known = np.asarray((rays[..., 2].max(-1) > 0).all(0), bool)
            if known.any():
                points, errors = self.triangulate(rays)
                found.append((float(np.median(errors[:, known][:, :, LIMBS])), combination, points, known))
        people: list[tuple[tuple[int, ...], FloatArray, BoolArray]] = []
        for error, combination, points, known in sorted(found, key=lambda entry: entry[0]):
            is_new = all(track != other for tracks, _points, _known in people for track, other in zip(combination, tracks, strict=True))
            if error < MAX_ERROR and is_new:
                people.append((combination, points, known))
        return people

    def triangulate(self, rays: FloatArray, views: Sequence[int] | None = None) -> tuple[FloatArray, FloatArray]:
        """Joints (F,17,3) m of rays and confidence (V,F,17,3) of all views or of some, and the rays' errors (V,F,17)."""
        chosen = range(len(self.matrices)) if views is None else views
        matrices, weights = np.stack([self.matrices[view] for view in chosen]), rays[..., 2, None]
        rows = [rays[..., axis, None] * matrices[:, None, None, 2] - matrices[:, None, None, axis] for axis in range(2)]
        trust, points, errors = np.ones(weights.shape), np.zeros(rays.shape[1:]), np.zeros(rays.shape[:3])
        for _ in range(ROUNDS):
            weighted = np.concatenate([weights * trust * row for row in rows])
            homogeneous = np.linalg.svd(np.moveaxis(weighted, 0, 2))[2][..., -1, :]
            points = homogeneous[..., :3] / homogeneous[..., 3:]
            seen = np.einsum("vab,fjb->vfja", matrices[:, :, :3], points) + matrices[:, None, None, :, 3]
            errors = np.linalg.norm(seen[..., :2] / seen[..., 2:] - rays[..., :2], axis=-1)
            trust = 1 / (1 + (errors[..., None] / OUTLIER) ** 2)
        return points, errors

    def compare(self, result: Result, first: int) -> list[str]:
        """A line for each person of a result whose first view is number `first`."""
        lines: list[str] = []
        for tracks, points, known in self.people:
            motion, rows = result.recoveries[tracks[first]], known[: len(points)]
            body, lifted = (
                pa_mpjpe(joints[: len(rows)][rows][:, limbs], points[rows][:, LIMBS])
                for joints, limbs in ((motion.joints, BODY_LIMBS), (motion.lifted_joints, LIMBS))
            )
            views = result.report["views"]
            errors = [person["reprojection_px"] for view in views for person in view["people"] if person["person"] == tracks[first] + 1]
            delays = [round(view["delay_s"] * motion.mocap_framerate, 2) for view in views[1:]]
            lines.append(f"person {tracks[first] + 1}: {body:.1f} mm, lifted {lifted:.1f} mm, clocks {delays}, reprojection {errors}")
        return lines


if __name__ == "__main__":
    main()
