"""What every run of training and measuring shares: the open body, U, the frozen generator, and windows of motion before cameras."""

import numpy as np
import torch

from blender_meshrec.bodies.joint_projector import JointProjector
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.methods.hmr import load_hmr, read_hmr
from scripts.train.calibration.detector_noise import detect_keypoints, generator_inputs
from scripts.train.calibration.filmed_windows import FilmedWindows, film_windows, read_split_clips, unpack_silhouettes
from scripts.train.calibration.mesh_and_pose_streams import generate_meshes, pose_meshes, true_meshes

FRAMES = {"training": 27, "test": 81}  # of a window
WINDOWS = {"training": 700, "test": 27}
TEST_BATCH = 9  # windows of the test drawn at once
SEED = 5


class Experiment:
    """mocap: folder of the motion capture. state: folder that keeps what was drawn. hmr: a generator's weights; None: as shipped."""

    def __init__(self, mocap, state, hmr=None):
        self.template = load_body()
        self.body = make_body(self.template)
        self.hmr = read_hmr(hmr) if hmr else load_hmr()
        projector = JointProjector(self.body)
        self.projector = projector.h36m17
        self.pools = {part: self._pool(mocap, state, part, projector.h36m17_image) for part in WINDOWS}
        faces = self.template.faces
        ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
        self.edges = torch.as_tensor(np.unique(ends, axis=0))

    def _pool(self, mocap, state, part, projector):
        path = state / f"{part}.pt"
        if not path.exists():
            with torch.no_grad():
                rng = np.random.default_rng([SEED, sorted(WINDOWS).index(part)])
                pool = film_windows(rng, self.body, projector, read_split_clips(mocap, part), WINDOWS[part], FRAMES[part])
            torch.save(vars(pool), path)
        return FilmedWindows(**torch.load(path, weights_only=True))

    def observe(self, rng, part, rows):
        """Windows as they are seen: the pool's, rays (W,F,17,2) and confidence (W,F,17), the generator's and the true Meshes."""
        pool = self.pools[part].select(rows)
        rays, confidence = detect_keypoints(rng, pool)
        points, silhouettes = generator_inputs(rng, pool, rays, confidence, unpack_silhouettes(pool.silhouettes))
        generated = generate_meshes(self.body, self.projector, self.hmr, pool, points, silhouettes)
        return pool, (rays, confidence), generated, true_meshes(self.body, self.projector, pool)

    @torch.no_grad()
    def test_batches(self):
        """All windows of the test subjects in pieces, always the same."""
        rng = np.random.default_rng(11)
        return [self.observe(rng, "test", rows) for rows in torch.arange(WINDOWS["test"]).split(TEST_BATCH)]

    def rest_meshes(self, like):
        """The mean body at rest, facing the camera, for as many frames as Meshes have."""
        count = len(like.vertices)
        rotmats = torch.eye(3).repeat(count, 24, 1, 1)
        rotmats[:, 0] = torch.diag(torch.tensor([1.0, -1, -1]))
        return pose_meshes(self.body, self.projector, torch.zeros(count, 10), rotmats)

    def edge_error(self, vertices, true):
        """How much edges differ from the true ones in length, mean m."""
        first, last = self.edges.T
        lengths = [(each[:, first] - each[:, last]).norm(dim=-1) for each in (vertices, true)]
        return (lengths[0] - lengths[1]).abs().mean()
