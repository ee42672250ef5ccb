"""The equations as printed in the paper: where they hold, and why methods/dik.py has a corrected form."""

import numpy as np
import roma
import torch

from blender_meshrec.core.skeletons import H36M17, SMPL_JOINTS
from blender_meshrec.methods import dik
from tests.methods.test_dik import degrees_between, poses, rest_of, rotvec, ten_units
from tests.support import dik_oracle


def right_angled():
    """A skeleton of h36m17 with right angles only, the only kind on which the paper's equations hold as printed."""
    centimetres = [
        (0, 0, 0), (-10, 0, 0), (-10, -45, 0), (-10, -90, 0), (10, 0, 0), (10, -45, 0), (10, -90, 0), (0, 25, 0), (0, 50, 0),
        (0, 60, 10), (0, 75, 0), (20, 50, 0), (48, 50, 0), (74, 50, 0), (-20, 50, 0), (-48, 50, 0), (-74, 50, 0),
    ]  # fmt: skip
    return torch.tensor(centimetres, dtype=torch.float64) / 100


def bent_pose(rest, seed=18):
    """One frame (17,3): the given skeleton with spine, neck, hips and shoulders turned and the hinges bent; and all rotations by joint."""
    generator = torch.Generator().manual_seed(seed)
    turns = {name: roma.rotvec_to_rotmat(0.4 * torch.randn(3, generator=generator, dtype=torch.float64)) for name in ("spine3", "neck")}
    for limb in dik.LIMBS:
        turns[limb.upper] = roma.rotvec_to_rotmat(0.4 * torch.randn(3, generator=generator, dtype=torch.float64))
        turns[limb.middle] = roma.rotvec_to_rotmat(rotvec(*limb.hinge) * 0.9)
    at = dict(zip(H36M17, rest))
    spine = turns["spine3"]
    made = {"hip": at["hip"], "spine": at["spine"]}
    for name in ("thorax", "left_shoulder", "right_shoulder"):
        made[name] = made["spine"] + spine @ (at[name] - at["spine"])
    for name in ("nose", "head_top"):
        made[name] = made["thorax"] + spine @ turns["neck"] @ (at[name] - at["thorax"])
    for limb in dik.LIMBS:
        parent = torch.eye(3, dtype=torch.float64) if limb.parent == "pelvis" else spine
        made.setdefault(limb.upper, at[limb.upper])
        upper = parent @ turns[limb.upper]
        made[limb.middle] = made[limb.upper] + upper @ (at[limb.middle] - at[limb.upper])
        made[limb.end] = made[limb.middle] + upper @ turns[limb.middle] @ (at[limb.end] - at[limb.middle])
    return torch.stack([made[name] for name in H36M17]), turns


def test_the_printed_equations_hold_on_a_right_angled_skeleton():
    """There all ten printed rotations equal the true ones, and ours."""
    rest = right_angled()
    seen, turns = bent_pose(rest)
    printed = dik_oracle.paper_equations(seen.numpy())
    found, _ = dik.solve_dik(seen[None], rest, spine_fractions=(0.0, 0.0, 1.0))
    assert set(printed) == set(turns) and len(printed) == 10
    for name, rotmat in printed.items():
        ours = found[0, SMPL_JOINTS.index(name)]
        assert degrees_between(ours, turns[name]) < 1e-6, name
        if name != "neck":  # (9) takes the head's line for its axis, which the printed form builds from the shoulders' plane
            assert degrees_between(torch.tensor(rotmat), turns[name]) < 1e-6, name


def test_printed_equations_fail_on_a_body_and_ours_hold():
    """On SMPL's joints, whose hips and shoulders are tilted, the printed equations are off by tens of degrees."""
    rest = rest_of("open body")
    rotmats = poses(50, spread=0.4, seed=20)
    moving = ["spine1", "neck", *(limb.upper for limb in dik.LIMBS)]
    rotmats[:, [i for i, name in enumerate(SMPL_JOINTS) if name not in moving]] = torch.eye(3, dtype=torch.float64)
    for limb in dik.LIMBS:
        rotmats[:, SMPL_JOINTS.index(limb.middle)] = roma.rotvec_to_rotmat(0.9 * rotvec(*limb.hinge))
    seen, at_rest = ten_units(rotmats, rest)
    found, _ = dik.solve_dik(seen, at_rest, spine_fractions=(1.0, 0.0, 0.0))
    assert degrees_between(found, rotmats).max() < 1e-5
    for frame, true in zip(seen, rotmats):
        printed = dik_oracle.paper_equations(frame.numpy())
        limbs = [limb.upper for limb in dik.LIMBS]
        missed = [degrees_between(torch.tensor(printed[name]), true[SMPL_JOINTS.index(name)]).item() for name in limbs]
        assert np.mean(missed) > 15
