"""Short windows of motion capture on the open body, filmed by random static cameras: joints, silhouettes and the true body.

W windows of F frames. Metres, camera axes (OpenCV); 2D as rays, x/z and y/z.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch

from blender_meshrec.bodies.silhouette_rendering import SurfacePoints, rasterise
from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.core.array_types import AnyArray, FloatArray
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import SMPL_JOINTS
from blender_meshrec.methods.hmr import SILHOUETTE_SIZE, windows_around
from scripts.train.data.recordings import TEST_SUBJECTS, VALIDATION_SUBJECTS, mirror_rotmats, read_recordings, rotmats_from_quats
from scripts.train.data.silhouette_bodies import draw_cameras

BETAS_SIGMA, MAX_BETA = 1.0, 3.0
MIN_DEPTH = 0.8  # m
JOINT_SIGMA = 0.15, 0.06  # rad, standard deviations of pose perturbations: of limb joints, and of other joints
# All other subjects belong to the training split.
SUBJECT_SPLITS = {"test": TEST_SUBJECTS, "validation": VALIDATION_SUBJECTS}
_LIMBS = [SMPL_JOINTS.index(f"{side}_{name}") for side in ("left", "right") for name in ("hip", "knee", "shoulder", "elbow")]
_UPPER = [i for i, name in enumerate(SMPL_JOINTS) if not name.endswith(("pelvis", "hip", "knee", "ankle", "foot"))]
_FLIP = np.array([-1.0, 1.0, 1.0])

MotionClip = tuple[AnyArray, FloatArray]  # quats (F,24,4) as of a Recording, trans (F,3) m
Pose = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # betas (10,), rotmats (F,24,3,3), transl (F,3) m, camera axes


@dataclass
class FilmedWindows:
    """Bodies, and what a camera shows of them.

    betas (W,10), rotmats (W,F,24,3,3) local, transl (W,F,3) m: the bodies. joints (W,F,17,3) m, by U. windows (W,F,4): crops of the image.
    silhouettes: (W,F,S*S/8) uint8, packed bits.
    """

    betas: torch.Tensor
    rotmats: torch.Tensor
    transl: torch.Tensor
    joints: torch.Tensor
    windows: torch.Tensor
    silhouettes: torch.Tensor

    def select(self, chosen: torch.Tensor) -> "FilmedWindows":
        return FilmedWindows(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def flatten_windows(self) -> "FilmedWindows":
        """The same frames as windows of one frame each."""
        count, frames = self.transl.shape[:2]
        betas = self.betas[:, None].expand(-1, frames, -1).reshape(count * frames, -1)
        return FilmedWindows(betas, *(getattr(self, field.name).flatten(0, 1)[:, None] for field in fields(self)[1:]))


def read_split_clips(folder: Path, part: str) -> list[MotionClip]:
    """The valid pieces of the recordings of a split, y up. part: a key of SUBJECT_SPLITS, or "training"."""
    part_of = {subject: name for name, subjects in SUBJECT_SPLITS.items() for subject in subjects}
    chosen = [recording for recording in read_recordings(folder) if part_of.get(recording.subject, "training") == part]
    return [(recording.quats[piece], recording.trans[piece].astype(float)) for recording in chosen for piece in recording.pieces()]


def unpack_silhouettes(silhouettes: torch.Tensor) -> torch.Tensor:
    """Packed silhouettes (..., S*S/8) uint8 as floats (..., S, S)."""
    bits = (silhouettes[..., None] >> torch.arange(7, -1, -1, dtype=torch.uint8)) & 1
    return bits.flatten(-2).unflatten(-1, (SILHOUETTE_SIZE, SILHOUETTE_SIZE)).float()


def film_windows(
    rng: np.random.Generator,
    body: Smpl,
    projector: torch.Tensor,
    clips: Sequence[MotionClip],
    count: int,
    frames: int,
    step: int = 1,
) -> FilmedWindows:
    """FilmedWindows of `count` random windows of clips, whose frames are `step` recorded frames apart. projector: (17,V), U."""
    surface = SurfacePoints(body.template, spacing=0.022)
    parts: list[tuple[torch.Tensor, ...]] = []
    for betas, rotmats, transl in _poses(rng, clips, count, frames, step):
        joints = projector @ body(betas, rotmats[:, 0], rotmats[:, 1:], transl)[1]
        points, _ = surface.pose(betas[None].expand(len(transl), -1), rotmats, transl, pose_correctives=False)
        windows = _windows(joints)
        silhouettes, _ = rasterise(points, windows, SILHOUETTE_SIZE, 0.022)
        packed = torch.as_tensor(np.packbits(silhouettes.flatten(1).numpy(), axis=1))
        parts.append((betas, rotmats, transl, joints, windows, packed))
    return FilmedWindows(*(torch.stack(each) for each in zip(*parts)))


def film_joints(
    rng: np.random.Generator, body: Smpl, clips: Sequence[MotionClip], count: int, frames: int, varied: bool = False
) -> FilmedWindows:
    """FilmedWindows without skinning: empty silhouettes, and the body's own joints. varied: with perturbed poses, `_perturb_poses`."""
    parts: list[tuple[torch.Tensor, ...]] = []
    poses = list(_poses(rng, clips, count, frames, 1))
    empty = torch.zeros(frames, SILHOUETTE_SIZE * SILHOUETTE_SIZE // 8, dtype=torch.uint8)
    for betas, rotmats, transl in _perturb_poses(rng, poses) if varied else poses:
        joints = body.h36m17(betas, rotmats[:, 0], rotmats[:, 1:], transl)
        parts.append((betas, rotmats, transl, joints, _windows(joints), empty))
    return FilmedWindows(*(torch.stack(each) for each in zip(*parts)))


def _poses(rng: np.random.Generator, clips: Sequence[MotionClip], count: int, frames: int, step: int) -> Iterator[Pose]:
    """Yield the poses of `count` random windows."""
    long_enough = [clip for clip in clips if len(clip[0]) > (frames - 1) * step]
    chances = np.array([len(clip[0]) for clip in long_enough], float)
    for _ in range(count):
        quats, trans = long_enough[rng.choice(len(long_enough), p=chances / chances.sum())]
        first = rng.integers(len(quats) - (frames - 1) * step)
        rows = slice(first, first + (frames - 1) * step + 1, step)
        yield _pose(rng, quats[rows], trans[rows])


def _perturb_poses(rng: np.random.Generator, poses: Sequence[Pose]) -> Iterator[Pose]:
    """Perturb poses: half of them get the arms, head and spine of another pose; every joint gets a small rotation, constant in a window."""
    others = rng.permutation(len(poses))
    for index, (betas, rotmats, transl) in enumerate(poses):
        rotmats = rotmats.clone()
        if rng.random() < 0.5:
            rotmats[:, _UPPER] = poses[others[index]][1][:, _UPPER]
        rotvecs = rng.normal(size=(24, 3)) * np.where(np.isin(np.arange(24), _LIMBS), *JOINT_SIGMA)[:, None]
        rotvecs[0] = 0
        yield betas, rotmats @ torch.as_tensor(rotmat_from_rotvec(rotvecs), dtype=torch.float32), transl


def _pose(rng: np.random.Generator, quats: AnyArray, trans: FloatArray) -> Pose:
    """Recorded frames, half of the time mirrored, with random betas in a random camera."""
    local, path = rotmats_from_quats(quats), trans - trans.mean(0)
    if rng.random() < 0.5:
        local, path = mirror_rotmats(local), path * _FLIP
    rotmats, trans_tensor = (torch.as_tensor(each, dtype=torch.float32) for each in (local, path))
    betas = torch.as_tensor(np.clip(rng.normal(0, BETAS_SIGMA, 10), -MAX_BETA, MAX_BETA), dtype=torch.float32)
    camera_rotmat, camera_transl = draw_cameras(rng, 1)
    rotmats[:, 0] = camera_rotmat @ rotmats[:, 0]
    transl = trans_tensor @ camera_rotmat[0].T + camera_transl
    transl[:, 2] += (MIN_DEPTH - transl[:, 2].min() + 0.6).clamp_min(0)
    return betas, rotmats, transl


def _windows(joints: torch.Tensor) -> torch.Tensor:
    """The crops (F,4) around joints (F,17,3)."""
    rays = joints[..., :2] / joints[..., 2:].clamp_min(0.2)
    return windows_around(rays, torch.ones(rays.shape[:2], dtype=torch.bool))
