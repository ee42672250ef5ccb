"""The torch body of a BodyTemplate."""

import torch

from ..core.files.body_template import BodyTemplate
from .smpl import Smpl
from .smplx_body import SmplxBody


def make_body(template: BodyTemplate, device: torch.device | str = "cpu") -> Smpl:
    """The body that a BodyTemplate describes; SMPL-H and SMPL-X files are posed by the `smplx` package.

    Raises:
        ModelError: the file is SMPL-H or SMPL-X and `smplx` is not installed.
    """
    if template.surface_model_type in ("smplh", "smplx"):
        return SmplxBody(template, device)
    return Smpl(template, device)
