"""A mesh's armature: the pose and shape with which a body was made are found again from its vertices alone."""

import numpy as np
import pytest
import roma
import torch

from blender_meshrec.backend.lifting.mesh_armature import MeshArmature
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import SMPL_JOINTS


@pytest.fixture(scope="module")
def body():
    return make_body(load_body())


@pytest.fixture(scope="module")
def posed(body):
    """Three bodies bent at hinges, with turned feet, hands and head, and what the armature makes of their vertices."""
    rng = np.random.default_rng(5)
    rotvecs = np.zeros((3, 24, 3))
    rotvecs[:, 0] = rng.normal(0, 1, (3, 3))
    for name, axis in {"left_knee": 0, "right_knee": 0, "left_elbow": 1, "right_elbow": 1}.items():
        rotvecs[:, SMPL_JOINTS.index(name), axis] = rng.uniform(0.5, 1.3, 3) * (-1 if name == "left_elbow" else 1)
    for name in ("left_ankle", "right_wrist", "head", "left_hip", "right_shoulder"):
        rotvecs[:, SMPL_JOINTS.index(name)] = rng.normal(0, 0.35, (3, 3))
    rotmats = torch.as_tensor(rotmat_from_rotvec(rotvecs), dtype=torch.float32)
    betas = torch.as_tensor(rng.normal(0, 0.8, (3, 10)), dtype=torch.float32)
    joints, vertices = body(betas, rotmats[:, 0], rotmats[:, 1:], torch.as_tensor(rng.normal(size=(3, 3)), dtype=torch.float32))
    return rotmats, betas, joints, vertices, MeshArmature(body)(vertices)


def test_the_armature_poses_the_body_onto_the_mesh(body, posed):
    _rotmats, _betas, joints, vertices, (found, betas) = posed
    mine, mesh = body(betas, found[:, 0], found[:, 1:])
    error = (mesh - mine[:, :1] - (vertices - joints[:, :1])).norm(dim=-1)
    assert error.mean() < 0.012 and error.quantile(0.95) < 0.03  # m


def test_ends_are_turned_as_their_skin_is(posed):
    rotmats, _betas, _joints, _vertices, (found, _) = posed
    for name, tolerance in (("left_ankle", 6.0), ("right_wrist", 12.0), ("head", 8.0)):
        joint = SMPL_JOINTS.index(name)
        chain = [joint]
        parents = load_body().parents
        while parents[chain[0]] >= 0:
            chain.insert(0, int(parents[chain[0]]))
        wanted, got = (roma.rotmat_composition([each[:, one] for one in chain]) for each in (rotmats, found))
        assert torch.rad2deg(roma.rotmat_geodesic_distance(wanted, got)).max() < tolerance, name


def test_betas_show_how_tall_and_how_wide_the_mesh_is(posed):
    betas, found = posed[1], posed[-1][1]
    assert (found - betas)[:, 0].abs().max() < 0.3  # stature
    assert (found - betas)[:, :5].abs().mean() < 0.5 * betas[:, :5].abs().mean()  # the others change a skin by a few millimetres
