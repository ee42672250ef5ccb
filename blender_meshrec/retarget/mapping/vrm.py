"""The mapping from the parts of a human to nodes that VRM files hold, read from the glTF JSON inside.

Sources: the VRM 0.x and VRMC_vrm-1.0 specifications, section humanoid.
"""

from collections.abc import Iterator
from pathlib import Path

from ...core.errors import InputError
from ...core.files.gltf import read_gltf
from ..rig import SIDES

# VRM 0.x counts a thumb's joints from the second: its proximal bone is what 1.0 calls the metacarpal.
_THUMB_PARTS = {"ThumbProximal": "ThumbMetacarpal", "ThumbIntermediate": "ThumbProximal", "ThumbDistal": "ThumbDistal"}
_VRM1_FROM_VRM0 = {f"{side}{old}": f"{side}{new}" for side in SIDES for old, new in _THUMB_PARTS.items()}


def read_vrm_humanoid(path: Path | str) -> dict[str, str]:
    """Read a VRM file's own mapping.

    Args:
        path: a .vrm, .glb or .gltf file.

    Returns:
        VRM 1.0's name of a part (leftUpperArm) -> node name; empty if the file holds no such mapping, or is damaged, which the
        importer reports.
    """
    try:
        gltf = read_gltf(Path(path)).content
    except InputError:
        return {}
    extensions = _get_dict(gltf, "extensions")
    nodes = gltf.get("nodes")
    if not isinstance(nodes, list):
        return {}
    is_vrm0 = "VRM" in extensions and "VRMC_vrm" not in extensions
    humanoid: dict[str, str] = {}
    for part, node in _vrm0_bones(extensions) if is_vrm0 else _vrm1_bones(extensions):
        name = _node_name(nodes, node)
        if isinstance(part, str) and name:
            humanoid.setdefault(part, name)
    return humanoid


def _vrm1_bones(extensions: dict[str, object]) -> Iterator[tuple[object, object]]:
    """Parts and node numbers, not yet checked."""
    bones = _get_dict(_get_dict(_get_dict(extensions, "VRMC_vrm"), "humanoid"), "humanBones")
    for part, entry in bones.items():
        if isinstance(entry, dict):
            yield part, entry.get("node")


def _vrm0_bones(extensions: dict[str, object]) -> Iterator[tuple[object, object]]:
    """Parts, as VRM 1.0 names them, and node numbers, not yet checked."""
    bones = _get_dict(_get_dict(extensions, "VRM"), "humanoid").get("humanBones")
    for entry in bones if isinstance(bones, list) else ():
        if isinstance(entry, dict):
            part = entry.get("bone")
            yield _VRM1_FROM_VRM0.get(part, part) if isinstance(part, str) else part, entry.get("node")


def _node_name(nodes: list[object], node: object) -> str:
    """The name of a node by its number; "" if there is none."""
    if not isinstance(node, int) or isinstance(node, bool) or not 0 <= node < len(nodes):
        return ""
    entry = nodes[node]
    name = entry.get("name") if isinstance(entry, dict) else None
    return name if isinstance(name, str) else ""


def _get_dict(content: dict[str, object], key: str) -> dict[str, object]:
    value = content.get(key)
    return value if isinstance(value, dict) else {}
