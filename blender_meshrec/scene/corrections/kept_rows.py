"""The rows of a new take that stay as they were in the old one, an artist's keys included: those that no correction concerns."""

from collections.abc import Mapping

import bpy
import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.rotations import align_quat_signs
from ...core.skeletons import SMPL_JOINTS
from ..motion.curve_keys import curves_by_path, ensure_fcurve, evaluate_curve, evaluate_vector, set_keys
from ..motion.motion_curves import CONTACT_PROPERTIES
from ..takes.takes import FRAME_CONFIDENCE
from .edited_contacts import result_action
from .planted_rows import PlantedPose, read_planting, store_planting

_LIMIT_INFLUENCE = '["Anatomical Limits"].influence'  # of SKEL's bones; 1 where nothing is keyed
_Curves = Mapping[tuple[str, int], bpy.types.FCurve]


def keep_rows(armature_object: bpy.types.Object, old: bpy.types.Action, new: bpy.types.Action, weight: FloatArray) -> None:
    """Let the new action be the old one, an artist's keys included, where no correction concerns it: from weight (F,) 0 to 1."""
    _action, frames = result_action(armature_object)
    before, tracks = curves_by_path(old, armature_object), {'["visible"]', *(f'["{name}"]' for name in CONTACT_PROPERTIES)}
    for path, index in before:  # where the new motion needs none
        if path.endswith(_LIMIT_INFLUENCE):
            ensure_fcurve(new, armature_object, path, "", index)
    curves = curves_by_path(new, armature_object)
    signs = _signs_towards(before, curves, frames)
    for (path, index), fcurve in curves.items():
        is_limit = path.endswith(_LIMIT_INFLUENCE)
        if path not in tracks and ((path, index) in before or is_limit):
            earlier = signs.get(path, 1.0) * evaluate_curve(before, path, index, frames, float(is_limit))
            set_keys(fcurve, frames, _joined(earlier, fcurve, frames, weight))
    _align_signs(armature_object, new, frames)
    stored, fresh, kept = read_planting(old), read_planting(new), weight == 0
    if stored is not None and fresh is not None and len(stored[0].pelvis) == len(kept):
        poses = [_mixed(a, b, kept) for a, b in zip(stored, fresh, strict=True)]
        store_planting(new, poses[0], poses[1])


def keep_confidence(old: bpy.types.Action, new: bpy.types.Action, weight: FloatArray) -> None:
    """Let what was doubtful stay so where the motion stays: where weight (F,) is 0."""
    known = [np.array(action.get(FRAME_CONFIDENCE, ()), float).reshape(-1, len(SMPL_JOINTS)) for action in (old, new)]
    if all(len(rows) == len(weight) for rows in known):
        new[FRAME_CONFIDENCE] = np.where(weight[:, None] == 0, *known).ravel().tolist()


def _joined(earlier: FloatArray, fcurve: bpy.types.FCurve, frames: FloatArray, weight: FloatArray) -> FloatArray:
    """Values (F,) that are the earlier ones at weight (F,) 0, exactly, and those of a curve, 1 without keys, at 1."""
    values = np.array([fcurve.evaluate(frame) for frame in frames]) if len(fcurve.keyframe_points) else np.ones(len(frames))
    if fcurve.data_path.endswith(".rotation_euler"):
        values += 2 * np.pi * np.round(np.median(earlier - values) / (2 * np.pi))  # whole turns: only the pelvis makes any
    return np.where(weight == 0, earlier, (1 - weight) * earlier + weight * values)


def _signs_towards(before: _Curves, after: _Curves, frames: FloatArray) -> dict[str, FloatArray]:
    """For each bone's quaternions before, by their path, the signs (F,) with which they lie nearest to those after."""
    signs: dict[str, FloatArray] = {}
    for path in {path for path, _index in after if path.endswith(".rotation_quaternion")}:
        quats = [evaluate_vector(curves, path, frames) for curves in (before, after)]
        signs[path] = np.where((quats[0] * quats[1]).sum(-1) < 0, -1.0, 1.0)
    return signs


def _mixed(stored: PlantedPose, fresh: PlantedPose, kept: BoolArray) -> PlantedPose:
    return PlantedPose(np.where(kept[:, None, None], stored.rotvecs, fresh.rotvecs), np.where(kept[:, None], stored.pelvis, fresh.pelvis))


def _align_signs(armature_object: bpy.types.Object, action: bpy.types.Action, frames: FloatArray) -> None:
    """Give neighbouring quaternions of a bone the same sign, so that none turns the long way between two keys."""
    curves = curves_by_path(action, armature_object)
    for path in {path for path, _index in curves if path.endswith(".rotation_quaternion")}:
        quats = evaluate_vector(curves, path, frames)
        aligned = align_quat_signs(quats)
        if not np.array_equal(aligned, quats):
            for k in range(4):
                set_keys(curves[path, k], frames, aligned[:, k])
