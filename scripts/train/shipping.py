"""What ships of a training: its weights, and beside them what they were trained on and how good they are."""

import json
from pathlib import Path

from safetensors.torch import save_file

from scripts.train.data.recordings import CREDIT

OUT = Path(__file__).resolve().parents[2] / "addon_models"


def write_network(name, weights, seed, part=""):
    """Write the weights (tensors by name) that are no counters as fp16 to addon_models/NAMEPART.safetensors; returns the path.

    name: the training's, scripts/train/NAME.py. part: where one training makes several networks.
    """
    path = OUT / f"{name}{part}.safetensors"
    halves = {key: value.half().cpu().contiguous() for key, value in weights.items() if value.is_floating_point()}
    save_file(halves, path, metadata={"credit": CREDIT, "script": f"scripts/train/{name}.py", "seed": str(seed)})
    path.chmod(0o644)
    return path


def write_metrics(name, seed, numbers):
    """Write what is to be known of a network to addon_models/NAME.metrics.json, and print it."""
    report = {"script": f"scripts/train/{name}.py", "seed": seed, **numbers, "credit": CREDIT}
    text = json.dumps(report, indent=2)
    (OUT / f"{name}.metrics.json").write_text(text + "\n", encoding="utf-8")
    print(text)
