"""The version of this software."""

import tomllib
from functools import cache
from pathlib import Path


@cache
def version() -> str:
    """The version in the add-on's manifest, the one file that a checkout and an installed extension share."""
    return tomllib.loads((Path(__file__).parents[1] / "blender_manifest.toml").read_text(encoding="utf-8"))["version"]
