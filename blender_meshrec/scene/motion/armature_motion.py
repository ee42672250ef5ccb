"""The motion of an armature of the scene, with an artist's changes, as a Motion: for .bvh and .npz, which need no exporter."""

from dataclasses import dataclass, replace

import bpy
import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.body_contacts import SOLE_PARTS
from ...core.cameras import rigid_transform
from ...core.conventions import BLENDER_CAMERA_FROM_OPENCV
from ...core.files.body_template import FAMILIES
from ...core.motion import forward_kinematics
from ...core.records import Motion
from ..character.character_motion import local_quats, motion_from_performance
from ..character.rig_reader import read_rig
from ..context import active_scene, armature_data, pose_bones
from ..unit_scale import metres_per_unit
from .armature_performance import performance_from_armature
from .isolated_playback import bone_matrices, check_frame_range, isolated_scene
from .keyframes import scene_fps
from .motion_curves import CONTACT_PROPERTIES

_POSITION_TOLERANCE = 1e-4  # m; a joint further from its position with rest bone lengths has been stretched or moved


@dataclass(frozen=True)
class SampledFrames:
    """An evaluated armature of J SMPL joints over F frames, in the world.

    rotations: (F,J,3,3). heads: (F,J,3) m. contacts: (F,4). visible: (F,). world_from_camera: (F,4,4) in OpenCV's axes, (0,4,4)
    without a camera.
    """

    rotations: FloatArray
    heads: FloatArray
    contacts: FloatArray
    visible: BoolArray
    world_from_camera: FloatArray


def smpl_joint_names(armature_object: bpy.types.Object) -> tuple[str, ...] | None:
    """The ordered joint names of an armature with SMPL's, SMPL-H's or SMPL-X's joints; None for any other."""
    bones = {bone.name for bone in armature_data(armature_object).bones}
    return next((tuple(names) for _, names in FAMILIES.values() if set(names) == bones), None)


def motion_from_armature(armature_object: bpy.types.Object, first: int, last: int) -> Motion:
    """A Motion, in the world, of whole frames first .. last; of an artist's character, its mapped bones.

    Raises:
        InputError: there are no frames, or an artist's armature cannot be read or is not a humanoid.
    """
    names = smpl_joint_names(armature_object)
    if names is None:
        return motion_from_performance(performance_from_armature(armature_object, first, last))
    return smpl_motion(armature_object, names, sample_frames(armature_object, names, None, first, last))


def sample_frames(
    armature_object: bpy.types.Object, names: tuple[str, ...], camera: bpy.types.Object | None, first: int, last: int
) -> SampledFrames:
    """Evaluate an armature with the joints `names`, and a camera, at whole frames first .. last.

    Raises:
        InputError: there are no frames.
    """
    check_frame_range(first, last)
    rows = [pose_bones(armature_object).find(name) for name in names]
    matrices: list[FloatArray] = []
    cameras: list[FloatArray] = []
    unit = metres_per_unit(armature_object)
    contacts: list[list[float]] = []
    visible: list[float] = []
    with isolated_scene(armature_object, *([camera] if camera is not None else [])) as evaluate_frame:
        for frame in range(first, last + 1):
            depsgraph = evaluate_frame(frame)
            evaluated = armature_object.evaluated_get(depsgraph)
            matrices.append(bone_matrices(evaluated, rows))
            contacts.append([evaluated.get(name, 0.0) for name in CONTACT_PROPERTIES[: len(SOLE_PARTS)]])
            visible.append(evaluated.get("visible", 1.0))
            if camera is not None:
                cameras.append(np.array(camera.evaluated_get(depsgraph).matrix_world.normalized()))
    bones = np.array(matrices)
    linear = bones[..., :3, :3]
    return SampledFrames(
        rotations=linear / np.linalg.norm(linear, axis=-2, keepdims=True),
        heads=bones[..., :3, 3] * unit,
        contacts=np.array(contacts),
        visible=np.array(visible) > 0.5,
        world_from_camera=_world_from_opencv_camera(np.array(cameras).reshape(-1, 4, 4), unit),
    )


def _world_from_opencv_camera(world_from_blender_camera: FloatArray, metres_per_unit: float) -> FloatArray:
    """World matrices (F,4,4) m of a camera, with OpenCV's axes in place of Blender's."""
    places = world_from_blender_camera[:, :3, 3] * metres_per_unit
    return rigid_transform(world_from_blender_camera[:, :3, :3] @ BLENDER_CAMERA_FROM_OPENCV, places)


def smpl_motion(armature_object: bpy.types.Object, names: tuple[str, ...], sampled: SampledFrames) -> Motion:
    """The Motion of an armature with SMPL's joints; it has `joints` if bones are stretched or moved."""
    rig = read_rig(armature_object)
    rows = [rig.index(name) for name in names]
    parents = [rows.index(rig.parents[row]) if rig.parents[row] >= 0 else -1 for row in rows]
    fps = scene_fps(active_scene())
    motion = Motion(
        skeleton="smpl",
        joint_names=names,
        parents=np.array(parents),
        rest_joints=rig.rest[rows, :3, 3],
        rotations=local_quats(sampled.rotations @ rig.rest[rows, :3, :3].swapaxes(-1, -2), parents),
        transl=sampled.heads[:, 0],
        fps=fps,
        timestamps=np.arange(len(sampled.heads)) / fps,
        contacts=sampled.contacts,
    )
    unscaled, _ = forward_kinematics(motion)
    root = motion.transl[:, None]
    scale = armature_object.matrix_world.median_scale * metres_per_unit(armature_object)
    unstretched = root + scale * (unscaled - root)
    is_stretched = np.abs(unstretched - sampled.heads).max() > _POSITION_TOLERANCE
    return replace(motion, joints=sampled.heads) if is_stretched else motion
