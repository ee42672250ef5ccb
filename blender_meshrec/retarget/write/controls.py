"""Control rigs: the controls as a skeleton of their own, and the keys of IK controls and poles.

A control rig's bones hang from helper bones that constraints move. Once it is known which control each control follows
(`scene/character/control_rig.py` measures it), the controls are a plain skeleton, and its motion determines the IK controls and poles.
F frames, B bones; rotations act on columns, in armature space.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ...core.array_types import FloatArray
from ...core.axis_rotations import bend_hinge, perpendicular_part, unit_vector
from ...core.rotations import align_quat_signs, quat_from_rotmat
from ..rig import BoneMapping, Controls, RetargetedMotion, RetargetOptions, Rig

_CHAINS = {"arm": ("upper_arm", "lower_arm", "hand"), "leg": ("upper_leg", "lower_leg", "foot")}
_BEND_SINES = (0.03, 0.12)  # of a limb, between which its own plane gradually replaces its rest hinge

# Control -> the control that it follows rigidly, or None for the armature itself.
ControlParents = Mapping[str, str | None]


def control_names(mapping: BoneMapping) -> tuple[str, ...]:
    """The names of all controls that may be keyed: mapped bones, IK controls, poles."""
    controls = _controls_of(mapping)
    return tuple(dict.fromkeys((*mapping.bones, *controls.ik_targets.values(), *controls.poles.values())))


def switch_values(mapping: BoneMapping, drive: str) -> dict[tuple[str, str], float]:
    """The values of a control rig's switches, (bone, property) -> value.

    With "both" the rig is on FK, which plays the solved motion exactly, and the IK controls are keyed to match it.
    """
    controls = _controls_of(mapping)
    fk, ik = ({(bone, name): value for bone, name, value in rows} for rows in (controls.fk, controls.ik))
    return {**fk, **ik} if drive == "ik" else {**ik, **fk}


def control_skeleton(rig: Rig, mapping: BoneMapping, control_parents: ControlParents) -> Rig:
    """The mapped controls as a Rig of their own, parents first."""
    names: list[str] = []
    waiting = list(mapping.bones)
    while waiting:
        ready = [bone for bone in waiting if control_parents[bone] is None or control_parents[bone] in names]
        names += ready
        waiting = [bone for bone in waiting if bone not in ready]
    rows = [rig.index(bone) for bone in names]
    number: dict[str | None, int] = {None: -1, **{bone: number for number, bone in enumerate(names)}}
    return Rig(
        name=rig.name,
        bones=tuple(names),
        parents=np.array([number[control_parents[bone]] for bone in names], np.int64),
        rest=rig.rest[rows],
        lengths=rig.lengths[rows],
        world=rig.world,
        rotation_modes=tuple(rig.rotation_modes[row] for row in rows),
        lock_location=rig.lock_location[rows],
        lock_rotation=rig.lock_rotation[rows],
    )


def _controls_of(mapping: BoneMapping) -> Controls:
    if mapping.controls is None:
        raise ValueError("The mapping is not that of a control rig")
    return mapping.controls


class _ControlMotion:
    """The motion of the controls in armature space, and the channels of each control that follow from it.

    ik_transforms: IK control -> what `transform` returns for it.
    """

    def __init__(self, rig: Rig, skeleton: Rig, retargeted: RetargetedMotion) -> None:
        """rig: the whole rig. skeleton: its `control_skeleton`. retargeted: the skeleton's motion."""
        self.rig, self.skeleton, self.retargeted = rig, skeleton, retargeted
        self.ik_transforms: dict[str, tuple[FloatArray, FloatArray]] = {}

    def transform(self, bone: str) -> tuple[FloatArray, FloatArray]:
        """A control's rotation (F,3,3) and shift (F,3) away from rest: a point x that follows it is at rotation @ x + shift."""
        if bone in self.ik_transforms:
            return self.ik_transforms[bone]
        row = self.skeleton.index(bone)
        rotation = self.retargeted.rotmats[:, row] @ self.skeleton.rest[row, :3, :3].T
        return rotation, self.retargeted.heads[:, row] - rotation @ self.skeleton.rest[row, :3, 3]

    def head(self, bone: str) -> FloatArray:
        """The position (F,3) of a control's head."""
        rotation, shift = self.transform(bone)
        return rotation @ self.rest_head(bone) + shift

    def rest_head(self, bone: str) -> FloatArray:
        """The position (3,) of a control's head at rest."""
        return self.rig.rest[self.rig.index(bone), :3, 3]

    def location(self, bone: str, head: FloatArray, parent: str | None) -> FloatArray:
        """The channel `location` (F,3) that brings a control's head to (F,3)."""
        if parent is not None:
            rotation, shift = self.transform(parent)
            head = np.einsum("fji,fj->fi", rotation, head - shift)
        return (head - self.rest_head(bone)) @ self._location_axes(bone)

    def _location_axes(self, bone: str) -> FloatArray:
        """The axes (3,3) of a bone's location, in armature space at rest."""
        row = self.rig.index(bone)
        if self.rig.local_location[row]:
            return self.rig.rest[row, :3, :3]
        parent = self.rig.parents[row]
        return self.rig.rest[parent, :3, :3] if parent >= 0 else np.eye(3)

    def rotation(self, bone: str, delta: FloatArray, parent: str | None) -> FloatArray:
        """The control's own rotation (F,4) wxyz that turns it by delta (F,3,3) away from rest."""
        if parent is not None:
            delta = self.transform(parent)[0].swapaxes(-1, -2) @ delta
        axes = self.rig.rest[self.rig.index(bone), :3, :3]
        return align_quat_signs(quat_from_rotmat(axes.T @ delta @ axes))


def key_controls(
    retargeted: RetargetedMotion,
    rig: Rig,
    skeleton: Rig,
    mapping: BoneMapping,
    control_parents: ControlParents,
    options: RetargetOptions,
) -> RetargetedMotion:
    """Convert the motion of a `control_skeleton` to keys for the rig's own controls, including IK controls and poles.

    Args:
        retargeted: motion of the skeleton. rig: the whole rig. control_parents: of every control.

    Returns:
        The keys of the rig's controls; rotmats and heads are still the skeleton's.
    """
    motion, controls = _ControlMotion(rig, skeleton, retargeted), _controls_of(mapping)
    rotations = {bone: retargeted.rotations[:, column] for column, bone in enumerate(retargeted.bones)}
    locations = {bone: motion.location(bone, motion.head(bone), control_parents[bone]) for bone in retargeted.locations}
    if options.drive != "fk":
        for end, control in controls.ik_targets.items():
            if end in mapping.slots:
                motion.ik_transforms[control] = motion.transform(mapping.slots[end][-1])
        for control, (delta, _shift) in motion.ik_transforms.items():
            rotations[control] = motion.rotation(control, delta, control_parents[control])
            locations[control] = motion.location(control, motion.head(control), control_parents[control])
        for limb, pole in controls.poles.items():
            locations[pole] = motion.location(pole, _pole_position(motion, mapping, limb, pole), control_parents[pole])
    if options.drive == "ik":
        for bone in _fk_controls_replaced_by_ik(mapping):
            rotations.pop(bone, None)
            locations.pop(bone, None)
    return replace(
        retargeted,
        bones=tuple(rotations),
        rotations=np.stack(list(rotations.values()), 1) if rotations else np.empty((len(retargeted.timestamps), 0, 4)),
        locations=locations,
    )


@dataclass(frozen=True)
class IkPole:
    """The pole of a limb's IK.

    bone: that the limb turns to. angle: rad, from the upper bone's x axis about its y to what points there. starts_at_rest: whether the
    upper bone's own keys have to be at rest, because IK locks some of its axes.
    """

    bone: str
    angle: float
    starts_at_rest: bool = False


def key_ik_poles(retargeted: RetargetedMotion, rig: Rig, mapping: BoneMapping, poles: Mapping[str, IkPole]) -> RetargetedMotion:
    """Add the locations of poles to a motion whose feet or hands are the targets of their limbs' IK.

    The bones of these limbs are keyed too, and IK starts from their keys: with these poles it turns them no further. An upper bone with
    axes that IK locks is kept at rest: IK turns such a limb to its goal as a whole first, but does not reach it from everywhere.

    Args:
        poles: "left_leg", "right_arm", ... -> its pole.
    """
    if not poles:
        return retargeted
    motion = _ControlMotion(rig, rig, retargeted)
    locations, rotations = dict(retargeted.locations), retargeted.rotations.copy()
    for limb, pole in poles.items():
        if pole.starts_at_rest:
            rotations[:, retargeted.bones.index(_limb_bones(mapping, limb)[0])] = [1.0, 0.0, 0.0, 0.0]
        parent = int(rig.parents[rig.index(pole.bone)])
        position = _pole_of_keyed_limb(motion, mapping, limb, pole)
        locations[pole.bone] = motion.location(pole.bone, position, rig.bones[parent] if parent >= 0 else None)
    return replace(retargeted, locations=locations, rotations=rotations)


def _limb_bones(mapping: BoneMapping, limb: str) -> tuple[str, ...]:
    """The first bones of the three parts of a limb, such as left_arm: upper, lower, end."""
    side, _, kind = limb.partition("_")
    return tuple(mapping.slots[f"{side}_{part}"][0] for part in _CHAINS[kind])


def _pole_of_keyed_limb(motion: _ControlMotion, mapping: BoneMapping, limb: str, pole: IkPole) -> FloatArray:
    """The position (F,3) of a pole with which IK leaves a limb as its bones are keyed.

    Source: Blender, IK_QJacobianSolver::ConstrainPoleVector: the limb turns about the line from its root to its goal until the upper
    bone's x axis, turned by the pole angle, lies in the plane of that line and the pole.
    """
    upper, lower, end = _limb_bones(mapping, limb)
    rest = motion.rig.rest[motion.rig.index(upper), :3, :3]
    pointer = motion.transform(upper)[0] @ (np.cos(pole.angle) * rest[:, 0] + np.sin(pole.angle) * rest[:, 2])
    a, b, c = (motion.head(bone) for bone in (upper, lower, end))
    axis = unit_vector(c - a)
    distance = np.linalg.norm(motion.rest_head(pole.bone) - motion.rest_head(lower))
    middle = b - perpendicular_part(b - a, axis)
    return middle + distance * unit_vector(perpendicular_part(pointer, axis))


def _fk_controls_replaced_by_ik(mapping: BoneMapping) -> Iterator[str]:
    """FK controls without effect where only IK is keyed."""
    for end in _controls_of(mapping).ik_targets:
        side, _, part = end.partition("_")
        for slot in _CHAINS["leg"] if part == "foot" else _CHAINS["arm"] if part == "hand" else (part,):
            yield from mapping.slots.get(f"{side}_{slot}", ())


def _pole_position(motion: _ControlMotion, mapping: BoneMapping, limb: str, pole: str) -> FloatArray:
    """The position (F,3) of a pole with which IK bends a limb in its solved plane.

    Blender's solver turns the limb about the line from its root to its goal until a direction fixed to the upper bone,
    perpendicular to it, points to the pole. That direction is the one that points to the pole at rest.
    """
    upper, lower, end = _limb_bones(mapping, limb)
    a0, b0, c0, p0 = (motion.rest_head(bone) for bone in (upper, lower, end, pole))
    along0, axis0 = unit_vector(b0 - a0), unit_vector(c0 - a0)
    towards0 = unit_vector(perpendicular_part(p0 - a0, axis0))
    pointer = unit_vector(towards0 - axis0 * (towards0 @ along0) / (axis0 @ along0))
    bend0 = np.cross(along0, unit_vector(c0 - b0))
    hinge0 = unit_vector(bend0) if np.linalg.norm(bend0) > 0.01 else unit_vector(np.cross(towards0, along0))
    a, b, c = (motion.head(bone) for bone in (upper, lower, end))
    along, axis = unit_vector(b - a), unit_vector(c - a)
    hinge = bend_hinge(along, unit_vector(c - b), motion.transform(upper)[0] @ hinge0, _BEND_SINES)
    hinge = unit_vector(perpendicular_part(hinge, along))
    frame0 = np.stack([along0, hinge0, np.cross(along0, hinge0)], -1)
    frame = np.stack([along, hinge, np.cross(along, hinge)], -1)
    towards = unit_vector(perpendicular_part(frame @ (frame0.T @ pointer), axis))
    return b + np.linalg.norm(p0 - b0) * towards
