"""Shape blend shapes of the bone meshes: one affine map per bone and beta, fitted to the skin that the bone moves.

The published model scales its bones by distances on its skin. Here an affine map is fitted to the displacements of the skin around a
bone and of the bone's joints. Bone vertices close to the skin also follow the skin's residual displacement. Vertices with the weights of
two bones follow both maps.
"""

from collections.abc import Mapping

import numpy as np
from scipy.spatial import cKDTree  # pyrefly: ignore[missing-module-attribute, untyped-import] - scipy ships no type stubs

from blender_meshrec.core.array_types import AnyArray, FloatArray
from blender_meshrec.core.skel.vocabulary import SKEL_JOINTS, SKEL_PARENTS

# Bones with too little skin of their own, and the bones whose skin they share.
SHARED_SKIN = {"ulna": ("ulna", "radius"), "radius": ("ulna", "radius"), "talus": ("talus", "calcn"), "calcn": ("talus", "calcn")}
OWN_WEIGHT = 0.5  # smallest skinning weight of a vertex that belongs to a bone
NUM_NEIGHBOURS = 24  # skin vertices that a bone vertex follows
SKIN_FALLOFF = 0.03  # m below the skin at which a third of that influence remains
JOINT_WEIGHT = 0.3  # of a joint in the fit, if all skin of its bone has weight 1


def bone_maps(body: Mapping[str, AnyArray], joints: FloatArray, regressor: FloatArray, weights: FloatArray) -> FloatArray:
    """Affine maps (24,10,4,3): (x, y, z, 1) @ map[j, b] is the displacement, m, of a point of the mean body with bone j per unit of beta b.

    Args:
        body: the open body's arrays, float64. joints: (24,3) m. regressor: (24,V). weights: (V,24), of the skin.
    """
    moves = np.einsum("jv,vcb->jcb", regressor, body["shapedirs"])
    maps = np.zeros((24, 10, 4, 3))
    for joint, name in enumerate(SKEL_JOINTS):
        bone, _, side = name.partition("_")
        bones = [SKEL_JOINTS.index(f"{shared}_{side}") for shared in SHARED_SKIN.get(bone, ())] or [joint]
        own = weights[:, bones].sum(1) > OWN_WEIGHT
        ends = [joint, *np.flatnonzero(joint == SKEL_PARENTS).tolist()]
        points = np.concatenate([body["v_template"][own], joints[ends]])
        displacements = np.concatenate([body["shapedirs"][own], moves[ends]])
        strength = np.sqrt(np.concatenate([np.full(own.sum(), 1 / own.sum()), np.full(len(ends), JOINT_WEIGHT)]))
        design = np.concatenate([points, np.ones((len(points), 1))], 1)
        target = (displacements * strength[:, None, None]).reshape(len(points), 30)
        solved = np.linalg.lstsq(design * strength[:, None], target, rcond=None)[0]
        maps[joint] = solved.reshape(4, 3, 10).transpose(2, 0, 1)
    return maps


def bone_shapedirs(body: Mapping[str, AnyArray], maps: FloatArray, vertices: FloatArray, weights: FloatArray) -> FloatArray:
    """The displacement of each bone vertex per unit of a beta, (N,3,10) m.

    Args:
        body: the open body's arrays. maps: of `bone_maps`. vertices: (N,3) m, of the mean body. weights: (N,24).
    """
    blended = (weights @ maps.reshape(24, -1)).reshape(-1, 10, 4, 3)
    moves = _apply_maps(blended, vertices[:, None])[:, 0]
    # Close below the skin a bone also follows the skin's displacement that the maps do not explain.
    distance, near = cKDTree(body["v_template"]).query(vertices, NUM_NEIGHBOURS)
    influence = 1 / (distance + 0.005)
    influence *= np.exp(-((distance[:, :1] / SKIN_FALLOFF) ** 2)) / influence.sum(1, keepdims=True)
    for some in np.array_split(np.arange(len(vertices)), 20):
        residual = body["shapedirs"][near[some]] - _apply_maps(blended[some], body["v_template"][near[some]])
        moves[some] += np.einsum("nk,nkcb->ncb", influence[some], residual)
    return moves


def _apply_maps(maps: FloatArray, points: FloatArray) -> FloatArray:
    """The displacements (N,K,3,10) of points (N,K,3) by maps (N,10,4,3)."""
    return np.einsum("nka,nbac->nkcb", np.concatenate([points, np.ones((*points.shape[:2], 1))], 2), maps, optimize=True)
