"""Networks from files: what was written comes back, and what is missing, damaged or another network's is said so."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from blender_meshrec.bodies.network_file import load_weights, read_weights
from blender_meshrec.core.errors import ModelError


def network():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def floats(state):
    return {name: value.half() for name, value in state.items() if value.is_floating_point()}


def test_weights_come_back_and_are_not_trained(tmp_path):
    path, written = tmp_path / "a.safetensors", network()
    save_file(floats(written.state_dict()), path)
    read = load_weights(network().train(), read_weights(path), path, "a test network")
    assert not read.training and not any(parameter.requires_grad for parameter in read.parameters())
    assert torch.equal(read[0].weight, written[0].weight.half().float())


def test_missing_damaged_and_other_files_are_model_errors(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(ModelError, match="is missing"):
        read_weights(path)
    path.write_bytes(b"no network")
    with pytest.raises(ModelError, match="is damaged"):
        read_weights(path)
    save_file(floats(nn.Linear(3, 4).state_dict()), path)
    with pytest.raises(ModelError, match="is not a test network"):
        load_weights(network(), read_weights(path), path, "a test network")
