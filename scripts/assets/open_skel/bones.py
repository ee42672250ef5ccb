"""All bones of the open SKEL body as one mesh: the left side's and the middle's, their mirror images, pulled inside the skin.

Each vertex belongs to one of SKEL's 24 bones (skel_weights_rigid) and is kept in that bone's frame. What bends with the spine
follows the two bones it lies between (skel_weights): a vertebra, and its pair of ribs, as one piece; a collar bone from the
breastbone's end to the shoulder's.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from blender_meshrec.core.skel.vocabulary import SKEL_JOINTS

from .hands_feet import foot_bones, hand_bones
from .joints import FLIP, JOINT_MIRROR, foot_axes
from .limbs import arm_bones, leg_bones
from .shapes import bone_shapedirs
from .skin_containment import pull_inside
from .skull import skull_bones, teeth
from .torso import breastbone, collar_bone, pelvis_bone, ribs, shoulder_blade, vertebrae

_JOINT = {name: joint for joint, name in enumerate(SKEL_JOINTS)}
_SPINE = [_JOINT[name] for name in ("pelvis", "lumbar_body", "thorax", "head")]


@dataclass
class Bones:
    """Bone meshes of N vertices: vertices (N,3) m in their bones' frames, faces (M,3), weights (N,24), rigid_weights (N,24) of 0 and 1,
    shapedirs (N,3,10) m in the body's axes."""

    vertices: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    rigid_weights: np.ndarray
    shapedirs: np.ndarray


def bone_meshes(skin, joints, orientations, maps):
    """The Bones of the body.

    Args:
        skin: a `skin_containment.Skin`. joints (24,3) m and orientations (24,3,3): SKEL's at betas = 0. maps: `shapes.bone_maps`.
    """
    place = dict(zip(SKEL_JOINTS, joints, strict=True))
    middle, left = [], []
    for bone, vertices, faces in (("pelvis", *pelvis_bone()), ("thorax", *breastbone()), *skull_bones(place)):
        middle.append((vertices, faces, _rigid_weights(bone, vertices)))
    for height, vertices, faces in vertebrae():
        middle.append((vertices, faces, np.tile(spine_weights(skin, height), (len(vertices), 1))))
    for height, vertices, faces in ribs():
        left.append((vertices, faces, np.tile(spine_weights(skin, height), (len(vertices), 1))))
    limbs = (*leg_bones(place), *arm_bones(place), *hand_bones(place, skin.body), *foot_bones(place, foot_axes()))
    for bone, vertices, faces in (("scapula_l", *shoulder_blade()), *teeth(place), *limbs):
        left.append((vertices, faces, _rigid_weights(bone, vertices)))
    left.append(_collar_bone_weights())
    return _mirror_and_fit(skin, middle, left, joints, orientations, maps)


def _rigid_weights(bone, vertices):
    weights = np.zeros((len(vertices), 24))
    weights[:, _JOINT[bone]] = 1
    return weights


def _collar_bone_weights():
    vertices, faces = collar_bone()
    weights = np.zeros((len(vertices), 24))
    share = np.clip((vertices[:, 0] - 0.02) / 0.13, 0, 1)
    weights[:, _JOINT["thorax"]], weights[:, _JOINT["scapula_l"]] = 1 - share, share
    return vertices, faces, weights


def spine_weights(skin, height):
    """How the skin of the back follows pelvis, lumbar_body, thorax and head at a height, (24,): vertebrae follow them alike."""
    v_template = skin.body["v_template"]
    back = (np.abs(v_template[:, 0]) < 0.04) & (v_template[:, 2] < 0.02) & (np.abs(v_template[:, 1] - height) < 0.02)
    weights = np.zeros(24)
    weights[_SPINE] = skin.weights[back][:, _SPINE].mean(0)
    weights[weights < 0.02 * weights.sum()] = 0
    return weights / weights.sum()


def _mirror_and_fit(skin, middle, left, joints, orientations, maps):
    sides = [
        (*_symmetric(vertices, weights), faces) if piece < len(middle) else (vertices, weights, faces)
        for piece, (vertices, faces, weights) in enumerate(middle + left)
    ]
    sides += [(vertices * FLIP, weights[:, JOINT_MIRROR], faces[:, ::-1]) for vertices, faces, weights in left]
    counts = np.cumsum([0, *(len(vertices) for vertices, *_ in sides)])
    vertices, weights = (np.concatenate([piece[part] for piece in sides]) for part in (0, 1))
    faces = np.concatenate([piece[2] + count for piece, count in zip(sides, counts[:-1], strict=True)])
    rigid = np.zeros_like(weights)
    owner = weights.argmax(1)
    rigid[np.arange(len(owner)), owner] = 1
    opposite = _opposite(vertices)
    # The toes' bones are drawn inside; the clefts between the toes would only push them to and fro.
    toes = np.isin(owner, (_JOINT["toes_r"], _JOINT["toes_l"]))
    vertices = pull_inside(skin, vertices, faces, weights, maps, joints[_JOINT["head"]], toes)
    vertices = (vertices + vertices[opposite] * FLIP) / 2
    shapedirs = bone_shapedirs(skin.body, maps, vertices, weights)
    shapedirs = (shapedirs + shapedirs[opposite] * FLIP[:, None]) / 2
    local = np.einsum("nba,nb->na", orientations[owner], vertices - joints[owner])
    return Bones(local, faces, weights, rigid, shapedirs)


def _symmetric(vertices, weights):
    """A piece on the middle line made exactly symmetric: every vertex the mean of itself and the mirror image of its opposite."""
    return (vertices + vertices[_opposite(vertices)] * FLIP) / 2, weights


def _opposite(vertices):
    """The vertex opposite each vertex of a symmetric mesh, (N,)."""
    opposite = cKDTree(vertices).query(vertices * FLIP)[1]
    if not np.array_equal(opposite[opposite], np.arange(len(vertices))):
        raise ValueError("the bones are not symmetric")
    return opposite
