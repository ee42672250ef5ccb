"""The files that a glTF file names: its importer would pack any file of this computer as a picture, and read it as geometry."""

from pathlib import Path

from ...core.errors import InputError
from ...core.files.gltf import Gltf, path_from_uri, read_gltf, uri_entries, uri_from_path, write_gltf_copy
from ...core.files.input_file import refuse_special_file
from .external_files import is_inside, may_embed_picture


def restrict_gltf_sources(path: Path) -> tuple[Gltf | None, list[str]]:
    """Leave out the pictures that a glTF file names and that may not be embedded.

    Returns:
        The file's JSON without them, its other paths absolute; None if the file itself can be imported. And their URIs.

    Raises:
        InputError: the file is damaged, or its geometry is in a file outside its folder.
    """
    gltf, folder = read_gltf(path), path.absolute().parent
    buffers, images = uri_entries(gltf, "buffers"), uri_entries(gltf, "images")
    for buffer in buffers:
        _check_buffer(path, buffer["uri"], folder)
    left_out = []
    for image in images:
        if not may_embed_picture(path_from_uri(image["uri"], folder), folder):
            left_out.append(image.pop("uri"))
    is_plain_vrm = path.suffix.lower() == ".vrm" and not (buffers or images)
    if not left_out and (path.suffix.lower() != ".vrm" or is_plain_vrm):
        return None, []
    for entry in (*buffers, *images):
        if "uri" in entry:
            entry["uri"] = uri_from_path(path_from_uri(entry["uri"], folder))
    return gltf, left_out


def copy_restricted_gltf(path: Path, gltf: Gltf, folder: Path) -> Path:
    """Write what `restrict_gltf_sources` returned to a file of the same name in `folder`; returns its path."""
    copy = folder / (f"{path.stem}.glb" if path.suffix.lower() == ".vrm" else path.name)
    write_gltf_copy(path, gltf, copy)
    return copy


def _check_buffer(path: Path, uri: str, folder: Path) -> None:
    """Refuse a buffer's file that lies outside the glTF file's folder, or is none."""
    source = path_from_uri(uri, folder)
    if not is_inside(source, folder):
        raise InputError(
            "gltf-buffer-outside",
            "{name} reads its geometry from a file outside its folder: {uri}.",
            "Give a character whose files are all in one folder, or a .glb.",
            name=path.name,
            uri=uri,
        )
    refuse_special_file(source)
