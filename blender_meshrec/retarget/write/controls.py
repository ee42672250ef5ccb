"""Control rigs: the controls as a skeleton of their own, and what IK controls and poles are keyed with.

A control rig's bones hang from helpers that constraints move. What matters is which control each control follows: with that
known (`scene/control_rig.py` finds out), the controls are a plain skeleton, and IK controls follow from where it goes.
F frames, B bones; rotations act on columns, in the armature's space.
"""

from dataclasses import replace

import numpy as np

from ...core.rotations import align_quat_signs, quat_from_rotmat
from ..rig import Rig

_CHAINS = {"arm": ("upper_arm", "lower_arm", "hand"), "leg": ("upper_leg", "lower_leg", "foot")}
# The sine of a limb's bend below which its plane is not to be trusted, and from which on it is alone.
_MIN_BEND_SINE, _FULL_BEND_SINE = 0.03, 0.12


def control_names(mapping):
    """The names of all controls that may be keyed: mapped bones, IK controls, poles."""
    controls = mapping.controls
    return tuple(dict.fromkeys((*mapping.bones, *controls.ik_targets.values(), *controls.poles.values())))


def switch_values(mapping, drive):
    """What to set a control rig's switches to: (bone, property) -> value.

    With "both" the rig is left on FK, which plays what was computed to the bone; IK controls lie where they would take over.
    """
    fk, ik = ({(bone, name): value for bone, name, value in rows} for rows in (mapping.controls.fk, mapping.controls.ik))
    return {**fk, **ik} if drive == "ik" else {**ik, **fk}


def control_skeleton(rig, mapping, control_parents):
    """The mapped controls alone as a Rig.

    Args:
        control_parents: control -> the control that it follows rigidly, or None for the armature itself.

    Returns:
        A Rig of the controls, parents first.
    """
    names, waiting = [], list(mapping.bones)
    while waiting:
        ready = [bone for bone in waiting if control_parents[bone] is None or control_parents[bone] in names]
        names += ready
        waiting = [bone for bone in waiting if bone not in ready]
    rows = [rig.index(bone) for bone in names]
    return Rig(
        name=rig.name,
        bones=names,
        parents=[-1 if control_parents[bone] is None else names.index(control_parents[bone]) for bone in names],
        rest=rig.rest[rows],
        lengths=rig.lengths[rows],
        world=rig.world,
        rotation_modes=[rig.rotation_modes[row] for row in rows],
        lock_location=rig.lock_location[rows],
        lock_rotation=rig.lock_rotation[rows],
    )


class _ControlMotion:
    """Where the controls go: for each its rotation and shift away from rest, in the armature's space."""

    def __init__(self, rig, skeleton, retargeted):
        self.rig, self.skeleton, self.retargeted = rig, skeleton, retargeted
        self.ik_transforms = {}

    def transform(self, bone):
        """Rotation (F,3,3) and shift (F,3): a point x that hangs from the control comes to rotation @ x + shift."""
        if bone in self.ik_transforms:
            return self.ik_transforms[bone]
        row = self.skeleton.index(bone)
        turn = self.retargeted.rotmats[:, row] @ self.skeleton.rest[row, :3, :3].T
        return turn, self.retargeted.heads[:, row] - turn @ self.skeleton.rest[row, :3, 3]

    def head(self, bone):
        """Where a control's own head comes to, (F,3)."""
        turn, shift = self.transform(bone)
        return turn @ self.rest_head(bone) + shift

    def rest_head(self, bone):
        return self.rig.rest[self.rig.index(bone), :3, 3]

    def location(self, bone, head, parent):
        """The channel `location` (F,3) that brings a control's head to (F,3)."""
        if parent is not None:
            turn, shift = self.transform(parent)
            head = np.einsum("fji,fj->fi", turn, head - shift)
        return (head - self.rest_head(bone)) @ self._location_axes(bone)

    def _location_axes(self, bone):
        """The axes that a bone's location is told in, in the armature's space at rest."""
        row = self.rig.index(bone)
        if self.rig.local_location[row]:
            return self.rig.rest[row, :3, :3]
        parent = self.rig.parents[row]
        return self.rig.rest[parent, :3, :3] if parent >= 0 else np.eye(3)

    def rotation(self, bone, turn, parent):
        """The control's own rotation (F,4) wxyz that turns it by (F,3,3) away from rest."""
        if parent is not None:
            turn = self.transform(parent)[0].swapaxes(-1, -2) @ turn
        axes = self.rig.rest[self.rig.index(bone), :3, :3]
        return align_quat_signs(quat_from_rotmat(axes.T @ turn @ axes))


def key_controls(retargeted, rig, skeleton, mapping, control_parents, options):
    """From the motion of `control_skeleton` to keys for the rig's own controls, IK controls and poles among them.

    Args:
        retargeted: a RetargetedMotion of the skeleton. rig: the whole rig. control_parents: as `control_skeleton` has it, for
            every control.

    Returns:
        A RetargetedMotion whose bones are the rig's; its rotmats and heads are still the skeleton's.
    """
    moves = _ControlMotion(rig, skeleton, retargeted)
    rotations = {bone: retargeted.rotations[:, column] for column, bone in enumerate(retargeted.bones)}
    locations = {bone: moves.location(bone, moves.head(bone), control_parents[bone]) for bone in retargeted.locations}
    if options.drive != "fk":
        for end, control in mapping.controls.ik_targets.items():
            if end in mapping.slots:
                moves.ik_transforms[control] = moves.transform(mapping.slots[end][-1])
        for control, (turn, _) in moves.ik_transforms.items():
            rotations[control] = moves.rotation(control, turn, control_parents[control])
            locations[control] = moves.location(control, moves.head(control), control_parents[control])
        for limb, pole in mapping.controls.poles.items():
            locations[pole] = moves.location(pole, _pole_position(moves, mapping, limb, pole), control_parents[pole])
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


def _fk_controls_replaced_by_ik(mapping):
    """FK controls that say nothing where only IK is keyed."""
    for end in mapping.controls.ik_targets:
        side, _, part = end.partition("_")
        for slot in _CHAINS["leg"] if part == "foot" else _CHAINS["arm"] if part == "hand" else (part,):
            yield from mapping.slots.get(f"{side}_{slot}", ())


def _pole_position(moves, mapping, limb, pole):
    """Where a pole goes, (F,3), so that IK bends a limb in the plane it is to have.

    Blender's solver turns the limb about the line from its root to its goal until a direction that is fixed to the upper bone,
    square to it, points to the pole. That direction is the one that does so at rest.
    """
    side, _, kind = limb.partition("_")
    upper, lower, end = (mapping.slots[f"{side}_{part}"][0] for part in _CHAINS[kind])
    a0, b0, c0, p0 = (moves.rest_head(bone) for bone in (upper, lower, end, pole))
    along0, axis0 = _unit(b0 - a0), _unit(c0 - a0)
    towards0 = _unit(_perpendicular_part(p0 - a0, axis0))
    pointer = _unit(towards0 - axis0 * (towards0 @ along0) / (axis0 @ along0))
    bend0 = np.cross(along0, _unit(c0 - b0))
    hinge0 = _unit(bend0) if np.linalg.norm(bend0) > 0.01 else _unit(np.cross(towards0, along0))
    a, b, c = (moves.head(bone) for bone in (upper, lower, end))
    along, axis = _unit(b - a), _unit(c - a)
    bend = np.cross(along, _unit(c - b))
    sine = np.linalg.norm(bend, axis=-1, keepdims=True)
    trust = np.clip((sine - _MIN_BEND_SINE) / (_FULL_BEND_SINE - _MIN_BEND_SINE), 0, 1)
    hinge = trust * bend / np.maximum(sine, 1e-9) + (1 - trust) * (moves.transform(upper)[0] @ hinge0)
    hinge = _unit(_perpendicular_part(hinge, along))
    frame0 = np.stack([along0, hinge0, np.cross(along0, hinge0)], -1)
    frame = np.stack([along, hinge, np.cross(along, hinge)], -1)
    towards = _unit(_perpendicular_part(frame @ (frame0.T @ pointer), axis))
    return b + np.linalg.norm(p0 - b0) * towards


def _perpendicular_part(vector, axis):
    return vector - (vector * axis).sum(-1, keepdims=True) * axis


def _unit(vector):
    return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-12)
