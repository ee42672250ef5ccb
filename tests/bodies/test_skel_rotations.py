"""SKEL's angles as 6D, (cos, -sin) and raw: exact both ways, in both widths."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from blender_meshrec.bodies.skel_rotations import (
    BALL_JOINTS,
    HINGE_JOINTS,
    RELEASED_WIDTH,
    WIDTH,
    WRIST_JOINTS,
    angles_from_representation,
    angles_from_rotmats,
    continuous_angles,
    nearest_angles,
    representation_from_angles,
    rotmats_from_representation,
)
from blender_meshrec.core.skel.kinematics import dof_rotations
from blender_meshrec.core.skel.vocabulary import DOF_LIMITS, DOF_NAMES, JOINT_DOFS

# As the released code names them: the axes of each joint's angles, last first, and the angles' signs.
ORDERS = {0: "YXZ", 1: "YXZ", 6: "YXZ", 11: "YZX", 12: "YZX", 13: "YZX", 14: "XZY", 19: "XZY", 15: "ZYX", 20: "ZYX"}
FLIPS = {6: (1, -1, -1), 14: (1, -1, -1)}


def random_q(frames, dtype=torch.float64, seed=0, margin=0.02):
    """Angles within their limits, the root anywhere; a little away from +-90 degrees in the middle of three."""
    low, high = np.nan_to_num(DOF_LIMITS.T, neginf=-np.pi, posinf=np.pi)
    low, high = low.copy(), high.copy()
    for dof in ("pelvis_list", "shoulder_r_y", "shoulder_l_y"):
        low[DOF_NAMES.index(dof)], high[DOF_NAMES.index(dof)] = -np.pi / 2 + margin, np.pi / 2 - margin
    return torch.tensor(np.random.default_rng(seed).uniform(low, high, (frames, 46)), dtype=dtype)


@pytest.mark.parametrize("width", [WIDTH, RELEASED_WIDTH])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_angles_survive_a_round_trip(width, dtype):
    q = random_q(2000, dtype)
    representation = representation_from_angles(q, width)
    assert representation.shape == (2000, width)
    assert (angles_from_representation(representation) - q).abs().max() < 1e-5  # rad
    assert (angles_from_rotmats(rotmats_from_representation(representation)) - q).abs().max() < 1e-5  # rad


@pytest.mark.parametrize("width", [WIDTH, RELEASED_WIDTH])
def test_representations_survive_a_round_trip(width):
    representation = representation_from_angles(random_q(500), width)
    assert (representation_from_angles(angles_from_representation(representation), width) - representation).abs().max() < 1e-9
    # The length of a network's vectors has no influence.
    q = angles_from_representation(representation)
    scaled = representation.clone()
    starts = np.cumsum([0, *(6 if joint in BALL_JOINTS else 2 for joint in range(24))]) if width == WIDTH else 6 * np.arange(25)
    for joint in range(24):
        if joint not in WRIST_JOINTS:
            scaled[:, starts[joint] : starts[joint] + 6 if joint in BALL_JOINTS else starts[joint] + 2] *= 0.3
    assert (angles_from_representation(scaled) - q).abs().max() < 1e-9  # rad


def test_the_layout_is_that_of_the_released_network():
    q = random_q(20)
    representation, wide = representation_from_angles(q), representation_from_angles(q, RELEASED_WIDTH)
    assert sorted([*BALL_JOINTS, *HINGE_JOINTS, *WRIST_JOINTS]) == list(range(24)) and sorted(ORDERS) == BALL_JOINTS.tolist()
    place = 0
    for joint, dofs in enumerate(JOINT_DOFS):
        angles = q[:, dofs].numpy()
        if joint in ORDERS:
            turned = Rotation.from_euler(ORDERS[joint], (angles * FLIPS.get(joint, (1, 1, 1)))[:, ::-1]).as_matrix()
            expected = turned[:, :2].reshape(20, 6)
        elif joint in HINGE_JOINTS:
            expected = np.concatenate([np.cos(angles), -np.sin(angles)], 1)
        else:
            expected = angles
        width = expected.shape[1]
        assert np.abs(representation[:, place : place + width].numpy() - expected).max() < 1e-12
        assert np.abs(wide[:, 6 * joint : 6 * joint + width].numpy() - expected).max() < 1e-12
        assert (wide[:, 6 * joint + width : 6 * joint + 6] == 0).all()
        place += width
    assert place == WIDTH


def test_rotations_agree_with_the_body():
    q = random_q(50)
    assert np.abs(rotmats_from_representation(representation_from_angles(q)).numpy() - dof_rotations(q.numpy())).max() < 1e-12


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_gimbal_lock_still_gives_the_right_rotation(sign):
    q = random_q(40)
    for joint in BALL_JOINTS:
        q[:, JOINT_DOFS[joint].start + 1] = sign * np.pi / 2
    representation = representation_from_angles(q)
    for reference in (None, q + 0.1):
        again = angles_from_representation(representation, reference)
        assert torch.isfinite(again).all()
        assert (
            rotmats_from_representation(representation_from_angles(again)) - rotmats_from_representation(representation)
        ).abs().max() < 1e-7
    assert (again - q)[:, [0, 2]].abs().max() < 0.2 + 1e-6  # rad, with angles reference by to go by


def test_gradients_are_finite_and_agree_with_finite_differences():
    q = random_q(2).requires_grad_()
    for width in (WIDTH, RELEASED_WIDTH):
        assert torch.autograd.gradcheck(lambda q, width=width: representation_from_angles(q, width), q)
    representation = representation_from_angles(q).detach().requires_grad_()
    assert torch.autograd.gradcheck(angles_from_representation, representation)
    assert torch.autograd.gradcheck(rotmats_from_representation, representation)
    for value in (torch.zeros(1, 46), torch.full((1, 46), torch.pi / 2), torch.full((1, 46), torch.pi)):
        representation = representation_from_angles(value).requires_grad_()
        (angles_from_representation(representation).sum() + rotmats_from_representation(representation).sum()).backward()
        assert torch.isfinite(representation.grad).all()


def test_the_nearest_of_equivalent_angles_are_found():
    reference = 3 * random_q(300, seed=1)
    q = angles_from_representation(representation_from_angles(reference))
    found = nearest_angles(q, reference)
    # Whatever distance lies between, the truth is one of the candidates; wrists are as they are, and never far.
    others = [dof for dof, name in enumerate(DOF_NAMES) if not name.startswith("wrist")]
    assert (found - reference)[:, others].abs().max() < 1e-6  # rad


def test_a_clip_of_full_turns_has_no_jumps():
    turns = torch.linspace(0, 6 * torch.pi, 200, dtype=torch.float64)
    q = torch.zeros(200, 46, dtype=torch.float64)
    q[:, 0], q[:, 1], q[:, 2] = 0.3 + turns, 0.5 * turns, 0.2
    read = angles_from_representation(representation_from_angles(q))
    assert read.diff(dim=0).abs().max() > 1
    continuous = continuous_angles(read)
    assert (continuous - q).abs().max() < 1e-6  # rad


def test_hinges_take_the_nearest_angle_to_impossible_rotations():
    rotations = torch.tensor(Rotation.random(24, random_state=1).as_matrix())[None]
    q = angles_from_rotmats(rotations)
    made = torch.tensor(dof_rotations(q.numpy()))
    for joint in HINGE_JOINTS:
        dof = JOINT_DOFS[joint].start
        distance = (made[0, joint] - rotations[0, joint]).norm()
        for angle in np.linspace(-np.pi, np.pi, 73):
            other = q.clone()
            other[0, dof] = angle
            assert distance <= (torch.tensor(dof_rotations(other.numpy()))[0, joint] - rotations[0, joint]).norm() + 1e-9


def test_another_width_is_refused():
    with pytest.raises(ValueError, match="88 or 144"):
        angles_from_representation(torch.zeros(1, 72))
