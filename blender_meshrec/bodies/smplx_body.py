"""SMPL-H and SMPL-X files of a user, posed by the `smplx` package, fingers included.

The file is read by our own reader, and the package gets nothing but arrays: SMPL-H through `data_struct`; SMPL-X, whose
class takes no `data_struct` and would unpickle the user's file, through a temporary file of plain numbers. The package's
licence is non-commercial, so it is an optional extra. Joints and landmarks need no vertices and come from `Smpl`.
"""

import contextlib
import io
from types import ModuleType, SimpleNamespace

import numpy as np
import torch
from torch import nn

from ..core.array_types import AnyArray
from ..core.errors import ModelError
from ..core.files.body_template import BodyTemplate
from ..core.files.temporary_folder import scratch_folder
from .smpl import Smpl

_NUM_HAND_JOINTS = 15


class SmplxBody(Smpl):
    """An SMPL-H (J = 52) or SMPL-X (J = 55) body. Poses are absolute: zeros are flat hands, no mean hand is added."""

    def __init__(self, template: BodyTemplate, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> None:
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

    def _pose_body(self, betas: torch.Tensor, rotmats: torch.Tensor, transl: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Joints and all vertices of one chunk of frames, by the package."""
        betas = torch.nn.functional.pad(betas, (0, self.num_betas - betas.shape[-1])).expand(len(rotmats), -1)
        names = ("left_hand_pose", "right_hand_pose")
        if self.template.surface_model_type == "smplx":
            names = ("jaw_pose", "leye_pose", "reye_pose", *names)
        sizes = [1, 21, *(_NUM_HAND_JOINTS if "hand" in name else 1 for name in names)]
        root, body, *rest = rotmats.split(sizes, 1)
        poses = dict(zip(names, rest))
        output = self.layer(betas=betas, global_orient=root, body_pose=body, transl=transl, pose2rot=False, **poses)
        return output.joints[:, : self.num_joints], output.vertices


def _smplx_layer(smplx: ModuleType, template: BodyTemplate) -> nn.Module:
    """The package's layer for this template, given arrays only."""
    arrays, options = _smplx_arrays(template), {"num_betas": template.shapedirs.shape[-1], "use_pca": False, "flat_hand_mean": True}
    if template.surface_model_type == "smplh":
        vertex_ids = None if len(template.v_template) == 6890 else dict.fromkeys(smplx.vertex_ids.vertex_ids["smplh"], 0)
        return smplx.SMPLHLayer("", data_struct=SimpleNamespace(**arrays), vertex_ids=vertex_ids, **options)
    # Twenty columns: the package takes the last ten for expressions, which stay neutral.
    arrays["shapedirs"] = np.pad(template.shapedirs, ((0, 0), (0, 0), (0, 20 - template.shapedirs.shape[-1])))
    with scratch_folder() as folder:
        path = folder / "body.npz"
        np.savez(path, **arrays)  # pyrefly: ignore[bad-argument-type]  # its stub takes any name for allow_pickle
        return smplx.SMPLXLayer(str(path), ext="npz", num_expression_coeffs=10, **options)


def _smplx_arrays(template: BodyTemplate) -> dict[str, AnyArray]:
    """The arrays of a model file as the package reads them."""
    vertices, joints = template.lbs_weights.shape
    posedirs = template.posedirs
    return {
        "v_template": template.v_template,
        "f": template.faces,
        "shapedirs": template.shapedirs,
        "posedirs": np.zeros((vertices, 3, 9 * (joints - 1)), np.float32) if posedirs is None else posedirs,
        "J_regressor": template.J_regressor,
        "kintree_table": np.stack([np.maximum(template.parents, 0), np.arange(joints)]),
        "weights": template.lbs_weights,
        # Poses come in full, so the hands' principal components and means are not used.
        **{f"hands_components{side}": np.zeros((45, 45)) for side in "lr"},
        **{f"hands_mean{side}": np.zeros(45) for side in "lr"},
        "lmk_faces_idx": np.zeros(1, np.int64),
        "lmk_bary_coords": np.zeros((1, 3)),
    }
