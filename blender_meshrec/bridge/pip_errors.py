"""What pip's output means to a person."""

import re

from ..core.errors import MeshRecError, ModelError, NotSetUpError, OutputError


class NoSuchPackageError(NotSetUpError):
    """No file of a package is offered for this computer and this Python."""


NETWORK_REMEDY = "Check the internet connection, then click Install Backend again: it goes on where it stopped."
# The first that matches is it. Disk and permission come first: they also make pip retry and complain of other things.
_ERROR_PATTERNS = (
    (
        r"No space left on device|\[Errno 28\]|not enough space on the disk|Disk quota exceeded",
        OutputError(
            "installation-disk-full",
            "The disk is full: the backend was not installed.",
            "Free some space, then click Install Backend again.",
        ),
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


def explain_pip_error(output, returncode, where=""):
    """The MeshRecError for a pip that failed.

    Args:
        output: what it printed. where: for which computer and Python, for the sentence where a package is not to be had.
    """
    for signs, error in _ERROR_PATTERNS:
        if re.search(signs, output):
            return type(error)(error.name, error.problem, error.remedy)
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
