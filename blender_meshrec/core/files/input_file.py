"""What every reader checks before it opens a file: that it is a file on disk, and that its text is JSON of a sensible size."""

import json
import stat
from pathlib import Path
from typing import Any

from ..errors import InputError, MeshRecError
from ..messages import Message
from .file_names import is_windows_device

MAX_JSON_BYTES = 1 << 25
_SPECIAL_KINDS = {
    stat.S_IFIFO: Message("special-file-pipe", "a pipe"),
    stat.S_IFSOCK: Message("special-file-socket", "a socket"),
    stat.S_IFCHR: Message("special-file-device", "a device"),
    stat.S_IFBLK: Message("special-file-device", "a device"),
}


def refuse_special_file(path: str | Path, error_class: type[MeshRecError] = InputError) -> None:
    """Refuse pipes, sockets and devices, whose reading may never end; files, folders and what does not exist pass.

    Raises:
        MeshRecError: of `error_class`.
    """
    try:
        kind = stat.S_IFCHR if is_windows_device(path) else stat.S_IFMT(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return  # opening it tells what is wrong
    if what := _SPECIAL_KINDS.get(kind):
        problem = Message("input-not-a-file.problem", "{path} is not a file on disk but {what}.", path=path, what=what)
        raise error_class("input-not-a-file", problem, Message("input-not-a-file.remedy", "Choose a file on disk."))


def parse_json(text: str | bytes) -> Any:
    """The content of a JSON text. Raises ValueError, also for one that is nested without end."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def read_json(path: str | Path, max_bytes: int = MAX_JSON_BYTES, encoding: str = "utf-8") -> Any:
    """The content of a JSON file.

    Raises:
        InputError: it is a pipe or a device, or larger than `max_bytes`. OSError: it cannot be read. ValueError: it is not JSON.
    """
    refuse_special_file(path)
    with open(path, "rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise InputError(
            "json-too-large",
            "{name} is larger than {limit:.0f} MB, the limit for such a file.",
            "Choose another file, or split it.",
            name=path,
            limit=max_bytes / 2**20,
        )
    return parse_json(content.decode(encoding))
