"""Explanation of an installation's failures to the user: of pip, and of reading and writing files."""

import errno
import re
from pathlib import Path

from ..core.errors import MeshRecError, ModelError, NotSetUpError, OutputError


class NoSuchPackageError(NotSetUpError):
    """The package index has no file of a package for this computer and this Python."""


NETWORK_REMEDY = "Check the internet connection, then click Install Backend again: it goes on where it stopped."
_DISK_FULL = OutputError(
    "installation-disk-full", "The disk is full: the backend was not installed.", "Free some space, then click Install Backend again."
)
# The first pattern that matches decides. Disk and permission come first, because they also make pip retry and report other errors.
_ERROR_PATTERNS: tuple[tuple[str, MeshRecError], ...] = (
    (
        r"No space left on device|\[Errno 28\]|not enough space on the disk|Disk quota exceeded",
        _DISK_FULL,
    ),
    (
        r"Permission denied|\[Errno 13\]|\[Errno 30\]|\[WinError 5\]|Read-only file system",
        OutputError(
            "environment-folder-not-writable",
            "The backend's folder cannot be written.",
            "Choose a folder you may write to as Backend Folder in the preferences.",
        ),
    ),
    (
        r"DO NOT MATCH THE HASHES|Expected sha(256|512|384) ",
        ModelError(
            "package-hash-wrong",
            "A downloaded file is not the one the add-on's list names, so it was not installed.",
            "Install again; if it happens twice, something on the network changes files, or the offline bundle is damaged.",
        ),
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLCertVerificationError|SSLError",
        NotSetUpError(
            "package-index-certificate-refused",
            "The package index could not be reached safely: its certificate was not accepted.",
            "Set the computer's clock, or have your network's administrator name the certificate in pip's configuration.",
        ),
    ),
    (
        r"407 Proxy Authentication|ProxyError|Cannot connect to proxy",
        NotSetUpError(
            "package-index-proxy-refused", "The network's proxy refused the download.", "Set HTTPS_PROXY, or use an offline bundle."
        ),
    ),
    (
        r"NewConnectionError|NameResolutionError|Temporary failure in name resolution|Name or service not known|ConnectTimeout|"
        r"ReadTimeout|Read timed out|Connection (aborted|reset|refused|broken)|ConnectionResetError|IncompleteRead|IncompleteDownload|"
        r"Max retries exceeded|RemoteDisconnected|Network is unreachable|nodename nor servname|getaddrinfo failed|"
        r"Connection to \S+ timed out|HTTP error (429|5\d\d)|[45]\d\d (Client|Server) Error",
        NotSetUpError("package-index-unreachable", "The download broke off: the package index cannot be reached.", NETWORK_REMEDY),
    ),
)


def explain_pip_error(output: str, returncode: int, where: str = "") -> MeshRecError:
    """The MeshRecError for a failed pip.

    Args:
        output: pip's output. where: the computer and Python, for the message that a package has no file for them.
    """
    for pattern, error in _ERROR_PATTERNS:
        if re.search(pattern, output):
            return _copy_error(error)
    missing = re.search(r"No matching distribution found for (\S+)", output)
    if missing:
        remedy = "Choose another Python (3.11 is best), or an offline bundle that was made for this system."
        if where:
            problem = "There is no file of {package} for {where}."
            return NoSuchPackageError("package-not-built-for-system", problem, remedy, package=missing[1], where=where)
        return NoSuchPackageError("package-not-built", "There is no file of {package}.", remedy, package=missing[1])
    return MeshRecError(
        "pip-failed",
        "Installing the backend's packages failed (exit code {code}).",
        "Click Install Backend again, and look at its log.",
        code=returncode,
    )


def explain_os_error(error: OSError, home: Path) -> MeshRecError:
    """The MeshRecError for a file of an environment below `home` that could not be read or written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _copy_error(_DISK_FULL)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(
            "installation-folder-not-writable",
            "The folder {path} cannot be written.",
            "Choose a Backend Folder you may write to in the preferences.",
            path=home,
        )
    return OutputError(
        "installation-file-error",
        "The backend could not be installed: {reason}.",
        "Click Install Backend again.",
        reason=error.strerror or error,
    )


def _copy_error(error: MeshRecError) -> MeshRecError:
    """A new exception with the same message, to be raised without the traceback of an earlier one."""
    return type(error)(error.name, error.problem, error.remedy)
