"""What a turning camera saw, as one still camera at the same place would have seen it.

A camera that turns about itself sees every line of sight that a still one sees: its keypoints move to where the same lines meet the
picture of the still camera, which has no edges. So everything from the lifter to the whole-clip solve sees a still camera.
"""

from dataclasses import replace

import numpy as np

from ...core.array_types import ArrayLike, BoolArray, FloatArray
from ...core.cameras import points_on_rays, project, rays_from_pixels
from ...core.crop_regression import CropRegression
from ...core.records import Observations
from ...core.rotations import angle_between_rotmats
from ...core.silhouettes import Silhouettes
from ...methods.blazepose import line_of_sight, rotation_from_optical_axis
from .solve_camera import CameraPath

# Lines of sight this far from the steady view's axis, rad, are too slanted to be drawn in its picture.
MAX_ANGLE = np.radians(70.0)
MAX_CANDIDATES = 60  # frames that are tried as the steady view
# A keypoint farther outside the picture than this fraction of its larger side is extrapolated.
EDGE_MARGIN = 0.02


def is_motion_known(path: CameraPath) -> bool:
    """Whether the camera of one shot turns, or moves on a path that is known."""
    return path.kind == "turning" or (path.kind == "moving" and path.centres is not None)


def centres_in_view(path: CameraPath, camera_from_view: FloatArray) -> FloatArray | None:
    """The places (F,3) of a camera that moves, in the steady view's axes and from the view's frame; None for one that only turns."""
    if path.centres is None:
        return None
    view_from_first = camera_from_view[0].T @ path.camera_from_first[0]
    return (path.centres - path.centres[reference_row(camera_from_view)]) @ view_from_first.T


def reference_row(camera_from_view: FloatArray) -> int:
    """The frame whose view the steady view is."""
    return int(np.argmin(angle_between_rotmats(camera_from_view, np.eye(3))))


def choose_steady_view(camera_from_first: FloatArray) -> FloatArray:
    """camera_from_view (F,3,3): the steady view is the frame's from which the camera turns least, as of camera_from_first (F,3,3)."""
    candidates = camera_from_first[:: -(-len(camera_from_first) // MAX_CANDIDATES)]
    farthest = [float(angle_between_rotmats(camera_from_first, frame[None]).max()) for frame in candidates]
    return camera_from_first @ candidates[int(np.argmin(farthest))].T


def is_in_steady_view(observations: Observations, camera_from_view: FloatArray, intrinsics: FloatArray) -> bool:
    """Whether the middles of a person's boxes can be drawn in the steady view's picture in all frames that show them."""
    middles = (observations.boxes[:, None, :2].astype(float) + observations.boxes[:, None, 2:]) / 2
    forward = _directions(middles, camera_from_view, intrinsics)[observations.visible, 0]
    return bool((np.arccos(np.clip(forward[:, 2] / np.linalg.norm(forward, axis=-1), -1, 1)) < MAX_ANGLE).all())


def steady_observations(
    observations: Observations, camera_from_view: FloatArray, intrinsics: FloatArray, image_size: ArrayLike
) -> Observations:
    """Observations as the steady view sees them.

    Args:
        camera_from_view: (F,3,3), of `choose_steady_view`. intrinsics: (3,3) px, of the camera and of the view.
        image_size: (width, height) px of the camera's picture: keypoints outside it have no confidence in the view either.
    """
    keypoints = observations.keypoints.astype(float)
    size = np.asarray(image_size, float)
    margin = EDGE_MARGIN * size.max()
    is_inside = ((keypoints[..., :2] > -margin) & (keypoints[..., :2] < size + margin)).all(-1)
    pixels, is_drawn = _to_view(keypoints[..., :2], camera_from_view, intrinsics)
    seen = observations.visible[:, None]
    corners = observations.boxes.astype(float)[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]
    corners, _is_drawn = _to_view(corners, camera_from_view, intrinsics)
    steady = np.concatenate([pixels, (keypoints[..., 2] * (is_inside & is_drawn))[..., None]], -1) * seen[..., None]
    return replace(
        observations,
        keypoints=steady,
        boxes=np.concatenate([corners.min(1), corners.max(1)], -1) * seen,
        keypoints_3d=_steady_keypoints_3d(observations, steady, camera_from_view, intrinsics),
        silhouettes=_steady_silhouettes(observations.silhouettes, camera_from_view, intrinsics),
        regression=_steady_regression(observations.regression, camera_from_view, intrinsics),
    )


def joints_from_steady_view(joints: FloatArray, camera_from_view: FloatArray, intrinsics: FloatArray) -> FloatArray:
    """Joints (F,17,3) of Observations in the steady view's picture, as the camera sees them that turns; as of `steady_observations`."""
    rays = rays_from_pixels(joints[..., :2], intrinsics)
    directions = points_on_rays(rays, np.ones(rays.shape[:-1])) @ np.swapaxes(camera_from_view, -1, -2)
    return np.concatenate([project(directions, intrinsics), joints[..., 2:]], -1)


def _steady_regression(rows: FloatArray | None, camera_from_view: FloatArray, intrinsics: FloatArray) -> FloatArray | None:
    """What was regressed of crops, in the axes of the view's crops of the same people."""
    if rows is None:
        return None
    regression = CropRegression.from_rows(rows)
    centres = regression.squares[:, None, :2]
    seen, _is_drawn = _to_view(centres, camera_from_view, intrinsics)
    rays = (rays_from_pixels(pixels[:, 0], intrinsics) for pixels in (centres, seen))
    camera_from_crop, view_from_steady_crop = (rotation_from_optical_axis(points_on_rays(ray, np.ones(len(ray)))) for ray in rays)
    steady_crop_from_crop = np.swapaxes(camera_from_view @ view_from_steady_crop, -1, -2) @ camera_from_crop
    return regression.turned(steady_crop_from_crop, seen[:, 0]).to_rows()


def _steady_keypoints_3d(
    observations: Observations, steady: FloatArray, camera_from_view: FloatArray, intrinsics: FloatArray
) -> FloatArray | None:
    """The 3D keypoints, whose forward axis is the line of sight to the person, about the line of sight of the view's keypoints."""
    if observations.keypoints_3d is None:
        return None
    camera_from_crop, view_from_steady_crop = (
        rotation_from_optical_axis(line_of_sight(keypoints, intrinsics)) for keypoints in (observations.keypoints, steady)
    )
    crop_from_steady_crop = np.swapaxes(camera_from_crop, -1, -2) @ camera_from_view @ view_from_steady_crop
    return observations.keypoints_3d @ crop_from_steady_crop


def _steady_silhouettes(silhouettes: Silhouettes | None, camera_from_view: FloatArray, intrinsics: FloatArray) -> Silhouettes | None:
    """Silhouettes whose squares lie where the view sees them, as large as there; a square stays one."""
    if silhouettes is None or not len(silhouettes):
        return silhouettes
    squares = silhouettes.squares.astype(float)
    half = squares[:, None, 2:] / 2
    points = squares[:, None, :2] + half * np.array([[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]])
    seen, is_drawn = _to_view(points, camera_from_view[silhouettes.rows], intrinsics)
    side = (np.linalg.norm(seen[:, 2] - seen[:, 1], axis=-1) + np.linalg.norm(seen[:, 4] - seen[:, 3], axis=-1)) / 2
    kept = is_drawn.all(1)
    return Silhouettes(silhouettes.rows[kept], np.column_stack([seen[:, 0], side])[kept], silhouettes.masks[kept])


def _directions(pixels: FloatArray, camera_from_view: FloatArray, intrinsics: FloatArray) -> FloatArray:
    """The lines of sight (F,K,3) of pixels (F,K,2) of the camera, in the view's axes."""
    rays = rays_from_pixels(pixels, intrinsics)
    return points_on_rays(rays, np.ones(rays.shape[:-1])) @ camera_from_view


def points_in_steady_view(pixels: FloatArray, depths: FloatArray, camera_from_view: FloatArray, intrinsics: FloatArray) -> FloatArray:
    """Pixels (N,2) of the camera at depths (N,) m, one a frame with camera_from_view (N,3,3), as the view's pixels and depths (N,3)."""
    points = depths[:, None] * _directions(pixels[:, None], camera_from_view, intrinsics)[:, 0]
    return np.concatenate([project(points, intrinsics), points[:, 2:]], -1)


def _to_view(pixels: FloatArray, camera_from_view: FloatArray, intrinsics: FloatArray) -> tuple[FloatArray, BoolArray]:
    """The view's pixels (F,K,2) of the camera's (F,K,2), and whether (F,K) they can be drawn there; else they are 0."""
    directions = _directions(pixels, camera_from_view, intrinsics)
    is_drawn = directions[..., 2] > np.cos(MAX_ANGLE + 0.1) * np.linalg.norm(directions, axis=-1)
    safe = np.where(is_drawn[..., None], directions, [0.0, 0.0, 1.0])
    return project(safe, intrinsics) * is_drawn[..., None], is_drawn
