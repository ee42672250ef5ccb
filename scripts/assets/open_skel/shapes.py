"""How bone meshes follow the body's shape: an affine map a bone and beta, fitted to the skin that the bone moves.

The published model sizes its bones by distances on its own skin. Here the skin around a bone tells its size, one affine map
for each bone and beta, to which its joints belong; near the skin it goes along with it. What lies between two bones follows both.
"""

import numpy as np
from scipy.spatial import cKDTree

from blender_meshrec.core.skel.vocabulary import SKEL_JOINTS, SKEL_PARENTS

# Bones whose own skin is a patch too small to tell their shape share their neighbour's.
SHARED_SKIN = {"ulna": ("ulna", "radius"), "radius": ("ulna", "radius"), "talus": ("talus", "calcn"), "calcn": ("talus", "calcn")}
OWN_WEIGHT = 0.5  # share of a skin vertex's weight that makes it a bone's own
NUM_NEIGHBOURS = 24  # skin vertices that a bone vertex looks at
SKIN_FALLOFF = 0.03  # m below the skin, where a third of that is left
JOINT_WEIGHT = 0.3  # what a joint counts, where all the skin of its bone counts 1


def bone_maps(body, joints, regressor, weights):
    """Affine maps (24,10,4,3): a place (x, y, z, 1) m of the mean body times map[j, b] is how far a beta of 1 moves it with bone j.

    Args:
        body: the open body's arrays, float64. joints: (24,3) m. regressor: (24,V). weights: (V,24), of the skin.
    """
    moves = np.einsum("jv,vcb->jcb", regressor, body["shapedirs"])
    maps = np.zeros((24, 10, 4, 3))
    for joint, name in enumerate(SKEL_JOINTS):
        bone, _, side = name.partition("_")
        bones = [SKEL_JOINTS.index(f"{shared}_{side}") for shared in SHARED_SKIN.get(bone, ())] or [joint]
        own = weights[:, bones].sum(1) > OWN_WEIGHT
        ends = [joint, *np.flatnonzero(joint == SKEL_PARENTS)]
        places = np.concatenate([body["v_template"][own], joints[ends]])
        moved = np.concatenate([body["shapedirs"][own], moves[ends]])
        strength = np.sqrt(np.concatenate([np.full(own.sum(), 1 / own.sum()), np.full(len(ends), JOINT_WEIGHT)]))
        design = np.concatenate([places, np.ones((len(places), 1))], 1)
        solved = np.linalg.lstsq(design * strength[:, None], (moved * strength[:, None, None]).reshape(len(places), 30), rcond=None)[0]
        maps[joint] = solved.reshape(4, 3, 10).transpose(2, 0, 1)
    return maps


def bone_shapedirs(body, maps, vertices, weights):
    """How far a beta of 1 moves each bone vertex, (N,3,10) m.

    Args:
        body: the open body's arrays. maps: of `bone_maps`. vertices: (N,3) m, of the mean body. weights: (N,24).
    """
    blended = (weights @ maps.reshape(24, -1)).reshape(-1, 10, 4, 3)
    moves = _apply_maps(blended, vertices[:, None])[:, 0]
    # Just below the skin a bone goes along with what the map leaves of the skin's own move.
    distance, near = cKDTree(body["v_template"]).query(vertices, NUM_NEIGHBOURS)
    share = 1 / (distance + 0.005)
    share *= np.exp(-((distance[:, :1] / SKIN_FALLOFF) ** 2)) / share.sum(1, keepdims=True)
    for some in np.array_split(np.arange(len(vertices)), 20):
        left = body["shapedirs"][near[some]] - _apply_maps(blended[some], body["v_template"][near[some]])
        moves[some] += np.einsum("nk,nkcb->ncb", share[some], left)
    return moves


def _apply_maps(maps, places):
    """What maps (N,10,4,3) move places (N,K,3) by, (N,K,3,10)."""
    return np.einsum("nka,nbac->nkcb", np.concatenate([places, np.ones((*places.shape[:2], 1))], 2), maps, optimize=True)
