"""Export of a training to addon_models/: the weights, and a metrics file with the training data and the errors."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from scripts import ROOT
from scripts.train.data.recordings import CREDIT

MODELS_FOLDER = ROOT / "addon_models"


def export_weights(name: str, weights: Mapping[str, torch.Tensor], seed: int, part: str = "") -> Path:
    """Write the floating-point weights, by name, as fp16 to addon_models/NAMEPART.safetensors; returns the path.

    name: of the training, scripts/train/NAME.py. part: suffix of the network, if a training makes several.
    """
    path = MODELS_FOLDER / f"{name}{part}.safetensors"
    halves = {key: value.half().cpu().contiguous() for key, value in weights.items() if value.is_floating_point()}
    save_file(halves, path, metadata={"credit": CREDIT, "script": f"scripts/train/{name}.py", "seed": str(seed)})
    path.chmod(0o644)
    return path


def export_best(name: str, state_path: Path, seed: int, numbers: Callable[[float], Mapping[str, Any]], left_out: str | None = None) -> None:
    """Export the network with the smallest validation error of a training's state, of `Checkpoint`, and its metrics.

    numbers: the metrics that are the training's own, of that error. left_out: how the names of weights begin that lie in another file.
    """
    state = torch.load(state_path, weights_only=True)
    error, step, best = state["best"]
    kept = {key: value for key, value in best.items() if left_out is None or not key.startswith(left_out)}
    export_weights(name, kept, seed)
    hours = round(state["seconds"] / 3600, 2)
    write_metrics(name, seed, {"steps": state["step"], "frozen_at_step": step, "training_hours": hours, **numbers(error)})


def write_metrics(name: str, seed: int, numbers: Mapping[str, Any]) -> None:
    """Write the metrics of a network to addon_models/NAME.metrics.json, and print them."""
    report = {"script": f"scripts/train/{name}.py", "seed": seed, **numbers, "credit": CREDIT}
    text = json.dumps(report, indent=2)
    (MODELS_FOLDER / f"{name}.metrics.json").write_text(text + "\n", encoding="utf-8")
    print(text)
