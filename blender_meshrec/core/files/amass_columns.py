"""AMASS's own widths of a motion's arrays: 156 columns of SMPL-H's poses, 16 betas, 8 DMPLs.

Other people's scripts slice these without asking: the body is columns 0:66, the hands are 66:156.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

BODY_COLUMNS, HAND_COLUMNS = 66, 90
AMASS_COLUMNS = BODY_COLUMNS + HAND_COLUMNS
_NUM_BETAS, _NUM_DMPLS = 16, 8
_SMPL_HAND_COLUMNS = 6  # the two hand joints that SMPL has in place of fingers
_SMPLX_FACE_COLUMNS = 9  # jaw and eyes, between body and hands


def to_amass_columns(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays of a motion with AMASS's widths.

    Hands of bodies without fingers are at rest (zero), what the betas and DMPLs lack is zero; jaw and eyes of SMPL-X are left out.
    """
    poses, betas = np.asarray(arrays["poses"]), np.asarray(arrays["betas"])
    hands = poses[:, -HAND_COLUMNS:] if poses.shape[1] >= AMASS_COLUMNS else np.zeros((len(poses), HAND_COLUMNS), poses.dtype)
    return {
        **arrays,
        "poses": np.concatenate([poses[:, :BODY_COLUMNS], hands], 1),
        "betas": np.pad(betas, (0, max(0, _NUM_BETAS - len(betas)))),
        "dmpls": np.zeros((len(poses), _NUM_DMPLS), poses.dtype),
    }


def from_amass_columns(arrays: Mapping[str, Any], num_betas: int) -> dict[str, Any]:
    """The inverse of `to_amass_columns`, for arrays that it has widened; others stay as they are."""
    found, kind = dict(arrays), str(arrays.get("surface_model_type", ""))
    poses, betas = found.get("poses"), found.get("betas")
    if isinstance(betas, np.ndarray) and betas.shape == (_NUM_BETAS,) and not betas[num_betas:].any():
        found["betas"] = betas[:num_betas]
    if isinstance(poses, np.ndarray) and poses.ndim == 2 and poses.shape[1] == AMASS_COLUMNS:
        body, hands = poses[:, :BODY_COLUMNS], poses[:, BODY_COLUMNS:]
        if kind in ("open", "smpl"):
            found["poses"] = np.pad(body, ((0, 0), (0, _SMPL_HAND_COLUMNS)))
        elif kind == "smplx":
            found["poses"] = np.concatenate([np.pad(body, ((0, 0), (0, _SMPLX_FACE_COLUMNS))), hands], 1)
    return found
