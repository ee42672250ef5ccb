"""The choices that options of a reconstruction offer: their values, labels and explanations."""

from .catalog import catalog_entries
from .option_records import Choice
from .quality_levels import AUTO_REFINER, QUALITY_LEVELS


def catalog_choices(role: str, automatic: str) -> tuple[Choice, ...]:
    """Choices of a role of the catalogue after `auto`, which is described by `automatic`."""
    entries = (Choice(entry.name, entry.label, entry.explanation) for entry in catalog_entries(role))
    return (Choice("auto", "Automatic", automatic), *entries)


def catalog_help(role: str) -> str:
    return "; ".join(f"{entry.name}: {entry.explanation}" for entry in catalog_entries(role)) or "there is none yet"


def refiner_choices() -> tuple[Choice, ...]:
    """The refiners that the panel offers: those of the quality, none, or those of the quality and one more."""
    default_names = {name for level in QUALITY_LEVELS.values() for name in level.refiners}
    more = [entry for entry in catalog_entries("refiner") if entry.name not in default_names]
    return (
        Choice((AUTO_REFINER,), "Automatic", "Those of the quality", "AUTO"),
        Choice((), "None", "What the method gives, without a second look at the picture", "NONE"),
        *(Choice((AUTO_REFINER, entry.name), entry.label, entry.explanation, entry.name) for entry in more),
    )


QUALITIES = (
    Choice("draft", "Draft", "For a quick first look: analyses about 15 frames a second, and refines nothing", "DRAFT"),
    Choice("standard", "Standard", "Every frame; natural twist of the limbs, and the body's shape from its outline", "STANDARD"),
    Choice("best", "Best", "The same with the larger landmark model: nearer to the truth, and slower", "BEST"),
)
DEVICES = (
    Choice("auto", "Automatic", "The graphics card where there is one that works"),
    Choice("cpu", "Processor", "The processor, always"),
    Choice("cuda", "NVIDIA", "An NVIDIA graphics card"),
    Choice("mps", "Apple", "Apple's graphics"),
)
DEVICE_NAMES = tuple(str(choice.value) for choice in DEVICES)
DEVICE_LABELS = {"cpu": "processor", "cuda": "NVIDIA graphics card", "mps": "Apple graphics processor"}  # inside a sentence
SKELETONS = (
    Choice("smpl", "SMPL", "24 joints, as research and most other software have them"),
    Choice("skel", "SKEL", "The bones of the human body with 46 anatomical angles and their limits, beside SMPL's motion"),
)
START_SHAPES = (
    Choice("average", "Average", "The mean of women and men"),
    Choice("female", "Female", "An average woman"),
    Choice("male", "Male", "An average man"),
)
SURFACES = (
    Choice("skinned", "Skinned", "The skin that the bones move, to be edited like any character's", "SKINNED"),
    Choice(
        "exact",
        "Exact",
        "The calibrated surface itself, from a .pc2 file beside the .blend; the eye of its modifier brings the skin back",
        "EXACT",
    ),
)
# Blender's own description of the axes differs by engine; meshes, motion and units are the same.
EXPORT_PRESETS = (
    Choice("blender", "General", "Y up, for Blender, Maya, 3ds Max, Cinema 4D and most other programs"),
    Choice("unreal", "Unreal Engine", "Z up, nothing is turned on the way"),
    Choice("unity", "Unity", "Y up, and no object is rotated"),
)
ROOTS = (
    Choice("hips", "Hips", "The hips carry the whole movement"),
    Choice(
        "root", "Root Bone", "A root bone carries the path over the floor and the heading, as engines want it; where the character has one"
    ),
    Choice("in_place", "In Place", "The character stays where it stands"),
)
DRIVES = (
    Choice("both", "FK and IK", "Key both sets of controls, so that either can be switched on"),
    Choice("fk", "FK", "Key the FK controls and switch the rig to FK"),
    Choice("ik", "IK", "Key the IK controls and switch the rig to IK"),
)
TEXTURE_SIZES = (
    Choice("512", "512", "Enough for people far away and for crowds", "S512"),
    Choice("1024", "1024", "A texel is two to three millimetres, about what footage in full HD shows", "S1024"),
    Choice("2048", "2048", "For people who fill the height of a 4K picture", "S2048"),
    Choice("4096", "4096", "For closer views", "S4096"),
)
UP_AXES = (
    Choice("auto", "As the Format Says", "Z in AMASS files; told where a file leaves it open"),
    Choice("z", "Z Up", "The file's z axis is up"),
    Choice("y", "Y Up", "The file's y axis is up"),
)
EXPORT_PRESET_NAMES = tuple(str(choice.value) for choice in EXPORT_PRESETS)
# The formats that the panel exports selected characters to; the command line also writes a whole scene.
EXPORT_FORMATS = (
    Choice(".fbx", "FBX", "Armature, mesh and animation, for engines and other 3D programs"),
    Choice(".glb", "glTF", "Armature, mesh and animation in one .glb, for the web and engines"),
    Choice(".usdc", "USD", "Skeleton, mesh and animation, for film pipelines"),
    Choice(".bvh", "BVH", "The skeleton's motion alone"),
    Choice(".npz", "NPZ", "SMPL parameters and camera, for research and for MeshRec's own Import"),
)
EXPORT_SUFFIXES = tuple(str(choice.value) for choice in EXPORT_FORMATS)
OUTPUT_SUFFIXES = (".blend", *EXPORT_SUFFIXES)
