"""`meshrec setup`: install the backend's environment, as the add-on's button does."""

from argparse import Namespace
from pathlib import Path

from ...bridge.backend_environment import remove_environments
from ...bridge.installation import Installation, InstallationPlan
from ...core.errors import ExitCode
from ..console import Console


def run(options: Namespace, console: Console) -> int:
    """Install the backend and print its folder, or remove it."""
    if options.remove:
        remove_environments()
        return ExitCode.DONE
    bundle = Path(options.offline) if options.offline else None
    installation = Installation(InstallationPlan(python=options.python, device=options.device, bundle=bundle, anew=options.anew))
    folder = installation.wait(console.progress)
    for note in installation.notes:
        console.warn(note)
    console.done(str(options.offline or "setup"), [str(folder)])
    return ExitCode.DONE
