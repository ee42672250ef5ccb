"""A body at rest: the open body, or an SMPL-family file that a user brings. Both processes read it here, in numpy.

| file | joints | surface_model_type |
|---|---|---|
| addon_models/open_body.npz | 24 | open |
| SMPL .pkl (official, with or without chumpy objects) or .npz | 24 | smpl |
| SMPL-H .pkl or .npz | 52 | smplh |
| SMPL-X .pkl or .npz | 55 | smplx |
"""

import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..body_landmarks import SMPL_VERTICES, SMPLX_VERTICES, find_landmarks
from ..errors import ModelError
from ..messages import Message
from ..skeletons import SMPL_JOINTS
from .model_files import model_file
from .safe_npz import read_numeric_npz
from .safe_pickle import read_model_pickle

NUM_BETAS = 10
OPEN_BODY = "open_body.npz"
_FINGERS = tuple(f"{finger}{bone}" for finger in ("index", "middle", "pinky", "ring", "thumb") for bone in (1, 2, 3))
_HANDS = tuple(f"{side}_{bone}" for side in ("left", "right") for bone in _FINGERS)
FAMILIES = {
    24: ("smpl", SMPL_JOINTS),
    52: ("smplh", SMPL_JOINTS[:22] + _HANDS),
    55: ("smplx", (*SMPL_JOINTS[:22], "jaw", "left_eye", "right_eye", *_HANDS)),
}
# What plays SMPL's hand joints in a body with fingers: the roots of the index fingers, as in AMASS.
HAND_JOINTS = {"left_hand": "left_index1", "right_hand": "right_index1"}
_KEYS = ("v_template", "f", "shapedirs", "weights", "J_regressor", "kintree_table")
_OPTIONAL = ("posedirs", "landmark_names", "landmark_vertices", "part_names", "part")
_REMEDY = "Choose an SMPL, SMPL-H or SMPL-X model file (.pkl or .npz), or `open` for the body that ships with the add-on."


@dataclass(frozen=True)
class BodyTemplate:
    """A body of V vertices and J joints at rest: y up, facing +z, metres.

    v_template: (V,3). faces: (T,3). shapedirs: (V,3,B), B <= 10. posedirs: (V,3,9(J-1)) or None where the body has none.
    J_regressor: (J,V). lbs_weights: (V,J), rows sum to 1. parents: (J,), -1 at the root. landmarks: name -> vertex.
    part_names, face_parts: what each face belongs to, (T,) indices into the names; None where the file does not say.
    """

    name: str
    surface_model_type: str
    gender: str
    joint_names: tuple
    parents: np.ndarray
    v_template: np.ndarray
    faces: np.ndarray
    shapedirs: np.ndarray
    posedirs: np.ndarray | None
    J_regressor: np.ndarray
    lbs_weights: np.ndarray
    landmarks: dict
    part_names: tuple = ()
    face_parts: np.ndarray | None = None
    J_template: np.ndarray = field(init=False, repr=False)
    J_shapedirs: np.ndarray = field(init=False, repr=False)

    def __post_init__(self):
        # Joints are linear in betas (SMPL eq. 10): regress them once, in double precision.
        regressor = np.asarray(self.J_regressor, np.float64)
        object.__setattr__(self, "J_template", regressor @ self.v_template)
        object.__setattr__(self, "J_shapedirs", np.einsum("jv,vcb->jcb", regressor, self.shapedirs))
        for value in vars(self).values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)

    @property
    def smpl_joint_indices(self):
        """Which joints play SMPL's 24, (24,): all of them, or for a body with fingers its own choice of hand joints."""
        names = [name if name in self.joint_names else HAND_JOINTS[name] for name in SMPL_JOINTS]
        return np.array([self.joint_names.index(name) for name in names])

    def rest_joints(self, betas):
        """Joints (J,3) m of the shape `betas` (at most B), at rest."""
        betas = np.asarray(betas, np.float64).ravel()
        return self.J_template + self.J_shapedirs[..., : len(betas)] @ betas

    def rest_vertices(self, betas):
        """Vertices (V,3) m of the shape `betas` (at most B), at rest. Source: Loper et al. 2015 (SMPL), eq. 8."""
        betas = np.asarray(betas, np.float64).ravel()
        return self.v_template + self.shapedirs[..., : len(betas)] @ betas

    def rest(self, betas):
        """Vertices (V,3) and joints (J,3) m of the shape `betas`, at rest."""
        return self.rest_vertices(betas), self.rest_joints(betas)


def load_body(source="open"):
    """The body that `source` names: "open", or the path of an SMPL-family .pkl or .npz.

    Nothing in the file is executed.

    Raises:
        ModelError: there is no such file, it is damaged, or it is not an SMPL-family body; the message says which.
    """
    path = model_file(OPEN_BODY) if source == "open" else Path(source)
    if not path.is_file():
        raise ModelError("body-file-not-found", "There is no body file {path}.", _REMEDY, path=path)
    if path.suffix.lower() not in (".npz", ".pkl"):
        raise ModelError(
            "body-file-format-unknown", "{name} is neither .pkl nor .npz, the formats body files come in.", _REMEDY, name=path.name
        )
    # By content, not by name: both kinds are passed around under the other's suffix.
    if zipfile.is_zipfile(path):
        content = read_numeric_npz(path, (*_KEYS, *_OPTIONAL, *_FOREIGN))
    else:
        content = read_model_pickle(path)
    return body_from_arrays(content, path.stem)


def body_from_arrays(content, name):
    """A BodyTemplate of the arrays in a body file, under SMPL's key names; raises ModelError where they do not fit."""
    _check_keys(content, name)
    arrays = {key: _numbers(content, key, name) for key in _KEYS}
    vertices, joints = arrays["v_template"].shape[0], arrays["kintree_table"].shape[-1]
    if joints not in FAMILIES:
        raise ModelError(
            "body-joint-count-wrong", "{name} has {count} joints; SMPL has 24, SMPL-H 52 and SMPL-X 55.", _REMEDY, name=name, count=joints
        )
    shapedirs = arrays["shapedirs"] if arrays["shapedirs"].ndim == 3 else arrays["shapedirs"][..., None]
    posedirs = _numbers(content, "posedirs", name) if "posedirs" in content else None
    expected = {
        "v_template": (vertices, 3),
        "f": (len(arrays["f"]), 3),
        "shapedirs": (vertices, 3, shapedirs.shape[-1]),
        "weights": (vertices, joints),
        "J_regressor": (joints, vertices),
        "kintree_table": (2, joints),
    }
    if posedirs is not None:
        expected["posedirs"] = (vertices, 3, 9 * (joints - 1))
    for key, shape in expected.items():
        found = {**arrays, "shapedirs": shapedirs, "posedirs": posedirs}[key]
        if found.shape != shape:
            raise ModelError(
                "body-array-shape-wrong",
                "{name} is damaged: {key} does not fit the {vertices} vertices and {joints} joints.",
                _REMEDY,
                name=name,
                key=key,
                vertices=vertices,
                joints=joints,
            )
    faces, parents = arrays["f"].astype(np.int64), arrays["kintree_table"][0].astype(np.int64)
    parents[0] = -1
    _check_topology(name, vertices, faces, parents, arrays["weights"])
    kind, joint_names = FAMILIES[joints]
    own = "landmark_names" in content
    v_template, weights = arrays["v_template"].astype(np.float32), arrays["weights"].astype(np.float32)
    parts = content.get("part")
    return BodyTemplate(
        name="open" if own else name,
        surface_model_type="open" if own else kind,
        gender=_gender(name),
        joint_names=joint_names,
        parents=parents,
        v_template=v_template,
        faces=faces,
        shapedirs=shapedirs[..., :NUM_BETAS].astype(np.float32),
        posedirs=posedirs.astype(np.float32) if posedirs is not None and posedirs.any() else None,
        J_regressor=arrays["J_regressor"].astype(np.float64),
        lbs_weights=weights,
        landmarks=_landmarks(content, v_template, weights, joint_names),
        part_names=tuple(str(part) for part in content.get("part_names", ())),
        face_parts=None if parts is None else np.asarray(parts, np.int64),
    )


# Keys that tell a file of another family apart.
_FOREIGN = {
    "skin_template_v": Message("skel-model-not-smpl", "a SKEL model, not an SMPL one"),
    "poses": Message("motion-not-body", "a motion, not a body"),
    "q": Message("skel-motion-not-body", "a SKEL motion, not a body"),
}


def _check_keys(content, name):
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


def _numbers(content, key, name):
    array = content[key]
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf":
        raise ModelError("body-array-not-numeric", "{name} is damaged: {key} does not hold numbers.", _REMEDY, name=name, key=key)
    if not np.isfinite(array).all():
        raise ModelError("body-array-not-finite", "{name} is damaged: {key} holds values that are not finite.", _REMEDY, name=name, key=key)
    return array


def _check_topology(name, vertices, faces, parents, weights):
    if faces.size and not (faces.min() >= 0 and faces.max() < vertices):
        raise ModelError("body-faces-wrong", "{name} is damaged: a face names a vertex that does not exist.", _REMEDY, name=name)
    if (parents[1:] >= np.arange(1, len(parents))).any() or (parents[1:] < 0).any():
        raise ModelError("body-tree-broken", "{name} is damaged: its joints do not form a tree.", _REMEDY, name=name)
    if weights.min() < -1e-4 or np.abs(weights.sum(1) - 1).max() > 1e-2:
        raise ModelError("body-weights-wrong", "{name} is damaged: the skin weights of a vertex do not sum to one.", _REMEDY, name=name)


def _landmarks(content, v_template, weights, joint_names):
    if "landmark_names" in content:
        return {str(name): int(vertex) for name, vertex in zip(content["landmark_names"], content["landmark_vertices"])}
    known = {6890: SMPL_VERTICES, 10475: SMPLX_VERTICES}.get(len(v_template), {})
    return {**find_landmarks(v_template, weights, joint_names), **known}


def _gender(name):
    words = name.lower().replace("-", "_").split("_")
    if "female" in words or "f" in words:
        return "female"
    return "male" if "male" in words or "m" in words else "neutral"
