"""Measure methods/decomr_small.py, and write docs/decomr.md.

    .venv/bin/python -m scripts.evaluate.decomr MOCAP --state STATE.pt [--media FOLDER] [--ablation 400] [--out docs/decomr.md]

MOCAP is the folder of scripts/train/decomr.py, STATE.pt its checkpoint, whose rendered crops of test subjects are measured with the weights
of addon_models; they are rendered at the first call. --ablation trains short runs with one loss left out each. --media measures how far
the mesh covers people in clips of a folder, beside the default method. All numbers are kept in STATE.numbers.json, so that the parts can
be measured one at a time, and an interrupted ablation continues.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from blender_meshrec.backend.lifting.mesh_armature import MeshArmature
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.open_body_uv import open_body_uv
from blender_meshrec.bodies.uv_map import UvLayout, vertices_from_map
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.model_files import model_file
from blender_meshrec.methods.decomr_small import WEIGHTS_FILE, DecomrSmall, StartPose, read_decomr
from blender_meshrec.methods.hkmr import MirrorAverage, load_hkmr
from blender_meshrec.methods.hmr import load_hmr
from scripts import ROOT
from scripts.evaluate.decomr_calibrated import measure_calibrated
from scripts.evaluate.decomr_coverage import measure_coverage
from scripts.train.data.corresponding_crops import CropArrays
from scripts.train.data.recordings import CREDIT, TEST_SUBJECTS
from scripts.train.decomr import (
    BATCH,
    LEARNING_RATE,
    WARM_UP_STEPS,
    crops_folder,
    load_crops,
    make_batch,
    new_network,
    train_step,
    vertex_errors,
)
from scripts.train.decomr_losses import LOSS_WEIGHTS, DecomrLosses, part_weights
from scripts.train.optimisation import cosine_learning_rate, optimise

PARTS = {1.0: "trunk", 2.0: "neck and head", 5.0: "arms and legs", 25.0: "hands and feet"}
EQUAL_PARTS = "part weights 1 : 2 : 5 : 25"
FIRST_STAGE = 0.1  # of the steps of a short run
Numbers = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path, help="folder of the motion capture")
    parser.add_argument("--state", type=Path, required=True, help="checkpoint of scripts/train/decomr.py")
    parser.add_argument("--media", type=Path, help="folder of clips with people")
    parser.add_argument("--ablation", type=int, metavar="STEPS", help="steps of each short run")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "decomr.md")
    parser.add_argument("--seed", type=int, default=1)
    settings = parser.parse_args(arguments)
    torch.set_num_threads(1)
    kept = settings.state.with_suffix(".numbers.json")
    numbers: Numbers = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    pool = load_crops(settings.mocap, settings.state, settings.seed, "test")
    layout, start = open_body_uv(), StartPose(MirrorAverage(load_hkmr()))
    measured = read_decomr(model_file(WEIGHTS_FILE)), pool, crops_folder(settings.state, "test"), layout, start
    numbers["test"], numbers["calibrated"] = measure_test(*measured), measure_calibrated(*measured)
    kept.write_text(json.dumps(numbers, indent=1), encoding="utf-8")
    if settings.ablation:
        training = load_crops(settings.mocap, settings.state, settings.seed, "train")
        rows = numbers.setdefault("ablation", {})
        for name in ("", *LOSS_WEIGHTS, EQUAL_PARTS):
            if name not in rows or rows[name]["steps"] != settings.ablation:
                network = train_short(training, layout, start, name, settings.ablation, settings.seed)
                errors = vertex_errors(network, pool, crops_folder(settings.state, "test"), layout, start)
                rows[name] = {"steps": settings.ablation, **summary(errors), **correspondence_errors(network, pool, start)}
                print(name or "all losses", rows[name], flush=True)
                kept.write_text(json.dumps(numbers, indent=1), encoding="utf-8")
    if settings.media:
        numbers["clips"] = {**numbers.get("clips", {}), **measure_coverage(settings.media)}
        kept.write_text(json.dumps(numbers, indent=1), encoding="utf-8")
    settings.out.write_text(page(numbers), encoding="utf-8")
    print(f"wrote {settings.out}")


@torch.no_grad()
def measure_test(network: DecomrSmall, pool: CropArrays, folder: Path, layout: UvLayout, start: StartPose) -> Numbers:
    """Vertex errors on test crops: all, whole or cut off, by part; and those of the armature that DIK makes of the mesh."""
    body = make_body(load_body())
    armature, weights, hmr = MeshArmature(body), part_weights(body.template), StartPose(load_hmr())
    vertices = np.load(folder / "vertices.npy", mmap_mode="r")
    by_vertex, posed, begun, of_hmr, blind = (list[torch.Tensor]() for _ in range(5))
    for rows in np.array_split(np.arange(len(pool.images)), -(-len(pool.images) // BATCH)):
        crops, _truth = make_batch(np.random.default_rng([0, int(rows[0])]), pool, rows, start)
        found = vertices_from_map(network.eval()(crops).location_map, layout)
        true = torch.as_tensor(vertices[rows].astype(np.float32))
        unseen = network(crops._replace(images=torch.zeros_like(crops.images))).location_map
        maps = crops.start_map, hmr(crops.points)[0], unseen
        for each, values in zip(maps, (begun, of_hmr, blind)):
            values.append((vertices_from_map(each, layout) - true).norm(dim=-1).mean(1))
        by_vertex.append((found - true).norm(dim=-1))
        rotmats, betas = armature(found)
        joints, mesh = body(betas, rotmats[:, 0], rotmats[:, 1:])
        hip = (joints[:, 1:2] + joints[:, 2:3]) / 2
        posed.append((mesh - hip - true).norm(dim=-1).mean(1))
    errors = torch.cat(by_vertex)
    whole = torch.as_tensor(pool.points[..., 2].mean(1) > 1 - 1e-6)
    return {
        "crops": len(errors),
        "subjects": list(TEST_SUBJECTS),
        "all": summary(errors.mean(1)),
        "whole": summary(errors[whole].mean(1)),
        "cut off": summary(errors[~whole].mean(1)),
        "hmr": summary(torch.cat(of_hmr)),
        "start": summary(torch.cat(begun)),
        "without the picture": summary(torch.cat(blind)),
        "armature": summary(torch.cat(posed)),
        "parts": {name: summary(errors[:, weights == weight].mean(1)) for weight, name in PARTS.items()},
        **correspondence_errors(network, pool, start),
    }


@torch.no_grad()
def correspondence_errors(network: DecomrSmall, pool: CropArrays, start: StartPose) -> dict[str, float]:
    """CNet's intersection over union of the mask, and its mean error of u and v inside, texels of 64."""
    both = either = shown = distance = 0.0
    for rows in np.array_split(np.arange(len(pool.images)), -(-len(pool.images) // BATCH)):
        crops, truth = make_batch(np.random.default_rng([0, int(rows[0])]), pool, rows, start)
        iuv = network.eval().correspondence(crops)
        mask, true = iuv[:, 0] > 0.5, truth.iuv[:, 0] > 0.5
        both, either = both + int((mask & true).sum()), either + int((mask | true).sum())
        error = (iuv[:, 1:] - truth.iuv[:, 1:]).norm(dim=1) * 63
        distance, shown = distance + float(error[true].sum()), shown + int(true.sum())
    return {"mask_iou": round(both / max(either, 1), 3), "uv_texels": round(distance / max(shown, 1), 2)}


def summary(errors: torch.Tensor) -> dict[str, float]:
    """Mean, median and 90th percentile, mm, of errors (N,) m."""
    values = 1000 * errors.numpy()
    return {
        "mean": round(float(values.mean()), 1),
        "median": round(float(np.median(values)), 1),
        "p90": round(float(np.quantile(values, 0.9)), 1),
    }


def train_short(pool: CropArrays, layout: UvLayout, start: StartPose, left_out: str, steps: int, seed: int) -> DecomrSmall:
    """A network trained for some steps without one loss, "" for none; the last tenth of the steps has the smallest rates."""
    torch.manual_seed(seed)
    losses = DecomrLosses(make_body(load_body()), layout, by_part=left_out != EQUAL_PARTS)
    weights = {**LOSS_WEIGHTS, **({left_out: 0.0} if left_out in LOSS_WEIGHTS else {})}
    network = new_network().train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=1e-3)
    for step in range(steps):
        rng = np.random.default_rng([seed, 3, step])
        optimiser.param_groups[0]["lr"] = cosine_learning_rate(step, steps, LEARNING_RATE, WARM_UP_STEPS // 2)
        batch = make_batch(rng, pool, rng.choice(len(pool.images), BATCH, replace=False), start)
        loss, _terms = train_step(network, losses, batch, weights, step < FIRST_STAGE * steps)
        optimise(optimiser, loss, network, 5.0)
    return network


# --- the page ---------------------------------------------------------------------------------------------------------


def page(numbers: Numbers) -> str:
    """docs/decomr.md."""
    metrics = json.loads((ROOT / "addon_models" / "decomr.metrics.json").read_text(encoding="utf-8"))
    parts = [introduction(numbers["test"], metrics), test_table(numbers["test"]), calibrated_table(numbers["calibrated"])]
    if "clips" in numbers:
        parts.append(clips_table(numbers["clips"]))
    if "ablation" in numbers:
        parts.append(ablation_table(numbers["ablation"]))
    else:
        parts.append("## Losses left out one by one\n\nNot measured for these weights: `--ablation STEPS` does it.")
    return "\n\n".join([*parts, CREDIT]) + "\n"


def introduction(test: Numbers, metrics: Numbers) -> str:
    """What was trained, and on what it is measured."""
    return f"""# DecoMR: accuracy and ablation

Made by `scripts/evaluate/decomr.py`. `--method decomr` without a released checkpoint runs a small DecoMR that was trained here
(`scripts/train/decomr.py`, {metrics["steps"]} steps of {BATCH} crops) on pictures of the open body: random shapes, clothes, light and
places, cut off by the picture's edge or hidden in part, all rendered. Besides the picture it sees the detector's 17 joints, and starts from
the mesh that HKMR (`methods/hkmr.py`) regresses from them; the person's mask is no input, CNet estimates it.

It is measured on {test["crops"]} rendered crops of the motion-capture subjects {", ".join(test["subjects"])}, which it was not trained on,
with simulated noise of the joints. Errors are mean distances of corresponding vertices relative to the hip, without alignment.
The location map of 64 x 64 texels by itself costs 4 mm: that is the error of a true map."""


def test_table(test: Numbers) -> str:
    """The errors on rendered crops."""
    rows = {
        "HMR's generator, from joints alone": test["hmr"], "the start: HKMR, from joints alone": test["start"],
        "all crops, with the picture blackened": test["without the picture"], "all crops": test["all"],
        "the whole person in the picture": test["whole"], "cut off by the picture's edge": test["cut off"],
        **{f"all crops, {name}": row for name, row in test["parts"].items()},
        "all crops, the mesh of the armature (DIK, betas)": test["armature"],
    }  # fmt: skip
    lines = [f"| {name} | {row['mean']} | {row['median']} | {row['p90']} |" for name, row in rows.items()]
    head = "## Vertex error on held-out renders\n\n| | mean, mm | median, mm | 90th percentile, mm |\n|---|---:|---:|---:|\n"
    correspondence = (
        f"\n\nCNet's mask covers the visible person with an intersection over union of {test['mask_iou']} at 32 x 32 px; "
        f"its u and v are {test['uv_texels']} texels of 64 off on average. Most of what is gained on HMR is its start's; what is seen in "
        f"the picture itself brings {test['without the picture']['mean'] - test['all']['mean']:.1f} mm."
    )
    return head + "\n".join(lines) + correspondence


def calibrated_table(rows: Mapping[str, Sequence[float]]) -> str:
    """PC-HMR over several generators."""
    text = """## PC-HMR over either

On the same crops, each as a clip of one frame 4 m away: the lifter of PC-HMR sees no other frame here, and half of a person where the
picture's edge cuts them off, so that calibration does harm. Whole clips are measured in [PC-HMR](pc_hmr.md), from the meshes of HMR.

| generator | by itself: MPVE, PA-MPJPE, mm | calibrated by PC-HMR: MPVE, PA-MPJPE, mm |
|---|---:|---:|
"""
    names = [name for name in rows if not name.endswith(" calibrated")]
    cells = ((name, *(", ".join(f"{value:.1f}" for value in rows[key]) for key in (name, f"{name} calibrated"))) for name in names)
    return text + "\n".join(f"| {' | '.join(row)} |" for row in cells)


def clips_table(clips: Mapping[str, Mapping[str, float]]) -> str:
    """How far meshes cover people in real footage."""
    text = """## Does the mesh lie on the person?

Intersection over union of the mesh's silhouette with the detector's, mean over the frames that have one. *By itself*: DecoMR's mesh,
each frame alone, by its own camera. *Fitted*: the body that is fitted to its joints, refined by silhouettes, where the whole-clip solve
begins. *Default*: the same with `--method auto`.

| clip | frames | by itself | fitted | default | by itself / default |
|---|---:|---:|---:|---:|---:|
"""
    lines, low = list[str](), list[str]()
    for name, row in clips.items():
        ratio = row["alone"] / max(row["default"], 1e-6)
        fitted = f"{row['fitted']:.3f}" if "fitted" in row else "not measured"
        lines.append(f"| {name} | {row['frames']:.0f} | {row['alone']:.3f} | {fitted} | {row['default']:.3f} | {ratio:.2f} |")
        if ratio < 0.75:
            low.append(name)
    note = f"\n\nBelow 0.75 of the default method: {', '.join(low)}." if low else "\n\nNo clip is below 0.75 of the default method."
    return text + "\n".join(lines) + note


def ablation_table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Short runs with one loss left out each."""
    full = rows[""]
    text = f"""## Losses left out one by one

Runs of {full["steps"]} steps of {BATCH} crops from the same start with the same crops: far too short for a good network, and short
enough that a difference of a few millimetres is chance. Test crops as above.

| left out | vertex error, mean, mm | difference, mm | mask IoU | error of u and v, texels |
|---|---:|---:|---:|---:|
"""
    lines = [
        f"| {name or 'nothing'} | {row['mean']} | {row['mean'] - full['mean']:+.1f} | {row['mask_iou']} | {row['uv_texels']} |"
        for name, row in rows.items()
    ]
    return text + "\n".join(lines)


if __name__ == "__main__":
    main()
