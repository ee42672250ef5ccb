"""The error for a body file that the operating system refuses to read."""

from pathlib import Path

from ..errors import ModelError


def file_not_readable(path: Path, error: OSError) -> ModelError:
    """The ModelError for an OSError while reading `path`."""
    return ModelError(
        "body-file-not-readable",
        "{path} cannot be read: {reason}.",
        "Check the path and that you may read it.",
        path=path,
        reason=error.strerror or error,
    )
