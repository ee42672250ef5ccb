"""The files of exact surfaces: beside the .blend if it is saved, else in the user's cache until it is saved.

Surfaces that no saved .blend uses are deleted when Blender ends, except those that the open scene plays: a deletion could break
Undo or Recover Last Session.
"""

import os
import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from ...core.errors import MeshRecError
from ...core.files.output_file import atomic_write, check_writable
from ...core.files.point_cache import SUFFIX
from ...core.files.temporary_folder import TemporaryFolder
from ...scene.person.surface import surface_modifiers
from ..setup.preferences import get_cache_folder

_CACHE_LIFETIME = 30 * 24 * 3600  # s; until then a scene that was never saved can be recovered with its surfaces
_cache_folders: set[Path] = set()  # cache folders used in this session: the preference may change
_unsaved_surfaces: set[Path] = set()  # surfaces of this session that no saved .blend uses
_surface_copies: dict[tuple[Path, Path], Path] = {}  # (surface in the cache, folder) -> its copy in that folder
_moved_paths: dict[str, str] = {}  # modifier's path before the current save -> after it


class SurfaceFiles:
    """The exact surfaces of one job: the backend writes them to a temporary folder, from which `keep_surfaces` moves them.

    name: name of the clip. prefix: path prefix for the backend.

    Raises:
        OutputError: the folder cannot be written.
    """

    def __init__(self, name: str) -> None:
        cache = _surface_cache()
        _cache_folders.add(cache)
        self._folder = Path(bpy.data.filepath).parent if bpy.data.filepath else cache
        self._name = bpy.path.clean_name(name)
        check_writable(self._folder / f"{self._name}{SUFFIX}")
        _remove_unused(file for file in cache.glob(f"*{SUFFIX}") if time.time() - file.stat().st_mtime > _CACHE_LIFETIME)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._scratch = TemporaryFolder(self._folder)
        self.prefix = str(self._scratch.path / "surface")

    def keep_surfaces(self, numbers: Sequence[int]) -> dict[int, Path]:
        """Move the surfaces of the people with these numbers beside the .blend or into the cache, under the clip's name.

        Existing files are not replaced, because Undo may restore the people that play them.

        Returns:
            number -> path of each surface that was written.
        """
        count, names = 0, [f"{self._name}.person{number}{SUFFIX}" for number in numbers]
        while any((self._folder / name).exists() for name in names):
            count += 1
            names = [f"{self._name}.{count:03}.person{number}{SUFFIX}" for number in numbers]
        surfaces: dict[int, Path] = {}
        for number, name in zip(numbers, names):
            written = Path(f"{self.prefix}.person{number}{SUFFIX}")
            if written.is_file():
                surfaces[number] = self._folder / name
                os.replace(written, surfaces[number])
        _unsaved_surfaces.update(surfaces.values())
        return surfaces

    def discard(self) -> None:
        """Remove the temporary folder with the surfaces that were not kept."""
        self._scratch.remove()


def register() -> None:
    """Handle every save from now on."""
    bpy.app.handlers.save_pre.append(_copy_before_save)
    bpy.app.handlers.save_post.append(_restore_after_save)


def unregister() -> None:
    """Blender ends, or the add-on is disabled: delete the surfaces that nothing will play again."""
    bpy.app.handlers.save_pre.remove(_copy_before_save)
    bpy.app.handlers.save_post.remove(_restore_after_save)
    _remove_unused(_unsaved_surfaces)
    _unsaved_surfaces.clear()


@persistent
def _copy_before_save(path: str, _context: object = None) -> None:
    """Copy surfaces from the cache beside the .blend that is being saved, so that the saved scene does not need the cache."""
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
            except MeshRecError as error:  # the scene is saved all the same, and plays the file in the cache
                _unsaved_surfaces.discard(source)
                print(f"{error.problem} The saved scene plays {source}.")
                continue
        modifier.filepath = _moved_paths[modifier.filepath]


@persistent
def _restore_after_save(_path: str, _context: object = None) -> None:
    modifiers = surface_modifiers(bpy.data.objects)
    if not bpy.data.filepath:  # a copy was saved, and the open scene itself is still unsaved
        previous_paths = {after: before for before, after in _moved_paths.items()}
        for modifier in modifiers:
            modifier.filepath = previous_paths.get(modifier.filepath, modifier.filepath)
    _moved_paths.clear()
    if bpy.data.filepath:
        _unsaved_surfaces.difference_update(_surface_path(modifier) for modifier in modifiers)


def _copy_surface(source: Path, folder: Path) -> Path:
    """Copy a surface to another folder under a free name, unless that was done before.

    Raises:
        OutputError: the folder cannot be written.
    """
    copied = _surface_copies.get((source, folder))
    if copied is not None and copied.is_file():  # Undo went back to a state before an earlier save
        return copied
    count, target = 0, folder / source.name
    while target.exists():
        count += 1
        target = folder / f"{source.stem}.{count:03}{SUFFIX}"
    with atomic_write(target) as temporary:
        shutil.copyfile(source, temporary)
    _surface_copies[source, folder] = target
    return target


def _remove_unused(files: Iterable[Path]) -> None:
    """Delete the files that no modifier plays."""
    played = {_surface_path(modifier) for modifier in surface_modifiers(bpy.data.objects)}
    for file in set(files) - played:
        file.unlink(missing_ok=True)


def _surface_path(modifier: bpy.types.MeshCacheModifier) -> Path:
    return Path(bpy.path.abspath(modifier.filepath))


def _surface_cache() -> Path:
    return Path(get_cache_folder(bpy.context)) / "surfaces"
