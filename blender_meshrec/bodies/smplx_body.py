"""SMPL-H and SMPL-X files that a user brings, posed by the `smplx` package, fingers and all.

The file is read by our own reader, and the package only ever sees arrays: SMPL-H through `data_struct`; SMPL-X, whose
class takes no `data_struct` and would unpickle the user's file, through a temporary file of plain numbers. The package's
licence is non-commercial, so it is an optional extra. Joints and landmarks need no vertices and come from `Smpl`.
"""

import contextlib
import io
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from ..core.errors import ModelError
from .chunking import run_in_chunks
from .smpl import CHUNK_FRAMES, Smpl

_NUM_HAND_JOINTS = 15


class SmplxBody(Smpl):
    """An SMPL-H (J = 52) or SMPL-X (J = 55) body. Poses are absolute: zeros are flat hands, no mean hand is added."""

    def __init__(self, template, device="cpu", dtype=torch.float32):
        super().__init__(template, device, dtype)
        try:
            import smplx
        except ImportError as error:
            raise ModelError(
                "smplx-package-missing",
                "{name} is an SMPL-H or SMPL-X file, which needs the smplx package.",
                "Install it beside the backend (pip install smplx; its licence is non-commercial), or choose an SMPL file.",
                name=template.name,
            ) from error
        with contextlib.redirect_stdout(io.StringIO()):  # it prints about the number of betas
            self.layer = _smplx_layer(smplx, template).to(self.device, self.dtype)

    def forward(self, betas, global_orient, body_pose, transl=None, chunk=CHUNK_FRAMES):
        """Posed joints (F,J,3) and vertices (F,V,3), metres."""
        betas, rotmats, transl = self._arguments(betas, global_orient, body_pose, transl)
        betas = torch.nn.functional.pad(betas, (0, self.num_betas - betas.shape[-1])).expand(len(rotmats), -1)
        names = ("left_hand_pose", "right_hand_pose")
        if self.template.surface_model_type == "smplx":
            names = ("jaw_pose", "leye_pose", "reye_pose", *names)

        def pose(rows):
            sizes = [1, 21, *(_NUM_HAND_JOINTS if "hand" in name else 1 for name in names)]
            whole, body, *rest = rotmats[rows].split(sizes, 1)
            with_hands = dict(zip(names, rest))
            output = self.layer(betas=betas[rows], global_orient=whole, body_pose=body, transl=transl[rows], pose2rot=False, **with_hands)
            return output.joints[:, : self.num_joints], output.vertices

        return run_in_chunks(pose, len(rotmats), chunk)


def _smplx_layer(smplx, template):
    """The package's layer for this template, fed with arrays only."""
    vertices, joints = template.lbs_weights.shape
    posedirs = template.posedirs
    arrays = {
        "v_template": template.v_template,
        "f": template.faces,
        "shapedirs": template.shapedirs,
        "posedirs": np.zeros((vertices, 3, 9 * (joints - 1)), np.float32) if posedirs is None else posedirs,
        "J_regressor": template.J_regressor,
        "kintree_table": np.stack([np.maximum(template.parents, 0), np.arange(joints)]),
        "weights": template.lbs_weights,
        # Poses come in full, so the hands' principal components and means stay unused.
        **{f"hands_{what}{side}": np.zeros(shape) for side in "lr" for what, shape in (("components", (45, 45)), ("mean", 45))},
        "lmk_faces_idx": np.zeros(1, np.int64),
        "lmk_bary_coords": np.zeros((1, 3)),
    }
    options = {"num_betas": template.shapedirs.shape[-1], "use_pca": False, "flat_hand_mean": True}
    if template.surface_model_type == "smplh":
        vertex_ids = None if vertices == 6890 else dict.fromkeys(smplx.vertex_ids.vertex_ids["smplh"], 0)
        return smplx.SMPLHLayer("", data_struct=SimpleNamespace(**arrays), vertex_ids=vertex_ids, **options)
    # Twenty columns: the package takes the last ten for expressions, which stay neutral.
    betas = template.shapedirs.shape[-1]
    arrays["shapedirs"] = np.pad(template.shapedirs, ((0, 0), (0, 0), (0, 20 - betas)))
    with tempfile.TemporaryDirectory(prefix="meshrec-") as folder:
        path = Path(folder) / "body.npz"
        np.savez(path, **arrays)
        return smplx.SMPLXLayer(str(path), ext="npz", num_expression_coeffs=10, **options)
