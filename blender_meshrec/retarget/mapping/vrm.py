"""The map from a human's parts to nodes that VRM files carry, read from the glTF JSON inside.

Sources: the VRM 0.x and VRMC_vrm-1.0 specifications, section humanoid; glTF 2.0, section GLB file format.
"""

import json
import struct
from pathlib import Path

_MAGIC, _JSON_CHUNK = 0x46546C67, 0x4E4F534A
_MAX_JSON_BYTES = 256 << 20  # of JSON
# VRM 0.x counts a thumb's joints from the second: its proximal bone is what 1.0 calls the metacarpal.
_THUMBS = {"ThumbProximal": "ThumbMetacarpal", "ThumbIntermediate": "ThumbProximal", "ThumbDistal": "ThumbDistal"}


def read_vrm_humanoid(path):
    """A VRM file's own map from the parts of a human to the names of nodes.

    Args:
        path: a .vrm, .glb or .gltf file.

    Returns:
        VRM 1.0's name of a part (leftUpperArm) -> node name; empty where the file carries no such map, or is damaged: then
        the importer is the one to complain.
    """
    gltf = _read_json(Path(path))
    extensions = _get_dict(gltf, "extensions")
    nodes = gltf.get("nodes")
    if not isinstance(nodes, list):
        return {}
    found = {}
    for part, node in (_vrm0_bones if "VRM" in extensions and "VRMC_vrm" not in extensions else _vrm1_bones)(extensions):
        if isinstance(part, str) and isinstance(node, int) and not isinstance(node, bool) and 0 <= node < len(nodes):
            name = nodes[node].get("name") if isinstance(nodes[node], dict) else None
            if isinstance(name, str) and name:
                found.setdefault(part, name)
    return found


def _vrm1_bones(extensions):
    bones = _get_dict(_get_dict(_get_dict(extensions, "VRMC_vrm"), "humanoid"), "humanBones")
    for part, entry in bones.items():
        if isinstance(entry, dict):
            yield part, entry.get("node")


def _vrm0_bones(extensions):
    bones = _get_dict(_get_dict(extensions, "VRM"), "humanoid").get("humanBones")
    for entry in bones if isinstance(bones, list) else ():
        if isinstance(entry, dict):
            part = entry.get("bone")
            for theirs, ours in _THUMBS.items():
                if isinstance(part, str) and part in (f"left{theirs}", f"right{theirs}"):
                    part = part.removesuffix(theirs) + ours
                    break
            yield part, entry.get("node")


def _get_dict(content, key):
    value = content.get(key) if isinstance(content, dict) else None
    return value if isinstance(value, dict) else {}


def _read_json(path):
    """The JSON of a glTF file, binary or text; empty where it is neither."""
    try:
        with path.open("rb") as file:
            head = file.read(20)
            if len(head) == 20 and struct.unpack("<I", head[:4])[0] == _MAGIC:
                length, kind = struct.unpack("<II", head[12:20])
                if kind != _JSON_CHUNK or length > _MAX_JSON_BYTES:
                    return {}
                text = file.read(length)
            elif path.suffix.lower() == ".gltf" and path.stat().st_size <= _MAX_JSON_BYTES:
                text = head + file.read()
            else:
                return {}
        content = json.loads(text.decode("utf-8").rstrip(" \0"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
