"""Settle a motion on its supports: touching parts touch, nothing sinks in, nothing slides, and flight is ballistic.

One least-squares problem over all frames, solved by L-BFGS: the motion stays near the given one while its contacts hold. This is how the
ground truth is made exact; it shares no code with the reconstruction that it judges.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import roma
import torch
from scipy.interpolate import BSpline  # pyrefly: ignore[untyped-import] - scipy ships no type stubs
from scipy.ndimage import gaussian_filter1d  # pyrefly: ignore[untyped-import] - scipy ships no type stubs

from blender_meshrec.core.array_types import BoolArray, FloatArray
from scripts.evaluate.posed.body_parts import JOINT, SIDES, PosedBody, centre_of_mass_weights

GRAVITY = 9.81  # m/s^2
SOFTNESS = 0.002  # m: scale of the soft minimum over a part's heights
# Standard deviations of the residuals.
POSE_SIGMA = 0.2  # rad a frame, from the given pose; of the joints below their own
POSE_SIGMA_OF = {"pelvis": 0.15, "spine1": 0.08, "spine2": 0.08, "spine3": 0.08, "neck": 0.08, "head": 0.08}
FIXED_JOINTS = ("left_hand", "right_hand")
TOE_SIGMA = 0.25
ANGULAR_ACCELERATION_SIGMA = 25.0  # rad/s^2, of the changes
ACCELERATION_SIGMA = 12.0  # m/s^2, of the joints
HEIGHT_SIGMA = 0.0015  # m, of touching parts above their supports
DEPTH_SIGMA = 0.0015  # m, of points below the floor
SLIP_SIGMA = 0.0006  # m from one frame to the next
SLIDE_SIGMA = 0.02  # of parts that may slide
BALLISTIC_SIGMA = 0.3  # m/s^2
BALANCE_SIGMA = 0.03  # m
OUTER_STEPS, INNER_STEPS = 5, 20
KNOT_FRAMES = 3  # between the knots of the changes
FIRST_SMOOTHING = 2.0  # frames: of the pelvis's first path
UNIT = 0.1  # rad or m: of the variables


@dataclass(frozen=True)
class Supported:
    """Contacts of a clip frame by frame.

    parts: names, (C,). heights: (C,) m, of their supports. touching: (F,C). slides: (C,). flight: (F,), in the air.
    balance: (F,), the centre of mass is above what is touched.
    """

    parts: tuple[str, ...]
    heights: FloatArray
    touching: BoolArray
    slides: BoolArray
    flight: BoolArray
    balance: BoolArray
    bar: BoolArray


def settle(
    body: PosedBody, rotmats: FloatArray, pelvis: FloatArray, supported: Supported, fps: float, keep_acceleration: bool = False
) -> tuple[FloatArray, FloatArray]:
    """The settled local rotations (F,24,3,3) and pelvis (F,3) m; with `keep_acceleration` near the given accelerations, else small ones."""
    problem = _Problem(body, rotmats, pelvis, supported, fps, keep_acceleration)
    for _ in range(OUTER_STEPS):
        problem.choose_touching_points()
        problem.minimise()
    with torch.no_grad():
        settled, at = problem.state()
    return settled.numpy().astype(float), at.numpy().astype(float)


class _Problem:
    """The residuals of one clip as a function of smooth changes, splines in time, of the rotations and the pelvis."""

    def __init__(self, body: PosedBody, rotmats: FloatArray, pelvis: FloatArray, supported: Supported, fps: float, keep: bool) -> None:
        self.body, self.supported, self.fps = body, supported, fps
        self.rotmats, self.pelvis = (torch.as_tensor(array, dtype=torch.float32) for array in (rotmats, pelvis))
        self.spline = torch.as_tensor(_spline_basis(len(pelvis)), dtype=torch.float32)
        self.turn_knots = torch.zeros(self.spline.shape[1], rotmats.shape[1] * 3, requires_grad=True)
        self.move_knots = torch.zeros(self.spline.shape[1], 3, requires_grad=True)
        self.variables = [self.turn_knots, self.move_knots]
        sigma = torch.full((24,), POSE_SIGMA)
        for name, value in POSE_SIGMA_OF.items():
            sigma[JOINT[name]] = value
        for side in SIDES:
            sigma[JOINT[f"{side}_foot"]] = TOE_SIGMA
        self.pose_sigma = sigma[:, None]
        self.free = torch.ones(24, 1)
        for name in FIXED_JOINTS:
            self.free[JOINT[name]] = 0
        self.mass = torch.as_tensor(centre_of_mass_weights(), dtype=torch.float32)
        self.weights: list[torch.Tensor] = []
        with torch.no_grad():
            given = _second_difference(body.pose(self.rotmats, self.pelvis)[0], fps)
        self.usual_acceleration = given if keep else torch.zeros_like(given)
        self.flight_rows = torch.as_tensor(np.flatnonzero(_inner(supported.flight)))
        self.seat_over_support = [
            (torch.as_tensor(np.concatenate([body.points[p] for p in ("seat", "left_thigh", "right_thigh")])), c)
            for c, part in enumerate(supported.parts)
            if part == "seat" and supported.heights[c] > 0.1
        ]

    def state(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Rotations (F,24,3,3) and pelvis (F,3)."""
        return self.rotmats @ roma.rotvec_to_rotmat(self.turns()), self.pelvis + UNIT * (self.spline @ self.move_knots)

    def turns(self) -> torch.Tensor:
        """Changes of the local rotations, rotation vectors (F,24,3) rad."""
        return UNIT * self.free * (self.spline @ self.turn_knots).reshape(len(self.spline), -1, 3)

    def choose_touching_points(self) -> None:
        """Set the weight of each point of each contact: the lowest points of the part in each frame."""
        with torch.no_grad():
            _, points = self.body.pose(*self.state())
        self.weights = [_soft_lowest(points[:, self.body.points[part], 2], part) for part in self.supported.parts]

    def minimise(self) -> None:
        """Take INNER_STEPS of L-BFGS; the points that touch stay the chosen ones."""
        optimizer = torch.optim.LBFGS(self.variables, max_iter=INNER_STEPS, history_size=20, line_search_fn="strong_wolfe")

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            cost = self.cost()
            cost.backward()
            return cost

        optimizer.step(closure)

    def cost(self) -> torch.Tensor:
        """Half the sum of squared residuals, each divided by its sigma."""
        rotmats, pelvis = self.state()
        joints, points = self.body.pose(rotmats, pelvis)
        turns = self.turns()
        total = ((turns / self.pose_sigma) ** 2).sum()
        total = total + (_second_difference(turns, self.fps) / ANGULAR_ACCELERATION_SIGMA).square().sum()
        total = total + ((_second_difference(joints, self.fps) - self.usual_acceleration) / ACCELERATION_SIGMA).square().sum() * 0.3
        total = total + (torch.relu(-points[..., 2]) / DEPTH_SIGMA).square().sum() * 0.2
        for chosen, contact in self.seat_over_support:
            rows = torch.as_tensor(self.supported.touching[:, contact])
            total = total + (torch.relu(self.supported.heights[contact] - points[rows][:, chosen, 2]) / DEPTH_SIGMA).square().sum() * 0.2
        centre = (joints * self.mass[:, None]).sum(1)
        total = total + self._contact_cost(points, centre)
        if len(self.flight_rows):
            pull = torch.tensor([0.0, 0.0, GRAVITY])
            fall = _second_difference(centre, self.fps)[self.flight_rows - 1] + pull
            total = total + (fall / BALLISTIC_SIGMA).square().sum()
        return total / 2

    def _contact_cost(self, points: torch.Tensor, centre: torch.Tensor) -> torch.Tensor:
        """Heights and slip of touching parts, and balance above them."""
        total = points.new_zeros(())
        at_sum, count = torch.zeros(len(points), 2), torch.zeros(len(points), 1)
        for number, part in enumerate(self.supported.parts):
            own, weight = points[:, self.body.points[part]], self.weights[number]
            touching = torch.as_tensor(self.supported.touching[:, number])
            height = (weight * own[..., 2]).sum(1) - float(self.supported.heights[number])
            total = total + (height[touching] / HEIGHT_SIGMA).square().sum()
            both = touching[1:] & touching[:-1]
            shared = (weight[1:] + weight[:-1]) / 2
            slip = (shared[..., None] * (own[1:] - own[:-1])).sum(1)[both]
            sigma = SLIDE_SIGMA if self.supported.slides[number] else SLIP_SIGMA
            total = total + (slip[:, :2] / sigma).square().sum()
            if self.supported.bar[number]:  # hands hold one line
                total = total + ((own[..., 1].mean(1)[touching] - self._bar_at(number)) / HEIGHT_SIGMA).square().sum()
            at_sum = at_sum + touching[:, None] * (weight[..., None] * own[..., :2]).sum(1)
            count = count + touching[:, None]
        rows = torch.as_tensor(self.supported.balance) & (count[:, 0] > 0)
        offset = centre[rows, :2] - (at_sum / count.clamp(min=1))[rows]
        return total + (offset / BALANCE_SIGMA).square().sum()

    def _bar_at(self, number: int) -> float:
        """The bar's place along y: where the first pelvis is."""
        return float(self.pelvis[0, 1])


def _spline_basis(frames: int) -> FloatArray:
    """Cubic B-splines with a knot every KNOT_FRAMES frames, (F,K)."""
    inner = np.linspace(0, frames - 1, max(2, (frames - 1) // KNOT_FRAMES + 1))
    knots = np.concatenate([[inner[0]] * 3, inner, [inner[-1]] * 3])
    return BSpline.design_matrix(np.arange(frames, dtype=float), knots, 3).toarray()


def _soft_lowest(heights: torch.Tensor, part: str) -> torch.Tensor:
    """Weights (F,N) of points by how low they are; a gripping hand's points count alike."""
    if part.endswith("grip"):
        return torch.full_like(heights, 1 / heights.shape[1])
    return torch.softmax(-heights / SOFTNESS, 1)


def _second_difference(values: torch.Tensor, fps: float) -> torch.Tensor:
    """Accelerations (F-2,...) of values (F,...)."""
    return (values[2:] - 2 * values[1:-1] + values[:-2]) * fps**2


def _inner(rows: BoolArray) -> BoolArray:
    """Rows whose neighbours are rows too."""
    inner = rows.copy()
    inner[1:] &= rows[:-1]
    inner[:-1] &= rows[1:]
    inner[[0, -1]] = False
    return inner


def first_pelvis(
    body: PosedBody, rotmats: FloatArray, supported: Supported, shifts: Sequence[tuple[int, int, FloatArray]], fps: float, start: FloatArray
) -> FloatArray:
    """A path (F,3) m of the pelvis on which touching points neither move nor leave their supports, in the mean.

    shifts: (first frame, last frame, (2,) m), how far the pelvis moves in each flight. start: (3,) m.
    """
    with torch.no_grad():
        _, placed = body.pose(torch.as_tensor(rotmats, dtype=torch.float32), torch.zeros(len(rotmats), 3))
    points = placed.numpy().astype(float)
    weights = [_soft_lowest(placed[:, body.points[part], 2], part).numpy() for part in supported.parts]
    count = supported.touching.sum(1)
    pelvis = np.zeros((len(rotmats), 3))
    step, steps = np.zeros((len(rotmats), 2)), np.zeros(len(rotmats))
    height = np.zeros(len(rotmats))
    for number, part in enumerate(supported.parts):
        own, weight = points[:, body.points[part]], weights[number]
        touching = supported.touching[:, number]
        height += touching * (supported.heights[number] - (weight * own[..., 2]).sum(1))
        both = touching[1:] & touching[:-1] & (not supported.slides[number])
        moved = -(((weight[1:] + weight[:-1]) / 2)[..., None] * (own[1:] - own[:-1])[..., :2]).sum(1)
        step[1:][both] += moved[both]
        steps[1:][both] += 1
    step /= np.maximum(steps, 1)[:, None]
    for first, last, shift in shifts:
        step[first + 1 : last + 1] = np.asarray(shift) / max(last - first, 1)
    pelvis[:, :2] = np.cumsum(step, 0) + start[:2]
    known = count > 0
    rows = np.arange(len(pelvis))
    pelvis[:, 2] = np.interp(rows, rows[known], (height / np.maximum(count, 1))[known]) if known.any() else start[2]
    pelvis = gaussian_filter1d(pelvis, FIRST_SMOOTHING, axis=0, mode="nearest")
    for first, last, _ in shifts:
        time, length = (rows[first : last + 1] - first) / fps, (last - first) / fps
        pelvis[first : last + 1, 2] += GRAVITY / 2 * time * (length - time)
    return pelvis
