"""Samples of HSMR's training: filmed frames as they are and mirrored, what the network sees of them, and their labels as they stand.

N frames of a pool, B samples of a batch. Axes are those of the camera that looks straight at the person ("window axes"); joints are
relative to the hip; positions in the picture are in half windows from the window's centre.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from blender_meshrec.bodies.joint_projector import JointProjector
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.skel import Skel
from blender_meshrec.bodies.skel_rotations import turned_pelvis
from blender_meshrec.bodies.window_regression import window_coordinates, window_rotation_to_axis
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.skel.template import load_skel
from blender_meshrec.core.skel.vocabulary import DOF_LIMITS, SKEL_JOINTS
from blender_meshrec.core.skeletons import H36M17, mirror_indices
from scripts.train.calibration.detector_noise import detect_keypoints, generator_inputs
from scripts.train.calibration.filmed_windows import FilmedWindows, unpack_silhouettes
from scripts.train.data.skel_labels import SkelLabels

MAX_BETA = 3.0  # labels with larger betas are not learnt from, as in HMR2.0
_MIRRORED_JOINTS = list(mirror_indices(H36M17))
_FLIP = torch.tensor([-1.0, 1.0, 1.0])


# The bone that each joint of h36m17 lies on.
_BONES = [SKEL_JOINTS.index(name) for name in (
    "pelvis", "femur_r", "tibia_r", "talus_r", "femur_l", "tibia_l", "talus_l", "lumbar_body", "thorax", "head", "head",
    "humerus_l", "ulna_l", "hand_l", "humerus_r", "ulna_r", "hand_r",
)]  # fmt: skip
_OFFSET_POSES = 1000


class SkelBody:
    """The open SKEL body, and the joints of h36m17 as the same mixtures of its skin as of the open body's."""

    def __init__(self) -> None:
        self.skel = Skel(load_skel())
        projector = JointProjector(make_body(load_body())).h36m17_image
        vertices = projector.any(0).nonzero()[:, 0]
        self._skin, self._projector = self.skel.subset(vertices), projector[:, vertices]
        self.pelvis_frame = torch.as_tensor(self.skel.template.bone_frames(np.zeros(10))[0], dtype=torch.float32)
        self._offsets = self._fit_offsets()

    @torch.no_grad()
    def joints17(self, q: torch.Tensor, betas: torch.Tensor) -> torch.Tensor:
        """h36m17 (B,17,3) m, relative to the hip, of angles (B,46) rad and betas (B,10): mixtures of the skin."""
        vertices = self.skel(q, betas, skin=self._skin).vertices
        assert vertices is not None
        joints = self._projector @ vertices
        return joints - joints[:, :1]

    def quick_joints17(self, q: torch.Tensor, betas: torch.Tensor) -> torch.Tensor:
        """The same as points on bones, for losses: no skin is posed. They are 3 mm off on average,
        8 mm at the shoulders, but 2 to 3 cm in spine and thorax, which are between bones."""
        posed = self.skel(q, betas, with_skin=False)
        offsets = torch.einsum("jkc,bk->bjc", self._offsets, torch.cat([torch.ones_like(betas[:, :1]), betas], 1))
        joints = posed.joints[:, _BONES] + (posed.rotations[:, _BONES] @ offsets[..., None])[..., 0]
        return joints - joints[:, :1]

    @torch.no_grad()
    def _fit_offsets(self) -> torch.Tensor:
        """Offsets (17,11,3) m of the joints from their bones' joints: of the mean body, and per beta."""
        generator = torch.Generator().manual_seed(0)
        low, high = torch.as_tensor(np.where(np.isfinite(DOF_LIMITS), DOF_LIMITS, 0.0), dtype=torch.float32).T
        q = low + (high - low) * (0.25 + 0.5 * torch.rand(_OFFSET_POSES, len(low), generator=generator))
        betas = torch.randn(_OFFSET_POSES, 10, generator=generator)
        posed = self.skel(q, betas, skin=self._skin)
        assert posed.vertices is not None
        apart = self._projector @ posed.vertices - posed.joints[:, _BONES]
        local = (posed.rotations[:, _BONES].mT @ apart[..., None])[..., 0]
        shapes = torch.cat([torch.ones(_OFFSET_POSES, 1), betas], 1)
        return torch.linalg.lstsq(shapes, local.flatten(1)).solution.unflatten(1, (17, 3)).transpose(0, 1)


class SampleIndex(NamedTuple):
    """Which samples: frames (B,) of the pool, and whether each is mirrored (B,), 0 or 1."""

    frames: torch.Tensor
    mirrored: torch.Tensor


class Batch(NamedTuple):
    """What the network sees: points (B,17,3), silhouettes (B,S,S). What it learns: joints (B,17,3) m, positions (B,17,2) of the joints
    in the picture, camera (B,3), and the labels q (B,46) rad and betas (B,10), where they are (B,)."""

    points: torch.Tensor
    silhouettes: torch.Tensor
    joints: torch.Tensor
    positions: torch.Tensor
    camera: torch.Tensor
    q: torch.Tensor
    betas: torch.Tensor
    is_labelled: torch.Tensor


class SkelSamples:
    """Frames with a dictionary of labels, which scripts/train/hsmr_refinement.py updates.

    q (2,N,46) rad and betas (2,N,10): of frames (row 0) and their mirror images (row 1). is_labelled: (2,N). error: (2,N), the labels' mean
    distance from the 2D joints, half windows; infinite where it is not known. only_2d: (N,), frames of which joints in 3D are not used.
    """

    def __init__(self, pool: FilmedWindows, labels: SkelLabels, body: SkelBody) -> None:
        count, labelled = len(pool.betas), labels.q.shape[1]
        self.pool, self.only_2d = pool, torch.zeros(count, dtype=torch.bool)
        self.betas = pool.betas.expand(2, -1, -1).clone()
        self.q, self.is_labelled = torch.zeros(2, count, 46), torch.zeros(2, count, dtype=torch.bool)
        self.error = torch.full((2, count), torch.inf)
        self.q[:, :labelled] = turned_labels(body, labels.q, self.root(torch.arange(labelled)))
        self.is_labelled[:, :labelled] = labels.is_good & (pool.betas[:labelled].abs() <= MAX_BETA).all(1)

    def root(self, frames: torch.Tensor) -> torch.Tensor:
        """The rotations (M,3,3) of SMPL's root in window axes, of some frames as they are."""
        return window_rotation_to_axis(self.pool.windows[frames, 0]) @ self.pool.rotmats[frames, 0, 0]

    def forget_3d(self, frames: torch.Tensor) -> None:
        """Leave frames (M,) with their 2D joints alone."""
        self.only_2d[frames] = True
        self.is_labelled[:, frames] = False
        self.betas[:, frames] = 0.0

    def dictionary(self) -> list[torch.Tensor]:
        """What `restore` takes."""
        return [self.q, self.betas, self.error]

    def restore(self, dictionary: Sequence[torch.Tensor] | None) -> None:
        """Take over the labels that a refinement made."""
        if dictionary is not None:
            is_refined = dictionary[2].isfinite()
            for own, other in zip((self.q, self.betas, self.error), dictionary):
                own[is_refined] = other[is_refined]
            self.is_labelled |= is_refined

    def draw(self, rng: np.random.Generator, index: SampleIndex, noisy: bool = True, none: float = 0.5) -> Batch:
        """A Batch with noise drawn anew; none: the fraction without silhouettes."""
        chosen = self.pool.select(index.frames)
        rays, confidence = detect_keypoints(rng, chosen, noisy)
        silhouettes = unpack_silhouettes(chosen.silhouettes)
        points, silhouettes = (each[:, 0] for each in generator_inputs(rng, chosen, rays, confidence, silhouettes, noisy, none))
        windows, joints = chosen.windows[:, 0], chosen.joints[:, 0]
        positions = window_coordinates(joints[..., :2] / joints[..., 2:], windows)
        turned = joints @ window_rotation_to_axis(windows).mT
        scale = 2 / (turned[:, 0, 2] * windows[:, 2])
        parts = points, silhouettes, turned - turned[:, :1], positions
        flipped = points[:, _MIRRORED_JOINTS] * _FLIP, silhouettes.flip(-1), parts[2][:, _MIRRORED_JOINTS] * _FLIP, mirror(positions)
        is_mirrored = index.mirrored.bool()
        points, silhouettes, joints, positions = (
            torch.where(is_mirrored.view(-1, *[1] * (each.ndim - 1)), other, each) for each, other in zip(parts, flipped)
        )
        camera = torch.cat([scale[:, None], positions[:, 0]], 1)
        q, betas, is_labelled = (each[index.mirrored, index.frames] for each in (self.q, self.betas, self.is_labelled))
        return Batch(points, silhouettes, joints, positions, camera, q, betas, is_labelled)


def turned_labels(body: SkelBody, q: torch.Tensor, root: torch.Tensor) -> torch.Tensor:
    """Labels q (2,M,46) rad of an SMPL root that does not rotate, turned by root (M,3,3), and the mirrored ones by its mirror image."""
    turns = root, root * _FLIP[:, None] * _FLIP
    return torch.stack([turned_pelvis(each, turn, body.pelvis_frame) for each, turn in zip(q, turns)])


def mirror(positions: torch.Tensor) -> torch.Tensor:
    """Positions (B,17,2) in the mirrored picture."""
    return positions[:, _MIRRORED_JOINTS] * _FLIP[:2]


def project(joints: torch.Tensor, camera: torch.Tensor) -> torch.Tensor:
    """Positions (B,J,2) of joints (B,J,3) m by weak-perspective cameras (B,3)."""
    return camera[:, None, 1:] + camera[:, None, :1] * joints[..., :2]
