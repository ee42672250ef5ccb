"""The losses of DecoMR: on the correspondence, on the location map, and on what follows from it.

Paper: Zeng et al. 2020, section 3.4 and supplement section 3. What it leaves open is ours: absolute errors everywhere but in the mask;
total variation is the sum over a map, between texels that neighbour on the body; the consistency is that of the estimated correspondence
with the estimated location map, both of which learn from it, over the pixels that show the person.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from blender_meshrec.bodies.joint_projector import JointProjector
from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.bodies.uv_map import MapPainter, UvLayout, vertices_from_map
from blender_meshrec.core.files.body_template import BodyTemplate
from blender_meshrec.core.skeletons import H36M17
from blender_meshrec.methods.decomr import DecomrOutput
from blender_meshrec.methods.decomr_small import MAP_SIZE, project

LOSS_WEIGHTS = {"mask": 0.2, "uv": 1.0, "map": 1.0, "tv": 1e-4, "consistency": 1.0, "key2d": 1.0, "key3d": 1.0}
# Weights of the location map's texels, by the joint that moves them most; the trunk's is 1.
PART_WEIGHTS = {
    **dict.fromkeys(("neck", "head"), 2.0), **dict.fromkeys(("hip", "knee", "shoulder", "elbow"), 5.0),
    **dict.fromkeys(("wrist", "hand", "ankle", "foot"), 25.0),
}  # fmt: skip
NEIGHBOURS = 0.1  # m between neighbouring texels' positions at rest, up to which they neighbour on the body
_CHUNK = 512  # texels whose share in the joints is computed at once


class Truth(NamedTuple):
    """B crops: iuv (B,3,32,32) 0..1, points (B,17,2) half crops, maps (B,64,64,3) m, joints (B,41,3) m: h36m17's and SMPL's."""

    iuv: torch.Tensor
    points: torch.Tensor
    maps: torch.Tensor
    joints: torch.Tensor


class DecomrLosses:
    """The terms for one body and UV layout. by_part: whether PART_WEIGHTS apply."""

    def __init__(self, body: Smpl, layout: UvLayout, by_part: bool = True) -> None:
        painter = MapPainter(layout, MAP_SIZE)
        self.covered = torch.as_tensor(painter.is_covered)
        per_vertex = part_weights(body.template) if by_part else torch.ones(len(body.template.v_template))
        weights = painter(per_vertex[None, :, None])[0, ..., 0]
        self.texel_weights = weights / weights[self.covered].mean()
        rest = painter(torch.tensor(body.template.v_template, dtype=torch.float32)[None])[0]
        self.neighbours = [
            (rest.diff(dim=axis).norm(dim=-1) < NEIGHBOURS) & _both(self.covered, axis) for axis in (0, 1)
        ]  # fmt: skip
        projector = JointProjector(body)
        self.joints_from_map = joints_from_map(torch.cat([projector.h36m17_image, projector.smpl]), layout)

    def correspondence(self, iuv: torch.Tensor, truth: Truth) -> dict[str, torch.Tensor]:
        """The two terms of CNet. iuv: (B,3,32,32)."""
        shown = truth.iuv[:, :1]
        mask = functional.binary_cross_entropy(iuv[:, :1].clamp(1e-6, 1 - 1e-6), shown)
        uv = ((iuv[:, 1:] - truth.iuv[:, 1:]).abs() * shown).sum() / (2 * shown.sum()).clamp_min(1)
        return {"mask": mask, "uv": uv}

    def __call__(self, output: DecomrOutput, truth: Truth) -> dict[str, torch.Tensor]:
        """All terms."""
        terms = self.correspondence(output.iuv, truth)
        found = output.location_map
        difference = (found - truth.maps).abs().sum(-1) * self.texel_weights
        terms["map"] = difference[:, self.covered].mean()
        down, across = ((found.diff(dim=axis + 1).abs().sum(-1) * near).sum((1, 2)).mean() for axis, near in enumerate(self.neighbours))
        terms["tv"] = down + across
        terms["consistency"] = consistency(output, truth.iuv[:, 0])
        joints = self.joints_from_map @ found.flatten(1, 2)
        projected = project(joints[:, : len(H36M17)], output.camera)
        terms["key2d"] = (projected - truth.points).abs().mean()
        terms["key3d"] = (joints - truth.joints).abs().sum(-1).mean()
        return terms


def consistency(output: DecomrOutput, shown: torch.Tensor) -> torch.Tensor:
    """The mean distance of pixels that show the person from where the points of the body that they show are projected, in half crops.

    shown: (B,H,W), 1 at these pixels.
    """
    grid = 2 * output.iuv[:, 1:].permute(0, 2, 3, 1) - 1
    places = functional.grid_sample(output.location_map.permute(0, 3, 1, 2), grid, align_corners=True).permute(0, 2, 3, 1)
    projected = project(places.flatten(1, 2), output.camera).view(*shown.shape, 2)
    centres = [(torch.arange(size).to(shown) + 0.5) * 2 / size - 1 for size in shown.shape[1:]]
    pixels = torch.stack(torch.meshgrid(centres[1], centres[0], indexing="xy"), -1)
    return ((projected - pixels).abs().sum(-1) * shown).sum() / shown.sum().clamp_min(1)


def part_weights(template: BodyTemplate) -> torch.Tensor:
    """The weight (V,) of each vertex's part, of PART_WEIGHTS."""
    of_joint = [PART_WEIGHTS.get(name.split("_")[-1], 1.0) for name in template.joint_names]
    return torch.tensor(np.array(of_joint)[template.lbs_weights.argmax(1)], dtype=torch.float32)


def joints_from_map(projector: torch.Tensor, layout: UvLayout) -> torch.Tensor:
    """The mixtures (J,64*64) of texels that are the joints of `projector` (J,V) on the vertices of a location map."""
    parts = []
    for start in range(0, MAP_SIZE**2, _CHUNK):
        texels = torch.zeros(1, MAP_SIZE**2, _CHUNK)
        texels[0, range(start, start + _CHUNK), range(_CHUNK)] = 1
        parts.append(projector @ vertices_from_map(texels.view(1, MAP_SIZE, MAP_SIZE, _CHUNK), layout)[0])
    return torch.cat(parts, 1)


def _both(covered: torch.Tensor, axis: int) -> torch.Tensor:
    """Whether a texel and the next along an axis are both covered."""
    return covered.narrow(axis, 0, len(covered) - 1) & covered.narrow(axis, 1, len(covered) - 1)
