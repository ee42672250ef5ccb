"""Read any motion file as a Recovery: those of this software, SMPL-family motions of others, and BVH."""

from pathlib import Path

from ..core.errors import InputError
from ..core.files.body_template import load_body
from ..core.files.motion_npz import read_motion
from ..core.messages import Message
from ..core.options import ReconstructOptions
from ..core.records import Recovery
from .bvh_recovery import recovery_from_bvh
from .source.files import check_suffix
from .source.smpl_file import is_own_motion
from .source.smpl_recovery import recovery_from_smpl


def read_recovery(path: str | Path, body: str | Path = "open", up: str = ReconstructOptions.up) -> tuple[Recovery, tuple[Message, ...]]:
    """The motion of a file of any kind, and notes on what had to be assumed.

    Args:
        body: "open" or an SMPL-family file: of the motions of others. up: the axis that is up in an SMPL-family file, "auto" as its
            format says.

    Raises:
        InputError: the file cannot be read or holds no motion. ModelError: the body file cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("motion-argument-not-found", "There is no file {path}.", "Check the path of the motion.", path=path)
    check_suffix(path)
    if is_own_motion(path):
        return read_motion(path), ()
    template = load_body(body)
    return recovery_from_bvh(path, template) if path.suffix.lower() == ".bvh" else recovery_from_smpl(path, template, up)
