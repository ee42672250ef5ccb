"""What pip and the system say when an installation fails, and what the user is told."""

import errno
from itertools import pairwise
from pathlib import Path

import pytest

from blender_meshrec.bridge.pip_errors import NoSuchPackageError, explain_os_error, explain_pip_error
from blender_meshrec.core.errors import MeshRecError, NotSetUpError

SAID = {
    "installation-disk-full": ("No space left on device", "[Errno 28]", "not enough space on the disk", "Disk quota exceeded"),
    "environment-folder-not-writable": ("Permission denied", "[Errno 13]", "[Errno 30]", "[WinError 5]", "Read-only file system"),
    "package-hash-wrong": ("PACKAGES DO NOT MATCH THE HASHES FROM", "Expected sha256 ", "Expected sha384 ", "Expected sha512 "),
    "package-index-certificate-refused": ("CERTIFICATE_VERIFY_FAILED", "SSLCertVerificationError", "SSLError"),
    "package-index-proxy-refused": ("407 Proxy Authentication Required", "ProxyError", "Cannot connect to proxy"),
    "package-index-unreachable": (
        *("NewConnectionError", "NameResolutionError", "Temporary failure in name resolution", "Name or service not known"),
        *("ConnectTimeout", "ReadTimeout", "Read timed out", "Connection aborted", "Connection reset", "Connection refused"),
        *("Connection broken", "ConnectionResetError", "IncompleteRead", "IncompleteDownload", "Max retries exceeded"),
        *("RemoteDisconnected", "Network is unreachable", "nodename nor servname", "getaddrinfo failed"),
        *("Connection to host.invalid timed out", "HTTP error 429", "HTTP error 503", "404 Client Error", "500 Server Error"),
    ),
}


@pytest.mark.parametrize("name, said", [(name, said) for name, group in SAID.items() for said in group])
def test_each_way_of_saying_it_has_its_explanation(name, said):
    error = explain_pip_error(f"Collecting torch\nERROR: {said} and more\nfailed", 1)
    assert error.name == name and error.remedy
    assert error is not explain_pip_error(said, 1)  # each is raised with a traceback of its own


def test_the_cause_comes_before_what_follows_from_it():
    """A full disk makes pip retry, and a refused certificate break off."""
    names = list(SAID)
    for first, second in pairwise(names):
        assert explain_pip_error(f"{SAID[second][0]}\n{SAID[first][0]}", 1).name == first


def test_a_package_that_is_not_there_is_named_with_the_computer():
    output = "ERROR: No matching distribution found for torch==2.13.0 (from x)"
    for where, name in (("Windows and Python 3.11", "package-not-built-for-system"), ("", "package-not-built")):
        error = explain_pip_error(output, 1, where)
        assert type(error) is NoSuchPackageError and isinstance(error, NotSetUpError) and error.name == name
        assert error.problem.values == {"package": "torch==2.13.0", **({"where": where} if where else {})}
    error = explain_pip_error("404 is a number", 7)
    assert type(error) is MeshRecError and error.name == "pip-failed" and error.problem.values == {"code": 7}


@pytest.mark.parametrize(
    "number, name",
    [(errno.ENOSPC, "installation-disk-full"), (errno.EDQUOT, "installation-disk-full")]
    + [(number, "installation-folder-not-writable") for number in (errno.EACCES, errno.EPERM, errno.EROFS)]
    + [(errno.EIO, "installation-file-error")],
)
def test_files_that_cannot_be_written_are_explained(number, name):
    error = explain_os_error(OSError(number, "what the system says"), Path("home"))
    assert error.name == name
    values = {"installation-folder-not-writable": {"path": "home"}, "installation-file-error": {"reason": "what the system says"}}
    assert error.problem.values == values.get(name, {})
    assert explain_os_error(OSError("without a number"), Path()).problem.values["reason"] == "without a number"
