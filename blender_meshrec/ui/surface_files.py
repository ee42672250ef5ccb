"""Where the exact surfaces of the panel's jobs lie: beside the saved .blend, else in the user's cache until it is saved.

What no .blend was saved with goes when Blender ends, unless the scene still plays it: Undo may bring back who does, and Recover
Last Session the scene.
"""

import os
import shutil
import tempfile
import time
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from ..core.errors import MeshRecError
from ..core.files.output_file import atomic_write, check_writable
from ..core.files.point_cache import SUFFIX
from ..scene.surface import surface_modifiers
from .preferences import get_cache_folder

# Scenes that were never saved can be recovered for a while, then what they played goes from the cache.
_SECONDS_KEPT = 30 * 24 * 3600
_cache_folders = set()  # folders of the cache that surfaces were put in: the preference may change
_unsaved_surfaces = set()  # surfaces made in this session that no .blend was saved with
_surface_copies = {}  # surface in the cache, folder -> its copy there
_moved_paths = {}  # modifier's path before the save that is going on -> after it


class SurfaceFiles:
    """The exact surfaces of one job: written to a folder of their own, which goes unless they are kept.

    name: of the clip. Raises OutputError: the folder cannot be written.
    """

    def __init__(self, name):
        cached = _surface_cache()
        _cache_folders.add(cached)
        self._folder = Path(bpy.data.filepath).parent if bpy.data.filepath else cached
        self._name = bpy.path.clean_name(name)
        check_writable(self._folder / f"{self._name}{SUFFIX}")
        _remove_unused(file for file in cached.glob(f"*{SUFFIX}") if time.time() - file.stat().st_mtime > _SECONDS_KEPT)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._scratch = tempfile.TemporaryDirectory(prefix=".meshrec-", dir=self._folder, ignore_cleanup_errors=True)
        self.prefix = str(Path(self._scratch.name) / "surface")

    def keep_surfaces(self, numbers):
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
        _unsaved_surfaces.update(kept.values())
        return kept

    def discard(self):
        """Remove what was not kept."""
        self._scratch.cleanup()


def register():
    """Follow what is saved."""
    bpy.app.handlers.save_pre.append(_copy_before_save)
    bpy.app.handlers.save_post.append(_restore_after_save)


def unregister():
    """Blender ends, or the add-on: remove the surfaces that nothing will play again."""
    bpy.app.handlers.save_pre.remove(_copy_before_save)
    bpy.app.handlers.save_post.remove(_restore_after_save)
    _remove_unused(_unsaved_surfaces)
    _unsaved_surfaces.clear()


@persistent
def _copy_before_save(path, _context=None):
    """Copy what lies in the cache beside the .blend that is being written: a saved scene is whole without the cache."""
    _moved_paths.clear()
    if not path:  # the startup file
        return
    for modifier in surface_modifiers(bpy.data.objects):
        source = _surface_path(modifier)
        if source.parent not in {_surface_cache(), *_cache_folders} or not source.is_file():
            continue
        if modifier.filepath not in _moved_paths:
            try:
                _moved_paths[modifier.filepath] = f"//{_copy_surface(source, Path(path).parent).name}"
            except MeshRecError as error:  # the scene is saved all the same, and plays the cache's
                _unsaved_surfaces.discard(source)
                print(f"{error.problem} The saved scene plays {source}.")
                continue
        modifier.filepath = _moved_paths[modifier.filepath]


@persistent
def _restore_after_save(_path, _context=None):
    modifiers = surface_modifiers(bpy.data.objects)
    if not bpy.data.filepath:  # it was a copy, and the scene here is still without a place
        back = {after: before for before, after in _moved_paths.items()}
        for modifier in modifiers:
            modifier.filepath = back.get(modifier.filepath, modifier.filepath)
    _moved_paths.clear()
    if bpy.data.filepath:
        _unsaved_surfaces.difference_update(_surface_path(modifier) for modifier in modifiers)


def _copy_surface(source, folder):
    """A copy of a surface in another folder, under a name that is free there. Raises OutputError."""
    place = _surface_copies.get((source, folder))
    if place is not None and place.is_file():  # Undo has gone back behind an earlier save
        return place
    count, place = 0, folder / source.name
    while place.exists():
        count += 1
        place = folder / f"{source.stem}.{count:03}{SUFFIX}"
    with atomic_write(place) as temporary:
        shutil.copyfile(source, temporary)
    _surface_copies[source, folder] = place
    return place


def _remove_unused(files):
    played = {_surface_path(modifier) for modifier in surface_modifiers(bpy.data.objects)}
    for file in set(files) - played:
        file.unlink(missing_ok=True)


def _surface_path(modifier):
    return Path(bpy.path.abspath(modifier.filepath))


def _surface_cache():
    return Path(get_cache_folder(bpy.context)) / "surfaces"
