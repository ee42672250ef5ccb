"""The fewest keys of a clean-up rig's controls with which every joint stays within 5 mm and 1 degree of the capture.

Controls are fitted from the root outwards, each to the captured turn relative to its parent as that is keyed, so that errors of turns do
not add up along a chain. Those of places do: where a joint is too far off, the tolerances of the bones that put it there are tightened
around that frame, and everything is fitted again.
"""

from dataclasses import dataclass, field

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.rotations import angle_between_rotmats
from .fit_channels import fit_channels, fit_rotations, phases_of
from .limb_poses import ik_limb, least_turn, pole_metric, pole_places
from .records import CapturedMotion, CleanUpKeys, ControlAxes, LimbControls, LimbKeys, PhaseKeys, RotationKeys

MAX_DISTANCE, MAX_ANGLE = 5e-3, float(np.radians(1.0))  # of a joint from its captured place, m, and turn, rad
# Fitted to somewhat less, because Blender stores single precision and its IK iterates.
_DISTANCE, _ANGLE = 0.94 * MAX_DISTANCE, 0.95 * MAX_ANGLE
_ROOT_TOLERANCE, _END_TOLERANCE, _POLE_TOLERANCE, _GLIDE_TOLERANCE = 2.8e-3, 2.8e-3, 2.5e-3, 2e-3  # m, to begin with
_STRONGEST_TIGHTENING, _WEAKEST_TIGHTENING = 0.5, 0.88  # of a tolerance in one round
_WINDOW = 4  # frames on either side
_MIN_SHARE = 0.2  # of an error: bones that add less keep their tolerance
_STRAIGHT_LIMB_GAIN = 8.0
_MAX_ROUNDS = 24


def fit_controls(captured: CapturedMotion, controls: ControlAxes, limbs: tuple[LimbControls, ...]) -> CleanUpKeys:
    """Fit the keys of all controls; limbs are on IK where they say so."""
    fit = _Fit(captured, controls, limbs)
    keys = fit.fit()
    for _ in range(_MAX_ROUNDS):
        if not fit.tighten(keys):
            break
        keys = fit.fit()
    return keys


@dataclass
class _Fit:
    """Tolerances by frame: of the root's place, of each joint's turn (F,J) rad and glide (F,J) m, and of each limb's end and pole."""

    captured: CapturedMotion
    controls: ControlAxes
    limbs: tuple[LimbControls, ...]
    root: FloatArray = field(init=False)
    turns: FloatArray = field(init=False)
    glides: FloatArray = field(init=False)
    ends: FloatArray = field(init=False)
    poles: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        count, joints = self.captured.turns.shape[:2]
        self.root = np.full(count, _ROOT_TOLERANCE)
        self.turns = np.full((count, joints), 0.97 * _ANGLE)
        self.glides = np.full((count, joints), _GLIDE_TOLERANCE)
        self.ends = np.full((count, len(self.limbs)), _END_TOLERANCE)
        self.poles = np.full((count, len(self.limbs)), _POLE_TOLERANCE)
        self.ik_of_joint = {
            joint: (number, limb) for number, limb in enumerate(self.limbs) for joint in (limb.upper, limb.middle, limb.end)
        }

    def fit(self) -> CleanUpKeys:
        captured = self.captured
        count, joints = captured.turns.shape[:2]
        turns, heads = np.empty_like(captured.turns), np.empty_like(captured.heads)
        rotations: list[RotationKeys] = []
        root: tuple[PhaseKeys, ...] = ()
        glides: dict[int, tuple[PhaseKeys, ...]] = {}
        self._glide_errors = np.zeros((count, joints))
        limb_keys: dict[int, LimbKeys] = {}
        for joint in range(joints):
            parent = int(captured.parents[joint])
            if parent >= 0:
                offset = np.broadcast_to(captured.rest_heads[joint] - captured.rest_heads[parent], (count, 3))
                if joint in captured.glides:
                    glides[joint], glide = self._fit_glide(joint)
                    offset = offset + glide
                heads[:, joint] = heads[:, parent] + (turns[:, parent] @ offset[..., None])[..., 0]
            on_ik = np.zeros(count, bool)
            if joint in self.ik_of_joint:
                number, limb = self.ik_of_joint[joint]
                on_ik = limb.uses_ik
                if joint == limb.upper and on_ik.any():
                    limb_keys[number] = self._fit_limb(number, limb, heads, turns)
            keys, keyed = self._fit_turn(joint, turns, ~on_ik)
            rotations.append(keys)
            turns[~on_ik, joint] = keyed[~on_ik]
            if parent < 0:
                root, heads[:, 0] = self._fit_root(turns[:, 0])
        limbs = tuple(limb_keys.get(number, LimbKeys()) for number in range(len(self.limbs)))
        return CleanUpKeys(root, tuple(rotations), glides, limbs, turns, heads)

    def _fit_glide(self, joint: int) -> tuple[tuple[PhaseKeys, ...], FloatArray]:
        """Keys of the location of a control whose joint glides, and how far the joint then does, (F,3) m."""
        glide, axes = self.captured.glides[joint], self.controls.axes[joint]
        keys, keyed = _fit_location(glide, np.zeros(3), axes, self.glides[:, joint], [(0, len(glide))])
        self._glide_errors[:, joint] = np.linalg.norm(keyed - glide, axis=-1)
        return keys, keyed

    def _fit_root(self, turns: FloatArray) -> tuple[tuple[PhaseKeys, ...], FloatArray]:
        """Keys of the location of the root joint's control, and the root's place (F,3) m, given its keyed turns (F,3,3)."""
        captured, rest = self.captured, self.controls.root
        offset = rest - captured.rest_heads[0]
        keys, path = _fit_location(captured.heads[:, 0] + turns @ offset, rest, self.controls.axes[0], self.root, [(0, len(turns))])
        return keys, path - turns @ offset

    def _fit_turn(self, joint: int, turns: FloatArray, used: BoolArray) -> tuple[RotationKeys, FloatArray]:
        """Keys of a joint's control on the frames `used`, and its keyed turn (F,3,3)."""
        captured, axes = self.captured.turns[:, joint], self.controls.axes[joint]
        followed = int(self.controls.follows[joint])
        base = turns[:, followed] if followed >= 0 else np.broadcast_to(np.eye(3), captured.shape)
        if not used.any():
            return RotationKeys("XYZ", ()), captured
        base = np.where(used[:, None, None], base, self.captured.turns[:, followed])
        basis = axes.T @ base.swapaxes(-1, -2) @ captured @ axes
        keys, keyed = fit_rotations(basis, self.turns[:, joint], phases_of(used))
        return keys, base @ axes @ keyed @ axes.T

    def _fit_limb(self, number: int, limb: LimbControls, heads: FloatArray, turns: FloatArray) -> LimbKeys:
        """Keys of a limb's IK controls; fills in the turns of its joints on IK."""
        captured, used = self.captured, limb.uses_ik
        phases = phases_of(used)
        axes = limb.axes
        offset = limb.place - captured.rest_heads[limb.end]
        wanted = pole_places(captured, limb)
        metric = pole_metric(captured, limb, wanted) @ limb.pole_axes
        pole, poles = fit_channels((wanted - limb.pole) @ limb.pole_axes, self.poles[:, number], phases, metric)
        rotation, keyed = fit_rotations(axes.T @ captured.turns[:, limb.end] @ axes, self.turns[:, limb.end], phases)
        turns_of_end = axes @ keyed @ axes.T
        ends = captured.heads[:, limb.end] + turns_of_end @ offset
        place, end = _fit_location(ends, limb.place, limb.place_axes, self.ends[:, number], phases)
        bones = [captured.rest_heads[b] - captured.rest_heads[a] for a, b in ((limb.upper, limb.middle), (limb.middle, limb.end))]
        lengths = float(np.linalg.norm(bones[0])), float(np.linalg.norm(bones[1]))
        middle, reached = ik_limb(heads[:, limb.upper], end - turns_of_end @ offset, poles @ limb.pole_axes.T + limb.pole, lengths)
        for joint, bone, direction in (
            (limb.upper, bones[0], middle - heads[:, limb.upper]),
            (limb.middle, bones[1], reached - middle),
        ):
            turns[used, joint] = least_turn(captured.turns[used, joint], bone, direction[used])
        turns[used, limb.end] = turns_of_end[used]
        return LimbKeys(place, rotation, pole)

    def tighten(self, keys: CleanUpKeys) -> bool:
        """Tighten the tolerances of what puts joints too far off; returns whether any was."""
        captured = self.captured
        errors = np.linalg.norm(keys.heads - captured.heads, axis=-1)
        angles = angle_between_rotmats(keys.turns, captured.turns)
        parts = self._shares(keys)
        shrink = {name: np.ones_like(getattr(self, name)) for name in ("root", "turns", "glides", "ends", "poles")}
        for joint in range(errors.shape[1]):
            for frame in np.flatnonzero(errors[:, joint] > _DISTANCE):
                factor = float(_DISTANCE / errors[frame, joint])
                for name, column, share in self._causes(joint, int(frame), parts):
                    if share[frame] > _MIN_SHARE * errors[frame, joint]:
                        _shrink(shrink[name], int(frame), column, factor)
            for frame in np.flatnonzero(angles[:, joint] > _ANGLE):
                factor = float(_ANGLE / angles[frame, joint])
                _shrink(shrink["turns"], int(frame), joint, factor)
                for name, column, share in self._causes_of_turn(joint, int(frame), parts):
                    if share[frame] > _MIN_SHARE * _DISTANCE:
                        _shrink(shrink[name], int(frame), column, factor)
        for name, factor in shrink.items():
            setattr(self, name, getattr(self, name) * factor)
        return any(np.any(factor < 1) for factor in shrink.values())

    def _shares(self, keys: CleanUpKeys) -> FloatArray:
        """How far each joint's error of turn moves each joint's head away from its parent's: (F,J), by the child."""
        captured = self.captured
        shares = np.zeros(captured.heads.shape[:2])
        for joint, parent in enumerate(captured.parents.tolist()):
            if parent >= 0:
                offset = captured.rest_heads[joint] - captured.rest_heads[parent]
                shares[:, joint] = np.linalg.norm((keys.turns[:, parent] - captured.turns[:, parent]) @ offset, axis=-1)
        self._root_error = np.linalg.norm(keys.heads[:, 0] - captured.heads[:, 0], axis=-1)
        return shares

    def _causes_of_turn(self, joint: int, frame: int, shares: FloatArray) -> list[tuple[str, int | None, FloatArray]]:
        """What turns a joint that IK turns, as of `_causes`: all that moves its limb's root, its end and its pole."""
        _number, limb = self.ik_of_joint.get(joint, (0, None))
        if limb is None or not limb.uses_ik[frame] or joint == limb.end:
            return []
        return self._causes(limb.middle, frame, shares)

    def _causes(self, joint: int, frame: int, shares: FloatArray) -> list[tuple[str, int | None, FloatArray]]:
        """What puts a joint where it is at a frame: the name of a tolerance, its column, and its share (F,) of the error, m."""
        causes: list[tuple[str, int | None, FloatArray]] = []
        parents, gain = self.captured.parents, 1.0
        while parents[joint] >= 0:
            parent = int(parents[joint])
            if joint in self.captured.glides:
                causes.append(("glides", joint, gain * self._glide_errors[:, joint]))
            number, limb = self.ik_of_joint.get(parent, (0, None))
            if limb is not None and limb.uses_ik[frame] and parent != limb.end:
                full = np.full(len(shares), np.inf)
                causes += [("ends", number, full), ("poles", number, full)]
                if parent == limb.middle:  # the end's place is its own control's
                    return causes
                # A limb that is nearly straight bends by far more than its length changes.
                gain = _STRAIGHT_LIMB_GAIN
            else:
                causes.append(("turns", parent, gain * shares[:, joint]))
            joint = parent
        return [*causes, ("root", None, gain * self._root_error)]


def _fit_location(
    places: FloatArray, rest: FloatArray, axes: FloatArray, tolerances: FloatArray, phases: list[tuple[int, int]]
) -> tuple[tuple[PhaseKeys, ...], FloatArray]:
    """Keys of the location, about rest axes (3,3), of a control that is at `rest` (3,) at rest, and its places (F,3) m."""
    keys, curve = fit_channels((places - rest) @ axes, tolerances, phases)
    return keys, curve @ axes.T + rest


def _shrink(factors: FloatArray, frame: int, column: int | None, factor: float) -> None:
    """Tighten a tolerance around a frame by about as much as it was exceeded there."""
    window = slice(max(0, frame - _WINDOW), frame + _WINDOW + 1)
    part = factors[window] if column is None else factors[window, column]
    np.minimum(part, np.clip(factor, _STRONGEST_TIGHTENING, _WEAKEST_TIGHTENING), out=part)
