"""PC-HMR's second half in the pipeline: the generated mesh is calibrated onto the final joints, a few frames at a time.

The target pose is the lifted one in the world, moved as the whole-clip solve and foot locking have moved the body, so that locked feet
are locked here too.
The mesh is first rotated as a whole onto the target's torso: a generator that confuses front and back must not twist every limb.
Where a limb of the mesh still points far from the target's, the pose fitted by DIK replaces the mesh's: calibration never turns a
limb over.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ...bodies.alignment import nearest_rotmats
from ...bodies.joint_projector import JointProjector
from ...bodies.smpl import Smpl
from ...bodies.tensors import to_tensor
from ...core.array_types import BoolArray, FloatArray, IntArray
from ...core.errors import InputError
from ...core.files.point_cache import write_point_cache
from ...core.records import BodyParams, Recovery
from ...core.rotations import quat_from_rotvec, rotvec_from_quat, slerp
from ...core.skeletons import H36M17, SMPL_JOINTS
from ...core.time_series import bracketing_samples
from ...methods.pc_hmr import BONES, load_calibration
from .body_fit import derive_torso_joints
from .body_params import local_rotvecs, transform_body, with_rotvecs
from .body_smoothing import smooth_body

CHUNK_FRAMES = 64
# Angle between a limb of the mesh and the target's, degrees: the mesh's pose is kept up to the first, replaced from the second.
ACCEPT_ANGLE, REJECT_ANGLE = 60.0, 90.0
FADE_TIME = 0.1  # s; standard deviation of the fade around replaced frames
TORSO_JOINTS = [H36M17.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("hip", "shoulder")]
_THORAX, _NOSE, _HEAD_TOP = (H36M17.index(name) for name in ("thorax", "nose", "head_top"))
# Start and end joints of the limbs, and of neck and head as one.
LIMB_LINES = [*(bone for bone in BONES if H36M17[bone[1]].endswith(("knee", "ankle", "elbow", "wrist"))), (_THORAX, _HEAD_TOP)]


class MeshCalibrator:
    """Calibrates the meshes of one clip's people.

    body: of 24 joints.

    Raises:
        InputError: the body has more joints. ModelError: the weights are missing or damaged.
    """

    def __init__(self, body: Smpl, device: torch.device | str = "cpu") -> None:
        if len(body.template.joint_names) != len(body.template.smpl_joint_indices):
            raise InputError(
                "pc-hmr-body-has-hands",
                "PC-HMR does not know the hands of the body {name}.",
                "Choose a body of 24 joints, or another method.",
                name=body.template.name,
            )
        self.body, self.projector = body, JointProjector(body)
        self.module = load_calibration(body.template, device)

    def __call__(self, recovery: Recovery, mesh: Recovery, cache_path: Path | None = None) -> tuple[Recovery, dict[str, float]]:
        """Calibrate one person's mesh.

        Args:
            recovery: the person's. mesh: the same with the poses of the mesh, and the target as `lifted_joints`.
            cache_path: path of the point cache to write, z up in the world, one sample a row; or None.

        Returns:
            the Recovery with `calibrated_joints`, and the report.
        """
        mesh = self.replace_implausible_poses(mesh, recovery)
        joints, edges = np.empty((len(mesh), 24, 3), np.float32), _EdgeStretch(self.body.faces)
        chunks = self._measured_chunks(mesh, joints, edges)
        if cache_path is None:
            for _vertices in chunks:
                pass
        else:
            write_point_cache(cache_path, len(self.body.template.v_template), len(mesh), chunks)
        moved = np.median(np.linalg.norm(joints - recovery.joints, axis=-1))
        report = {"moved_mm": round(1000 * float(moved), 1), "edge_stretch": round(edges.stretch(), 3)}
        return replace(recovery, calibrated_joints=joints), report

    @torch.inference_mode()
    def replace_implausible_poses(self, mesh: Recovery, fitted: Recovery) -> Recovery:
        """The mesh with the poses of `fitted` in frames where one of its limbs points far from the target's."""
        joints = self.body.h36m17(mesh.betas, mesh.poses[:, :3], mesh.poses[:, 3:])
        target = to_tensor(mesh.lifted_joints, device=self.body.device)
        starts, ends = (list(joint) for joint in zip(*LIMB_LINES))
        limbs, target_limbs = (points[:, ends] - points[:, starts] for points in (joints @ _torso_alignment(joints, target), target))
        angle = torch.rad2deg(torch.acos(torch.cosine_similarity(limbs, target_limbs, dim=-1).clamp(-1, 1))).amax(1).cpu().numpy()
        implausibility = np.clip((angle - ACCEPT_ANGLE) / (REJECT_ANGLE - ACCEPT_ANGLE), 0, 1)
        weight = _spread_in_time(implausibility, mesh.timestamps)
        quat, fitted_quat = (quat_from_rotvec(motion.poses.astype(float).reshape(len(mesh), -1, 3)) for motion in (mesh, fitted))
        poses = slerp(quat, fitted_quat, weight[:, None])
        return replace(mesh, poses=rotvec_from_quat(poses).reshape(len(mesh), -1))

    def _measured_chunks(self, mesh: Recovery, joints: FloatArray, edges: "_EdgeStretch") -> Iterator[FloatArray]:
        """Calibrated vertices (n,V,3) m, a few frames at a time; fills joints (F,24,3) m and counts edges on the way."""
        start = 0
        for generated, calibrated in self.calibrate_chunks(mesh):
            joints[start : start + len(calibrated)] = (self.projector.smpl @ calibrated).cpu().numpy()
            edges.add(generated, calibrated)
            start += len(calibrated)
            yield calibrated.cpu().numpy()

    @torch.inference_mode()
    def calibrate_chunks(self, mesh: Recovery) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Generated and calibrated vertices (n,V,3) m, z up in the world, of all rows, a few frames at a time."""
        for start in range(0, len(mesh), CHUNK_FRAMES):
            rows = slice(start, start + CHUNK_FRAMES)
            vertices = self.body(mesh.betas, mesh.poses[rows, :3], mesh.poses[rows, 3:], mesh.trans[rows])[1]
            target = torch.as_tensor(np.array(mesh.lifted_joints[rows])).to(vertices)
            joints = self.projector.h36m17 @ vertices
            rotation = _torso_alignment(joints, target)
            yield vertices, self.module(vertices @ rotation, joints @ rotation, target)


def mesh_in_world(recovery: Recovery, generated: BodyParams, target: FloatArray, smoothing: float, world_from_view: FloatArray) -> Recovery:
    """The generated mesh as a Recovery: poses smoothed over time and in the world, the target as `lifted_joints`.

    Args:
        recovery: the person's. generated: in the axes of the view in which people are solved. target: (F,17,3) m, of `target_joints`.
        smoothing: 0 is off. world_from_view: (3,3), a rotation.
    """
    visible, timestamps = recovery.visible, recovery.timestamps
    generated = replace(_interpolate_unseen(generated, visible, timestamps), betas=recovery.betas)
    smooth = smooth_body(generated, visible, timestamps, smoothing)
    in_world = transform_body(smooth, np.zeros(3), world_from_view, np.zeros(3))
    return replace(recovery, poses=in_world.poses, trans=np.zeros_like(recovery.trans), lifted_joints=target)


def target_joints(body: Smpl, lifted: FloatArray, before: BodyParams, after: BodyParams) -> FloatArray:
    """The target of the calibration: the lifted joints, moved as the body was since, with a body's torso and head.

    Sources of 17 joints differ in thorax and nose: the torso's middles are derived from hips and shoulders, and the head is the
    fitted body's.

    Args:
        lifted: (F,17,3) m. before, after: the body that was fitted to them, and the final one, in the same axes.

    Returns:
        (F,17,3) m, h36m17, the "nose" being the head's joint.
    """
    fitted, final = (
        body.h36m17(params.betas, params.global_orient, params.body_pose, params.transl).cpu().numpy() for params in (before, after)
    )
    target = derive_torso_joints(lifted + (final - fitted))
    pose = after.betas, after.global_orient, after.body_pose, after.transl
    nose, head_top = body.joints(*pose)[:, SMPL_JOINTS.index("head")], body.landmarks(*pose, names=("head_top",))[:, 0]
    offset = target[:, _THORAX] - final[:, _THORAX]
    target[:, _NOSE], target[:, _HEAD_TOP] = (points.cpu().numpy() + offset for points in (nose, head_top))
    return target


def _torso_alignment(joints: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The rotations (F,3,3), for row vectors, that align joints (F,17,3) as a whole with the torso of a target (F,17,3)."""
    source, goal = (points[:, TORSO_JOINTS] - points[:, TORSO_JOINTS].mean(1, keepdim=True) for points in (joints, target))
    return nearest_rotmats(goal.mT @ source).mT


def _spread_in_time(weights: FloatArray, timestamps: FloatArray) -> FloatArray:
    """Weights (F,) that fade before and after each peak, so that nothing jumps."""
    spread = weights.copy()
    for row in np.flatnonzero(weights):
        near = slice(*np.searchsorted(timestamps, timestamps[row] + np.array([-3, 3]) * FADE_TIME))
        fade = np.exp(-0.5 * ((timestamps[near] - timestamps[row]) / FADE_TIME) ** 2)
        spread[near] = np.maximum(spread[near], weights[row] * fade)
    return spread


def _interpolate_unseen(params: BodyParams, visible: BoolArray, timestamps: FloatArray) -> BodyParams:
    """The parameters with rotations of rows without the person interpolated over time, held at the ends."""
    if visible.all() or not visible.any():
        return params
    quat = quat_from_rotvec(local_rotvecs(params)[visible])
    before, after, weight = bracketing_samples(timestamps, timestamps[visible])
    return with_rotvecs(params, rotvec_from_quat(slerp(quat[before], quat[after], weight[:, None])))


class _EdgeStretch:
    """Counts how much calibration stretches a mesh's edges."""

    NUM_BINS, MAX_RATIO = 1000, 10.0
    QUANTILE = 0.999  # of a clip's edges

    def __init__(self, faces: IntArray) -> None:
        edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
        self._edges = torch.as_tensor(np.unique(edges, axis=0))
        self._counts = torch.zeros(self.NUM_BINS, dtype=torch.float64)

    def add(self, before: torch.Tensor, after: torch.Tensor) -> None:
        """Count the edges of meshes (n,V,3) before and after calibration."""
        first, last = self._edges.to(before.device).T
        length_before, length_after = ((vertices[:, first] - vertices[:, last]).norm(dim=-1) for vertices in (before, after))
        ratio = (length_after / length_before.clamp_min(1e-6)).clamp_max(self.MAX_RATIO)
        self._counts += torch.histc(ratio.float().cpu(), self.NUM_BINS, 0, self.MAX_RATIO).double()

    def stretch(self) -> float:
        """The ratio of lengths that QUANTILE of all edges stay below, to a hundredth."""
        cumulative = self._counts.cumsum(0) / self._counts.sum().clamp_min(1)
        return self.MAX_RATIO / self.NUM_BINS * (int(torch.searchsorted(cumulative, self.QUANTILE)) + 1)
