"""What each format keeps of a person, in sentences.

A bone that is scaled along itself comes back from .fbx, .glb and .usdc with joints below it 35 to 44 mm away (Blender's own exporters
and importers, bones a tenth longer or shorter), because these formats hand a bone's scale on to the bones below. So there bones are
moved instead, whatever the preset, and joints come back within 0.01 mm.
"""

_MOVED = (".fbx", ".glb", ".usdc")
SURFACE_KEEPERS = (".blend", ".npz")


def carried(suffix, name, stretched, surface, keepers=SURFACE_KEEPERS, anatomy=False):
    """Sentences about what a file of one format keeps of a person, and what it does not.

    Args:
        suffix: the format. name: the person's. stretched: whether their bones stretch. surface: whether they have the exact
            surface, which formats of `keepers` keep. anatomy: whether they are to have SKEL's skeleton.
    """
    said = []
    if anatomy and suffix == ".bvh":
        said.append(f".bvh has SMPL's joints of {name}: SKEL's bones are kept by .blend, .fbx, .glb and .usdc.")
    if stretched and suffix in _MOVED:
        said.append(f"{suffix} keeps the calibrated joints of {name} by moving bones; it refuses their scale, which it would hand on.")
    if stretched and suffix == ".bvh":
        said.append(f".bvh keeps the calibrated joints of {name} as positions of every joint, which not every program reads.")
    if surface and suffix not in keepers:
        said.append(f"{suffix} has the skinned surface of {name}: the exact one is kept by {' and '.join(keepers)} alone.")
    return said
