"""The rows of HKMR's ablation: chains and heads trained for a few steps on the features of a trained encoder."""

import argparse
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch

from blender_meshrec.methods.hkmr import Conditioning, Hkmr, HkmrConfig
from scripts.train.checkpoint import Checkpoint, update_ema
from scripts.train.hkmr import EMA_KEEP, LOSS_WEIGHTS, WARM_UP_STEPS, make_trainer
from scripts.train.optimisation import cosine_learning_rate, optimise, sum_losses

SAVE_INTERVAL = 100  # steps
LEARNING_RATE = 1e-3  # of chains and heads that start anew, for few steps


@dataclass(frozen=True)
class Row:
    """A row of the table: its text, what joints are conditioned on, and whether the prior and model fitting are used."""

    text: str
    conditioning: Conditioning = "full"
    prior: bool = True
    fitting: bool = True


ROWS = {
    "full": Row("full"),
    "forward": Row("forward passes only", "forward"),
    "parent": Row("forward passes, conditioned on the parent only", "parent"),
    "no prior": Row("without the VAE prior", prior=False),
    "no fitting": Row("without model fitting in the loop", fitting=False),
}


def load_or_train_row(settings: argparse.Namespace, name: str, trained: Hkmr) -> Hkmr | None:
    """The network of a row, from FOLDER/ablation NAME.pt as far as it is trained; None where it is not, and training is not asked for.

    settings: mocap, state (a folder), steps, seed and ablation, of scripts/evaluate/hkmr.py.
    """
    path, row = settings.state / f"ablation {name}.pt", ROWS[name]
    if not (settings.ablation or path.exists()):
        return None
    torch.manual_seed(settings.seed)
    network = Hkmr(encoder=deepcopy(trained.encoder).requires_grad_(False), config=HkmrConfig(conditioning=row.conditioning))
    mean = deepcopy(network)
    learning = [value for value in network.parameters() if value.requires_grad]
    optimiser = torch.optim.Adam(learning, lr=LEARNING_RATE)
    state = Checkpoint(path, network=network, mean=mean, optimiser=optimiser)
    if settings.ablation and state.step < settings.steps:
        trainer = make_trainer(argparse.Namespace(**{**vars(settings), "state": settings.state / "hkmr.pt"}))
        trainer.prior = trainer.prior if row.prior else None
        for step in range(state.step, settings.steps):
            optimiser.param_groups[0]["lr"] = cosine_learning_rate(step, settings.steps, LEARNING_RATE, WARM_UP_STEPS)
            network.train().encoder.eval()
            terms = trainer.losses(network, np.random.default_rng([settings.seed, 5, step]), row.fitting)
            optimise(optimiser, sum_losses(LOSS_WEIGHTS[key] * term for key, term in terms.items()), network, 5.0)
            update_ema(mean, network, min(EMA_KEEP, (step + 1) / (step + 10)))
            if (step + 1) % SAVE_INTERVAL == 0 or step + 1 == settings.steps:
                state.save(step + 1)
    return mean.eval().requires_grad_(False)
