"""Short pieces of motion capture on the open body, filmed by random still cameras: 2D joints, silhouettes and the truth.

W windows of F frames. Metres, camera axes (OpenCV); 2D as rays, x/z and y/z.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch

from blender_meshrec.bodies.silhouette_rendering import SurfacePoints, rasterise
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import SMPL_JOINTS
from blender_meshrec.methods.hmr import SILHOUETTE_SIZE, windows_around
from scripts.train.data.recordings import TEST_SUBJECTS, VALIDATION_SUBJECTS, mirror_rotmats, read_recordings, rotmats_from_quats
from scripts.train.data.silhouette_bodies import draw_cameras

BETAS_SIGMA, MAX_BETA = 1.0, 3.0
MIN_DEPTH = 0.8  # m
JOINT_SIGMA = 0.15, 0.06  # rad, standard deviations: of limbs, and of what is no limb
# All other subjects are trained on.
SUBJECT_SPLITS = {"test": TEST_SUBJECTS, "validation": VALIDATION_SUBJECTS}
_LIMBS = [SMPL_JOINTS.index(f"{side}_{name}") for side in ("left", "right") for name in ("hip", "knee", "shoulder", "elbow")]
_UPPER = [i for i, name in enumerate(SMPL_JOINTS) if not name.endswith(("pelvis", "hip", "knee", "ankle", "foot"))]
_FLIP = np.array([-1.0, 1.0, 1.0])


@dataclass
class FilmedWindows:
    """betas (W,10), rotmats (W,F,24,3,3) local, transl (W,F,3), joints (W,F,17,3) as U sees them, windows (W,F,4) and silhouettes
    (W,F,S*S/8) uint8, packed."""

    betas: torch.Tensor
    rotmats: torch.Tensor
    transl: torch.Tensor
    joints: torch.Tensor
    windows: torch.Tensor
    silhouettes: torch.Tensor

    def select(self, chosen: torch.Tensor) -> "FilmedWindows":
        return FilmedWindows(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def flatten_windows(self) -> "FilmedWindows":
        """Each frame a window of its own."""
        count, frames = self.transl.shape[:2]
        betas = self.betas[:, None].expand(-1, frames, -1).reshape(count * frames, -1)
        return FilmedWindows(betas, *(getattr(self, field.name).flatten(0, 1)[:, None] for field in fields(self)[1:]))


def read_split_clips(folder, part):
    """(quats (F,24,4), trans (F,3) m) of each unbroken piece of a part's recordings, y up. part: of SUBJECT_SPLITS, or training."""
    part_of = {subject: name for name, subjects in SUBJECT_SPLITS.items() for subject in subjects}
    chosen = [one for one in read_recordings(folder) if part_of.get(one.subject, "training") == part]
    return [(one.quats[piece], one.trans[piece].astype(float)) for one in chosen for piece in one.pieces()]


def unpack_silhouettes(silhouettes):
    """(..., S*S/8) uint8 as (..., S, S) floats."""
    bits = (silhouettes[..., None] >> torch.arange(7, -1, -1, dtype=torch.uint8)) & 1
    return bits.flatten(-2).unflatten(-1, (SILHOUETTE_SIZE, SILHOUETTE_SIZE)).float()


def film_windows(rng, body, projector, clips, count, frames, step=1):
    """FilmedWindows of `count` windows of clips (`read_split_clips`), frames `step` recorded frames apart.

    body: a Smpl. projector: (17,V), U.
    """
    surface, parts = SurfacePoints(body.template, spacing=0.022), []
    for pose in _poses(rng, clips, count, frames, step):
        betas, rotmats, transl = pose
        joints = projector @ body(betas, rotmats[:, 0], rotmats[:, 1:], transl)[1]
        points, _ = surface.pose(betas[None].expand(len(transl), -1), rotmats, transl, pose_correctives=False)
        windows = _windows(joints)
        silhouettes, _ = rasterise(points, windows, SILHOUETTE_SIZE, 0.022)
        packed = torch.as_tensor(np.packbits(silhouettes.flatten(1).numpy(), axis=1))
        parts.append((*pose, joints, windows, packed))
    return FilmedWindows(*(torch.stack(each) for each in zip(*parts)))


def film_joints(rng, body, clips, count, frames, varied=False):
    """The same without skinning a mesh: no silhouettes, and joints that are the body's own. varied: poses nobody took, `_perturb_poses`."""
    parts, poses = [], list(_poses(rng, clips, count, frames, 1))
    for pose in _perturb_poses(rng, poses) if varied else poses:
        betas, rotmats, transl = pose
        joints = body.h36m17(betas, rotmats[:, 0], rotmats[:, 1:], transl)
        parts.append((*pose, joints, _windows(joints), torch.zeros(frames, SILHOUETTE_SIZE * SILHOUETTE_SIZE // 8, dtype=torch.uint8)))
    return FilmedWindows(*(torch.stack(each) for each in zip(*parts)))


def _poses(rng, clips, count, frames, step):
    """Poses `count` times: betas (10,), rotmats (F,24,3,3), transl (F,3), camera axes."""
    long_enough = [clip for clip in clips if len(clip[0]) > (frames - 1) * step]
    chances = np.array([len(clip[0]) for clip in long_enough], float)
    for _ in range(count):
        quats, trans = long_enough[rng.choice(len(long_enough), p=chances / chances.sum())]
        first = rng.integers(len(quats) - (frames - 1) * step)
        rows = slice(first, first + (frames - 1) * step + 1, step)
        yield _pose(rng, quats[rows], trans[rows])


def _perturb_poses(rng, poses):
    """Poses of `_poses`: of half of them the arms, head and spine of another, and every joint turned a little for the whole window."""
    others = rng.permutation(len(poses))
    for index, (betas, rotmats, transl) in enumerate(poses):
        rotmats = rotmats.clone()
        if rng.random() < 0.5:
            rotmats[:, _UPPER] = poses[others[index]][1][:, _UPPER]
        turns = rng.normal(size=(24, 3)) * np.where(np.isin(np.arange(24), _LIMBS), *JOINT_SIGMA)[:, None]
        turns[0] = 0
        yield betas, rotmats @ torch.as_tensor(rotmat_from_rotvec(turns), dtype=torch.float32), transl


def _pose(rng, quats, trans):
    rotmats, trans = rotmats_from_quats(quats), trans - trans.mean(0)
    if rng.random() < 0.5:
        rotmats, trans = mirror_rotmats(rotmats), trans * _FLIP
    rotmats, trans = (torch.as_tensor(each, dtype=torch.float32) for each in (rotmats, trans))
    betas = torch.as_tensor(np.clip(rng.normal(0, BETAS_SIGMA, 10), -MAX_BETA, MAX_BETA), dtype=torch.float32)
    turn, place = draw_cameras(rng, 1)
    rotmats[:, 0] = turn @ rotmats[:, 0]
    transl = trans @ turn[0].T + place
    transl[:, 2] += (MIN_DEPTH - transl[:, 2].min() + 0.6).clamp_min(0)
    return betas, rotmats, transl


def _windows(joints):
    rays = joints[..., :2] / joints[..., 2:].clamp_min(0.2)
    return windows_around(rays, torch.ones(rays.shape[:2], dtype=torch.bool))
