"""All bones of the open SKEL body as one mesh: bones of the middle and the left side, and their mirror images, inside the skin.

Each vertex belongs to one of SKEL's 24 bones (skel_weights_rigid) and is stored in that bone's frame. Bones of the torso follow the two
joints between which they are (skel_weights): a vertebra and its ribs rigidly, a collar bone with weights that change along it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree  # pyrefly: ignore[missing-module-attribute, untyped-import] - scipy ships no type stubs

from blender_meshrec.core.array_types import FloatArray, IntArray
from blender_meshrec.core.skel.vocabulary import SKEL_JOINTS

from .hands_feet import foot_bones, hand_bones
from .joints import FLIP, JOINT_MIRROR, foot_axes
from .limbs import arm_bones, leg_bones
from .shapes import bone_shapedirs
from .skin_containment import Skin, pull_inside
from .skull import skull_bones, teeth
from .torso import breastbone, collar_bone, pelvis_bone, ribs, shoulder_blade, vertebrae

_JOINT = {name: joint for joint, name in enumerate(SKEL_JOINTS)}
_SPINE = [_JOINT[name] for name in ("pelvis", "lumbar_body", "thorax", "head")]


@dataclass
class Bones:
    """Bone meshes with N vertices.

    vertices: (N,3) m, each in the frame of its bone. faces: (M,3). weights: (N,24). rigid_weights: (N,24), 1 for the bone that owns the
    vertex. shapedirs: (N,3,10) m in the body's axes.
    """

    vertices: FloatArray
    faces: IntArray
    weights: FloatArray
    rigid_weights: FloatArray
    shapedirs: FloatArray


class WeightedMesh(NamedTuple):
    """A mesh of one bone: vertices (N,3) m in the body's axes, faces (M,3), weights (N,24)."""

    vertices: FloatArray
    faces: IntArray
    weights: FloatArray


def bone_meshes(skin: Skin, joints: FloatArray, orientations: FloatArray, maps: FloatArray) -> Bones:
    """The Bones of the body.

    Args:
        skin: a `skin_containment.Skin`. joints (24,3) m and orientations (24,3,3): SKEL's at betas = 0. maps: `shapes.bone_maps`.
    """
    place = dict(zip(SKEL_JOINTS, joints, strict=True))
    middle: list[WeightedMesh] = []
    left: list[WeightedMesh] = []
    for bone, vertices, faces in (("pelvis", *pelvis_bone()), ("thorax", *breastbone()), *skull_bones(place)):
        middle.append(WeightedMesh(vertices, faces, _rigid_weights(bone, vertices)))
    for height, vertices, faces in vertebrae():
        middle.append(WeightedMesh(vertices, faces, np.tile(spine_weights(skin, height), (len(vertices), 1))))
    for height, vertices, faces in ribs():
        left.append(WeightedMesh(vertices, faces, np.tile(spine_weights(skin, height), (len(vertices), 1))))
    limbs = (*leg_bones(place), *arm_bones(place), *hand_bones(place, skin.body), *foot_bones(place, foot_axes()))
    for bone, vertices, faces in (("scapula_l", *shoulder_blade()), *teeth(place), *limbs):
        left.append(WeightedMesh(vertices, faces, _rigid_weights(bone, vertices)))
    left.append(_collar_bone_weights())
    return _mirror_and_fit(skin, middle, left, joints, orientations, maps)


def _rigid_weights(bone: str, vertices: FloatArray) -> FloatArray:
    """Weights (N,24) of vertices that follow one bone."""
    weights = np.zeros((len(vertices), 24))
    weights[:, _JOINT[bone]] = 1
    return weights


def _collar_bone_weights() -> WeightedMesh:
    """The left collar bone; its weights pass from the thorax to the scapula."""
    vertices, faces = collar_bone()
    weights = np.zeros((len(vertices), 24))
    fraction = np.clip((vertices[:, 0] - 0.02) / 0.13, 0, 1)
    weights[:, _JOINT["thorax"]], weights[:, _JOINT["scapula_l"]] = 1 - fraction, fraction
    return WeightedMesh(vertices, faces, weights)


def spine_weights(skin: Skin, height: float) -> FloatArray:
    """The weights (24,) of the skin of the back at a height, m, over pelvis, lumbar_body, thorax and head: those of a vertebra there."""
    v_template = skin.body["v_template"]
    back = (np.abs(v_template[:, 0]) < 0.04) & (v_template[:, 2] < 0.02) & (np.abs(v_template[:, 1] - height) < 0.02)
    weights = np.zeros(24)
    weights[_SPINE] = skin.weights[back][:, _SPINE].mean(0)
    weights[weights < 0.02 * weights.sum()] = 0
    return weights / weights.sum()


def _mirror_and_fit(
    skin: Skin, middle: Sequence[WeightedMesh], left: Sequence[WeightedMesh], joints: FloatArray, orientations: FloatArray, maps: FloatArray
) -> Bones:
    """The Bones from the meshes of the middle and the left side: add the right side, move all inside the skin, and keep them symmetric."""
    meshes = [mesh._replace(vertices=_symmetric(mesh.vertices)) for mesh in middle] + list(left)
    meshes += [WeightedMesh(mesh.vertices * FLIP, mesh.faces[:, ::-1], mesh.weights[:, JOINT_MIRROR]) for mesh in left]
    counts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    vertices = np.concatenate([mesh.vertices for mesh in meshes])
    weights = np.concatenate([mesh.weights for mesh in meshes])
    faces = np.concatenate([mesh.faces + count for mesh, count in zip(meshes, counts[:-1], strict=True)])
    rigid = np.zeros_like(weights)
    owner = weights.argmax(1)
    rigid[np.arange(len(owner)), owner] = 1
    opposite = _opposite(vertices)
    # The toes' bones are inside the skin already; the clefts between the toes would push them back and forth.
    toes = np.isin(owner, (_JOINT["toes_r"], _JOINT["toes_l"]))
    vertices = pull_inside(skin, vertices, faces, weights, maps, joints[_JOINT["head"]], toes)
    vertices = (vertices + vertices[opposite] * FLIP) / 2
    shapedirs = bone_shapedirs(skin.body, maps, vertices, weights)
    shapedirs = (shapedirs + shapedirs[opposite] * FLIP[:, None]) / 2
    local = np.einsum("nba,nb->na", orientations[owner], vertices - joints[owner])
    return Bones(local, faces, weights, rigid, shapedirs)


def _symmetric(vertices: FloatArray) -> FloatArray:
    """Vertices (N,3) of a nearly symmetric mesh made exactly symmetric: the mean of each vertex and its opposite's mirror image."""
    return (vertices + vertices[_opposite(vertices)] * FLIP) / 2


def _opposite(vertices: FloatArray) -> IntArray:
    """The index of the vertex opposite each vertex of a symmetric mesh, (N,)."""
    opposite = cKDTree(vertices).query(vertices * FLIP)[1]
    if not np.array_equal(opposite[opposite], np.arange(len(vertices))):
        raise ValueError("the bones are not symmetric")
    return opposite
