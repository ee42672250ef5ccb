"""SKEL's angles of filmed windows: the labels that HSMR's network learns from, made by converting SMPL's poses (HSMR, supplement S.2).

The windows are those of scripts/train/hmr.py: frames of motion capture on the open body in random cameras, one shape a window. Each
frame is converted as it is and mirrored: SKEL is not symmetric, so a mirrored frame has angles of its own.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.skel import Skel
from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.conventions import WORLD_FROM_BODY
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.rotations import rotvec_from_rotmat
from blender_meshrec.core.skel.channels import upright_from_world_angles
from blender_meshrec.core.skel.template import load_skel
from blender_meshrec.methods.smpl_to_skel import FLAG_DISTANCE, QUICK, convert_smpl_to_skel
from scripts.train.calibration.filmed_windows import FilmedWindows
from scripts.train.data.recordings import mirror_rotmats

SAVE_INTERVAL = 50  # windows converted between two writes of the file


@dataclass
class SkelLabels:
    """Labels of N frames as they are (row 0) and mirrored (row 1).

    q: (2,N,46) rad, of a body whose SMPL root does not rotate. max_pve: (2,N) m, the largest distance of the two skins.
    """

    q: torch.Tensor
    max_pve: torch.Tensor

    @property
    def is_good(self) -> torch.Tensor:
        """(2,N): labels that may be learnt from."""
        return self.max_pve <= FLAG_DISTANCE


def load_labels(path: Path, pool: FilmedWindows, windows: int, frames: int) -> SkelLabels:
    """Labels of the first windows of a pool, flattened to windows of one frame; a file that ends earlier is continued.

    frames: of a window, which share their betas.
    """
    parts: list[list[torch.Tensor]] = torch.load(path, weights_only=True) if path.exists() else []
    body, skel = make_body(load_body()), Skel(load_skel())
    for window in range(len(parts), windows):
        rows = slice(window * frames, (window + 1) * frames)
        q, max_pve = label_poses(body, skel, pool.rotmats[rows, 0].double().numpy(), pool.betas[rows.start].double().numpy())
        parts.append([q.unflatten(0, (2, frames)), max_pve.unflatten(0, (2, frames))])
        if (window + 1) % SAVE_INTERVAL == 0 or window + 1 == windows:
            torch.save(parts, path)
            good = torch.stack([part[1] for part in parts]) <= FLAG_DISTANCE
            print(f"{window + 1} of {windows} windows labelled, {100 * good.double().mean():.0f} % within 6 cm", flush=True)
    return SkelLabels(*(torch.cat([part[row] for part in parts[:windows]], 1) for row in range(2)))


def label_poses(body: Smpl, skel: Skel, rotmats: FloatArray, betas: FloatArray) -> tuple[torch.Tensor, torch.Tensor]:
    """Angles (2F,46) rad and maxPVE (2F,) m of poses, SMPL's rotations (F,24,3,3) without the root's, and then of their mirror images."""
    upright = np.concatenate([rotmats, mirror_rotmats(rotmats)])
    upright[:, 0] = WORLD_FROM_BODY
    poses = rotvec_from_rotmat(upright).reshape(len(upright), -1)
    motion = convert_smpl_to_skel(body, skel, poses, betas, np.zeros((len(poses), 3)), effort=QUICK)
    q = upright_from_world_angles(motion.q, skel.template.bone_frames(betas)[0])
    return torch.as_tensor(q, dtype=torch.float32), torch.as_tensor(motion.max_pve, dtype=torch.float32)
