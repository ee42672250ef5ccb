"""A new take for a person who is in the scene already: the rig, its name and what hangs on it stay, and a new action is set.

If the new reconstruction has found another shape, the bones at rest and the vertices move to it in place. Showing an earlier take again
brings its shape back.
"""

from collections.abc import Callable, Sequence

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ...core.conventions import WORLD_FROM_BODY
from ...core.files.body_template import FAMILIES, BodyTemplate, load_body
from ...core.messages import Message
from ...core.records import Motion
from ...core.skel.channels import skel_channels
from ...core.skel.template import SkelTemplate, load_skel
from ...core.skel.vocabulary import SKEL_JOINTS
from ..assembly import AssemblyOptions, Person
from ..context import armature_data, expect_type, mesh_data, pose_bones
from ..person.reshape import BodyObjects, reshape_person
from ..person.skel_armature import adapt_channels
from ..person.skel_person import animate_skel_person, build_skel_body
from ..person.smpl_person import animate_smpl_person, build_smpl_body, rig_motion
from ..person.surface import add_surface, show_surface
from .takes import assign_action, copy_take_properties, reset_bones, show_bone_scale

BODY_PROPERTY = "meshrec_bodies"  # of an armature object: the sources of its body and SKEL body, for `load_body` and `load_skel`
_SAME_SHAPE = 1e-4  # of betas


def fits_take(armature_object: bpy.types.Object, person: Person) -> bool:
    """Whether an armature can play the motion of a Person: it has the bones, and a shape of the same kind of body."""
    armature = armature_data(armature_object)
    if any(block.library or block.override_library for block in (armature_object, armature)):
        return False
    names = person.template.joint_names if person.skel is None else SKEL_JOINTS
    recovery = person.recovery
    kind = (armature_object.get("surface_model_type"), armature_object.get("gender"), len(armature_object.get("betas", ())))
    same_body = kind == (recovery.surface_model_type, recovery.gender, len(recovery.betas))
    return same_body and all(name in armature.bones for name in names)


def give_take(person: Person, options: AssemblyOptions) -> tuple[BodyObjects, list[Message]]:
    """Give the rig of a Person, which `fits_take`, a new take; returns its armature and meshes, and notes.

    Raises:
        InputError: the motion does not fit the body or the surface.
    """
    rig, recovery = expect_type(person.rig, bpy.types.Object), person.recovery
    meshes = meshes_of(rig)
    motion = None if person.skel is not None else rig_motion(person.name, recovery, person.template, options.stretch)
    notes = _reshape(rig, meshes, person.template, person.skel, recovery.betas, recovery.skel_betas)
    if person.skel is not None:
        action = animate_skel_person(rig, recovery, person.skel, options.fps, options.first_frame)
    elif motion is not None:
        notes += _use_quaternions(rig, motion.joint_names)
        action = animate_smpl_person(rig, recovery, motion, options.fps, first_frame=options.first_frame)
        for mesh_object in meshes[:1]:
            if person.surface is not None:
                add_surface(mesh_object, person.surface, options.key_frames(recovery), action)
            show_surface(mesh_object, action)
    return (rig, meshes), notes


def show_take(
    armature_object: bpy.types.Object, action: bpy.types.Action, template: BodyTemplate | None = None, skel: SkelTemplate | None = None
) -> list[Message]:
    """Let a person play one of its takes, in the shape and with the surface of that take; returns notes.

    Args:
        template, skel: of the person; by default they are loaded, if the take has another shape.

    Raises:
        MeshRecError: the file of the body, which the other shape needs, cannot be read.
    """
    meshes = meshes_of(armature_object)
    notes: list[Message] = []
    betas, skel_betas = action.get("betas"), action.get("skel_betas")
    is_skel = SKEL_JOINTS[1] in armature_data(armature_object).bones
    knows_body = template is not None or BODY_PROPERTY in armature_object
    if betas is not None and knows_body and not _has_shape(armature_object, betas, skel_betas if is_skel else None):
        if template is None:
            body, skel_body = armature_object[BODY_PROPERTY]
            template, skel = load_body(body), load_skel(skel_body) if is_skel else None
        notes = _reshape(armature_object, meshes, template, skel if is_skel else None, betas, skel_betas)
    if "betas" in armature_object:  # not an artist's character, whose bones are none of ours
        show_bone_scale(armature_object, action)
        reset_bones(armature_object, _made_bones(armature_object))
    assign_action(armature_object, action)
    copy_take_properties(action, armature_object)
    for mesh_object in meshes[:1]:
        show_surface(mesh_object, action)
    return notes


def _made_bones(armature_object: bpy.types.Object) -> tuple[str, ...]:
    """The bones of a person's joints, without those that an artist has added."""
    names = {bone.name for bone in armature_data(armature_object).bones}
    known = SKEL_JOINTS if SKEL_JOINTS[1] in names else {name for _, family in FAMILIES.values() for name in family}
    return tuple(name for name in known if name in names)


def meshes_of(armature_object: bpy.types.Object) -> tuple[bpy.types.Object, ...]:
    """The meshes that were made with a person, the skin first."""
    made = [child for child in armature_object.children if child.type == "MESH" and "meshrec_made" in child]
    return tuple(sorted(made, key=lambda child: mesh_data(child).shape_keys is None))


def _reshape(
    rig: bpy.types.Object,
    meshes: Sequence[bpy.types.Object],
    template: BodyTemplate,
    skel: SkelTemplate | None,
    betas: FloatArray,
    skel_betas: FloatArray | None,
) -> list[Message]:
    """Give a rig and its meshes another shape, unless they have it already; returns notes."""
    if _has_shape(rig, betas, skel_betas):
        return []
    keys = [key.name for mesh in meshes if (shapes := mesh_data(mesh).shape_keys) is not None for key in shapes.key_blocks]
    pose_shapes = any(name.startswith("pose_") for name in keys)
    if skel is not None and skel_betas is not None:
        old, new = (_skel_builder(skel, np.asarray(shape), pose_shapes) for shape in (rig.get("skel_betas", skel_betas), skel_betas))
    else:
        old, new = (_smpl_builder(template, np.asarray(shape), pose_shapes) for shape in (rig["betas"], betas))
    notes = reshape_person(rig, meshes, old, new)
    if skel is not None and skel_betas is not None:
        shape = np.asarray(skel_betas, float)
        adapt_channels(rig, skel_channels(skel.rest_joints(shape), skel.bone_frames(shape)))
    return notes


def _has_shape(rig: bpy.types.Object, betas: FloatArray, skel_betas: FloatArray | None) -> bool:
    shapes = (("skel_betas", skel_betas),) if skel_betas is not None else (("betas", betas),)
    return all(name in rig and np.allclose(rig[name], shape, atol=_SAME_SHAPE) for name, shape in shapes)


def _smpl_builder(template: BodyTemplate, betas: FloatArray, pose_shapes: bool) -> Callable[[bpy.types.Collection], BodyObjects]:
    motion = _rest_motion(template, betas)
    return lambda collection: build_smpl_body("MeshRec shape", betas, template, motion, collection, pose_shapes)


def _skel_builder(skel: SkelTemplate, betas: FloatArray, pose_shapes: bool) -> Callable[[bpy.types.Collection], BodyObjects]:
    return lambda collection: build_skel_body("MeshRec shape", betas, skel, collection, pose_shapes)


def _rest_motion(template: BodyTemplate, betas: FloatArray) -> Motion:
    """One frame of a body at rest."""
    rest_joints = template.rest_joints(betas) @ WORLD_FROM_BODY.T
    rotations = np.zeros((1, len(rest_joints), 4))
    rotations[..., 0] = 1.0
    names, parents = tuple(template.joint_names), np.asarray(template.parents)
    return Motion("smpl", names, parents, rest_joints, rotations, rest_joints[:1], 1.0, np.zeros(1))


def _use_quaternions(rig: bpy.types.Object, names: Sequence[str]) -> list[Message]:
    """Let bones rotate by quaternions, which takes key; a note if an artist had chosen otherwise."""
    changed = [bone for name in names if (bone := pose_bones(rig)[name]).rotation_mode != "QUATERNION"]
    for bone in changed:
        bone.rotation_mode = "QUATERNION"
    if not changed:
        return []
    text = 'Bones of "{name}" rotate by quaternions again ({count}), as the new take keys them.'
    return [Message("take-needs-quaternions", text, name=rig.name, count=len(changed))]
