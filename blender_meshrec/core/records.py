"""The records handed from stage to stage: frozen, checked when made, their arrays copied and read-only.

Letters for axes: F frames, J joints, K keypoints, B betas, V vertices.
"""

from dataclasses import dataclass, fields

import numpy as np

from .silhouettes import Silhouettes
from .skeletons import KEYPOINT_SETS

# Symbols in a shape bind on first use and must agree afterwards; numbers must match as they stand.


def _freeze(record, shapes):
    """Copy the named arrays of a record, make them read-only and check their shapes against each other."""
    bound = {}
    for name, (dtype, shape) in shapes.items():
        value = getattr(record, name)
        if value is None:
            continue
        array = np.array(value, dtype=dtype)
        if array.ndim != len(shape):
            raise ValueError(f"{type(record).__name__}.{name} needs {len(shape)} axes {shape}, not shape {array.shape}")
        for length, symbol in zip(array.shape, shape):
            expected = bound.setdefault(symbol, length) if isinstance(symbol, str) else symbol
            if length != expected:
                raise ValueError(f"{type(record).__name__}.{name} needs shape {shape} with {bound}, not {array.shape}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{type(record).__name__}.{name} holds values that are not finite")
        array.setflags(write=False)
        object.__setattr__(record, name, array)


@dataclass(frozen=True)
class FootageInfo:
    """What is known of a piece of footage; the pixels stay in the file.

    source: path. timestamps: (F,) s, zero at the first frame of the range. fps: the nominal rate.
    size: (width, height) px of the upright, square-pixel image. first: index of the range's first frame in the file.
    rotation: degrees clockwise that the stored image was turned to stand upright.
    """

    source: str
    timestamps: np.ndarray
    fps: float
    size: tuple
    first: int = 0
    rotation: int = 0

    def __post_init__(self):
        _freeze(self, {"timestamps": (np.float64, ("F",))})

    def __len__(self):
        return len(self.timestamps)


@dataclass(frozen=True)
class Observations:
    """One tracked person over a range of frames, one row a frame of the range.

    boxes: (F,4) px, left, top, right, bottom. keypoints: (F,K,3) x px, y px, confidence 0..1.
    keypoints_3d: (F,K,3) m in camera axes relative to the hips' middle, or None. visible: (F,).
    silhouettes: of a few of the frames, or None. portrait: (S,S,3) uint8 RGB, a small picture of the person, or None.
    Rows where the person is not visible hold zeros.
    """

    keypoint_set: str
    boxes: np.ndarray
    keypoints: np.ndarray
    visible: np.ndarray
    keypoints_3d: np.ndarray | None = None
    silhouettes: Silhouettes | None = None
    portrait: np.ndarray | None = None

    def __post_init__(self):
        points = len(KEYPOINT_SETS[self.keypoint_set])
        _freeze(
            self,
            {
                "boxes": (np.float32, ("F", 4)),
                "keypoints": (np.float32, ("F", points, 3)),
                "visible": (bool, ("F",)),
                "keypoints_3d": (np.float32, ("F", points, 3)),
                "portrait": (np.uint8, ("S", "S", 3)),
            },
        )

    def __len__(self):
        return len(self.visible)

    @property
    def median_area(self):
        """Median box area in px^2 over the frames with the person: what "the largest" is judged by."""
        if not self.visible.any():
            return 0.0
        size = (self.boxes[:, 2:] - self.boxes[:, :2])[self.visible]
        return float(np.median(size[:, 0] * size[:, 1]))


@dataclass(frozen=True)
class Camera:
    """A pinhole camera: intrinsics (3,3) px, camera_from_world (F,4,4) with OpenCV axes, image_size (width, height) px."""

    intrinsics: np.ndarray
    camera_from_world: np.ndarray
    image_size: np.ndarray

    def __post_init__(self):
        _freeze(
            self,
            {
                "intrinsics": (np.float64, (3, 3)),
                "camera_from_world": (np.float64, ("F", 4, 4)),
                "image_size": (np.int64, (2,)),
            },
        )


@dataclass(frozen=True)
class BodyParams:
    """The parameters of an SMPL-type body: betas (B,) one set a person, global_orient (F,3), body_pose (F,D) rad, transl (F,3) m."""

    model: str
    betas: np.ndarray
    global_orient: np.ndarray
    body_pose: np.ndarray
    transl: np.ndarray

    def __post_init__(self):
        _freeze(
            self,
            {
                "betas": (np.float32, ("B",)),
                "global_orient": (np.float32, ("F", 3)),
                "body_pose": (np.float32, ("F", "D")),
                "transl": (np.float32, ("F", 3)),
            },
        )

    @property
    def poses(self):
        """All rotations, the root's first, (F,3+D) rad."""
        return np.concatenate([self.global_orient, self.body_pose], 1)


@dataclass(frozen=True)
class GeneratedMesh:
    """What a mesh generator makes of one person: body, in camera axes about the hip; points (F,17,2) px, its h36m17 joints in the
    picture as its own camera shows them."""

    body: BodyParams
    points: np.ndarray

    def __post_init__(self):
        _freeze(self, {"points": (np.float32, ("F", 17, 2))})


@dataclass(frozen=True)
class Estimate:
    """What an estimator says of one person in camera axes (OpenCV): h36m17 joints (F,17,3) m relative to the hip, confidence (F,17).

    body, in the same axes, is of estimators that have a mesh to be calibrated onto the joints. is_temporal: whether frames were judged
    from their neighbours too, so that the joints do not tremble. contacts: (F,4) 0..1, how surely left heel, left toe, right
    heel and right toe touch the ground, of estimators that see it.
    """

    joints: np.ndarray
    confidence: np.ndarray
    body: BodyParams | None = None
    is_temporal: bool = False
    contacts: np.ndarray | None = None

    def __post_init__(self):
        _freeze(
            self,
            {
                "joints": (np.float32, ("F", "J", 3)),
                "confidence": (np.float32, ("F", "J")),
                "contacts": (np.float32, ("F", 4)),
            },
        )


@dataclass(frozen=True)
class Motion:
    """What an armature plays: Z up throughout.

    skeleton: name of the joint list. rest_joints: (J,3) m. parents: (J,), -1 at the root.
    rotations: (F,J,4) wxyz relative to the parent, the identity being the rest pose. transl: (F,3) m, where the root
    joint is. timestamps: (F,) s. contacts: (F,4) left heel, left toe, right heel, right toe. joints: (F,J,3) m, where the
    joints shall land if bones may stretch, or None: the rotations leave the bones their lengths.
    """

    skeleton: str
    joint_names: tuple
    parents: np.ndarray
    rest_joints: np.ndarray
    rotations: np.ndarray
    transl: np.ndarray
    fps: float
    timestamps: np.ndarray
    contacts: np.ndarray | None = None
    joints: np.ndarray | None = None

    def __post_init__(self):
        _freeze(
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

    def __len__(self):
        return len(self.timestamps)


@dataclass(frozen=True)
class Recovery:
    """One person recovered from footage: what a motion .npz holds, key by key (see motion_file for the meaning of each).

    World: metres, z up, floor at z = 0. Invariant: forward(poses, betas) + trans == joints within 1e-4 m.
    `poses` is (F,72), or wider for a hand-bearing body; `footage`, `first_frame` and `footage_rotation` say which file,
    which of its frames was row 0 and by how many degrees clockwise its stored picture was turned to stand upright, so
    that a scene can put the footage behind the result.

    Of a SKEL result also: q (F,46) rad, the anatomical angles in core/skel's order; skel_betas (B,); skel_trans (F,3) m;
    skel_model_type, "open" or "skel". `poses` is then the converted SMPL motion. None and "" where there is no SKEL result.

    Of a calibrated result also: calibrated_joints (F,24,3) m, where the joints are if bones may stretch; `poses` is then the
    nearest pose of bones that may not.
    """

    poses: np.ndarray
    trans: np.ndarray
    betas: np.ndarray
    surface_model_type: str
    mocap_framerate: float
    timestamps: np.ndarray
    visible: np.ndarray
    joints: np.ndarray
    confidence: np.ndarray
    lifted_joints: np.ndarray
    contacts: np.ndarray
    camera_intrinsics: np.ndarray
    camera_from_world: np.ndarray
    image_size: np.ndarray
    gender: str = "neutral"
    footage: str = ""
    first_frame: int = 0
    footage_rotation: int = 0
    q: np.ndarray | None = None
    skel_betas: np.ndarray | None = None
    skel_trans: np.ndarray | None = None
    skel_model_type: str = ""
    calibrated_joints: np.ndarray | None = None

    def __post_init__(self):
        _freeze(
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
            },
        )
        if len({value is None for value in (self.q, self.skel_betas, self.skel_trans)}) > 1:
            raise ValueError("Recovery.q, skel_betas and skel_trans come together")
        if self.poses.shape[1] < 72 or self.poses.shape[1] % 3:
            raise ValueError(f"Recovery.poses needs 72 values or more a frame, in threes, not {self.poses.shape[1]}")

    def __len__(self):
        return len(self.timestamps)

    @property
    def camera(self):
        return Camera(self.camera_intrinsics, self.camera_from_world, self.image_size)

    def arrays(self):
        """Every field by its name, but those that are None: what the file and the wire carry."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in named.items() if value is not None}
