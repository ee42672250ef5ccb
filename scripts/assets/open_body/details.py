"""Make addon_models/open_body_details.npz: the open body's texture coordinates, and the shapes of an average woman and an average man.

    python -m scripts.assets.open_body.details [--out FILE] [--adults 60] [--seed 1]

Needs anny 0.6.2 (with torch), as make.py, and the open body itself. Adults are drawn as make.py draws them and posed as it poses them;
each one's betas are the least-squares fit of the open body to their vertices, and a start is the mean of the women's or of the men's.
Afterwards put the printed sha256 into addon_models/weights.toml.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from blender_meshrec.core.array_types import AnyArray, FloatArray
from blender_meshrec.core.files.body_template import BodyTemplate, load_body
from scripts.assets.open_body.make import LICENCE, OPEN_BODY, SOURCE, draw_adults, write_npz
from scripts.assets.open_body.posing import to_t_pose
from scripts.assets.open_body.shape import centre_on_pelvis

OUT = OPEN_BODY.with_name("open_body_details.npz")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--adults", type=int, default=60, help="how many adults the starts are the means of")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="keep the drawn adults in this file, and use it if it is there")
    settings = parser.parse_args(arguments)
    write_npz(make_details(draw_adults(settings.adults, settings.seed, settings.cache), load_body("open")), settings.out)


def make_details(adults: Mapping[str, AnyArray], body: BodyTemplate) -> dict[str, AnyArray]:
    """All arrays of the file. adults: of `anny_adults.sample_adults`.

    Raises:
        ValueError: the adults' faces are not those of the body.
    """
    if not np.array_equal(adults["faces"], body.faces):
        raise ValueError("the adults have other faces than the open body: make both with the same version of anny")
    betas = fit_adults(adults, body)
    female = adults["female"]
    starts = np.stack([betas[female].mean(0), betas[~female].mean(0)])
    print("starts, female and male:", starts.round(2).tolist())
    return {
        "vt": adults["vt"].astype(np.float32),
        "ft": adults["ft"].astype(np.int32),
        "start_names": np.array(["female", "male"]),
        "start_betas": starts.astype(np.float32),
        "licence": np.array(LICENCE),
        "source": np.array(SOURCE.replace("make.py", "details.py")),
    }


def fit_adults(adults: Mapping[str, AnyArray], body: BodyTemplate) -> FloatArray:
    """The betas (S,10) with which the open body is nearest to each adult in T-pose."""
    posed, bone_heads, _ = to_t_pose(adults)
    vertices, _ = centre_on_pelvis(posed, bone_heads, adults["bone_names"], adults["mirror"])
    offsets = (vertices - body.v_template).reshape(len(vertices), -1)
    return np.linalg.lstsq(body.shapedirs.astype(float).reshape(offsets.shape[1], -1), offsets.T, rcond=None)[0].T


if __name__ == "__main__":
    main()
