"""Files of textures beside the outputs: NAME_texture.png, and of several people in one .blend NAME.personN_texture.png."""

import contextlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..bridge.scene_process import OutputPeople
from ..core.files.output_file import atomic_write
from ..core.files.texture_file import TEXTURE_ENDING, TEXTURED_FORMATS, texture_path


@dataclass(frozen=True)
class WrittenTextures:
    """paths: the files that will have appeared. sources: of each person, where the file is until then, None without a texture."""

    paths: tuple[Path, ...]
    sources: tuple[Path | None, ...]


def texture_paths(path: Path, numbers: Sequence[int]) -> tuple[Path, ...]:
    """The paths of the textures of one output's people, one each; () for a format without a mesh."""
    if path.suffix.lower() not in TEXTURED_FORMATS:
        return ()
    if len(numbers) == 1:
        return (texture_path(path),)
    return tuple(path.with_name(f"{path.stem}.person{number}{TEXTURE_ENDING}") for number in numbers)


@contextlib.contextmanager
def written_textures(
    outputs: Sequence[OutputPeople], numbers: Sequence[int], textures: Sequence[bytes | None]
) -> Generator[WrittenTextures, None, None]:
    """Write textures beside the outputs whose format has them; they appear, whole, when the block succeeds.

    Args:
        numbers: of the people. textures: the content of each person's file, or ().

    Raises:
        OutputError: the disk is full, or the folder cannot be written.
    """
    owners: dict[Path, int] = {}
    for path, indices in outputs if textures else ():
        owners.update(zip(texture_paths(path, [numbers[index] for index in indices]), indices))
    sources: list[Path | None] = [None] * len(numbers)
    with contextlib.ExitStack() as stack:
        written: list[Path] = []
        for path, index in owners.items():
            content = textures[index]
            if content is not None:
                temporary = stack.enter_context(atomic_write(path))
                temporary.write_bytes(content)
                sources[index] = temporary
                written.append(path)
        yield WrittenTextures(tuple(written), tuple(sources))
