"""Batches of single frames for HKMR: half rendered with a silhouette, half joints alone in cameras drawn anew; half have 2D labels only."""

from pathlib import Path

import numpy as np
import torch

from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.bodies.window_regression import SILHOUETTE_SIZE, windows_around
from blender_meshrec.core.array_types import IntArray
from blender_meshrec.core.skeletons import SMPL_JOINTS
from scripts.train.calibration.filmed_windows import BETAS_SIGMA, MAX_BETA, FilmedWindows, read_split_clips
from scripts.train.data.recordings import mirror_rotmats, rotmats_from_quats
from scripts.train.data.silhouette_bodies import draw_cameras

NUM_POSES = 60_000  # frames of motion capture that are drawn once
LABELS_2D_ONLY = 4  # the 3D labels of one of so many frames are never used: those with 2D labels only
MIXED_FRACTION = 0.2  # of the frames drawn anew: arms, head and spine of another one
_UPPER = [index for index, name in enumerate(SMPL_JOINTS) if not name.endswith(("pelvis", "hip", "knee", "ankle", "foot"))]


class FramePool:
    """Frames of the training subjects.

    rendered: FilmedWindows of one frame each. folder: of the motion capture, from which more poses are drawn.
    """

    def __init__(self, rendered: FilmedWindows, folder: Path, body: Smpl, seed: int) -> None:
        self.rendered, self.body = rendered, body
        rng = np.random.default_rng([seed, 7])
        quats = np.concatenate([clip for clip, _ in read_split_clips(folder, "training")])
        self.quats: IntArray = quats[np.sort(rng.choice(len(quats), min(NUM_POSES, len(quats)), replace=False))]

    def draw(self, rng: np.random.Generator, count: int) -> tuple[FilmedWindows, torch.Tensor]:
        """A batch of `count` windows of one frame, and which have 3D labels, (count,) bool: exactly half of them."""
        quarter = count // 4
        rendered = np.concatenate([_draw_rows(rng, len(self.rendered.betas), quarter, labelled) for labelled in (True, False)])
        posed = np.concatenate([_draw_rows(rng, len(self.quats), quarter, labelled) for labelled in (True, False)])
        first, second = self.rendered.select(torch.as_tensor(rendered)), self._pose(rng, self.quats[posed])
        batch = FilmedWindows(*(torch.cat([getattr(first, name), getattr(second, name)]) for name in vars(first)))
        return batch, torch.arange(4).repeat_interleave(quarter) % 2 == 0

    def _pose(self, rng: np.random.Generator, quats: IntArray) -> FilmedWindows:
        """FilmedWindows of poses (N,24,4) with random betas, in random cameras, without silhouettes."""
        count = len(quats)
        local = rotmats_from_quats(quats)
        is_mirrored = rng.random(count) < 0.5
        local[is_mirrored] = mirror_rotmats(local[is_mirrored])
        is_mixed = rng.random(count) < MIXED_FRACTION
        mixed = local.copy()
        # The other frame is of the same half of the batch, so that a frame with 3D labels takes them from such a frame.
        mixed[:, _UPPER] = np.concatenate([np.roll(half, 1, 0) for half in np.split(local[:, _UPPER], 2)])
        local[is_mixed] = mixed[is_mixed]
        rotmats = torch.as_tensor(local, dtype=torch.float32)
        betas = torch.as_tensor(np.clip(rng.normal(0, BETAS_SIGMA, (count, 10)), -MAX_BETA, MAX_BETA), dtype=torch.float32)
        camera, transl = draw_cameras(rng, count)
        rotmats[:, 0] = camera @ rotmats[:, 0]
        with torch.no_grad():
            joints = self.body.h36m17(betas, rotmats[:, 0], rotmats[:, 1:], transl)
        rays = joints[..., :2] / joints[..., 2:].clamp_min(0.2)
        windows = windows_around(rays, torch.ones(rays.shape[:2], dtype=torch.bool))
        empty = torch.zeros(count, SILHOUETTE_SIZE**2 // 8, dtype=torch.uint8)
        return FilmedWindows(betas, *(each[:, None] for each in (rotmats, transl, joints, windows, empty)))


def _draw_rows(rng: np.random.Generator, length: int, count: int, labelled: bool) -> IntArray:
    """Random rows below `length`: of those with 3D labels, or of those without."""
    groups = rng.integers(length // LABELS_2D_ONLY, size=count) * LABELS_2D_ONLY
    return groups + (rng.integers(1, LABELS_2D_ONLY, size=count) if labelled else 0)
