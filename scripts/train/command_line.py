"""The common command line of the training scripts: motion capture, checkpoint, schedule and device."""

import argparse
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

OPTIONS: dict[str, dict[str, Any]] = {
    "--state": {"type": Path, "help": "checkpoint to go on from and to write"},
    "--width": {"type": int, "help": "channels of the network"},
    "--device": {"default": "cpu"},
    "--export": {"action": "store_true", "help": "write the network to addon_models/"},
    "--note": {"default": "", "help": "what else is to be known of the exported weights"},
    "--evaluate": {"type": Path, "metavar": "WEIGHTS", "help": "measure these weights on the test subjects"},
}
NO_CHANGES: Mapping[str, dict[str, Any]] = {}


def training_parser(
    description: str | None,
    steps: int,
    options: Collection[str],
    seed: int = 1,
    changes: Mapping[str, dict[str, Any]] = NO_CHANGES,
) -> argparse.ArgumentParser:
    """The parser of a training script: MOCAP, --steps, --seed, and some of OPTIONS.

    Args:
        description: the script's docstring, printed without reformatting. steps, seed: defaults.
        options: names of OPTIONS. changes: arguments of `add_argument` that differ from OPTIONS, by option.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path, help="folder of the motion capture")
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--seed", type=int, default=seed)
    for name in options:
        parser.add_argument(name, **{**OPTIONS[name], **changes.get(name, {})})
    return parser


def require_state(parser: argparse.ArgumentParser, settings: argparse.Namespace) -> None:
    """Exit with a usage error if a training or an export has no checkpoint."""
    if not (settings.evaluate or settings.state):
        parser.error("to train or to export, --state says where the checkpoint is")
