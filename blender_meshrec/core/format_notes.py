"""What each format keeps of a person, in sentences.

A bone that is scaled along itself comes back from .fbx, .glb and .usdc with joints below it 35 to 44 mm away (Blender's own exporters
and importers, bones a tenth longer or shorter), because these formats hand a bone's scale on to the bones below. So there bones are
moved instead, whatever the preset, and joints come back within 0.01 mm.
"""

from .messages import Message

_BONE_MOVING_FORMATS = (".fbx", ".glb", ".usdc")
SURFACE_FORMATS = (".blend", ".npz")


def format_notes(suffix, name, stretched, surface, surface_formats=SURFACE_FORMATS, anatomy=False):
    """Sentences about what a file of one format keeps of a person, and what it does not.

    Args:
        suffix: the format. name: the person's. stretched: whether their bones stretch. surface: whether they have the exact
            surface, which formats of `surface_formats` keep. anatomy: whether they are to have SKEL's skeleton.
    """
    said = []
    if anatomy and suffix == ".bvh":
        said.append(
            Message(
                "bvh-has-smpl-joints", ".bvh has SMPL's joints of {name}: SKEL's bones are kept by .blend, .fbx, .glb and .usdc.", name=name
            )
        )
    if stretched and suffix in _BONE_MOVING_FORMATS:
        said.append(
            Message(
                "format-moves-bones",
                "{suffix} keeps the calibrated joints of {name} by moving bones; it refuses their scale, which it would hand on.",
                suffix=suffix,
                name=name,
            )
        )
    if stretched and suffix == ".bvh":
        said.append(
            Message(
                "bvh-has-joint-positions",
                ".bvh keeps the calibrated joints of {name} as positions of every joint, which not every program reads.",
                name=name,
            )
        )
    if surface and suffix not in surface_formats:
        said.append(
            Message(
                "format-has-skinned-surface",
                "{suffix} has the skinned surface of {name}: the exact one is kept by {keepers} alone.",
                suffix=suffix,
                name=name,
                keepers=" and ".join(surface_formats),
            )
        )
    return said
