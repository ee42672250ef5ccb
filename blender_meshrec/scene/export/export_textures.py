"""Textures painted from footage, in files of other programs: .fbx and .glb hold them, a .usdc names NAME_texture.png beside it."""

import contextlib
from collections.abc import Generator, Sequence
from pathlib import Path

import bpy

from ...core.files.output_file import atomic_write
from ...core.files.texture_file import TEXTURE_ENDING, texture_path
from ..person.texture import texture_nodes


@contextlib.contextmanager
def textures_beside(path: Path, temporary: Path, meshes: Sequence[bpy.types.Object]) -> Generator[None, None, None]:
    """Let materials name files beside a .usdc instead of the pictures packed in the open file; they appear when the block succeeds.

    Other formats hold the pictures: nothing is done.

    Args:
        path: of the .usdc; temporary: where it is written before it is moved there. meshes: that it holds.

    Raises:
        OutputError: a texture cannot be written.
    """
    nodes = texture_nodes(meshes) if path.suffix.lower() == ".usdc" else []
    packed = list(dict.fromkeys(node.image for node in nodes if node.image is not None))
    names = (
        [f"{path.stem}.{number}{TEXTURE_ENDING}" for number in range(1, len(packed) + 1)] if len(packed) > 1 else [texture_path(path).name]
    )
    loaded: dict[bpy.types.Image, bpy.types.Image] = {}
    before = [(node, node.image) for node in nodes]
    with contextlib.ExitStack() as stack:
        try:
            for image, name in zip(packed, names):
                content = _packed_content(image)
                if content is None:
                    continue
                # Beside the temporary file as later beside the file itself, so that the name it stores holds in both places.
                (temporary.parent / name).write_bytes(content)
                stack.enter_context(atomic_write(path.with_name(name))).write_bytes(content)
                loaded[image] = bpy.data.images.load(str(temporary.parent / name))
            for node, image in before:
                node.image = loaded.get(image, image) if image is not None else None
            yield
        finally:
            for node, image in before:
                node.image = image
            for image in loaded.values():
                bpy.data.images.remove(image)


def _packed_content(image: bpy.types.Image) -> bytes | None:
    packed = image.packed_file
    return None if packed is None else bytes(packed.data)
