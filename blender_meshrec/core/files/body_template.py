"""Body templates: the open body, or an SMPL-family file that the user provides.

| file | joints | surface_model_type |
|---|---|---|
| addon_models/open_body.npz | 24 | open |
| SMPL .pkl (official, with or without chumpy objects) or .npz | 24 | smpl |
| SMPL-H .pkl or .npz | 52 | smplh |
| SMPL-X .pkl or .npz | 55 | smplx |
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..array_types import AnyArray, ArrayLike, FloatArray, IntArray
from ..body_landmarks import SMPL_VERTICES, SMPLX_VERTICES, find_landmarks
from ..errors import ModelError
from ..messages import Message
from ..shape_blending import ShapedTemplate
from ..skeletons import SMPL_JOINTS
from .input_file import refuse_special_file
from .model_content import (
    MAX_VERTICES,
    MODEL_SUFFIXES,
    ModelContent,
    are_skin_weights,
    is_in_range,
    is_mesh,
    is_numeric_array,
    read_model_content,
)
from .model_files import model_file

NUM_BETAS = 10
OPEN_BODY = "open_body.npz"
_FINGERS = tuple(f"{finger}{bone}" for finger in ("index", "middle", "pinky", "ring", "thumb") for bone in (1, 2, 3))
_HANDS = tuple(f"{side}_{bone}" for side in ("left", "right") for bone in _FINGERS)
FAMILIES = {
    24: ("smpl", SMPL_JOINTS),
    52: ("smplh", SMPL_JOINTS[:22] + _HANDS),
    55: ("smplx", (*SMPL_JOINTS[:22], "jaw", "left_eye", "right_eye", *_HANDS)),
}
# Stand-ins for SMPL's hand joints in a body with fingers: the roots of the index fingers, as in AMASS.
HAND_JOINTS = {"left_hand": "left_index1", "right_hand": "right_index1"}
_KEYS = ("v_template", "f", "shapedirs", "weights", "J_regressor", "kintree_table")
_NUM_AXES = {"shapedirs": (2, 3)}  # two for the others
_OPTIONAL = ("posedirs", "landmark_names", "landmark_vertices", "part_names", "part")
_REMEDY = "Choose an SMPL, SMPL-H or SMPL-X model file (.pkl or .npz), or `open` for the body that ships with the add-on."


@dataclass(frozen=True)
class BodyTemplate(ShapedTemplate):
    """A body of V vertices and J joints at rest: y up, facing +z, metres.

    Besides the fields of `ShapedTemplate`, with posedirs (V,3,9(J-1)) and at most 10 betas:
    parents: (J,), -1 at the root. J_regressor: (J,V). landmarks: name -> vertex.
    part_names, face_parts: the body part of each face, (T,) indices into the names; None where the file has no parts. start_betas: (B,),
    the likeliest shape of a person of whom nothing is known; None for the mean.
    """

    surface_model_type: str
    joint_names: tuple[str, ...]
    parents: IntArray
    J_regressor: FloatArray
    landmarks: Mapping[str, int]
    part_names: tuple[str, ...] = ()
    face_parts: IntArray | None = None
    start_betas: FloatArray | None = None

    def __post_init__(self) -> None:
        self._regress_joints(self.J_regressor)

    @property
    def smpl_joint_indices(self) -> IntArray:
        """Indices (24,) of SMPL's joints: all joints, or for a body with fingers HAND_JOINTS in place of SMPL's hands."""
        names = [name if name in self.joint_names else HAND_JOINTS[name] for name in SMPL_JOINTS]
        return np.array([self.joint_names.index(name) for name in names])

    def rest(self, betas: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Vertices (V,3) and joints (J,3) m at rest of the shape `betas` (at most B)."""
        return self.rest_vertices(betas), self.rest_joints(betas)


def load_body(source: str | Path = "open") -> BodyTemplate:
    """Load a body: "open", or the path of an SMPL-family .pkl or .npz. Nothing in the file is executed.

    Raises:
        ModelError: there is no such file, it is damaged, or it is not an SMPL-family body; the message says which.
    """
    path = model_file(OPEN_BODY) if source == "open" else Path(source)
    refuse_special_file(path, ModelError)
    if not os.path.isfile(path):
        raise ModelError("body-file-not-found", "There is no body file {path}.", _REMEDY, path=path)
    if path.suffix.lower() not in MODEL_SUFFIXES:
        raise ModelError(
            "body-file-format-unknown", "{name} is neither .pkl nor .npz, the formats body files come in.", _REMEDY, name=path.name
        )
    return body_from_arrays(read_model_content(path, (*_KEYS, *_OPTIONAL, *_FOREIGN)), path.stem)


def body_from_arrays(content: ModelContent, name: str) -> BodyTemplate:
    """A BodyTemplate from the arrays of a body file, under SMPL's key names.

    Raises:
        ModelError: a key is missing, or the arrays do not fit together.
    """
    arrays = _checked_arrays(content, name)
    faces, parents = arrays["f"].astype(np.int64), arrays["kintree_table"][0].astype(np.int64)
    parents[0] = -1
    _check_topology(name, len(arrays["v_template"]), faces, parents, arrays["weights"])
    family, joint_names = FAMILIES[len(parents)]
    is_open = "landmark_names" in content
    v_template, weights = arrays["v_template"].astype(np.float32), arrays["weights"].astype(np.float32)
    posedirs = arrays.get("posedirs")
    part_names, face_parts = _face_parts(content, len(faces), name)
    return BodyTemplate(
        name="open" if is_open else name,
        surface_model_type="open" if is_open else family,
        gender=_gender_from_name(name),
        joint_names=joint_names,
        parents=parents,
        v_template=v_template,
        faces=faces,
        shapedirs=arrays["shapedirs"][..., :NUM_BETAS].astype(np.float32),
        posedirs=posedirs.astype(np.float32) if posedirs is not None and posedirs.any() else None,
        J_regressor=arrays["J_regressor"].astype(np.float64),
        lbs_weights=weights,
        landmarks=_landmarks(content, v_template, weights, joint_names, name),
        part_names=part_names,
        face_parts=face_parts,
    )


# Keys that identify files of other kinds.
_FOREIGN = {
    "skin_template_v": Message("skel-model-not-smpl", "a SKEL model, not an SMPL one"),
    "poses": Message("motion-not-body", "a motion, not a body"),
    "q": Message("skel-motion-not-body", "a SKEL motion, not a body"),
}


def _check_keys(content: ModelContent, name: str) -> None:
    for key, what in _FOREIGN.items():
        if key in content:
            raise ModelError("body-file-of-another-kind", "{name} is {what}.", _REMEDY, name=name, what=what)
    missing = [key for key in _KEYS if key not in content]
    if len(missing) == len(_KEYS):
        raise ModelError("body-file-not-smpl", "{name} is not an SMPL-family body file.", _REMEDY, name=name)
    if missing:
        raise ModelError(
            "body-file-incomplete", "{name} is not a whole SMPL-family body file: it lacks {what}.", _REMEDY, name=name, what=missing
        )


def _checked_arrays(content: ModelContent, name: str) -> dict[str, AnyArray]:
    """The arrays of _KEYS, and posedirs where there are any, numeric and with shapes that fit together."""
    _check_keys(content, name)
    arrays = {key: _numeric_array(content, key, name) for key in _KEYS}
    for key in _KEYS:
        if arrays[key].ndim not in _NUM_AXES.get(key, (2,)):
            raise ModelError("body-array-axes-wrong", "{name} is damaged: {key} is not a table of numbers.", _REMEDY, name=name, key=key)
    vertices, joints = arrays["v_template"].shape[0], arrays["kintree_table"].shape[-1]
    if not 0 < vertices <= MAX_VERTICES:
        raise ModelError(
            "body-vertex-count-wrong",
            "{name} has {count} vertices; a body has 1 to {limit}.",
            _REMEDY,
            name=name,
            count=vertices,
            limit=MAX_VERTICES,
        )
    if joints not in FAMILIES:
        raise ModelError(
            "body-joint-count-wrong", "{name} has {count} joints; SMPL has 24, SMPL-H 52 and SMPL-X 55.", _REMEDY, name=name, count=joints
        )
    if arrays["shapedirs"].ndim != 3:
        arrays["shapedirs"] = arrays["shapedirs"][..., None]
    expected = {
        "v_template": (vertices, 3),
        "f": (len(arrays["f"]), 3),
        "shapedirs": (vertices, 3, max(1, arrays["shapedirs"].shape[-1])),
        "weights": (vertices, joints),
        "J_regressor": (joints, vertices),
        "kintree_table": (2, joints),
    }
    if "posedirs" in content:
        arrays["posedirs"] = _numeric_array(content, "posedirs", name)
        expected["posedirs"] = (vertices, 3, 9 * (joints - 1))
    for key, shape in expected.items():
        if arrays[key].shape != shape:
            raise ModelError(
                "body-array-shape-wrong",
                "{name} is damaged: {key} does not fit the {vertices} vertices and {joints} joints.",
                _REMEDY,
                name=name,
                key=key,
                vertices=vertices,
                joints=joints,
            )
    return arrays


def _numeric_array(content: ModelContent, key: str, name: str) -> AnyArray:
    array = content[key]
    if not is_numeric_array(array):
        raise ModelError("body-array-not-numeric", "{name} is damaged: {key} does not hold numbers.", _REMEDY, name=name, key=key)
    if not np.isfinite(array).all():
        raise ModelError("body-array-not-finite", "{name} is damaged: {key} holds values that are not finite.", _REMEDY, name=name, key=key)
    if not is_in_range(array):
        raise _out_of_range_error(key, name)
    return array


def _out_of_range_error(key: str, name: str) -> ModelError:
    problem = "{name} is damaged: {key} holds values that no body has."
    return ModelError("body-array-out-of-range", problem, _REMEDY, name=name, key=key)


def _check_topology(name: str, num_vertices: int, faces: IntArray, parents: IntArray, weights: FloatArray) -> None:
    if not is_mesh(faces, num_vertices):
        raise ModelError("body-faces-wrong", "{name} is damaged: a face names a vertex that does not exist.", _REMEDY, name=name)
    if (parents[1:] >= np.arange(1, len(parents))).any() or (parents[1:] < 0).any():
        raise ModelError("body-tree-broken", "{name} is damaged: its joints do not form a tree.", _REMEDY, name=name)
    if not are_skin_weights(weights, tolerance=1e-2):
        raise ModelError("body-weights-wrong", "{name} is damaged: the skin weights of a vertex do not sum to one.", _REMEDY, name=name)


def _landmarks(
    content: ModelContent, v_template: FloatArray, weights: FloatArray, joint_names: tuple[str, ...], name: str
) -> dict[str, int]:
    if "landmark_names" in content:
        names = np.ravel(content["landmark_names"])
        vertices = _indices(content, "landmark_vertices", len(names), len(v_template), name)
        return {str(landmark): int(vertex) for landmark, vertex in zip(names, vertices)}
    published = {6890: SMPL_VERTICES, 10475: SMPLX_VERTICES}.get(len(v_template), {})
    return {**find_landmarks(v_template, weights, joint_names), **published}


def _face_parts(content: ModelContent, num_faces: int, name: str) -> tuple[tuple[str, ...], IntArray | None]:
    """The names of the body's parts, and the part of each face, (T,); () and None where the file has no parts."""
    if "part" not in content:
        return (), None
    names = tuple(str(part) for part in np.ravel(content.get("part_names", ())))
    return names, _indices(content, "part", num_faces, len(names), name)


def _indices(content: ModelContent, key: str, count: int, limit: int, name: str) -> IntArray:
    """The indices (count,) below `limit` that a key holds."""
    array = content.get(key)
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iu" or array.shape != (count,):
        raise ModelError("body-array-axes-wrong", "{name} is damaged: {key} is not a table of numbers.", _REMEDY, name=name, key=key)
    if array.size and not 0 <= int(array.min()) <= int(array.max()) < limit:
        raise _out_of_range_error(key, name)
    return array.astype(np.int64)


def _gender_from_name(name: str) -> str:
    words = name.lower().replace("-", "_").split("_")
    if "female" in words or "f" in words:
        return "female"
    return "male" if "male" in words or "m" in words else "neutral"
