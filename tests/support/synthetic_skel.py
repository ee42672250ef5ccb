"""A small random SKEL body in the layout of the published files."""

import numpy as np

from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skel.template import skel_from_arrays
from blender_meshrec.core.skel.vocabulary import DOF_NAMES, SKEL_JOINTS, SKEL_PARENTS

# Approximate joints of a person: x left, y up, z front, metres. Right side only; the left side is mirrored.
_RIGHT = {
    "pelvis": (0, 0, 0), "femur": (-0.08, -0.06, 0), "tibia": (-0.09, -0.47, 0.01), "talus": (-0.09, -0.87, -0.03),
    "calcn": (-0.1, -0.92, -0.07), "toes": (-0.11, -0.94, 0.1), "lumbar_body": (0, 0.12, -0.03), "thorax": (0, 0.3, -0.02),
    "head": (0, 0.5, 0.01), "scapula": (-0.12, 0.42, -0.05), "humerus": (-0.17, 0.41, -0.02), "ulna": (-0.44, 0.4, -0.03),
    "radius": (-0.46, 0.41, -0.03), "hand": (-0.7, 0.4, -0.02),
}  # fmt: skip


def rest_joints():
    """Joints (24,3) m at rest, symmetric."""
    return np.array(
        [np.array(_RIGHT[name.removesuffix("_r").removesuffix("_l")]) * (-1 if name.endswith("_l") else 1, 1, 1) for name in SKEL_JOINTS]
    )


def skel_arrays(seed=0, vertices=60, bones=30, shapes=12):
    """The content of a SKEL file by its keys, with dense arrays."""
    rng = np.random.default_rng(seed)
    owner = np.concatenate([np.arange(24), rng.integers(0, 24, vertices - 24)])
    template = rest_joints()[owner] + rng.normal(0, 0.03, (vertices, 3))
    regressor = (owner == np.arange(24)[:, None]) + rng.uniform(0, 0.02, (24, vertices))
    weights = np.eye(24)[owner] * 3 + rng.uniform(0, 1, (vertices, 24)) * (rng.uniform(size=(vertices, 24)) < 0.1)
    bone_owner = rng.integers(0, 24, bones)
    bone_weights = np.eye(24)[bone_owner] + 0.2 * np.eye(24)[np.maximum(SKEL_PARENTS, 0)[bone_owner]]
    transfo = np.tile(np.eye(4), (24, 1, 1))
    transfo[:, :3, :3] = rotmat_from_rotvec(rng.normal(0, 0.6, (24, 3)))
    steps = rest_joints() - rest_joints()[np.maximum(SKEL_PARENTS, 0)]
    transfo[:, :3, 3] = steps + rng.normal(0, 0.01, (24, 3))
    return {
        "version": "1.1.1",
        "bone_names": list(SKEL_JOINTS),
        "joints_name": list(SKEL_JOINTS),
        "pose_params_name": list(DOF_NAMES),
        "skin_template_v": template,
        "skin_template_f": rng.integers(0, vertices, (80, 3)),
        "skel_template_v": rng.normal(0, 0.05, (bones, 3)),
        "skel_template_f": rng.integers(0, bones, (40, 3)),
        "shapedirs": rng.normal(0, 0.01, (vertices, 3, shapes)),
        "posedirs": rng.normal(0, 0.003, (vertices, 3, 207)),
        "J_regressor": regressor / regressor.sum(1, keepdims=True),
        "J_regressor_osim": regressor / regressor.sum(1, keepdims=True),
        "per_joint_rot": rotmat_from_rotvec(rng.normal(0, 0.2, (24, 3))),
        "skin_weights": weights / weights.sum(1, keepdims=True),
        "skel_weights": bone_weights / bone_weights.sum(1, keepdims=True),
        "skel_weights_rigid": np.eye(24)[bone_owner],
        "osim_kintree_table": np.stack([SKEL_PARENTS, np.arange(24)]),
        "parameter_mapping": np.zeros((2, 46), int),
        "tpose_transfo": np.tile(np.eye(4), (24, 1, 1)),
        "apose_transfo": np.tile(np.eye(4), (24, 1, 1)),
        "apose_rel_transfo": transfo,
    }


def synthetic_skel(**options):
    """A SkelTemplate of `skel_arrays`."""
    return skel_from_arrays(skel_arrays(**options), "synthetic")
