"""Textures beside outputs and motions: NAME_texture.png for NAME.npz, NAME.blend and so on."""

from pathlib import Path

TEXTURE_ENDING = "_texture.png"
TEXTURED_FORMATS = (".blend", ".fbx", ".glb", ".usdc", ".npz")  # .bvh is a skeleton
MAX_BYTES = 1 << 28
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def texture_path(path: Path) -> Path:
    """The path of the texture that belongs to a motion or an output of one person."""
    return path.with_name(f"{path.stem}{TEXTURE_ENDING}")


def read_texture(path: Path) -> bytes | None:
    """The content of a texture's file; None where there is none, or it is no PNG of a reasonable size."""
    try:
        if not path.is_file() or not len(_SIGNATURE) < path.stat().st_size <= MAX_BYTES:
            return None
        content = path.read_bytes()
    except OSError:
        return None
    return content if content.startswith(_SIGNATURE) else None
