"""The light rig: an armature of FK controls with the rest pose of a person, and IK for arms and legs.

A limb's hidden bones (MCH-thigh.L ...) copy its FK controls, or, while the switch of its IK control is on, the bones that IK bends. Those
carry one twist control for each bone, because a knee or an elbow of a body is no perfect hinge, and each of those a hidden bone with the
axes of the person's. A person's bones copy the controls, or the hidden bones of its limbs.
"""

from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...core.array_types import FloatArray
from ...core.axis_rotations import rotation_between, unit_vector
from ..context import active_view_layer, armature_data, expect_type, pose_bones
from ..person.armature import LEFT_PALETTE, RIGHT_PALETTE, TORSO_PALETTE, Palette, assign_bone_group, edit_mode, new_armature_object
from .built_rig import BuiltRig
from .capture import Capture
from .control_looks import style_controls
from .control_names import ROOT, SUFFIXES, SWITCH, control_name, side_of
from .rig_limbs import RigLimb, rig_limbs

HIDDEN_COLLECTION = "Mechanism"
_BEND_AT_REST = 0.09  # rad, of the bones that IK bends: a straight chain does not know where to bend
POLE_REACH = 0.5  # m, from the middle of a limb


def build_light_rig(name: str, capture: Capture, world: Matrix, collection: bpy.types.Collection) -> BuiltRig:
    """Make the rig's armature object at `world`, at rest; the object becomes the active one of the view layer."""
    rig = new_armature_object(name, collection)
    rig.matrix_world = world
    limbs = rig_limbs(capture.names)
    with edit_mode():
        bones = armature_data(rig).edit_bones
        _make_fk(bones, capture, limbs)
        for limb in limbs:
            _make_ik(bones, capture, limb)
        for bone in bones:
            bone.use_deform = False
    active_view_layer().update()
    for limb in limbs:
        _constrain(rig, limb)
    _group(rig, limbs)
    style_controls(rig, capture, limbs)
    followed = {joint: control_name(joint) for joint in capture.names}
    for limb in limbs:
        followed.update(zip(limb.joints, limb.output, strict=True))
    controls = {joint: control_name(joint) for joint in capture.names}
    return BuiltRig(rig, np.tile(np.eye(3), (len(capture.names), 1, 1)), controls, followed, tuple(limb.built for limb in limbs))


def _edit_bone(
    bones: bpy.types.ArmatureEditBones, name: str, matrix: FloatArray, length: float, parent: str | None = None
) -> bpy.types.EditBone:
    bone = bones.new(name)
    bone.length = max(length, 0.01)
    bone.matrix = Matrix(matrix.tolist())
    bone.parent = bones[parent] if parent else None
    return bone


def _frame(axes: FloatArray, head: FloatArray) -> FloatArray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = axes, head
    return matrix


def _make_fk(bones: bpy.types.ArmatureEditBones, capture: Capture, limbs: list[RigLimb]) -> None:
    """The root on the floor, and a control for each joint with the axes of its bone; children of limbs' ends follow the hidden bones."""
    heads, parents = capture.motion.rest_heads, capture.motion.parents.tolist()
    height = float(np.ptp(heads[:, 2]))
    floor = capture.motion.heads[0, 0] * [1, 1, 0]  # of the world, below the person at the start
    _edit_bone(bones, ROOT, _frame(np.array([[-1, 0, 0], [0, -1, 0], [0, 0, 1]], float), floor), 0.3 * height)
    outputs = {limb.joints[2]: limb.output for limb in limbs}
    for joint, name in enumerate(capture.names):
        parent = capture.names[parents[joint]] if parents[joint] >= 0 else ""
        followed = ROOT if not parent else outputs[parent][2] if parent in outputs else control_name(parent)
        if name in outputs:  # the hidden bones come first: fingers and toes hang from them
            limb = next(limb for limb in limbs if limb.joints[2] == name)
            for number, (part, output) in enumerate(zip(limb.joints, limb.output, strict=True)):
                row = capture.names.index(part)
                above = limb.output[number - 1] if number else control_name(capture.names[parents[row]])
                _edit_bone(bones, output, _frame(capture.rest[row], heads[row]), 0.05 * height, above)
        _edit_bone(bones, control_name(name), _frame(capture.rest[joint], heads[joint]), _bone_length(capture, joint), followed)


def _bone_length(capture: Capture, joint: int) -> float:
    heads = capture.motion.rest_heads
    children = np.flatnonzero(capture.motion.parents == joint)
    along = [abs(float((heads[child] - heads[joint]) @ capture.rest[joint][:, 1])) for child in children]
    return max([*along, 0.04 * float(np.ptp(heads[:, 2]))])


def _make_ik(bones: bpy.types.ArmatureEditBones, capture: Capture, limb: RigLimb) -> None:
    """The bent bones of a limb, its IK control and pole, and its twist controls with what they carry."""
    rows = [capture.names.index(joint) for joint in limb.joints]
    heads = capture.motion.rest_heads[rows]
    lengths = np.linalg.norm(np.diff(heads, axis=0), axis=-1)
    above = control_name(capture.names[int(capture.motion.parents[rows[0]])])
    hinge, along = _hinge(capture, limb), unit_vector(np.diff(heads, axis=0))
    head, parent = heads[0], above
    for number, angle in enumerate((-_BEND_AT_REST, _BEND_AT_REST)):
        straight, bend = _hinge_axes(hinge, along[number]), np.array(Matrix.Rotation(angle, 3, Vector(hinge.tolist())))
        axes = bend @ straight
        _edit_bone(bones, limb.chain[number], _frame(axes, head), float(lengths[number]), parent)
        _edit_bone(bones, limb.twists[number], _frame(axes, head), float(lengths[number]), limb.chain[number])
        carried = bend @ rotation_between(along[number], straight[:, 1]) @ capture.rest[rows[number]]
        _edit_bone(bones, limb.turned[number], _frame(carried, head), 0.05, limb.twists[number])
        head, parent = head + axes[:, 1] * lengths[number], limb.chain[number]
    _edit_bone(bones, limb.ik_end, _frame(capture.rest[rows[2]], head), 0.05, limb.chain[1])
    _edit_bone(bones, limb.ik, _frame(capture.rest[rows[2]], heads[2]), _bone_length(capture, rows[2]), ROOT)
    _edit_bone(bones, limb.pole, _frame(np.eye(3), pole_at_rest(capture, limb)), 0.08, ROOT)


def _hinge(capture: Capture, limb: RigLimb) -> FloatArray:
    """The axis (3,) at rest about which a limb flexes."""
    return capture.rest[capture.names.index(limb.hinge)][:, 0]


def _hinge_axes(hinge: FloatArray, along: FloatArray) -> FloatArray:
    """Axes (3,3) with X as the hinge and Y as near to a direction as that allows: the two bones that IK bends lie in one plane."""
    y = unit_vector(along - (along @ hinge) * hinge)
    return np.stack([hinge, y, np.cross(hinge, y)], -1)


def pole_at_rest(capture: Capture, limb: RigLimb) -> FloatArray:
    """Where a limb's pole is at rest, (3,) m: on the side to which the limb bends."""
    upper, middle, end = (capture.names.index(joint) for joint in limb.joints)
    heads = capture.motion.rest_heads
    axes = _hinge_axes(_hinge(capture, limb), heads[middle] - heads[upper])
    return (heads[upper] + heads[end]) / 2 - POLE_REACH * axes[:, 2]


def _constrain(rig: bpy.types.Object, limb: RigLimb) -> None:
    """The constraints of a limb: IK, and hidden bones that copy FK or, by the switch, what IK bends."""
    bones = pose_bones(rig)
    solver = expect_type(bones[limb.chain[1]].constraints.new("IK"), bpy.types.KinematicConstraint)
    solver.target = solver.pole_target = rig
    solver.subtarget, solver.pole_subtarget = limb.ik, limb.pole
    solver.chain_count, solver.pole_angle, solver.iterations = 2, -np.pi / 2, 500
    lower = bones[limb.chain[1]]
    lower.lock_ik_y = lower.lock_ik_z = True
    lower.use_ik_limit_x, lower.ik_min_x, lower.ik_max_x = True, -2 * _BEND_AT_REST, np.pi
    copy = expect_type(bones[limb.ik_end].constraints.new("COPY_ROTATION"), bpy.types.CopyRotationConstraint)
    copy.target, copy.subtarget = rig, limb.ik
    bones[limb.ik][SWITCH] = 0.0
    manager: Any = bones[limb.ik].id_properties_ui(SWITCH)
    manager.update(min=0.0, max=1.0, description="0: the limb follows its FK controls; 1: this control")
    for output, fk, ik in zip(limb.output, limb.fk, (*limb.turned, limb.ik_end), strict=True):
        _copy_transforms(bones[output], rig, fk, "FK")
        constraint = _copy_transforms(bones[output], rig, ik, "IK")
        _drive_by_switch(constraint, rig, limb.ik)


def _copy_transforms(bone: bpy.types.PoseBone, target: bpy.types.Object, subtarget: str, name: str) -> bpy.types.CopyTransformsConstraint:
    constraint = expect_type(bone.constraints.new("COPY_TRANSFORMS"), bpy.types.CopyTransformsConstraint)
    constraint.name, constraint.target, constraint.subtarget = name, target, subtarget
    return constraint


def _drive_by_switch(constraint: bpy.types.Constraint, rig: bpy.types.Object, control: str) -> None:
    """Let a switch be a constraint's influence, without an expression, which a file from elsewhere might not be trusted to run."""
    driver = expect_type(expect_type(constraint.driver_add("influence"), bpy.types.FCurve).driver, bpy.types.Driver)
    driver.type = "AVERAGE"
    variable = driver.variables.new()
    variable.targets[0].id = rig
    variable.targets[0].data_path = f'pose.bones["{control}"]["{SWITCH}"]'


def _group(rig: bpy.types.Object, limbs: list[RigLimb]) -> None:
    """Bone collections and colours by side; the mechanism is hidden."""
    armature = armature_data(rig)
    palettes: dict[str, Palette] = {"left": LEFT_PALETTE, "right": RIGHT_PALETTE}
    members = {name: limb for limb in limbs for name in (*limb.fk, limb.ik, limb.pole, *limb.twists)}
    for bone in armature.bones:
        limb = members.get(bone.name)
        if bone.name.startswith("MCH-"):
            group, palette = HIDDEN_COLLECTION, TORSO_PALETTE
        elif limb is not None:
            kind = "twist" if bone.name in limb.twists else "IK" if bone.name in (limb.ik, limb.pole) else "FK"
            group, palette = f"{limb.side.title()} {limb.kind.title()} {kind}", palettes[limb.side]
        else:
            side = next((side for side, suffix in SUFFIXES.items() if bone.name.endswith(suffix)), side_of(bone.name))
            group, palette = ("Torso", TORSO_PALETTE) if not side else (f"{side.title()} side", palettes[side])
        assign_bone_group(armature, bone, group, palette)
    armature.collections[HIDDEN_COLLECTION].is_visible = False
