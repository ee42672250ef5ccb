"""What every run of training and measuring shares: the open body, U, the frozen generator, and windows of motion before cameras."""

import numpy as np
import torch

from blender_meshrec.bodies.joint_projector import JointProjector
from blender_meshrec.bodies.smpl import make_body
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.methods.hmr import load_hmr, read_hmr
from scripts.train.calibration.noise import detected, seen
from scripts.train.calibration.pool import Pool, film, read_clips, unpacked
from scripts.train.calibration.streams import generated_meshes, posed, true_meshes

FRAMES = {"training": 27, "test": 81}  # of a window
WINDOWS = {"training": 700, "test": 27}
AT_ONCE = 9  # windows of the test drawn at once
SEED = 5


class Setting:
    """mocap: folder of the motion capture. state: folder that keeps what was drawn. hmr: a generator's weights; None: as shipped."""

    def __init__(self, mocap, state, hmr=None):
        self.template = load_body()
        self.body = make_body(self.template)
        self.hmr = read_hmr(hmr) if hmr else load_hmr()
        projector = JointProjector(self.body)
        self.projector = projector.h36m17
        self.pools = {part: self._pool(mocap, state, part, projector.shown) for part in WINDOWS}
        faces = self.template.faces
        ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
        self.edges = torch.as_tensor(np.unique(ends, axis=0))

    def _pool(self, mocap, state, part, projector):
        path = state / f"{part}.pt"
        if not path.exists():
            with torch.no_grad():
                rng = np.random.default_rng([SEED, sorted(WINDOWS).index(part)])
                pool = film(rng, self.body, projector, read_clips(mocap, part), WINDOWS[part], FRAMES[part])
            torch.save(vars(pool), path)
        return Pool(**torch.load(path, weights_only=True))

    def draw(self, rng, part, rows):
        """Windows as they are seen: the pool's, rays (W,F,17,2) and confidence (W,F,17), the generator's and the true Meshes."""
        pool = self.pools[part].rows(rows)
        rays, confidence = detected(rng, pool)
        points, silhouettes = seen(rng, pool, rays, confidence, unpacked(pool.silhouettes))
        generated = generated_meshes(self.body, self.projector, self.hmr, pool, points, silhouettes)
        return pool, (rays, confidence), generated, true_meshes(self.body, self.projector, pool)

    @torch.no_grad()
    def test(self):
        """All windows of the test subjects in pieces, always the same."""
        rng = np.random.default_rng(11)
        return [self.draw(rng, "test", rows) for rows in torch.arange(WINDOWS["test"]).split(AT_ONCE)]

    def at_rest(self, like):
        """The mean body at rest, facing the camera, for as many frames as Meshes have."""
        count = len(like.vertices)
        rotmats = torch.eye(3).repeat(count, 24, 1, 1)
        rotmats[:, 0] = torch.diag(torch.tensor([1.0, -1, -1]))
        return posed(self.body, self.projector, torch.zeros(count, 10), rotmats)

    def edge_error(self, vertices, true):
        """How much edges differ from the true ones in length, mean m."""
        first, last = self.edges.T
        lengths = [(each[:, first] - each[:, last]).norm(dim=-1) for each in (vertices, true)]
        return (lengths[0] - lengths[1]).abs().mean()
