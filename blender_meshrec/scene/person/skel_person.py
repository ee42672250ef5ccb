"""A person with SKEL's skeleton: the armature of anatomical angles, the skin, and the meshes of the bones inside it."""

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ...core.body_contacts import body_contacts
from ...core.conventions import FIRST_BLENDER_FRAME, WORLD_FROM_BODY
from ...core.errors import InputError
from ...core.records import Recovery
from ...core.skel.channels import EulerChannels, skel_channels, upright_from_world_angles
from ...core.skel.template import SkelTemplate
from ...core.skel.vocabulary import SKEL_JOINTS, SMPL_OF_SKEL
from ..assembly import AssemblyOptions, Person
from ..cameras.footage_clock import store_camera
from ..context import expect_type
from ..corrections.edited_contacts import store_found_contacts
from ..motion.keyframes import Curve, snapped_key_frames, vector_curves, write_action
from ..motion.motion_curves import track_curves
from ..takes.takes import CLIP_PROPERTY, prepare_take, store_take, take_name_of
from .materials import assign_skel_materials
from .mesh import add_armature_modifier, add_weights, build_mesh, new_mesh_object
from .skel_armature import angle_curves, build_skel_armature

# Of an action: the motion in SMPL's pose that it was made from, (F * (D + 3),), poses rad and trans m of each row.
SMPL_MOTION_PROPERTY = "meshrec_smpl_motion"


def _pose_bones_of_joints() -> list[str | None]:
    """The bone that drives the pose blend shapes of each of SMPL's joints.

    Where two bones belong to a joint it is the later one, as in bodies/skel.
    """
    bones: list[str | None] = [None] * 24
    for bone, joint in zip(SKEL_JOINTS, SMPL_OF_SKEL):
        bones[joint] = bone
    return bones


POSE_BONES = _pose_bones_of_joints()


def build_skel_person(
    person: Person, number: int, collection: bpy.types.Collection, clip: str, options: AssemblyOptions
) -> tuple[bpy.types.Object, tuple[bpy.types.Object, ...]]:
    """Make and animate the armature, the skin and the bones of a Person with SKEL's angles.

    Args:
        number: the person's, from 0, which chooses the colour.
        clip: the name of the footage, for the names of takes.

    Returns:
        the armature object, and the (skin, bones) mesh objects.

    Raises:
        InputError: the recovery has no angles of SKEL.
    """
    template = expect_type(person.skel, SkelTemplate)
    _q, betas, _transl = _skel_arrays(person.name, person.recovery)
    armature_object, (skin, bones) = build_skel_body(person.name, betas, template, collection, options.pose_shapes)
    assign_skel_materials(skin, bones, number)
    armature_object[CLIP_PROPERTY] = clip
    animate_skel_person(armature_object, person.recovery, template, options.fps, options.first_frame)
    return armature_object, (skin, bones)


def build_skel_body(
    name: str, betas: FloatArray, template: SkelTemplate, collection: bpy.types.Collection, pose_shapes: bool = True
) -> tuple[bpy.types.Object, tuple[bpy.types.Object, bpy.types.Object]]:
    """Make the armature, the skin and the bones of SKEL with the shape `betas` (B,), without materials and animation."""
    armature_object, _channels = build_skel_armature(name, template, betas, collection)
    skin = build_mesh(f"{name} body", template, betas, armature_object, collection, pose_shapes, POSE_BONES)
    return armature_object, (skin, _build_bones(f"{name} bones", template, betas, armature_object, collection))


def animate_skel_person(
    armature_object: bpy.types.Object, recovery: Recovery, template: SkelTemplate, fps: float, first_frame: int = FIRST_BLENDER_FRAME
) -> bpy.types.Action:
    """Give a SKEL armature a new take of a Recovery's angles, which begins at a frame of the timeline; earlier takes are kept."""
    q, betas, transl = _skel_arrays(armature_object.name, recovery)
    channels = skel_channels(template.rest_joints(betas), template.bone_frames(betas))
    prepare_take(armature_object, SKEL_JOINTS)
    curves = _skel_curves(q, betas, transl, template, channels)
    contacts = body_contacts(recovery)
    curves += track_curves(armature_object, contacts, recovery.visible)
    frames = snapped_key_frames(recovery.timestamps, fps, first_frame)
    action = write_action(take_name_of(armature_object), armature_object, frames, curves)
    store_found_contacts(action, recovery.timestamps, contacts)
    store_camera(action, recovery)
    action[SMPL_MOTION_PROPERTY] = np.concatenate([recovery.poses, recovery.trans], 1).astype(float).ravel().tolist()
    store_take(armature_object, action, recovery, first_frame)
    return action


def read_smpl_motion(action: bpy.types.Action, count: int) -> tuple[FloatArray, FloatArray]:
    """The motion in SMPL's pose that a take of `count` rows was made from: poses (F,D) rad and trans (F,3) m."""
    rows = np.array(action[SMPL_MOTION_PROPERTY]).reshape(count, -1)
    return rows[:, :-3], rows[:, -3:]


def _skel_arrays(name: str, recovery: Recovery) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The q, skel_betas and skel_trans of a Recovery."""
    if recovery.q is None or recovery.skel_betas is None or recovery.skel_trans is None:
        raise InputError(
            "motion-lacks-skel-angles",
            "The motion of {name} has no angles of SKEL.",
            "Reconstruct it with the skeleton SKEL.",
            name=name,
        )
    return recovery.q, recovery.skel_betas, recovery.skel_trans


def _build_bones(
    name: str, template: SkelTemplate, betas: FloatArray, armature_object: bpy.types.Object, collection: bpy.types.Collection
) -> bpy.types.Object:
    """Make the mesh object of the bones, bound to a SKEL armature."""
    vertices = template.rest_bone_vertices(betas) @ WORLD_FROM_BODY.T
    bones = new_mesh_object(name, vertices, template.bone_faces, armature_object, collection)
    add_weights(bones, template.bone_weights, SKEL_JOINTS)
    add_armature_modifier(bones, armature_object)
    return bones


def _skel_curves(q: FloatArray, betas: FloatArray, transl: FloatArray, template: SkelTemplate, channels: EulerChannels) -> list[Curve]:
    """The curves of the angles and of the pelvis's location."""
    upright_q = upright_from_world_angles(q, template.bone_frames(betas)[0])
    rest = WORLD_FROM_BODY @ channels.frames[0]
    rest_joints = template.rest_joints(betas)
    # The root joint is at its rest position plus transl; the armature's rest pose is the body's, rotated upright.
    root_shift = transl + rest_joints[0] - WORLD_FROM_BODY @ rest_joints[0]
    root = SKEL_JOINTS[0]
    location_curves = vector_curves(f'pose.bones["{root}"].location', np.asarray(root_shift, float) @ rest, root)
    return angle_curves(upright_q, rest_joints, channels) + location_curves
