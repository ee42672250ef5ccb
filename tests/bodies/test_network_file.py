"""Networks from files: weights survive a round trip; missing, damaged and wrong files raise errors; shipped ones are read once."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from blender_meshrec.bodies.network_file import load_network, load_weights, read_weights
from blender_meshrec.core.errors import ModelError


def network():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def floats(state):
    return {name: value.half() for name, value in state.items() if value.is_floating_point()}


def test_weights_survive_a_file_without_gradients(tmp_path):
    path, written = tmp_path / "a.safetensors", network()
    save_file(floats(written.state_dict()), path)
    read = load_weights(network().train(), read_weights(path), path, "a test network")
    assert not read.training and not any(parameter.requires_grad for parameter in read.parameters())
    assert torch.equal(read[0].weight, written[0].weight.half().float())


def test_missing_damaged_and_wrong_files_raise_model_errors(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(ModelError, match="is missing"):
        read_weights(path)
    path.write_bytes(b"no network")
    with pytest.raises(ModelError, match="is damaged"):
        read_weights(path)
    save_file(floats(nn.Linear(3, 4).state_dict()), path)
    with pytest.raises(ModelError, match="is not a test network"):
        load_weights(network(), read_weights(path), path, "a test network")


def test_a_shipped_network_is_read_once_per_device(tmp_path, monkeypatch):
    monkeypatch.setenv("MESHREC_MODELS", str(tmp_path))
    save_file(floats(network().state_dict()), tmp_path / "once.safetensors")
    paths = []

    def read(path):
        paths.append(path)
        return load_weights(network(), read_weights(path), path, "a test network")

    assert load_network(read, "once.safetensors") is load_network(read, "once.safetensors")
    assert paths == [tmp_path / "once.safetensors"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_damage(tmp_path, value):
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.tensor([1.0, value])}, path)
    with pytest.raises(ModelError, match="is damaged"):
        read_weights(path)
