"""glTF files, text or binary: their JSON, the files that it names, and copies with other JSON.

Source: glTF 2.0, sections URIs and GLB file format.
"""

import json
import os
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from ..errors import InputError
from .input_file import parse_json, refuse_special_file

_GLB_MAGIC, _JSON_CHUNK, _GLB_VERSION = b"glTF", 0x4E4F534A, 2
_GLB_HEADER, _CHUNK_HEADER = struct.Struct("<4sII"), struct.Struct("<II")
_MAX_JSON_BYTES = 256 << 20
_MAX_ARRAY_BYTES = 1 << 30  # of all arrays together
_COMPONENT_BYTES: dict[int | str, int] = {5120: 1, 5121: 1, 5122: 2, 5123: 2}  # by WebGL's constants
_MAX_COMPONENT_BYTES = 4  # of the others
_COMPONENTS: dict[int | str, int] = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9}
_MAX_COMPONENTS = 16  # MAT4's


@dataclass(frozen=True)
class Gltf:
    """The JSON of a glTF file. tail: offset in bytes of a binary file's other chunks; None for a text file."""

    content: dict[str, Any]
    tail: int | None


def read_gltf(path: Path) -> Gltf:
    """Read a glTF file's JSON; whether it is binary is told by its first bytes, as importers do.

    Raises:
        InputError: it is a pipe or a device, or its JSON is damaged or larger than the limit.
    """
    refuse_special_file(path)
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(_GLB_HEADER.size + _CHUNK_HEADER.size)
            tail = None
            if head.startswith(_GLB_MAGIC):
                length, kind = _CHUNK_HEADER.unpack(head[_GLB_HEADER.size :])
                tail = len(head) + length
                if kind != _JSON_CHUNK or length > _MAX_JSON_BYTES or tail > size:
                    raise ValueError("its JSON is missing or too large")
                text = file.read(length)
            elif size > _MAX_JSON_BYTES:
                raise ValueError("its JSON is too large")
            else:
                text = head + file.read()
        content = parse_json(text.decode("utf-8").rstrip(" \0"))
        if not isinstance(content, dict):
            raise ValueError("its JSON holds no objects")
        _check_accessors(content)
    except (OSError, ValueError, struct.error) as error:
        raise InputError(
            "gltf-unreadable",
            "{name} cannot be read as glTF ({reason}).",
            "Export it again, or give another file.",
            name=path.name,
            reason=error,
        ) from error
    return Gltf(content, tail)


def _check_accessors(content: dict[str, Any]) -> None:
    """Check the sizes of the arrays before an importer makes room for them: those without stored values are zeros of any number.

    Raises:
        ValueError: together they are larger than the limit.
    """
    accessors = content.get("accessors")
    total = 0
    for accessor in accessors if isinstance(accessors, list) else ():
        if isinstance(accessor, dict) and isinstance(count := accessor.get("count"), int) and count > 0:
            value_bytes = _COMPONENT_BYTES.get(_hashable(accessor.get("componentType")), _MAX_COMPONENT_BYTES)
            total += count * value_bytes * _COMPONENTS.get(_hashable(accessor.get("type")), _MAX_COMPONENTS)
    if total > _MAX_ARRAY_BYTES:
        raise ValueError(f"its arrays have more than {_MAX_ARRAY_BYTES >> 20} MB, the limit")


def _hashable(value: object) -> int | str:
    return value if isinstance(value, (int, str)) else ""


def write_gltf_copy(source: Path, gltf: Gltf, target: Path) -> None:
    """Write a copy of the file `source` with the JSON of `gltf`.

    Raises:
        OSError: it cannot be written.
    """
    text = json.dumps(gltf.content).encode()
    with source.open("rb") as original, target.open("wb") as copy:
        if gltf.tail is None:
            copy.write(text)
            return
        text += b" " * (-len(text) % 4)
        original.seek(0, os.SEEK_END)
        length = _GLB_HEADER.size + _CHUNK_HEADER.size + len(text) + original.tell() - gltf.tail
        copy.write(_GLB_HEADER.pack(_GLB_MAGIC, _GLB_VERSION, length) + _CHUNK_HEADER.pack(len(text), _JSON_CHUNK) + text)
        original.seek(gltf.tail)
        shutil.copyfileobj(original, copy)


def uri_entries(gltf: Gltf, kind: str) -> list[dict[str, Any]]:
    """The entries of "images" or "buffers" that name a file, in place of holding their content."""
    entries = gltf.content.get(kind)
    named = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return [entry for entry in named if isinstance(entry.get("uri"), str) and not _is_embedded(entry["uri"])]


def path_from_uri(uri: str, folder: Path) -> Path:
    """The path that a URI names, as Blender's importer reads it; `folder` is that of the glTF file."""
    return folder / os.path.normpath(unquote(uri.replace("\\", "/")))


def uri_from_path(path: Path) -> str:
    return quote(str(path), safe="/:\\")


def _is_embedded(uri: str) -> bool:
    """Whether a URI is content itself. Importers read any other URI as a path, also one that only begins with data:."""
    return uri.startswith("data:") and ";base64," in uri
