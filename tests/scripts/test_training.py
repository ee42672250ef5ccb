"""Common parts of the trainings: interrupted trainings continue exactly, and exported weights are fp16 with credits."""

import json

import torch
from safetensors import safe_open

from scripts.train import weights_export
from scripts.train.checkpoint import Checkpoint, update_ema
from scripts.train.data.recordings import CREDIT


def trained(path, *ends):
    """A small network trained to the first of `ends`, restarted from its checkpoint and trained to the next; all its weights."""
    for end in ends:
        torch.manual_seed(0)
        network, mean = (torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2)) for _ in range(2))
        mean.load_state_dict(network.state_dict())
        optimiser = torch.optim.AdamW(network.parameters(), lr=0.05)
        state = Checkpoint(path, network=network, mean=mean, optimiser=optimiser)
        for step in range(state.step, end):
            batch = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
            loss = (network(batch) - batch[:, :2]).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            update_ema(mean, network, 0.9)
        state.save(end, best=end)
    return {**network.state_dict(), **{f"mean.{name}": value for name, value in mean.state_dict().items()}}


def test_interruption_does_not_change_the_result(tmp_path):
    whole, parts = trained(tmp_path / "whole.pt", 5), trained(tmp_path / "parts.pt", 2, 5)
    for name, value in whole.items():
        assert torch.equal(value, parts[name]), name
    assert not torch.equal(whole["0.weight"], whole["mean.0.weight"])


def test_checkpoint_restores_steps_seconds_and_values(tmp_path):
    module, path = torch.nn.Linear(2, 2), tmp_path / "state.pt"
    first = Checkpoint(path, network=module)
    assert first.step == 0 and first.others == {}
    first.save(7, best=(0.5, 3))
    torch.save({**torch.load(path, weights_only=True), "seconds": 100.0}, path)
    again = Checkpoint(path, network=module)
    assert again.step == 7 and again.others == {"best": (0.5, 3)} and again.seconds >= 100


def test_exported_weights_are_fp16_with_credits(tmp_path, monkeypatch):
    monkeypatch.setattr(weights_export, "MODELS_FOLDER", tmp_path)
    weights = {"a": torch.tensor([0.1, 2.0]), "a.num_batches_tracked": torch.tensor(9)}
    with safe_open(weights_export.export_weights("lifter", weights, 3), "pt") as file:
        assert list(file.keys()) == ["a"] and file.get_tensor("a").dtype == torch.float16
        assert file.metadata() == {"credit": CREDIT, "script": "scripts/train/lifter.py", "seed": "3"}
    weights_export.write_metrics("lifter", 3, {"steps": 5})
    report = json.loads((tmp_path / "lifter.metrics.json").read_text(encoding="utf-8"))
    assert report == {"script": "scripts/train/lifter.py", "seed": 3, "steps": 5, "credit": CREDIT}
