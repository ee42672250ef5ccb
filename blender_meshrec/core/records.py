"""Records that the stages pass on: frozen dataclasses whose arrays are checked, copied and read-only.

Letters for axes: F frames, J joints, K keypoints, B betas, V vertices.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from .array_types import AnyArray, BoolArray, FloatArray, ImageArray, IntArray
from .crop_regression import ROW_LENGTH
from .frozen_arrays import freeze_arrays
from .silhouettes import Silhouettes
from .skeletons import COCO17, H36M17, KEYPOINT_SETS, to_h36m17


@dataclass(frozen=True)
class FootageInfo:
    """Properties of a range of footage; the pixels stay in the file.

    source: path. timestamps: (F,) s, zero at the first frame of the range. fps: nominal rate.
    size: (width, height) px of the upright, square-pixel image. first: index of the range's first frame in the file.
    rotation: degrees clockwise by which the stored image is rotated to be upright; is_mirrored: whether it is mirrored left to right
    before. speed: how many times faster it was captured than the file plays. focal: focal length that the file states, px of the upright
    image, or None; focal_sigma: standard deviation of its logarithm.
    """

    source: str
    timestamps: FloatArray
    fps: float
    size: tuple[int, int]
    first: int = 0
    rotation: int = 0
    is_mirrored: bool = False
    speed: float = 1.0
    focal: float | None = None
    focal_sigma: float = 0.0

    def __post_init__(self) -> None:
        freeze_arrays(self, {"timestamps": (np.float64, ("F",))})

    def __len__(self) -> int:
        return len(self.timestamps)


@dataclass(frozen=True)
class Observations:
    """Detections of one tracked person, one row per frame of a range.

    boxes: (F,4) px, left, top, right, bottom. keypoints: (F,K,3) x px, y px, confidence 0..1.
    keypoints_3d: (F,K,3) m relative to the middle of the hips, z along the line of sight to the person, or None. visible: (F,).
    silhouettes: of some of the frames, or None. portrait: (S,S,3) RGB, a small picture of the person, or None.
    regression: rows of crop_regression.py, what an image method regressed of the person's crops, or None.
    second_look: (F,17,3), keypoints of COCO by a second network, which `keypoints` do not contain yet, or None.
    joints: (F,17,3), where the h36m17 joints are in the picture, x px, y px and standard deviation px; None where only the keypoints tell.
    Rows where the person is not visible are zero.
    """

    keypoint_set: str
    boxes: FloatArray
    keypoints: FloatArray
    visible: BoolArray
    keypoints_3d: FloatArray | None = None
    silhouettes: Silhouettes | None = None
    portrait: ImageArray | None = None
    regression: FloatArray | None = None
    second_look: FloatArray | None = None
    joints: FloatArray | None = None

    def __post_init__(self) -> None:
        points = len(KEYPOINT_SETS[self.keypoint_set])
        freeze_arrays(
            self,
            {
                "boxes": (np.float32, ("F", 4)),
                "keypoints": (np.float32, ("F", points, 3)),
                "visible": (bool, ("F",)),
                "keypoints_3d": (np.float32, ("F", points, 3)),
                "portrait": (np.uint8, ("S", "S", 3)),
                "regression": (np.float32, ("F", ROW_LENGTH)),
                "second_look": (np.float32, ("F", len(COCO17), 3)),
                "joints": (np.float32, ("F", len(H36M17), 3)),
            },
        )

    def __len__(self) -> int:
        return len(self.visible)

    def between(self, first: int, last: int) -> "Observations":
        """The rows first:last as observations of their own."""
        return self.at(np.arange(first, min(last, len(self))))

    def at(self, rows: IntArray) -> "Observations":
        """Some rows (R,), ascending, as observations of their own."""

        def part(values: FloatArray | None) -> FloatArray | None:
            return None if values is None else values[rows]

        return replace(
            self,
            boxes=self.boxes[rows],
            keypoints=self.keypoints[rows],
            visible=self.visible[rows],
            keypoints_3d=part(self.keypoints_3d),
            silhouettes=None if self.silhouettes is None else self.silhouettes.at(rows),
            regression=part(self.regression),
            second_look=part(self.second_look),
            joints=part(self.joints),
        )

    @property
    def joint_points(self) -> FloatArray:
        """Where the joints are in the picture: h36m17 (F,17,3) px and the keypoints' confidence."""
        points = to_h36m17(self.keypoints, self.keypoint_set)
        if self.joints is not None:
            points[..., :2] = self.joints[..., :2]
        return points

    @property
    def joint_sigma(self) -> FloatArray | None:
        """The standard deviations (F,17) px of `joint_points`, where they are known."""
        return None if self.joints is None else self.joints[..., 2].astype(float)

    @property
    def median_area(self) -> float:
        """Median box area in px^2 over the frames where the person is visible; the largest person is chosen by it."""
        if not self.visible.any():
            return 0.0
        size = (self.boxes[:, 2:] - self.boxes[:, :2])[self.visible]
        return float(np.median(size[:, 0] * size[:, 1]))


@dataclass(frozen=True)
class Camera:
    """A pinhole camera: intrinsics (3,3) px, camera_from_world (F,4,4) with OpenCV axes, image_size (width, height) px.

    zoom: (F,), each frame's focal length over that of the intrinsics; None where it does not change.
    """

    intrinsics: FloatArray
    camera_from_world: FloatArray
    image_size: IntArray
    zoom: FloatArray | None = None

    def __post_init__(self) -> None:
        freeze_arrays(
            self,
            {
                "intrinsics": (np.float64, (3, 3)),
                "camera_from_world": (np.float64, ("F", 4, 4)),
                "image_size": (np.int64, (2,)),
                "zoom": (np.float64, ("F",)),
            },
        )


@dataclass(frozen=True)
class BodyParams:
    """The parameters of an SMPL-family body: betas (B,) for all frames, global_orient (F,3), body_pose (F,D) rad, transl (F,3) m."""

    model: str
    betas: FloatArray
    global_orient: FloatArray
    body_pose: FloatArray
    transl: FloatArray

    def __post_init__(self) -> None:
        freeze_arrays(
            self,
            {
                "betas": (np.float32, ("B",)),
                "global_orient": (np.float32, ("F", 3)),
                "body_pose": (np.float32, ("F", "D")),
                "transl": (np.float32, ("F", 3)),
            },
        )

    @property
    def poses(self) -> FloatArray:
        """global_orient and body_pose, (F,3+D) rad."""
        return np.concatenate([self.global_orient, self.body_pose], 1)


@dataclass(frozen=True)
class GeneratedMesh:
    """The result of a mesh generator for one person.

    body: in camera axes, relative to the hip. points: (F,17,2) px, its h36m17 joints projected by the generator's own camera.
    """

    body: BodyParams
    points: FloatArray

    def __post_init__(self) -> None:
        freeze_arrays(self, {"points": (np.float32, ("F", 17, 2))})


@dataclass(frozen=True)
class Estimate:
    """The 3D pose of one person from an estimator.

    joints: (F,17,3) m, h36m17 in camera axes (OpenCV), relative to the hip. confidence: (F,17).
    body: in the same axes, from estimators with a mesh to be calibrated onto the joints.
    is_temporal: whether neighboring frames were used too, so that the joints are free of high-frequency noise.
    contacts: (F,4) probabilities 0..1 that left heel, left toe, right heel and right toe touch the ground, from estimators that
    predict them.
    rotmats: (F,24,3,3), SMPL's local rotations, the root's in the same axes, from estimators that regress them; the identity where the
    person is not visible.
    spread: (F,17,3) m, within which 68 % of the errors of a joint relative to its parent lie, across (x, y) and along (z) the line of
    sight; from estimators that know it.
    q: (F,46) rad, SKEL's angles from estimators that regress them; the pelvis's do not count; zero where the person is not visible.
    """

    joints: FloatArray
    confidence: FloatArray
    body: BodyParams | None = None
    is_temporal: bool = False
    contacts: FloatArray | None = None
    spread: FloatArray | None = None
    rotmats: FloatArray | None = None
    q: FloatArray | None = None

    def __post_init__(self) -> None:
        freeze_arrays(
            self,
            {
                "q": (np.float32, ("F", 46)),
                "rotmats": (np.float32, ("F", 24, 3, 3)),
                "joints": (np.float32, ("F", "J", 3)),
                "confidence": (np.float32, ("F", "J")),
                "contacts": (np.float32, ("F", 4)),
                "spread": (np.float32, ("F", "J", 3)),
            },
        )


@dataclass(frozen=True)
class Motion:
    """An animation of an armature, z up.

    skeleton: name of the joint list. rest_joints: (J,3) m. parents: (J,), -1 at the root.
    rotations: (F,J,4) wxyz relative to the parent; the identity is the rest pose. transl: (F,3) m, position of the root joint.
    timestamps: (F,) s. contacts: (F,4) left heel, left toe, right heel, right toe.
    joints: (F,J,3) m, target positions of the joints where bones may stretch; None where bones keep their lengths.
    """

    skeleton: str
    joint_names: tuple[str, ...]
    parents: IntArray
    rest_joints: FloatArray
    rotations: FloatArray
    transl: FloatArray
    fps: float
    timestamps: FloatArray
    contacts: FloatArray | None = None
    joints: FloatArray | None = None

    def __post_init__(self) -> None:
        freeze_arrays(
            self,
            {
                "parents": (np.int64, ("J",)),
                "rest_joints": (np.float64, ("J", 3)),
                "rotations": (np.float64, ("F", "J", 4)),
                "transl": (np.float64, ("F", 3)),
                "timestamps": (np.float64, ("F",)),
                "contacts": (np.float32, ("F", 4)),
                "joints": (np.float64, ("F", "J", 3)),
            },
        )
        if len(self.joint_names) != len(self.parents):
            raise ValueError(f"{len(self.joint_names)} joint names for {len(self.parents)} joints")

    def __len__(self) -> int:
        return len(self.timestamps)


@dataclass(frozen=True)
class Recovery:
    """The motion of one person recovered from footage: the content of a motion .npz, key by key (core/files/motion_npz lists them).

    World: metres, z up, floor at z = 0. Invariant: forward(poses, betas) + trans == joints within 1e-4 m.
    `poses` is (F,72), or wider for a body with fingers. `footage`, `first_frame` and `footage_rotation` name the file, the
    index in it of the frame of row 0, and the degrees clockwise by which its stored image is rotated to be upright, so that a
    scene can show the footage behind the result. `footage_mirrored`: it is mirrored left to right before. `footage_speed`: how many
    times faster the footage was captured than its file plays (slow motion).

    SKEL results also have q (F,46) rad, the anatomical angles in core/skel's order; skel_betas (B,); skel_trans (F,3) m;
    skel_model_type, "open" or "skel". `poses` is then the converted SMPL motion. Other results have None and "".

    joint_sigma: (F,24) m, how sure the solve is of each joint relative to the pelvis: one standard deviation along an axis. `confidence`
    is the detector's, lowered where the solve is unsure.

    free_legs: (F,8,3) rad, the local rotations of hip, knee, ankle and foot, left then right, before the feet were held still.

    camera_zoom: (F,), the focal length of each frame over that of camera_intrinsics, where it changes: the camera zooms, or another shot
    begins.

    camera_distortion: (3,), k1, k2 and k3 of the footage's lens as of lens_distortion.py, where they are known; `camera_intrinsics` are
    those of the picture without it. scene_frame: the frame of a scene's timeline that row 0 is, where its camera was given.

    Calibrated results also have calibrated_joints (F,24,3) m, the joints with bones that stretch; `poses` is then the nearest
    pose with bones of fixed length.
    """

    poses: FloatArray
    trans: FloatArray
    betas: FloatArray
    surface_model_type: str
    mocap_framerate: float
    timestamps: FloatArray
    visible: BoolArray
    joints: FloatArray
    confidence: FloatArray
    lifted_joints: FloatArray
    contacts: FloatArray
    camera_intrinsics: FloatArray
    camera_from_world: FloatArray
    image_size: IntArray
    gender: str = "neutral"
    footage: str = ""
    first_frame: int = 0
    footage_rotation: int = 0
    footage_mirrored: bool = False
    footage_speed: float = 1.0
    q: FloatArray | None = None
    skel_betas: FloatArray | None = None
    skel_trans: FloatArray | None = None
    skel_model_type: str = ""
    calibrated_joints: FloatArray | None = None
    joint_sigma: FloatArray | None = None
    free_legs: FloatArray | None = None
    camera_zoom: FloatArray | None = None
    camera_distortion: FloatArray | None = None
    scene_frame: int = 1

    def __post_init__(self) -> None:
        freeze_arrays(
            self,
            {
                "poses": (np.float32, ("F", "D")),
                "trans": (np.float32, ("F", 3)),
                "betas": (np.float32, ("B",)),
                "timestamps": (np.float64, ("F",)),
                "visible": (bool, ("F",)),
                "joints": (np.float32, ("F", 24, 3)),
                "confidence": (np.float32, ("F", 24)),
                "lifted_joints": (np.float32, ("F", 17, 3)),
                "contacts": (np.float32, ("F", 4)),
                "camera_intrinsics": (np.float64, (3, 3)),
                "camera_from_world": (np.float64, ("F", 4, 4)),
                "image_size": (np.int64, (2,)),
                "q": (np.float32, ("F", 46)),
                "skel_betas": (np.float32, ("S",)),
                "skel_trans": (np.float32, ("F", 3)),
                "calibrated_joints": (np.float32, ("F", 24, 3)),
                "joint_sigma": (np.float32, ("F", 24)),
                "free_legs": (np.float32, ("F", 8, 3)),
                "camera_zoom": (np.float64, ("F",)),
                "camera_distortion": (np.float64, (3,)),
            },
        )
        if len({value is None for value in (self.q, self.skel_betas, self.skel_trans)}) > 1:
            raise ValueError("Recovery.q, skel_betas and skel_trans come together")
        if self.poses.shape[1] < 72 or self.poses.shape[1] % 3:
            raise ValueError(f"Recovery.poses needs 72 values or more a frame, in threes, not {self.poses.shape[1]}")

    def __len__(self) -> int:
        return len(self.timestamps)

    @property
    def camera(self) -> Camera:
        return Camera(self.camera_intrinsics, self.camera_from_world, self.image_size, self.camera_zoom)

    @property
    def frame_intrinsics(self) -> FloatArray:
        """The intrinsics (F,3,3) px of each frame: those of a camera that zooms change."""
        intrinsics = np.tile(self.camera_intrinsics, (len(self), 1, 1))
        if self.camera_zoom is not None:
            intrinsics[:, [0, 1], [0, 1]] *= self.camera_zoom[:, None]
        return intrinsics

    def arrays(self) -> dict[str, AnyArray | str | float]:
        """The fields that are not None, by name, as files and the wire protocol store them."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in named.items() if value is not None}
