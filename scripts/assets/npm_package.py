"""Files of packages on npm, with their sha256 checked; nothing in a package is run."""

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import NamedTuple

from scripts.assets.listed_file import sha256

NPM_TIMEOUT = 900  # s, for up to 145 MB
NO_NPM = "npm was not found, which fetches {package}. Install Node.js, then run this again."


class Member(NamedTuple):
    """A file in a package's archive."""

    path: str
    sha256: str


def download_npm_package(package: str, folder: Path) -> Path:
    """Download the archive of a package, NAME@VERSION, into `folder`, by npm; nothing in it is run. Exits with a message on failure."""
    npm = shutil.which("npm")
    if npm is None:
        sys.exit(NO_NPM.format(package=package))
    try:
        command = [npm, "pack", package, "--silent", "--ignore-scripts", "--pack-destination", str(folder)]
        is_done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL, cwd=folder, timeout=NPM_TIMEOUT).returncode == 0
    except subprocess.TimeoutExpired:
        is_done = False
    archives = list(folder.glob("*.tgz"))
    if not is_done or not archives:
        sys.exit(f"npm could not fetch {package}. Check the connection, then run this again.")
    return archives[0]


def read_member(archive: Path, member: Member) -> bytes:
    """A file of an archive that npm downloaded. Exits with a message if it is missing or another one."""
    with tarfile.open(archive) as package:
        try:
            found = package.extractfile(member.path)
        except KeyError:
            found = None
        content = b"" if found is None else found.read()
    if sha256(content) != member.sha256:
        sys.exit(f"{member.path} has sha256 {sha256(content)}, not {member.sha256}.")
    return content
