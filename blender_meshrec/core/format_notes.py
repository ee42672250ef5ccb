"""Notes for the user on what each file format keeps of a person.

Bones scaled along their length do not survive .fbx, .glb and .usdc: these formats pass a bone's scale on to its children. With bones
10% longer or shorter, Blender's own exporters and importers displace the joints below by 35 to 44 mm. For these formats bones are
therefore translated instead, whatever the preset, and joints come back within 0.01 mm.
"""

from collections.abc import Sequence

from .messages import Message

_BONE_MOVING_FORMATS = (".fbx", ".glb", ".usdc")
SURFACE_FORMATS = (".blend", ".npz")


def format_notes(
    suffix: str,
    name: str,
    stretched: bool,
    surface: bool,
    surface_formats: Sequence[str] = SURFACE_FORMATS,
    anatomy: bool = False,
) -> list[Message]:
    """What a file of one format does not keep of a person.

    Args:
        suffix: of the format. name: of the person.
        stretched: whether the person's bones stretch.
        surface: whether the person has the exact surface, which only `surface_formats` keep.
        anatomy: whether the person has SKEL's skeleton.
    """
    notes = []
    if anatomy and suffix == ".bvh":
        notes.append(
            Message(
                "bvh-has-smpl-joints", ".bvh has SMPL's joints of {name}: SKEL's bones are kept by .blend, .fbx, .glb and .usdc.", name=name
            )
        )
    if stretched and suffix in _BONE_MOVING_FORMATS:
        notes.append(
            Message(
                "format-moves-bones",
                "{suffix} keeps the calibrated joints of {name} by moving bones; it refuses their scale, which it would hand on.",
                suffix=suffix,
                name=name,
            )
        )
    if stretched and suffix == ".bvh":
        notes.append(
            Message(
                "bvh-has-joint-positions",
                ".bvh keeps the calibrated joints of {name} as positions of every joint, which not every program reads.",
                name=name,
            )
        )
    if surface and suffix not in surface_formats:
        notes.append(
            Message(
                "format-has-skinned-surface",
                "{suffix} has the skinned surface of {name}: the exact one is kept by {keepers} alone.",
                suffix=suffix,
                name=name,
                keepers=" and ".join(surface_formats),
            )
        )
    return notes
