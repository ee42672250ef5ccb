"""Where a posed body puts its points, and how they move with the unknowns of the solve.

Points are joints, landmarks of the skin, markers (where the detector sees a joint: beside the body's own by a constant offset),
and bones (the vector between two markers). Rotations change by right tangents: R <- R exp(d).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ....core.array_types import BoolArray, FloatArray, IntArray
from ....core.files.body_template import BodyTemplate
from ....core.foot_planting.leg_kinematics import soles_from_template
from ....core.frozen_arrays import read_only_array
from ....core.rotations import rotmat_from_rotvec
from ....core.skeletons import H36M17, H36M17_PARENTS, SMPL_JOINTS, SMPL_PARENTS, h36m17_weights_from_names

NUM_JOINTS = len(SMPL_JOINTS)
# The solve leaves hands and toes as they are: nothing says anything of them.
MOVING = tuple(j for j, name in enumerate(SMPL_JOINTS) if name.split("_")[-1] not in ("hand", "foot"))
FRAME_UNKNOWNS = 3 + 3 * len(MOVING)
SOLES = ("left_heel_sole", "left_toe_sole", "right_heel_sole", "right_toe_sole")
LANDMARKS = {"nose": "head", "head_top": "head", "left_heel": "left_ankle", "left_big_toe": "left_foot",
             "right_heel": "right_ankle", "right_big_toe": "right_foot"}  # fmt: skip
FINGERTIPS = {"left_fingertip": "left_hand", "right_fingertip": "right_hand"}
# Where a detector sees feet: beside these joints and landmarks by offsets that do not change (foot_keypoints.py), and the joint that each
# moves with. Its ankles lie on the shin: if they moved with the foot, feet would turn to fit them.
_FOOT_JOINTS = {"left_ankle": "left_knee", "left_heel": "left_ankle", "left_big_toe": "left_foot",
                "right_ankle": "right_knee", "right_heel": "right_ankle", "right_big_toe": "right_foot"}  # fmt: skip
FOOT_POINTS = tuple(_FOOT_JOINTS)
FOOT_MARKERS = {f"{name}_marker": joint for name, joint in _FOOT_JOINTS.items()}
ATTACHED = {**LANDMARKS, **FINGERTIPS, "left_heel_sole": "left_ankle", "left_toe_sole": "left_foot",
            "right_heel_sole": "right_ankle", "right_toe_sole": "right_foot", **FOOT_MARKERS}  # fmt: skip
# Markers that lie beside the body's own point: the joint they move with, and the axes (x to the left, y up, z forward) of their
# offset. Left and right offsets mirror each other.
MARKER_OFFSETS = {
    "hip": ("pelvis", "yz"), "left_hip": ("pelvis", "xyz"), "right_hip": ("pelvis", "xyz"), "spine": ("spine2", "yz"),
    "thorax": ("spine3", "yz"), "left_shoulder": ("left_collar", "xyz"), "right_shoulder": ("right_collar", "xyz"),
    "nose": ("head", "yz"), "head_top": ("head", "yz"),
}  # fmt: skip
BONES = tuple((int(parent), child) for child, parent in enumerate(H36M17_PARENTS) if parent >= 0)


def _offset_columns() -> tuple[tuple[str, str], ...]:
    """The (marker, axis) of each marker offset; right markers share their left one's."""
    return tuple((name, axis) for name, (_joint, axes) in MARKER_OFFSETS.items() if not name.startswith("right") for axis in axes)


OFFSET_COLUMNS = _offset_columns()
NUM_OFFSETS = len(OFFSET_COLUMNS)
# Rows of the points.
POINT_NAMES = (*SMPL_JOINTS, *ATTACHED)
NUM_POINTS = len(POINT_NAMES)
MARKER_ROWS = np.arange(NUM_POINTS, NUM_POINTS + len(H36M17))
BONE_ROWS = np.arange(MARKER_ROWS[-1] + 1, MARKER_ROWS[-1] + 1 + len(BONES))
NUM_ROWS = int(BONE_ROWS[-1]) + 1


def point_rows(names: Sequence[str]) -> IntArray:
    """The rows of named points."""
    return np.array([POINT_NAMES.index(name) for name in names])


SOLE_ROWS = point_rows(SOLES)
FOOT_MARKER_ROWS = point_rows(tuple(FOOT_MARKERS))
# Where the detector sees the joints of h36m17: the markers, but for ankles those of the feet.
SEEN_ROWS = MARKER_ROWS.copy()
for _ankle in ("left_ankle", "right_ankle"):
    SEEN_ROWS[H36M17.index(_ankle)] = FOOT_MARKER_ROWS[FOOT_POINTS.index(_ankle)]
NO_FOOT_OFFSETS: FloatArray = read_only_array(np.zeros((len(FOOT_MARKERS), 3)))


@dataclass(frozen=True)
class Shape:
    """A person's points at rest, linear in the shape unknowns: betas = start + basis @ unknowns.

    rest: (P,3) m of POINT_NAMES at `start`. directions: (P,3,S) m per unknown. basis: (B,S).
    """

    start: FloatArray
    basis: FloatArray
    rest: FloatArray
    directions: FloatArray

    def betas(self, unknowns: FloatArray) -> FloatArray:
        """The betas (B,) of shape unknowns (S,)."""
        return self.start + self.basis @ unknowns


def shape_of_stature(
    template: BodyTemplate,
    betas: FloatArray,
    is_known: bool = False,
    is_size_open: bool = False,
    foot_offsets: FloatArray = NO_FOOT_OFFSETS,
) -> Shape:
    """Shapes of the same stature as `betas` (B,): one view shows the proportions of a body, not its size.

    Of a known shape, no others; where the size is open, those of every stature. foot_offsets: (6,3) m at rest, of FOOT_MARKERS from
    FOOT_POINTS.
    """
    rest, directions = _rest_points(template, betas)
    rest[FOOT_MARKER_ROWS] += foot_offsets
    rise = directions[POINT_NAMES.index("head_top"), 1] - directions[SOLE_ROWS, 1].mean(0)
    # Every direction of the betas that leaves the stature alone.
    basis = np.linalg.svd(rise[None])[2][len(betas) if is_known else 0 if is_size_open else 1 :].T
    return Shape(np.asarray(betas, float), basis, rest, directions @ basis)


def _rest_points(template: BodyTemplate, betas: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The points (P,3) m at rest and their derivatives (P,3,B) by betas (B,)."""
    # At rest the arms are held out to the sides.
    fingertips = template.v_template[:, 0].argmax(), template.v_template[:, 0].argmin()

    def points(values: FloatArray) -> FloatArray:
        joints = template.rest_joints(values)[template.smpl_joint_indices]
        vertices = template.rest_vertices(values)
        landmarks = vertices[np.array([*(template.landmarks[name] for name in LANDMARKS), *fingertips])]
        found = np.concatenate([joints, landmarks, soles_from_template(template, values).points])
        return np.concatenate([found, found[point_rows(FOOT_POINTS)]]).astype(float)

    rest = points(betas)
    # Soles lie on the lowest vertex, the rest is linear: a small step either way gives the derivative.
    step = 0.5
    steps = [(points(betas + step * axis) - points(betas - step * axis)) / (2 * step) for axis in np.eye(len(betas))]
    return rest, np.stack(steps, -1)


@dataclass(frozen=True)
class BodyState:
    """One person over F frames, in camera axes.

    pelvis: (F,3) m. rotmats: (F,24,3,3), local. shape: (S,) and offsets: (M,) m of the markers, of the whole clip.
    """

    pelvis: FloatArray
    rotmats: FloatArray
    shape: FloatArray
    offsets: FloatArray

    def __len__(self) -> int:
        return len(self.pelvis)

    def frames(self, rows: IntArray) -> "BodyState":
        """The state of some rows."""
        return replace(self, pelvis=self.pelvis[rows], rotmats=self.rotmats[rows])

    def moved(self, frame_step: FloatArray, shape_step: FloatArray, offset_step: FloatArray) -> "BodyState":
        """The state after steps (F,U), (S,), (M,)."""
        rotmats = self.rotmats.copy()
        turn = rotmat_from_rotvec(frame_step[:, 3:].reshape(len(self), len(MOVING), 3))
        rotmats[:, list(MOVING)] = rotmats[:, list(MOVING)] @ turn
        return replace(
            self, pelvis=self.pelvis + frame_step[:, :3], rotmats=rotmats, shape=self.shape + shape_step, offsets=self.offsets + offset_step
        )


def _chains() -> tuple[IntArray, BoolArray]:
    """The joint (P,) that each point moves with, and whether each moving joint turns it (P, len(MOVING))."""
    joints = np.array([*range(NUM_JOINTS), *(SMPL_JOINTS.index(joint) for joint in ATTACHED.values())])
    turned = np.zeros((NUM_POINTS, NUM_JOINTS), bool)
    for point, joint in enumerate(joints):
        while joint >= 0:
            turned[point, joint] = True
            joint = SMPL_PARENTS[joint]
    return joints, turned[:, list(MOVING)]


POINT_JOINTS, TURNED_BY = _chains()
TURNED_POINTS, TURNING = np.nonzero(TURNED_BY)  # every point with each moving joint that turns it
MOVING_JOINTS: IntArray = np.array(MOVING)
_MARKER_WEIGHTS = h36m17_weights_from_names((*SMPL_JOINTS, "nose", "head_top"))
MARKER_WEIGHTS = np.pad(_MARKER_WEIGHTS, ((0, 0), (0, NUM_POINTS - _MARKER_WEIGHTS.shape[1])))
_OFFSET_MARKERS = [H36M17.index(name) for name in MARKER_OFFSETS]
_OFFSET_JOINTS = [SMPL_JOINTS.index(joint) for joint, _axes in MARKER_OFFSETS.values()]


def _offset_maps() -> FloatArray:
    """For each of MARKER_OFFSETS, its offset (3,) from the offset unknowns: (9,3,M)."""
    maps = np.zeros((len(MARKER_OFFSETS), 3, NUM_OFFSETS))
    for row, name in enumerate(MARKER_OFFSETS):
        for column, (marker, axis) in enumerate(OFFSET_COLUMNS):
            if marker == name.replace("right", "left"):
                maps[row, "xyz".index(axis), column] = -1 if axis == "x" and name.startswith("right") else 1
    return maps


_OFFSET_MAPS = _offset_maps()


@dataclass(frozen=True)
class PosedPoints:
    """The points of a state: rows (F,N,3), first points, then markers, then bones. rotations: (F,24,3,3), global."""

    shape: Shape
    state: BodyState
    rows: FloatArray
    rotations: FloatArray

    @property
    def markers(self) -> FloatArray:
        """(F,17,3) m, h36m17 as the detector sees it."""
        return self.rows[:, MARKER_ROWS]

    @cached_property
    def offset_vectors(self) -> FloatArray:
        """The offsets of MARKER_OFFSETS in camera axes, (F,9,3) m."""
        offsets = _OFFSET_MAPS @ self.state.offsets
        return (self.rotations[:, _OFFSET_JOINTS] @ offsets[..., None])[..., 0]

    def frames(self, start: int, stop: int) -> "PosedPoints":
        """The points of frames start..stop."""
        state = replace(self.state, pelvis=self.state.pelvis[start:stop], rotmats=self.state.rotmats[start:stop])
        return PosedPoints(self.shape, state, self.rows[start:stop], self.rotations[start:stop])

    def frame_jacobian(self) -> FloatArray:
        """Derivatives (F,N,3,U) of the rows by each frame's unknowns."""
        jacobian = np.zeros((len(self.state), NUM_ROWS, 3, FRAME_UNKNOWNS))
        points = jacobian[:, :NUM_POINTS]
        points[:, :, [0, 1, 2], [0, 1, 2]] = 1
        turning, joints = self.rotations[:, MOVING_JOINTS], MOVING_JOINTS[TURNING]
        turns = points[..., 3:].reshape(*points.shape[:3], len(MOVING), 3)  # a view
        arms = self.rows[:, TURNED_POINTS] - self.rows[:, joints]
        for axis, moved in enumerate(_cross(self.rotations[:, joints], arms)):
            turns[:, TURNED_POINTS, axis, TURNING] = moved
        markers = (MARKER_WEIGHTS @ points.reshape(len(points), NUM_POINTS, -1)).reshape(len(points), -1, 3, FRAME_UNKNOWNS)
        offsets = self.offset_vectors[:, :, None] * TURNED_BY[_OFFSET_JOINTS][..., None]
        turn = np.stack(_cross(turning[:, None], offsets), 2)
        markers[:, _OFFSET_MARKERS, :, 3:] += turn.reshape(*turn.shape[:3], -1)
        return _with_markers_and_bones(jacobian, markers)

    def clip_jacobian(self) -> FloatArray:
        """Derivatives (F,N,3,S+M) of the rows by the clip's shape and marker offsets."""
        num_shape = len(self.state.shape)
        jacobian = np.zeros((len(self.state), NUM_ROWS, 3, num_shape + NUM_OFFSETS))
        directions = self.shape.directions
        for point in range(1, NUM_POINTS):
            joint = SMPL_PARENTS[point] if point < NUM_JOINTS else POINT_JOINTS[point]
            change = self.rotations[:, joint] @ (directions[point] - directions[joint])
            jacobian[:, point, :, :num_shape] = jacobian[:, joint, :, :num_shape] + change
        markers = np.tensordot(MARKER_WEIGHTS, jacobian[:, :NUM_POINTS], (1, 1)).swapaxes(0, 1)
        markers[:, _OFFSET_MARKERS, :, num_shape:] += self.rotations[:, _OFFSET_JOINTS] @ _OFFSET_MAPS
        return _with_markers_and_bones(jacobian, markers)


def pose_points(shape: Shape, state: BodyState) -> PosedPoints:
    """Pose a body: forward kinematics of its points."""
    rest = shape.rest + shape.directions @ state.shape
    rotations = np.empty_like(state.rotmats)
    rows = np.zeros((len(state), NUM_ROWS, 3))
    rotations[:, 0], rows[:, 0] = state.rotmats[:, 0], state.pelvis
    for point in range(1, NUM_POINTS):
        joint = SMPL_PARENTS[point] if point < NUM_JOINTS else POINT_JOINTS[point]
        rows[:, point] = rows[:, joint] + rotations[:, joint] @ (rest[point] - rest[joint])
        if point < NUM_JOINTS:
            rotations[:, point] = rotations[:, joint] @ state.rotmats[:, point]
    posed = PosedPoints(shape, state, rows, rotations)
    markers = np.tensordot(MARKER_WEIGHTS, rows[:, :NUM_POINTS], (1, 1)).swapaxes(0, 1)
    markers[:, _OFFSET_MARKERS] += posed.offset_vectors
    _with_markers_and_bones(rows, markers)
    return posed


def _with_markers_and_bones(rows: FloatArray, markers: FloatArray) -> FloatArray:
    """Rows (F,N, ...) with their markers (F,17, ...) and the bones between them set, in place."""
    rows[:, MARKER_ROWS] = markers
    for row, (start, end) in zip(BONE_ROWS, BONES, strict=True):
        np.subtract(markers[:, end], markers[:, start], out=rows[:, row])
    return rows


def _cross(rotations: FloatArray, arms: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The movement of points at `arms` (...,3) from joints that turn by rotations (...,3,3), (R d) x arm: x, y and z, (...,3) by d each."""
    x, y, z = (arms[..., axis, None] for axis in range(3))
    return (
        rotations[..., 1, :] * z - rotations[..., 2, :] * y,
        rotations[..., 2, :] * x - rotations[..., 0, :] * z,
        rotations[..., 0, :] * y - rotations[..., 1, :] * x,
    )
