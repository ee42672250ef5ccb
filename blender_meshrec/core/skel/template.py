"""SKEL templates: the open body, or a `skel_male.pkl` / `skel_female.pkl` (1.1.1) that the user provides; nothing is executed.

The open body is an .npz with the same keys: dense arrays, lists of names as arrays of text, `version` as the text "1.1.1".
V skin vertices, N bone vertices; y up, facing +z, metres.

| key | shape | content |
|---|---|---|
| version | | "1.1.1" |
| bone_names, joints_name, pose_params_name | 24, 24, 46 | `SKEL_JOINTS`, the same, `DOF_NAMES`, in this order |
| skin_template_v, skin_template_f | (V,3), (T,3) | the skin at rest in T pose |
| shapedirs | (V,3,>=10) | the first ten are used |
| posedirs | (V,3,207) | pose blend shapes, by the rotations of SMPL's joints 1 to 23 |
| J_regressor | (24,V) | SMPL's joints from the skin |
| J_regressor_osim | (24,V) | SKEL's joints from the skin at rest |
| skin_weights | (V,24) | rows sum to 1 |
| per_joint_rot | (24,3,3) | each bone's frame in the body, for betas = 0: body_from_bone |
| apose_rel_transfo | (24,4,4) | 3x3: Ra, which rotates the axes; last column: the joint's position in the parent's frame |
| osim_kintree_table | (2,24) | `SKEL_PARENTS` over 0..23 |
| skel_template_v, skel_template_f | (N,3), (M,3) | the bone meshes, each in its own bone's frame with the joint at 0 |
| skel_weights, skel_weights_rigid | (N,24) | skinning weights of the bone meshes; the bone of each vertex |
| skel_shapedirs | (N,3,10) | not in published files: shape blend shapes of the bone meshes |
| parameter_mapping, tpose_transfo, apose_transfo | (2,46), (24,4,4), (24,4,4) | present, not used |

The bone frames of a new body, for betas = 0, should be those it was made with (K = per_joint_rot, core/skel/kinematics). The last
columns of apose_rel_transfo decide that; `make_apose_rel_transfo` computes them.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..array_types import AnyArray, ArrayLike, FloatArray, IntArray
from ..errors import ModelError
from ..files.input_file import refuse_special_file
from ..files.model_content import MODEL_SUFFIXES, ModelContent, are_skin_weights, is_in_range, is_mesh, is_numeric_array, read_model_content
from ..files.model_files import model_file
from ..frozen_arrays import lengths_agree
from ..messages import Message
from ..shape_blending import ShapedTemplate, blend_shapes
from .kinematics import BONE_SIZE_SUMS, FILE_DIRECTION_SUMS, bone_orientations, bone_scales, joint_offsets
from .vocabulary import DOF_NAMES, SKEL_JOINTS, SKEL_PARENTS

OPEN_SKEL = "open_skel.npz"
SKEL_VERSION = "1.1.1"
NUM_BETAS = 10
_REMEDY = "Choose skel_male.pkl or skel_female.pkl, version 1.1.1, as SKEL's official site delivers them, or `open`."
_BONE_SHAPEDIRS_KEY = "skel_shapedirs"
_TEXT_KEYS = ("version", "bone_names", "joints_name", "pose_params_name")
# V skin vertices, N bone vertices, T and M their faces, S shape parameters (10 or more).
_SHAPES: dict[str, tuple[int | str, ...]] = {
    "skin_template_v": ("V", 3), "skin_template_f": ("T", 3), "shapedirs": ("V", 3, "S"), "posedirs": ("V", 3, 207),
    "J_regressor": (24, "V"), "J_regressor_osim": (24, "V"), "skin_weights": ("V", 24), "per_joint_rot": (24, 3, 3),
    "apose_rel_transfo": (24, 4, 4), "apose_transfo": (24, 4, 4), "tpose_transfo": (24, 4, 4), "osim_kintree_table": (2, 24),
    "parameter_mapping": (2, 46), "skel_template_v": ("N", 3), "skel_template_f": ("M", 3), "skel_weights": ("N", 24),
    "skel_weights_rigid": ("N", 24),
}  # fmt: skip
REQUIRED_KEYS = (*_TEXT_KEYS, *_SHAPES)


@dataclass(frozen=True)
class SkelTemplate(ShapedTemplate):
    """A SKEL body of V skin vertices and N bone vertices at rest: y up, facing +z, metres.

    Besides the fields of `ShapedTemplate`, with posedirs (V,3,207) and 10 betas:
    kind: "open" or "skel", as in motion files. J_regressor: (24,V), of SMPL's joints. J_regressor_osim: (24,V), of SKEL's.
    per_joint_rot: (24,3,3). apose_rel_transfo: (24,4,4). bone_template: (N,3), in the frames of the bones. bone_faces: (M,3).
    bone_weights: (N,24). bone_of_vertex: (N,), joint indices. bone_shapedirs: (N,3,10) in the body's axes at rest, shape blend
    shapes of the bone meshes; None where bones are scaled to the distances between joints.
    """

    kind: str
    J_regressor: FloatArray
    J_regressor_osim: FloatArray
    per_joint_rot: FloatArray
    apose_rel_transfo: FloatArray
    bone_template: FloatArray
    bone_faces: IntArray
    bone_weights: FloatArray
    bone_of_vertex: IntArray
    bone_shapedirs: FloatArray | None = None

    joint_names: ClassVar[tuple[str, ...]] = SKEL_JOINTS
    parents: ClassVar[IntArray] = SKEL_PARENTS

    def __post_init__(self) -> None:
        self._regress_joints(self.J_regressor_osim)

    def bone_orientations(self, betas: ArrayLike) -> FloatArray:
        """K (24,3,3): body_from_bone at rest, of the shape `betas`."""
        return bone_orientations(self.rest_joints(betas), self.per_joint_rot, self.apose_rel_transfo)

    def bone_frames(self, betas: ArrayLike) -> FloatArray:
        """K Ra^T (24,3,3): the bone frames in which the angles' axes are fixed, in the body's axes at rest; columns front, up, right."""
        return self.bone_orientations(betas) @ np.swapaxes(self.apose_rel_transfo[:, :3, :3], -1, -2)

    def rest_bone_vertices(self, betas: ArrayLike) -> FloatArray:
        """Bone meshes (N,3) m in the body at rest: shaped by bone_shapedirs, or else scaled, oriented and moved to their joints."""
        if self.bone_shapedirs is not None:
            return blend_shapes(self._fitted_bone_vertices(np.zeros(NUM_BETAS)), self.bone_shapedirs, betas)
        return self._fitted_bone_vertices(betas)

    def _fitted_bone_vertices(self, betas: ArrayLike) -> FloatArray:
        joints = self.rest_joints(betas)
        scaled_rotations = bone_scales(joints, self.apose_rel_transfo)[:, None, None] * self.bone_orientations(betas)
        owner = self.bone_of_vertex
        return np.einsum("nab,nb->na", scaled_rotations[owner], self.bone_template) + joints[owner]


def load_skel(source: str | Path = "open") -> SkelTemplate:
    """Load a SKEL body: "open", or the path of a skel_male.pkl, skel_female.pkl or .npz with the same keys.

    Raises:
        ModelError: there is no such file, it is damaged, of another version, or no SKEL file; the message says which.
    """
    path = model_file(OPEN_SKEL) if source == "open" else Path(source)
    refuse_special_file(path, ModelError)
    if not os.path.isfile(path):
        raise ModelError("skel-file-not-found", "There is no SKEL file {path}.", _REMEDY, path=path)
    if path.suffix.lower() not in MODEL_SUFFIXES:
        raise ModelError(
            "skel-file-format-unknown", "{name} is neither .pkl nor .npz, the formats SKEL files come in.", _REMEDY, name=path.name
        )
    content = read_model_content(path, (*REQUIRED_KEYS, _BONE_SHAPEDIRS_KEY, *_FOREIGN))
    return skel_from_arrays(content, path.stem, "open" if path.name == OPEN_SKEL else "skel")


def skel_from_arrays(content: ModelContent, name: str, kind: str = "skel") -> SkelTemplate:
    """A SkelTemplate from the content of a SKEL file, by its key names.

    Raises:
        ModelError: a key is missing, or the arrays do not fit together.
    """
    _check_keys(content, name)
    arrays = _checked_arrays(content, name)
    faces, bone_faces = arrays["skin_template_f"].astype(np.int64), arrays["skel_template_f"].astype(np.int64)
    _check_topology(name, arrays, faces, bone_faces)
    _check_bone_lengths(name, arrays["apose_rel_transfo"])
    return SkelTemplate(
        name=name,
        kind=kind,
        gender=next((gender for gender in ("female", "male") if gender in name.lower()), "neutral"),
        v_template=arrays["skin_template_v"].astype(np.float32),
        faces=faces,
        shapedirs=arrays["shapedirs"][..., :NUM_BETAS].astype(np.float32),
        posedirs=arrays["posedirs"].astype(np.float32) if arrays["posedirs"].any() else None,
        lbs_weights=arrays["skin_weights"].astype(np.float32),
        J_regressor=arrays["J_regressor"].astype(np.float64),
        J_regressor_osim=arrays["J_regressor_osim"].astype(np.float64),
        per_joint_rot=arrays["per_joint_rot"].astype(np.float64),
        apose_rel_transfo=arrays["apose_rel_transfo"].astype(np.float64),
        bone_template=arrays["skel_template_v"].astype(np.float32),
        bone_faces=bone_faces,
        bone_weights=arrays["skel_weights"].astype(np.float32),
        bone_of_vertex=arrays["skel_weights_rigid"].argmax(1),
        bone_shapedirs=_bone_shapedirs(content, len(arrays["skel_template_v"]), name),
    )


def _bone_shapedirs(content: ModelContent, num_bone_vertices: int, name: str) -> FloatArray | None:
    """Shape blend shapes of the bone meshes (N,3,10), which only the open body has; None for published files."""
    directions = content.get(_BONE_SHAPEDIRS_KEY)
    if directions is None:
        return None
    has_shape = is_numeric_array(directions) and directions.shape == (num_bone_vertices, 3, NUM_BETAS)
    if not has_shape or not is_in_range(directions):
        raise ModelError(
            "skel-bone-shapes-wrong",
            "{name} is damaged: {key} does not fit its bones.",
            _REMEDY,
            name=name,
            key=_BONE_SHAPEDIRS_KEY,
        )
    return directions.astype(np.float32)


def make_apose_rel_transfo(per_joint_rot: FloatArray, rest_joints: ArrayLike, bone_frames: FloatArray) -> FloatArray:
    """The apose_rel_transfo (24,4,4) of a new body: for betas = 0, K is per_joint_rot, K Ra^T is bone_frames, bone scales are 1.

    Args:
        per_joint_rot, bone_frames: (24,3,3), rotations. rest_joints: (24,3) m, at betas = 0.
    """
    offsets, joint = joint_offsets(rest_joints), SKEL_JOINTS.index
    columns = np.einsum("jba,jb->ja", per_joint_rot[np.maximum(SKEL_PARENTS, 0)], offsets)
    columns[0] = 0
    # Bones whose direction is not that of one child: the thorax lies along its own offset, the ulna points to the hand.
    thorax, head = joint("thorax"), joint("head")
    direction = offsets[thorax] / np.linalg.norm(offsets[thorax])
    columns[head] = per_joint_rot[thorax].T @ direction * np.linalg.norm(offsets[head])
    for side in "rl":
        ulna, radius, hand = (joint(f"{bone}_{side}") for bone in ("ulna", "radius", "hand"))
        columns[radius] = per_joint_rot[ulna].T @ (offsets[radius] + offsets[hand]) - columns[hand]
    transfo = np.tile(np.eye(4), (24, 1, 1))
    transfo[:, :3, :3] = np.swapaxes(bone_frames, -1, -2) @ per_joint_rot
    transfo[:, :3, 3] = columns
    return transfo


# Keys that identify files of other kinds.
_FOREIGN = {
    "v_template": Message("smpl-body-not-skel", "an SMPL-family body, not a SKEL one"),
    "poses": Message("motion-not-skel-body", "a motion, not a SKEL body"),
    "q": Message("skel-motion-not-skel-body", "a SKEL motion, not a SKEL body"),
}
_UNKNOWN = Message("not-skel-body", "not a SKEL body")


def _check_keys(content: ModelContent, name: str) -> None:
    missing = [key for key in REQUIRED_KEYS if key not in content]
    if len(missing) > len(REQUIRED_KEYS) / 2:
        what = next((what for key, what in _FOREIGN.items() if key in content), _UNKNOWN)
        raise ModelError("skel-file-of-another-kind", "{name} is {what}.", _REMEDY, name=name, what=what)
    if "version" in content:
        _check_version(content["version"], name)
    if missing:
        raise ModelError("skel-file-incomplete", "{name} is not a whole SKEL file: it lacks {keys}.", _REMEDY, name=name, keys=missing)
    for key, expected, what in (("bone_names", SKEL_JOINTS, "bones"), ("pose_params_name", DOF_NAMES, "angles")):
        if _text_tuple(content[key]) != expected:
            raise ModelError(
                "skel-names-wrong",
                "{name} does not hold SKEL's {count} {what} in their order.",
                _REMEDY,
                name=name,
                count=len(expected),
                what=what,
            )


def _check_version(version: object, name: str) -> None:
    if _text_tuple(version) != (SKEL_VERSION,):
        found = " ".join(_text_tuple(version)) or "unknown"
        raise ModelError(
            "skel-file-version-unknown",
            "{name} is version {found} of SKEL's files; this software reads version {known}.",
            _REMEDY,
            name=name,
            found=found[:20],
            known=SKEL_VERSION,
        )


def _text_tuple(value: Any) -> tuple[str, ...]:
    """A str, or a list or array of str, as a tuple; empty for any other value."""
    if isinstance(value, np.ndarray):
        value = value.ravel().tolist()
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
        return ()
    return tuple(items)


def _checked_arrays(content: ModelContent, name: str) -> dict[str, AnyArray]:
    """The arrays of _SHAPES, numeric, finite and with shapes that fit together."""
    length_of: dict[str, int] = {}
    for key, shape in _SHAPES.items():
        array = content[key]
        if not is_numeric_array(array):
            raise ModelError("skel-array-not-numeric", "{name} is damaged: {key} does not hold numbers.", _REMEDY, name=name, key=key)
        if not lengths_agree(array.shape, shape, length_of) or (key == "shapedirs" and array.shape[-1] < NUM_BETAS):
            raise ModelError(
                "skel-array-shape-wrong",
                "{name} is damaged: {key} has the shape {what}, not {expected}.",
                _REMEDY,
                name=name,
                key=key,
                what=" x ".join(map(str, array.shape)) or "of one number",
                expected=" x ".join(str(length_of.get(axis, axis) if isinstance(axis, str) else axis) for axis in shape),
            )
        if not np.isfinite(array).all():
            raise ModelError(
                "skel-array-not-finite", "{name} is damaged: {key} holds values that are not finite.", _REMEDY, name=name, key=key
            )
        if not is_in_range(array) or not array.size:
            raise ModelError(
                "skel-array-out-of-range", "{name} is damaged: {key} holds values that no body has.", _REMEDY, name=name, key=key
            )
    return {key: content[key] for key in _SHAPES}


def _check_topology(name: str, arrays: dict[str, AnyArray], faces: IntArray, bone_faces: IntArray) -> None:
    for mesh, vertices, what in ((faces, "skin_template_v", "the skin"), (bone_faces, "skel_template_v", "the bones")):
        if not is_mesh(mesh, len(arrays[vertices])):
            raise ModelError(
                "skel-faces-wrong", "{name} is damaged: a face of {what} names a vertex that does not exist.", _REMEDY, name=name, what=what
            )
    if not np.array_equal(arrays["osim_kintree_table"][0, 1:], SKEL_PARENTS[1:]):
        raise ModelError("skel-bones-misconnected", "{name} does not connect SKEL's bones as they should be.", _REMEDY, name=name)
    for key in ("skin_weights", "skel_weights"):
        if not are_skin_weights(arrays[key], tolerance=0.05):
            raise ModelError("skel-weights-wrong", "{name} is damaged: {key} of a vertex do not sum to one.", _REMEDY, name=name, key=key)


def _check_bone_lengths(name: str, apose_rel_transfo: FloatArray) -> None:
    """Refuse a file in which a bone's direction or size is undefined because the sum of its offsets is zero."""
    columns = apose_rel_transfo[:, :3, 3]
    has_direction = FILE_DIRECTION_SUMS.any(1)
    sums = np.concatenate([FILE_DIRECTION_SUMS[has_direction] @ columns, BONE_SIZE_SUMS @ columns])
    if np.linalg.norm(sums, axis=-1).min() < 1e-6:
        raise ModelError("skel-bone-without-length", "{name} is damaged: apose_rel_transfo holds a bone of no length.", _REMEDY, name=name)
