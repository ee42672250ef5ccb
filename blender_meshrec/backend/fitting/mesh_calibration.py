"""PC-HMR's second half in the pipeline: the generated mesh is calibrated onto where the joints came to be, a few frames at a time.

The target pose is the lifted one in the world, moved as the feet's locking has moved the body: what stands, stands here too. The mesh
is first turned as a whole onto the target's torso: a generator that takes front for back is not to twist every limb. Where its limbs
point quite elsewhere all the same, the pose that DIK fitted takes its place: no limb is turned over by calibrating.
"""

from dataclasses import replace

import numpy as np
import roma
import torch

from ...bodies.joint_projector import JointProjector
from ...core.errors import InputError
from ...core.files.point_cache import write_point_cache
from ...core.rotations import quat_from_rotvec, rotvec_from_quat, slerp
from ...core.skeletons import H36M17, SMPL_JOINTS
from ...methods.pc_hmr import BONES, load_calibration
from .body_fit import derive_torso_joints, transform_body
from .body_smoothing import smooth_body

CHUNK = 64  # frames
ACCEPT_ANGLE, REJECT_ANGLE = 60.0, 90.0  # degrees that a limb of the mesh may point off the target's: wholly, and not any more
FADE_TIME = 0.1  # s
TORSO_JOINTS = [H36M17.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("hip", "shoulder")]
_THORAX, _NOSE, _HEAD_TOP = (H36M17.index(name) for name in ("thorax", "nose", "head_top"))
# Limbs, and neck and head as one.
LIMB_LINES = [*(bone for bone in BONES if H36M17[bone[1]].endswith(("knee", "ankle", "elbow", "wrist"))), (_THORAX, _HEAD_TOP)]


class MeshCalibrator:
    """What calibrates the people of one clip.

    body: a Smpl. Raises InputError: it is none of 24 joints; ModelError: the weights are missing or damaged.
    """

    def __init__(self, body, device="cpu"):
        if len(body.template.joint_names) != len(body.template.smpl_joint_indices):
            raise InputError(
                "pc-hmr-body-has-hands",
                "PC-HMR does not know the hands of the body {name}.",
                "Choose a body of 24 joints, or another method.",
                name=body.template.name,
            )
        self.body, self.projector = body, JointProjector(body)
        self.module = load_calibration(body.template, device)

    def __call__(self, recovery, mesh, cache_path=None):
        """Calibrate one person's mesh.

        Args:
            recovery: the person's Recovery. mesh: the same with the poses of the mesh, and the target as `lifted_joints`.
            cache_path: path of the point cache to write, z up in the world, one sample a row; or None.

        Returns:
            the Recovery with `calibrated_joints`, and what a report says of it.
        """
        mesh = self.replace_implausible_poses(mesh, recovery)
        joints, edges = np.empty((len(mesh), 24, 3), np.float32), _EdgeStretch(self.body.faces)
        kept = self._calibrated_chunks(mesh, joints, edges)
        if cache_path is None:
            for _ in kept:
                pass
        else:
            write_point_cache(cache_path, len(self.body.template.v_template), len(mesh), kept)
        moved = np.median(np.linalg.norm(joints - recovery.joints, axis=-1))
        said = {"moved_mm": round(1000 * float(moved), 1), "edge_stretch": round(edges.stretch(), 3)}
        return replace(recovery, calibrated_joints=joints), said

    @torch.inference_mode()
    def replace_implausible_poses(self, mesh, fitted):
        """The mesh's Recovery with the poses of `fitted`, a Recovery, in frames where its limbs point quite elsewhere than the target's."""
        arguments = [torch.as_tensor(np.array(each)) for each in (mesh.betas, mesh.poses[:, :3], mesh.poses[:, 3:])]
        joints, target = self.body.h36m17(*arguments), torch.as_tensor(np.array(mesh.lifted_joints)).to(self.body.device)
        parents, children = (list(ends) for ends in zip(*LIMB_LINES))
        lines = [each[:, children] - each[:, parents] for each in (joints @ _align_torso(joints, target), target)]
        angle = torch.rad2deg(torch.acos(torch.cosine_similarity(*lines, dim=-1).clamp(-1, 1))).amax(1).cpu().numpy()
        doubt = _spread_in_time(np.clip((angle - ACCEPT_ANGLE) / (REJECT_ANGLE - ACCEPT_ANGLE), 0, 1), mesh.timestamps)
        quats = [quat_from_rotvec(each.poses.astype(float).reshape(len(mesh), -1, 3)) for each in (mesh, fitted)]
        poses = slerp(*quats, np.broadcast_to(doubt[:, None], quats[0].shape[:2]))
        return replace(mesh, poses=rotvec_from_quat(poses).reshape(len(mesh), -1))

    def _calibrated_chunks(self, mesh, joints, edges):
        """Calibrated vertices, a few frames at a time; on the way joints (F,24,3) are filled and edges looked at."""
        start = 0
        for generated, calibrated in self.calibrate_chunks(mesh):
            joints[start : start + len(calibrated)] = (self.projector.smpl @ calibrated).cpu().numpy()
            edges.add(generated, calibrated)
            start += len(calibrated)
            yield calibrated.cpu().numpy()

    @torch.inference_mode()
    def calibrate_chunks(self, mesh):
        """Generated and calibrated vertices (n,V,3) m, z up in the world, of all rows in pieces."""
        for start in range(0, len(mesh), CHUNK):
            rows = slice(start, start + CHUNK)
            vertices = self.body(mesh.betas, mesh.poses[rows, :3], mesh.poses[rows, 3:], mesh.trans[rows])[1]
            target = torch.as_tensor(np.array(mesh.lifted_joints[rows])).to(vertices)
            joints = self.projector.h36m17 @ vertices
            turn = _align_torso(joints, target)
            yield vertices, self.module(vertices @ turn, joints @ turn, target)


def mesh_in_world(recovery, generated, target, smoothing):
    """The generated mesh as a Recovery: poses steadied over time and in the world, the target as `lifted_joints`.

    Args:
        recovery: the person's. generated: BodyParams in camera axes. target: (F,17,3) m, of `target_joints`. smoothing: 0 changes nothing.
    """
    visible, timestamps = recovery.visible, recovery.timestamps
    rotation = np.array(recovery.camera_from_world[0, :3, :3]).T
    bridged = replace(generated, betas=recovery.betas, **_interpolate_unseen(generated, visible, timestamps))
    steady = smooth_body(bridged, visible, timestamps, smoothing)
    turned = transform_body(steady, np.zeros(3), rotation, np.zeros(3))
    return replace(recovery, poses=turned.poses, trans=np.zeros_like(recovery.trans), lifted_joints=target)


def target_joints(body, lifted, before, after):
    """Where the 17 joints are to be: the lifted ones, moved with the feet's locking, on a body's torso and head.

    17 joints do not agree on what a thorax and a nose are: the torso's middles are taken from hips and shoulders, and the head
    is the fitted body's.

    Args:
        body: a Smpl. lifted: (F,17,3) m. before, after: BodyParams of the body, unlocked and locked, in the same axes.

    Returns:
        (F,17,3) m, h36m17, the "nose" being the head's joint.
    """
    arguments = [(params.betas, params.global_orient, params.body_pose, params.transl) for params in (before, after)]
    free, locked = (body.h36m17(*each).cpu().numpy() for each in arguments)
    target = derive_torso_joints(lifted + (locked - free))
    head = body.joints(*arguments[1])[:, SMPL_JOINTS.index("head")], body.landmarks(*arguments[1], names=("head_top",))[:, 0]
    aside = target[:, _THORAX] - locked[:, _THORAX]
    target[:, _NOSE], target[:, _HEAD_TOP] = (each.cpu().numpy() + aside for each in head)
    return target


def _align_torso(joints, target):
    """The rotations (F,3,3), for row vectors, that turn joints (F,17,3) as a whole onto the torso of a target (F,17,3)."""
    torsos = [each[:, TORSO_JOINTS] - each[:, TORSO_JOINTS].mean(1, keepdim=True) for each in (target, joints)]
    return roma.special_procrustes(torsos[0].mT @ torsos[1]).mT


def _spread_in_time(doubt, timestamps):
    """Doubts (F,), at full where they are and fading before and after, so that nothing jumps."""
    spread = doubt.copy()
    for row in np.flatnonzero(doubt):
        near = slice(*np.searchsorted(timestamps, timestamps[row] + np.array([-3, 3]) * FADE_TIME))
        spread[near] = np.maximum(spread[near], doubt[row] * np.exp(-0.5 * ((timestamps[near] - timestamps[row]) / FADE_TIME) ** 2))
    return spread


def _interpolate_unseen(params, visible, timestamps):
    """Rotations, with rows without the person between those of their neighbours in time, held at the ends."""
    poses = params.poses.astype(float)
    known, times = np.flatnonzero(visible), np.asarray(timestamps, float)
    if 0 < len(known) < len(poses):
        quat = quat_from_rotvec(poses[known].reshape(len(known), -1, 3))
        place = np.interp(times, times[known], np.arange(len(known)))
        before = np.floor(place).astype(int)
        after = np.minimum(before + 1, len(known) - 1)
        share = np.broadcast_to((place - before)[:, None], (len(poses), quat.shape[1]))
        poses = rotvec_from_quat(slerp(quat[before], quat[after], share)).reshape(len(poses), -1)
    return {"global_orient": poses[:, :3], "body_pose": poses[:, 3:]}


class _EdgeStretch:
    """How much calibrating stretches a mesh's edges: the share that 99.9 % of a clip's keep under, to a hundredth."""

    NUM_BINS, MAX_RATIO = 1000, 10.0

    def __init__(self, faces):
        ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
        self._ends = torch.as_tensor(np.unique(ends, axis=0))
        self._counts = torch.zeros(self.NUM_BINS, dtype=torch.float64)

    def add(self, before, after):
        first, last = self._ends.to(before.device).T
        lengths = [(vertices[:, first] - vertices[:, last]).norm(dim=-1) for vertices in (before, after)]
        ratio = (lengths[1] / lengths[0].clamp_min(1e-6)).clamp_max(self.MAX_RATIO)
        self._counts += torch.histc(ratio.float().cpu(), self.NUM_BINS, 0, self.MAX_RATIO).double()

    def stretch(self):
        share = self._counts.cumsum(0) / self._counts.sum().clamp_min(1)
        return self.MAX_RATIO / self.NUM_BINS * (int(torch.searchsorted(share, 0.999)) + 1)
