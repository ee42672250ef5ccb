"""The numpy skin against the torch body, and where the joints carry it."""

import numpy as np
import torch

from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.skinning import posed_vertices


def test_numpy_skins_like_the_body_that_is_fitted():
    template = load_body("open")
    rng = np.random.default_rng(0)
    betas, poses, trans = rng.normal(0, 1, 10), rng.normal(0, 0.4, (3, 72)), rng.normal(0, 2, (3, 3))
    ours = np.stack(list(posed_vertices(template, betas, poses, trans)))
    body = make_body(template, torch.device("cpu"))
    _joints, theirs = body(*(np.asarray(a, np.float32) for a in (betas, poses[:, :3], poses[:, 3:], trans)))
    np.testing.assert_allclose(ours, theirs.numpy(), atol=2e-5)  # m


def test_one_rotation_of_the_root_turns_the_whole_skin_about_it():
    template = load_body("open")
    rest, joints = template.rest(np.zeros(10))
    poses = np.zeros((1, 72))
    poses[0, 1] = np.pi / 2
    turned = next(posed_vertices(template, np.zeros(10), poses, np.zeros((1, 3))))
    about = rest - joints[0]
    np.testing.assert_allclose(turned - joints[0], np.stack([about[:, 2], about[:, 1], -about[:, 0]], 1), atol=1e-9)
