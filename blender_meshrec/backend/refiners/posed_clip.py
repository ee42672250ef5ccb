"""A body over a clip as its silhouettes show it: rendered, compared with the observed ones, and given another shape."""

from dataclasses import dataclass, replace

import numpy as np
import roma
import torch

from ...bodies.alignment import swing_onto
from ...bodies.lbs import forward_kinematics, local_rotmats
from ...bodies.silhouette_rendering import SurfacePoints, rasterise, silhouette_iou
from ...bodies.tensors import to_tensor
from ...core.array_types import ArrayLike, FloatArray, IntArray
from ...core.files.body_template import BodyTemplate
from ...core.records import BodyParams
from ...core.skeletons import SMPL_JOINTS, limb_indices
from ...methods.silhouette_refinement import SilhouetteCrops
from ..fitting.betas_fit import SIDES

# Start and end joints of the limbs whose directions stay when the shape changes.
LIMBS = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))


class PosedClip:
    """A body's surface and its pose over F frames.

    betas: (B,). rotmats: (F,J,3,3), local. transl: (F,3) m, camera axes. rows: (S,), the frames with silhouettes.
    """

    def __init__(self, template: BodyTemplate, body: BodyParams, rows: ArrayLike) -> None:
        self.template = template
        self.surface = SurfacePoints(template)
        self.betas = np.asarray(body.betas, float)
        self.rotmats: torch.Tensor = roma.rotvec_to_rotmat(torch.as_tensor(body.poses.reshape(len(body.transl), -1, 3)))
        self.transl: torch.Tensor = torch.as_tensor(np.array(body.transl))
        self.rows: torch.Tensor = torch.as_tensor(np.array(rows))

    def with_betas(self, betas: FloatArray) -> tuple[torch.Tensor, torch.Tensor]:
        """The clip's rotations (F,J,3,3) and transl (F,3) under other betas (B,), with every limb's direction and the middle of
        the limb joints unchanged."""
        tree = self.surface.tree
        old_rest, new_rest = (self.surface.rest_joints(repeat_betas(b, 1)) for b in (self.betas, betas))
        joints, rotations = forward_kinematics(self.rotmats, old_rest, tree)
        rotations = rotations.clone()
        index = {name: int(joint) for name, joint in zip(SMPL_JOINTS, self.template.smpl_joint_indices)}
        for side in SIDES:
            for limb in LIMBS:
                start, end = (index[f"{side}_{joint}"] for joint in limb)
                new_bone, old_bone = (torch.nn.functional.normalize(rest[0, end] - rest[0, start], dim=-1) for rest in (new_rest, old_rest))
                rotations[:, start] = swing_onto(rotations[:, start], new_bone, rotations[:, start] @ old_bone)
        rotmats = local_rotmats(rotations, tree)
        posed = forward_kinematics(rotmats, new_rest, tree)[0]
        limbs = self.template.smpl_joint_indices[limb_indices(SMPL_JOINTS)]
        return rotmats, self.transl + (joints - posed)[:, limbs].mean(1)


@dataclass(frozen=True)
class SilhouetteComparison:
    """Observed silhouettes of a clip, of S frames: their crops, and rows (S,), the frames they are of."""

    clip: PosedClip
    crops: SilhouetteCrops
    rows: torch.Tensor

    def select(self, silhouettes: IntArray) -> "SilhouetteComparison":
        """Some of the silhouettes, by their indices (S')."""
        return replace(self, crops=SilhouetteCrops(*(values[silhouettes] for values in self.crops)), rows=self.rows[silhouettes])

    def iou(self, betas: FloatArray, rotmats: torch.Tensor, transl: torch.Tensor) -> FloatArray:
        """Intersection over union (S,) with the clip's body of betas (B,), local rotations (F,J,3,3) and transl (F,3) m."""
        points, _joints = self.clip.surface.pose(repeat_betas(betas, len(self.rows)), rotmats[self.rows], transl[self.rows])
        rendered = rasterise(points, self.crops.windows, self.crops.silhouettes.shape[-1])[0] & self.crops.inside
        return silhouette_iou(self.crops.silhouettes, rendered, self.crops.inside).numpy()


def repeat_betas(betas: FloatArray, count: int) -> torch.Tensor:
    """Betas (B,) once for each of `count` frames, (count,B)."""
    return to_tensor(betas).expand(count, -1)
