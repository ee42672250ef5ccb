"""What all runs of training and evaluation share: the open body, U, the frozen generator, and filmed windows of motion."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from blender_meshrec.bodies.joint_projector import JointProjector
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.window_regression import WindowNetwork
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.methods.hmr import load_hmr, read_hmr
from scripts.train.calibration.detector_noise import detect_keypoints, generator_inputs
from scripts.train.calibration.filmed_windows import FilmedWindows, film_windows, read_split_clips, unpack_silhouettes
from scripts.train.calibration.mesh_and_pose_streams import Meshes, generate_meshes, pose_meshes, true_meshes

FRAMES = {"training": 27, "test": 81}  # of a window
WINDOWS = {"training": 700, "test": 27}
TEST_BATCH = 9  # windows of the test drawn at once
SEED = 5


class ObservedWindows(NamedTuple):
    """Windows with simulated detections: the pool's windows, rays (W,F,17,2), confidence (W,F,17), the generated and the true Meshes."""

    pool: FilmedWindows
    rays: torch.Tensor
    confidence: torch.Tensor
    generated: Meshes
    true: Meshes


class Experiment:
    """The open body, the generator and the pools of windows.

    mocap: folder of the motion capture. state: folder that stores the drawn windows. hmr: a generator's weights; None: those that ship.
    """

    def __init__(self, mocap: Path, state: Path, hmr: Path | None = None) -> None:
        self.template = load_body()
        self.body = make_body(self.template)
        self.hmr: WindowNetwork = read_hmr(hmr) if hmr else load_hmr()
        projector = JointProjector(self.body)
        self.projector = projector.h36m17
        self._mocap, self._state, self._image_projector = mocap, state, projector.h36m17_image
        self._pools: dict[str, FilmedWindows] = {}
        faces = self.template.faces
        ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
        self.edges = torch.as_tensor(np.unique(ends, axis=0))

    def pool(self, part: str) -> FilmedWindows:
        """The windows of a part, read or drawn at the first call."""
        if part not in self._pools:
            path = self._state / f"{part}.pt"
            if not path.exists():
                with torch.no_grad():
                    rng = np.random.default_rng([SEED, sorted(WINDOWS).index(part)])
                    clips = read_split_clips(self._mocap, part)
                    drawn = film_windows(rng, self.body, self._image_projector, clips, WINDOWS[part], FRAMES[part])
                torch.save(vars(drawn), path)
            self._pools[part] = FilmedWindows(**torch.load(path, weights_only=True))
        return self._pools[part]

    def observe(self, rng: np.random.Generator, part: str, rows: torch.Tensor) -> ObservedWindows:
        """Some windows of a part with simulated detections and generated meshes."""
        pool = self.pool(part).select(rows)
        rays, confidence = detect_keypoints(rng, pool)
        points, silhouettes = generator_inputs(rng, pool, rays, confidence, unpack_silhouettes(pool.silhouettes))
        generated = generate_meshes(self.body, self.projector, self.hmr, pool, points, silhouettes)
        return ObservedWindows(pool, rays, confidence, generated, true_meshes(self.body, self.projector, pool))

    @torch.no_grad()
    def test_batches(self) -> list[ObservedWindows]:
        """All windows of the test subjects in batches, the same in every call."""
        rng = np.random.default_rng(11)
        return [self.observe(rng, "test", rows) for rows in torch.arange(WINDOWS["test"]).split(TEST_BATCH)]

    def rest_meshes(self, like: Meshes) -> Meshes:
        """The mean body at rest, facing the camera, in as many frames as `like` has."""
        count = len(like.vertices)
        rotmats = torch.eye(3).repeat(count, 24, 1, 1)
        rotmats[:, 0] = torch.diag(torch.tensor([1.0, -1, -1]))
        return pose_meshes(self.body, self.projector, torch.zeros(count, 10), rotmats)

    def edge_error(self, vertices: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
        """Mean difference of edge lengths from the true ones, m."""
        first, last = self.edges.T
        lengths = [(each[:, first] - each[:, last]).norm(dim=-1) for each in (vertices, true)]
        return (lengths[0] - lengths[1]).abs().mean()
