"""Files outside a character's own folder are not read into what is written for others.

Whoever made a character's file chose the paths in it: a picture's path may be that of any file of this computer, whose content an
exporter would embed. Only pictures inside the folder of the character's file, or packed in it, are embedded; the others are left out
and named, as are pictures of a size that only a file made to fill the memory states. A written .blend keeps the paths alone.
"""

import contextlib
import os
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import bpy

from ...core.files.picture_header import HEADER_BYTES, stated_size
from ...core.messages import Message
from ..context import expect_type
from ..temporary_state import changed_attributes
from .rig_bones import quote_names

MAX_TEXTURE_SIDE = 16_384  # px; decoded, such a picture has 1 GB
# Data blocks whose files become part of exported meshes and materials.
_EMBEDDED_KINDS = ("images", "cache_files", "volumes")
_FILE_READING_NODES = "GeometryNodeImport"  # the beginning of their types' names


def is_inside(path: str | Path, folder: Path) -> bool:
    """Whether a path, all its links followed, lies in a folder."""
    try:
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
    except (OSError, ValueError):  # a null byte in the path
        return False


def is_picture(path: str | Path) -> bool:
    """Whether a file is one that Blender can decode as a picture or a video."""
    if not os.path.isfile(path):
        return False
    try:
        image = bpy.data.images.load(str(path))
    except RuntimeError:
        return False
    try:
        return image.size[0] > 0
    finally:
        bpy.data.images.remove(image)


def _header_of(path: str | Path) -> bytes:
    """The beginning of a file; empty if it cannot be read."""
    if not os.path.isfile(path):  # a device's end may never come
        return b""
    try:
        with open(path, "rb") as file:
            return file.read(HEADER_BYTES)
    except OSError:
        return b""


def _is_too_large(header: bytes) -> bool:
    width, height = stated_size(header)
    return width * height > MAX_TEXTURE_SIDE**2


def may_embed_picture(path: str | Path, folder: Path) -> bool:
    """Whether a picture's file may be embedded; also of one that does not exist, which exporters and importers report."""
    return is_inside(path, folder) and (not os.path.exists(path) or (not _is_too_large(_header_of(path)) and is_picture(path)))


def left_out_note(file: str, names: Sequence[str]) -> tuple[Message, ...]:
    """A note about files that were left out; empty if there are none."""
    if not names:
        return ()
    text = (
        "Left out, because they are not pictures inside the folder of {file} of at most {side} x {side} pixels: {files}. "
        "Pack them into the character's file, or put them into its folder."
    )
    return (Message("character-files-left-out", text, file=file, side=MAX_TEXTURE_SIDE, files=quote_names(names)),)


def leave_out_external_files(character_path: Path, exported: Sequence[bpy.types.Object]) -> tuple[Message, ...]:
    """Remove from the open file whatever exporters would read from outside the folder of a character's file.

    Returns:
        Notes that name what the objects `exported` use of it, and linked libraries outside the folder.
    """
    folder = character_path.parent
    used = _blocks_used_by(exported)
    names: list[str] = []
    for kind in _EMBEDDED_KINDS:
        collection = getattr(bpy.data, kind)
        for block in [block for block in collection if not _may_embed(block, folder)]:
            if block in used:
                names.append(block.filepath or block.name)
            collection.remove(block)
    names += [*_disable_mesh_caches(folder), *_remove_import_nodes(folder)]
    libraries = [library.filepath for library in bpy.data.libraries if not is_inside(bpy.path.abspath(library.filepath), folder)]
    notes = left_out_note(character_path.name, names)
    if libraries:
        linked = "{file} links content from outside its folder: {files}."
        notes += (Message("character-libraries-outside", linked, file=character_path.name, files=quote_names(libraries)),)
    return notes


@contextlib.contextmanager
def pictures_only(exported: Sequence[bpy.types.Object]) -> Generator[tuple[Message, ...], None, None]:
    """Hide from exporters, for a while, the files of images in the open file that are no pictures: an artist's own scene.

    Yields:
        Notes that name those of the objects `exported`.
    """
    unpacked = [image for image in bpy.data.images if image.filepath and not image.packed_files]
    others = [image for image in unpacked if _is_no_picture(image, bpy.path.abspath(image.filepath, library=image.library))]
    used = _blocks_used_by(exported) if others else set()
    names = [image.filepath for image in others if image in used]
    text = "Left out, because they are not pictures: {files}."
    with contextlib.ExitStack() as stack:
        for image in others:
            stack.enter_context(changed_attributes(image, filepath_raw=""))
        yield (Message("export-files-not-pictures", text, files=quote_names(names)),) if names else ()


def pack_own_pictures_only(character_path: Path) -> None:
    """Replace "Automatically Pack Resources" of the open file by packing what lies in its folder.

    Otherwise saving would pack every file that the character's file names.
    """
    if not bpy.data.use_autopack:
        return
    bpy.data.use_autopack = False
    for image in bpy.data.images:
        if image.filepath and not image.library and not image.packed_files and _may_embed(image, character_path.parent):
            with contextlib.suppress(RuntimeError):  # it does not exist
                image.pack()


def _may_embed(block: bpy.types.ID, folder: Path) -> bool:
    filepath: str = getattr(block, "filepath")  # noqa: B009 - of each of the kinds, but not of every ID
    if isinstance(block, bpy.types.Image) and any(map(_is_too_large, _packed_headers(block))):
        return False
    if not filepath or getattr(block, "packed_files", ()) or getattr(block, "packed_file", None):
        return True
    path = bpy.path.abspath(filepath, library=block.library)
    is_image = isinstance(block, bpy.types.Image)
    return is_inside(path, folder) and not (is_image and (_is_too_large(_header_of(path)) or _is_no_picture(block, path)))


def _packed_headers(image: bpy.types.Image) -> Iterator[bytes]:
    """The beginnings of the files that are packed in an image."""
    for packed in image.packed_files:
        if packed.packed_file is not None:
            yield packed.packed_file.data[:HEADER_BYTES]


def _is_no_picture(image: bpy.types.Image, path: str) -> bool:
    """Whether an image's file exists and is something else."""
    if not os.path.exists(path):
        return False
    is_decoded = os.path.isfile(path) and image.source == "FILE" and image.size[0] > 0
    return not (is_decoded or is_picture(path))


def _blocks_used_by(objects: Sequence[bpy.types.Object]) -> set[bpy.types.ID]:
    """All data blocks that objects use, directly or not, short of other objects."""
    used_by_user: dict[bpy.types.ID, list[bpy.types.ID]] = {}
    for block, users in bpy.data.user_map().items():
        for user in users:
            used_by_user.setdefault(user, []).append(block)
    found: set[bpy.types.ID] = set()
    pending: list[bpy.types.ID] = list(objects)
    while pending:
        for block in used_by_user.get(pending.pop(), ()):
            if block not in found and not isinstance(block, bpy.types.Object):
                found.add(block)
                pending.append(block)
    return found


def _disable_mesh_caches(folder: Path) -> Iterator[str]:
    """Disable modifiers that play point caches outside a folder; yields their paths."""
    for obj in bpy.data.objects:
        caches = [modifier for modifier in obj.modifiers if isinstance(modifier, bpy.types.MeshCacheModifier) and modifier.filepath]
        for modifier in caches:
            if not is_inside(bpy.path.abspath(modifier.filepath, library=obj.library), folder):
                modifier.show_viewport = modifier.show_render = False
                yield modifier.filepath


def _remove_import_nodes(folder: Path) -> Iterator[str]:
    """Remove geometry nodes that read files outside a folder, or whose path is computed; yields their paths or names."""
    for group in bpy.data.node_groups:
        for node in [node for node in group.nodes if node.bl_idname.startswith(_FILE_READING_NODES)]:
            socket = node.inputs[0]
            path = "" if socket.is_linked else expect_type(getattr(socket, "default_value", ""), str)
            if not path or not is_inside(bpy.path.abspath(path, library=group.library), folder):
                yield path or node.name
                group.nodes.remove(node)
