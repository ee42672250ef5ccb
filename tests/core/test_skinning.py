"""Linear blend skinning in numpy against the torch body and a known rotation."""

import numpy as np
import torch

from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.skinning import posed_vertices


def test_numpy_skinning_agrees_with_the_torch_body():
    template = load_body("open")
    rng = np.random.default_rng(0)
    betas, poses, trans = rng.normal(0, 1, 10), rng.normal(0, 0.4, (3, 72)), rng.normal(0, 2, (3, 3))
    ours = np.stack(list(posed_vertices(template, betas, poses, trans)))
    body = make_body(template, torch.device("cpu"))
    _joints, theirs = body(*(np.asarray(a, np.float32) for a in (betas, poses[:, :3], poses[:, 3:], trans)))
    np.testing.assert_allclose(ours, theirs.numpy(), atol=2e-5)  # m


def test_root_rotation_rotates_the_skin_about_the_root():
    template = load_body("open")
    rest, joints = template.rest(np.zeros(10))
    poses = np.zeros((1, 72))
    poses[0, 1] = np.pi / 2
    turned = next(posed_vertices(template, np.zeros(10), poses, np.zeros((1, 3))))
    from_root = rest - joints[0]
    np.testing.assert_allclose(turned - joints[0], np.stack([from_root[:, 2], from_root[:, 1], -from_root[:, 0]], 1), atol=1e-9)
