"""The records of a clean-up rig: the captured motion, the controls that are to follow it, and their keys.

F frames, J joints. Rotation matrices act on columns, in armature space; a joint's turn is its rotation away from rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ...core.array_types import BoolArray, FloatArray, IntArray
from ...core.key_reduction import Keys
from ...core.rotations import angle_between_rotmats


@dataclass(frozen=True)
class CapturedMotion:
    """A skeleton's motion on whole frames: parents (J,), -1 at the root, which comes first; rest_heads (J,3) m; turns (F,J,3,3); heads
    (F,J,3) m of bones that keep their lengths, but for those that glide.

    glides: joint -> how far it has moved (F,3) m from its place at rest, in armature axes turned as its parent is.
    """

    parents: IntArray
    rest_heads: FloatArray
    turns: FloatArray
    heads: FloatArray
    glides: Mapping[int, FloatArray] = field(default_factory=dict[int, FloatArray])

    def __len__(self) -> int:
        return len(self.turns)


@dataclass(frozen=True)
class LimbControls:
    """A leg or an arm with IK.

    upper, middle, end: its joints, such as hip, knee and ankle. uses_ik: (F,), the frames on which IK drives it. hinge: (3,), the axis
    about which it flexes, in armature space at rest. axes: (3,3), the rest axes of the control of its end, and place: (3,) m, where that
    is at rest. place_axes: (3,3), those of its location. pole, pole_axes: of its pole. reach: m from the middle of the limb to its pole.
    """

    upper: int
    middle: int
    end: int
    uses_ik: BoolArray
    hinge: FloatArray
    axes: FloatArray
    place: FloatArray
    place_axes: FloatArray
    pole: FloatArray
    pole_axes: FloatArray
    reach: float = 0.5


@dataclass(frozen=True)
class ControlAxes:
    """The rest axes (J,3,3) of the joints' controls, whose channels are angles about them, in armature space. follows: (J,), the joint
    whose turn each inherits, -1 for none. root: (3,), where the root joint's control is at rest."""

    axes: FloatArray
    follows: IntArray
    root: FloatArray


@dataclass(frozen=True)
class PhaseKeys:
    """Keys of some channels, such as x and z of a place, during a part of the clip: row 0 is its frame `start`, counted from 0."""

    start: int
    channels: tuple[int, ...]
    keys: Keys


@dataclass(frozen=True)
class RotationKeys:
    """Keys of Euler angles, rad, in `order`, by phases of the clip."""

    order: str
    phases: tuple[PhaseKeys, ...]


@dataclass(frozen=True)
class LimbKeys:
    """Keys of a limb's IK: the channels of the end's control, and the pole's location."""

    place: tuple[PhaseKeys, ...] = ()
    rotation: RotationKeys = field(default_factory=lambda: RotationKeys("XYZ", ()))
    pole: tuple[PhaseKeys, ...] = ()


@dataclass(frozen=True)
class CleanUpKeys:
    """All keys of a clean-up rig, and how the skeleton then moves.

    root: the location of the root joint's control. rotations: one a joint. glides: joint -> the location of its control, of those that
    glide. limbs: in the order of the LimbControls. turns, heads: as of CapturedMotion.
    """

    root: tuple[PhaseKeys, ...]
    rotations: tuple[RotationKeys, ...]
    glides: Mapping[int, tuple[PhaseKeys, ...]]
    limbs: tuple[LimbKeys, ...]
    turns: FloatArray
    heads: FloatArray

    def errors(self, captured: CapturedMotion) -> tuple[float, float]:
        """The largest distance of a joint from where it was captured, m, and the largest angle, rad."""
        distance = np.linalg.norm(self.heads - captured.heads, axis=-1).max()
        return float(distance), float(angle_between_rotmats(self.turns, captured.turns).max())
