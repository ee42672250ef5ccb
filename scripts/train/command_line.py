"""The command line that the training scripts share: the motion capture, the checkpoint, the schedule, the device."""

import argparse
from collections.abc import Collection, Mapping
from pathlib import Path

OPTIONS = {
    "--state": {"type": Path, "help": "checkpoint to go on from and to write"},
    "--width": {"type": int, "help": "channels of the network"},
    "--device": {"default": "cpu"},
    "--export": {"action": "store_true", "help": "write the network to addon_models/"},
    "--note": {"default": "", "help": "what else is to be known of the exported weights"},
    "--evaluate": {"type": Path, "metavar": "WEIGHTS", "help": "measure these weights on the test subjects"},
}
NO_CHANGES: Mapping[str, dict] = {}


def training_parser(
    description: str, steps: int, options: Collection[str], seed: int = 1, changes: Mapping[str, dict] = NO_CHANGES
) -> argparse.ArgumentParser:
    """The parser of a training script: MOCAP, --steps, --seed, and of OPTIONS those that the script has.

    Args:
        description: the script's docstring, printed as it stands. steps, seed: the defaults.
        options: names of OPTIONS. changes: by name, what this script says differently of one of them.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path, help="folder of the motion capture")
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--seed", type=int, default=seed)
    for name in options:
        parser.add_argument(name, **{**OPTIONS[name], **changes.get(name, {})})
    return parser


def require_state(parser: argparse.ArgumentParser, settings: argparse.Namespace) -> None:
    """Exit with a usage error where a training or an export lacks its checkpoint."""
    if not (settings.evaluate or settings.state):
        parser.error("to train or to export, --state says where the checkpoint is")
