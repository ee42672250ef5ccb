"""A small random body in SMPL's format: a plausible skeleton with skin vertices scattered around its bones."""

import numpy as np

from blender_meshrec.core.files.body_template import body_from_arrays
from blender_meshrec.core.skeletons import SMPL_PARENTS

# A T pose of a person of about 1.7 m, y up, facing +z, left at +x; in centimetres, in SMPL's order.
REST = (
    np.array(
        [
            [0, 0, 0], [6, -8, 0], [-6, -8, 0], [0, 11, -2], [10, -46, 0], [-10, -46, 0], [0, 24, 0], [9, -86, -4],
            [-9, -86, -4], [0, 30, 2], [11, -92, 8], [-11, -92, 8], [0, 51, -2], [8, 42, 0], [-8, 42, 0], [0, 60, 3],
            [17, 45, -1], [-17, 45, -1], [43, 44, -3], [-43, 44, -3], [68, 45, -4], [-68, 45, -4], [77, 44, -5], [-77, 44, -5],
        ]
    )
    / 100.0
)  # fmt: skip


def rest_skeleton(joints=24):
    """Parents (J,) and rest joints (J,3) m of SMPL (24), SMPL-H (52) or SMPL-X (55)."""
    if joints == 24:
        return SMPL_PARENTS.copy(), REST.copy()
    parents, rest = list(SMPL_PARENTS[:22]), list(REST[:22])
    if joints == 55:
        parents += [15, 15, 15]
        rest += [REST[15] + offset for offset in ([0, 0, 0.05], [0.03, 0.05, 0.08], [-0.03, 0.05, 0.08])]
    for wrist, sign in ((20, 1), (21, -1)):
        for finger in range(5):
            for bone in range(3):
                parents.append(wrist if bone == 0 else len(parents) - 1)
                rest.append(REST[wrist] + [sign * (0.08 + 0.03 * bone), 0, 0.04 - 0.02 * finger])
    return np.array(parents), np.array(rest)


def smpl_arrays(seed=0, vertices=300, joints=24, betas=10, posedirs=True):
    """The arrays of an SMPL-family file under their official names, dense, float64."""
    rng = np.random.default_rng(seed)
    parents, rest = rest_skeleton(joints)
    owner = np.arange(vertices) % joints
    along = rng.uniform(0, 1, (vertices, 1))
    above = np.maximum(parents[owner], 0)
    v_template = rest[owner] * along + rest[above] * (1 - along) + rng.normal(0, 0.03, (vertices, 3))
    near = np.exp(-(((v_template[:, None] - rest) / 0.15) ** 2).sum(-1)) + 1e-12
    weights = np.where(near >= np.sort(near, 1)[:, -4:-3], near, 0)
    regressor = near.T**2 * rng.uniform(0.5, 1, (joints, vertices))
    kintree = np.stack([parents, np.arange(joints)]).astype(np.uint32)
    kintree[0, 0] = 2**32 - 1
    return {
        "v_template": v_template,
        "f": rng.integers(0, vertices, (2 * vertices, 3)).astype(np.uint32),
        "shapedirs": rng.normal(0, 0.01, (vertices, 3, betas)),
        "posedirs": rng.normal(0, 0.003, (vertices, 3, 9 * (joints - 1))) * posedirs,
        "J_regressor": regressor / regressor.sum(1, keepdims=True),
        "weights": weights / weights.sum(1, keepdims=True),
        "kintree_table": kintree,
    }


def synthetic_template(**options):
    """A BodyTemplate of `smpl_arrays`."""
    return body_from_arrays(smpl_arrays(**options), "synthetic")


def random_pose(rng, frames, joints=24, spread=0.4):
    """global_orient (F,3), body_pose (F,3(J-1)) rad and transl (F,3) m."""
    return rng.normal(0, 1.5, (frames, 3)), rng.normal(0, spread, (frames, 3 * (joints - 1))), rng.normal(0, 2, (frames, 3))
