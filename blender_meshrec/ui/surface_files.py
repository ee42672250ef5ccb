"""Where the exact surfaces of the panel's jobs lie: beside the saved .blend, else in the user's cache."""

import os
import tempfile
from pathlib import Path

import bpy

from ..core.output_file import check_writable
from ..core.point_cache import SUFFIX
from ..core.user_folders import cache_folder


class SurfaceFiles:
    """The exact surfaces of one job: written to a folder of their own, which goes unless they are kept.

    name: of the clip. Raises OutputError: the folder cannot be written.
    """

    def __init__(self, name):
        self._folder = Path(bpy.data.filepath).parent if bpy.data.filepath else cache_folder() / "surfaces"
        self._name = bpy.path.clean_name(name)
        check_writable(self._folder / f"{self._name}{SUFFIX}")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._scratch = tempfile.TemporaryDirectory(prefix=".meshrec-", dir=self._folder, ignore_cleanup_errors=True)
        self.prefix = str(Path(self._scratch.name) / "surface")

    def keep(self, numbers):
        """Give the surfaces of people of these numbers the clip's name; number -> path, of those that were written.

        Files from before stay: Undo may bring back who plays them.
        """
        count, names = 0, [f"{self._name}.person{number}{SUFFIX}" for number in numbers]
        while any((self._folder / name).exists() for name in names):
            count += 1
            names = [f"{self._name}.{count:03}.person{number}{SUFFIX}" for number in numbers]
        kept = {}
        for number, name in zip(numbers, names):
            written = Path(f"{self.prefix}.person{number}{SUFFIX}")
            if written.is_file():
                kept[number] = self._folder / name
                os.replace(written, kept[number])
        return kept

    def discard(self):
        """Remove what was not kept."""
        self._scratch.cleanup()
