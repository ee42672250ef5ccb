"""A SKEL body at rest: the open one, or a `skel_male.pkl` / `skel_female.pkl` (1.1.1) that a user brings; nothing is executed.

The open body is a plain .npz of the same keys: arrays dense, lists of names as arrays of text, `version` the text "1.1.1".
V skin vertices, N bone vertices; y up, facing +z, metres.

| key | shape | what it is here |
|---|---|---|
| version | | "1.1.1" |
| bone_names, joints_name, pose_params_name | 24, 24, 46 | `SKEL_JOINTS`, the same, `DOF_NAMES`, in this order |
| skin_template_v, skin_template_f | (V,3), (T,3) | the skin at rest in T pose |
| shapedirs | (V,3,>=10) | the first ten are used |
| posedirs | (V,3,207) | corrections by the rotations of SMPL's joints 1 to 23 |
| J_regressor | (24,V) | SMPL's joints from the skin |
| J_regressor_osim | (24,V) | SKEL's joints from the skin at rest |
| skin_weights | (V,24) | rows sum to 1 |
| per_joint_rot | (24,3,3) | each bone's frame in the body, for betas = 0: body_from_bone |
| apose_rel_transfo | (24,4,4) | 3x3: Ra, which turns the axes; last column: the joint seen from its parent, in the parent's frame |
| osim_kintree_table | (2,24) | `SKEL_PARENTS` over 0..23 |
| skel_template_v, skel_template_f | (N,3), (M,3) | the bones' meshes, each in its own bone's frame with the joint at 0 |
| skel_weights, skel_weights_rigid | (N,24) | how bone meshes follow the joints; which bone each vertex belongs to |
| skel_shapedirs | (N,3,10) | not in real files: how the bones' meshes follow the betas |
| parameter_mapping, tpose_transfo, apose_transfo | (2,46), (24,4,4), (24,4,4) | present, not used |

For betas = 0 a body made here should keep the bone frames it was made with (K = per_joint_rot, core/skel/kinematics). The last
columns of apose_rel_transfo decide that; `make_apose_rel_transfo` computes them.
"""

import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import ModelError
from ..files.model_files import model_file
from ..files.safe_npz import read_numeric_npz
from ..files.safe_pickle import read_model_pickle
from ..messages import Message
from .kinematics import BONE_SIZE_SUMS, FILE_DIRECTION_SUMS, bone_orientations, bone_scales, joint_offsets
from .vocabulary import DOF_NAMES, SKEL_JOINTS, SKEL_PARENTS

OPEN_SKEL = "open_skel.npz"
SKEL_VERSION = "1.1.1"
NUM_BETAS = 10
_REMEDY = "Choose skel_male.pkl or skel_female.pkl, version 1.1.1, as SKEL's official site delivers them, or `open`."
_BONE_SHAPEDIRS_KEY = "skel_shapedirs"
_TEXT_KEYS = ("version", "bone_names", "joints_name", "pose_params_name")
# Shapes by letters that must agree: V skin vertices, N bone vertices, T and M their faces, S shapes (10 or more).
_SHAPES = {
    "skin_template_v": ("V", 3), "skin_template_f": ("T", 3), "shapedirs": ("V", 3, "S"), "posedirs": ("V", 3, 207),
    "J_regressor": (24, "V"), "J_regressor_osim": (24, "V"), "skin_weights": ("V", 24), "per_joint_rot": (24, 3, 3),
    "apose_rel_transfo": (24, 4, 4), "apose_transfo": (24, 4, 4), "tpose_transfo": (24, 4, 4), "osim_kintree_table": (2, 24),
    "parameter_mapping": (2, 46), "skel_template_v": ("N", 3), "skel_template_f": ("M", 3), "skel_weights": ("N", 24),
    "skel_weights_rigid": ("N", 24),
}  # fmt: skip
REQUIRED_KEYS = (*_TEXT_KEYS, *_SHAPES)


@dataclass(frozen=True)
class SkelTemplate:
    """A SKEL body of V skin vertices and N bone vertices at rest: y up, facing +z, metres.

    kind: "open" or "skel", as motion files have it. gender: male, female or neutral. v_template: (V,3). faces: (T,3).
    shapedirs: (V,3,10). posedirs: (V,3,207), or None where it is all zeros. lbs_weights: (V,24). J_regressor: (24,V), of SMPL's
    joints. J_regressor_osim: (24,V), of SKEL's. per_joint_rot: (24,3,3). apose_rel_transfo: (24,4,4).
    bone_template: (N,3), in the bones' own frames. bone_faces: (M,3). bone_weights: (N,24). bone_of_vertex: (N,) which joint.
    bone_shapedirs: (N,3,10) in the body's axes at rest, how the bones follow the betas; None where they are scaled to their joints.
    """

    name: str
    kind: str
    gender: str
    v_template: np.ndarray
    faces: np.ndarray
    shapedirs: np.ndarray
    posedirs: np.ndarray | None
    lbs_weights: np.ndarray
    J_regressor: np.ndarray
    J_regressor_osim: np.ndarray
    per_joint_rot: np.ndarray
    apose_rel_transfo: np.ndarray
    bone_template: np.ndarray
    bone_faces: np.ndarray
    bone_weights: np.ndarray
    bone_of_vertex: np.ndarray
    bone_shapedirs: np.ndarray | None = None
    J_template: np.ndarray = field(init=False, repr=False)
    J_shapedirs: np.ndarray = field(init=False, repr=False)

    def __post_init__(self):
        object.__setattr__(self, "J_template", self.J_regressor_osim @ self.v_template)
        object.__setattr__(self, "J_shapedirs", np.einsum("jv,vcb->jcb", self.J_regressor_osim, self.shapedirs))
        for value in vars(self).values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)

    joint_names = SKEL_JOINTS
    parents = SKEL_PARENTS

    def rest_joints(self, betas):
        """Joints (24,3) m of the shape `betas` (at most 10), at rest."""
        betas = np.asarray(betas, np.float64).ravel()
        return self.J_template + self.J_shapedirs[..., : len(betas)] @ betas

    def rest_vertices(self, betas):
        """Skin (V,3) m of the shape `betas` (at most 10), at rest."""
        betas = np.asarray(betas, np.float64).ravel()
        return self.v_template + self.shapedirs[..., : len(betas)] @ betas

    def bone_orientations(self, betas):
        """K (24,3,3): body_from_bone at rest, of the shape `betas`."""
        return bone_orientations(self.rest_joints(betas), self.per_joint_rot, self.apose_rel_transfo)

    def bone_frames(self, betas):
        """K Ra^T (24,3,3): the axes that the angles turn about, in the body's axes at rest; the columns are front, up, right."""
        return self.bone_orientations(betas) @ np.swapaxes(self.apose_rel_transfo[:, :3, :3], -1, -2)

    def rest_bone_vertices(self, betas):
        """Bone meshes (N,3) m in the body at rest: scaled, turned and set at their joints, or shaped where the file says how."""
        if self.bone_shapedirs is not None:
            betas = np.asarray(betas, np.float64).ravel()
            return self._placed_bones(np.zeros(NUM_BETAS)) + self.bone_shapedirs[..., : len(betas)] @ betas
        return self._placed_bones(betas)

    def _placed_bones(self, betas):
        joints = self.rest_joints(betas)
        turned = bone_scales(joints, self.apose_rel_transfo)[:, None, None] * self.bone_orientations(betas)
        owner = self.bone_of_vertex
        return np.einsum("nab,nb->na", turned[owner], self.bone_template) + joints[owner]


def load_skel(source="open"):
    """The SKEL body that `source` names: "open", or the path of a skel_male.pkl, skel_female.pkl or .npz of the same keys.

    Raises:
        ModelError: there is no such file, it is damaged, of another version, or no SKEL file; the message says which.
    """
    path = model_file(OPEN_SKEL) if source == "open" else Path(source)
    if not path.is_file():
        raise ModelError("skel-file-not-found", "There is no SKEL file {path}.", _REMEDY, path=path)
    if path.suffix.lower() not in (".npz", ".pkl"):
        raise ModelError(
            "skel-file-format-unknown", "{name} is neither .pkl nor .npz, the formats SKEL files come in.", _REMEDY, name=path.name
        )
    # By content, not by name: both kinds are passed around under the other's suffix.
    content = (
        read_numeric_npz(path, (*REQUIRED_KEYS, _BONE_SHAPEDIRS_KEY, *_FOREIGN)) if zipfile.is_zipfile(path) else read_model_pickle(path)
    )
    return skel_from_arrays(content, path.stem, "open" if path.name == OPEN_SKEL else "skel")


def skel_from_arrays(content, name, kind="skel"):
    """A SkelTemplate of what a SKEL file holds, by its key names; raises ModelError where that does not fit."""
    _check_keys(content, name)
    arrays = _checked_arrays(content, name)
    faces, bone_faces = arrays["skin_template_f"].astype(np.int64), arrays["skel_template_f"].astype(np.int64)
    _check_topology(name, arrays, faces, bone_faces)
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
        bone_shapedirs=_bone_shapedirs(content, arrays, name),
    )


def _bone_shapedirs(content, arrays, name):
    """The open body's own key: how its bone meshes follow the betas, (N,3,10); None in real files."""
    shapes = content.get(_BONE_SHAPEDIRS_KEY)
    if shapes is None:
        return None
    if shapes.shape != (len(arrays["skel_template_v"]), 3, NUM_BETAS) or not np.isfinite(shapes).all():
        raise ModelError(
            "skel-bone-shapes-wrong",
            "{name} is damaged: {key} does not fit its bones.",
            _REMEDY,
            name=name,
            key=_BONE_SHAPEDIRS_KEY,
        )
    return shapes.astype(np.float32)


def make_apose_rel_transfo(per_joint_rot, rest_joints, bone_frames):
    """The apose_rel_transfo (24,4,4) of a new body: for betas = 0 its K is per_joint_rot, its K Ra^T is bone_frames, its bones' scale 1.

    Args:
        per_joint_rot, bone_frames: (24,3,3), rotations. rest_joints: (24,3) m, at betas = 0.
    """
    steps, joint = joint_offsets(rest_joints), SKEL_JOINTS.index
    seen = np.einsum("jba,jb->ja", per_joint_rot[np.maximum(SKEL_PARENTS, 0)], steps)
    seen[0] = 0
    # Where the layer reads a direction otherwise than from one child: the thorax lies along its own offset, the ulna towards the hand.
    thorax, head = joint("thorax"), joint("head")
    along = steps[thorax] / np.linalg.norm(steps[thorax])
    seen[head] = per_joint_rot[thorax].T @ along * np.linalg.norm(steps[head])
    for side in "rl":
        ulna, radius, hand = (joint(f"{bone}_{side}") for bone in ("ulna", "radius", "hand"))
        seen[radius] = per_joint_rot[ulna].T @ (steps[radius] + steps[hand]) - seen[hand]
    transfo = np.tile(np.eye(4), (24, 1, 1))
    transfo[:, :3, :3] = np.swapaxes(bone_frames, -1, -2) @ per_joint_rot
    transfo[:, :3, 3] = seen
    return transfo


# Keys that tell a file of another family apart.
_FOREIGN = {
    "v_template": Message("smpl-body-not-skel", "an SMPL-family body, not a SKEL one"),
    "poses": Message("motion-not-skel-body", "a motion, not a SKEL body"),
    "q": Message("skel-motion-not-skel-body", "a SKEL motion, not a SKEL body"),
}
_UNKNOWN = Message("not-skel-body", "not a SKEL body")


def _check_keys(content, name):
    missing = [key for key in REQUIRED_KEYS if key not in content]
    if len(missing) > len(REQUIRED_KEYS) / 2:
        what = next((what for key, what in _FOREIGN.items() if key in content), _UNKNOWN)
        raise ModelError("skel-file-of-another-kind", "{name} is {what}.", _REMEDY, name=name, what=what)
    if "version" in content and _text_tuple(content["version"]) != (SKEL_VERSION,):
        found = " ".join(_text_tuple(content["version"])) or "unknown"
        raise ModelError(
            "skel-file-version-unknown",
            "{name} is version {found} of SKEL's files; this software reads version {known}.",
            _REMEDY,
            name=name,
            found=found[:20],
            known=SKEL_VERSION,
        )
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


def _text_tuple(value):
    """A text, or a list or array of texts, as a tuple of them; empty where it is neither."""
    if isinstance(value, np.ndarray):
        value = value.ravel().tolist()
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        return ()
    return tuple(items)


def _checked_arrays(content, name):
    """The arrays of a file, of numbers that are finite, in shapes that agree with each other."""
    sizes = {}
    for key, shape in _SHAPES.items():
        array = content[key]
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf":
            raise ModelError("skel-array-not-numeric", "{name} is damaged: {key} does not hold numbers.", _REMEDY, name=name, key=key)
        agree = array.ndim == len(shape) and all(
            length == (sizes.setdefault(letter, length) if isinstance(letter, str) else letter)
            for length, letter in zip(array.shape, shape)
        )
        if not agree or (key == "shapedirs" and array.shape[-1] < NUM_BETAS):
            expected = " x ".join(str(sizes.get(letter, letter)) for letter in shape)
            found = " x ".join(str(length) for length in array.shape)
            raise ModelError(
                "skel-array-shape-wrong",
                "{name} is damaged: {key} has the shape {what}, not {expected}.",
                _REMEDY,
                name=name,
                key=key,
                what=found or "of one number",
                expected=expected,
            )
        if not np.isfinite(array).all():
            raise ModelError(
                "skel-array-not-finite", "{name} is damaged: {key} holds values that are not finite.", _REMEDY, name=name, key=key
            )
    return {key: content[key] for key in _SHAPES}


def _check_topology(name, arrays, faces, bone_faces):
    for mesh, vertices, what in ((faces, "skin_template_v", "the skin"), (bone_faces, "skel_template_v", "the bones")):
        if mesh.size and not (mesh.min() >= 0 and mesh.max() < len(arrays[vertices])):
            raise ModelError(
                "skel-faces-wrong", "{name} is damaged: a face of {what} names a vertex that does not exist.", _REMEDY, name=name, what=what
            )
    parents = arrays["osim_kintree_table"][0]
    if not np.array_equal(parents[1:], SKEL_PARENTS[1:]):
        raise ModelError("skel-bones-misconnected", "{name} does not connect SKEL's bones as they should be.", _REMEDY, name=name)
    for key in ("skin_weights", "skel_weights"):
        if arrays[key].min(initial=0) < -1e-4 or np.abs(arrays[key].sum(1) - 1).max(initial=0) > 0.05:
            raise ModelError("skel-weights-wrong", "{name} is damaged: {key} of a vertex do not sum to one.", _REMEDY, name=name, key=key)
    columns = arrays["apose_rel_transfo"][:, :3, 3]
    aligned = FILE_DIRECTION_SUMS.any(1)
    lengths = np.concatenate(
        [np.linalg.norm(FILE_DIRECTION_SUMS[aligned] @ columns, axis=-1), np.linalg.norm(BONE_SIZE_SUMS @ columns, axis=-1)]
    )
    if lengths.min() < 1e-6:
        raise ModelError("skel-bone-without-length", "{name} is damaged: apose_rel_transfo holds a bone of no length.", _REMEDY, name=name)
