"""All options of a reconstruction: the request to the backend, the command line and Blender's panel are generated from this table.

An option is a field of `ReconstructOptions`, `SceneOptions` or `CharacterOptions`. The field has the option's name, type and default;
`option(...)` adds its choices, its argument on the command line and its property in the panel. A new option is one such field and the
code that uses it. Two options have several properties in the panel, which `ui/properties.py` defines: person and frames.
"""

from dataclasses import dataclass

from .catalog import catalog_entries
from .character_options import CharacterOptions
from .option_choices import (
    DEVICES,
    EXPORT_PRESETS,
    QUALITIES,
    SKELETONS,
    START_SHAPES,
    SURFACES,
    TEXTURE_SIZES,
    UP_AXES,
    catalog_choices,
    catalog_help,
    refiner_choices,
)
from .option_parsers import (
    HEIGHT_RANGE,
    parse_cameras,
    parse_file,
    parse_floor,
    parse_focal_length,
    parse_fps,
    parse_frame_number,
    parse_frame_range,
    parse_heights,
    parse_model,
    parse_non_negative,
    parse_person,
    parse_sensor,
)
from .option_records import EMPTY_WORD, Argument, PanelProperty, option, options_of
from .quality_levels import AUTO_REFINER, QUALITY_LEVELS

OPEN_MODEL = "open"  # the value of a model-file option for the model that ships with the software


# --- options, in the order of --help ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ReconstructOptions:
    """The options that the backend needs. None means by default what the help text of the option says.

    Attributes:
        body: "open" or the path of an SMPL-family file. skel_body: "open" or the path of a SKEL file.
        person: "largest", "all" or a number from 1. include_doubtful: with "all", also those who are doubtful.
        people_list: file of the list of people, which is read if it exists.
        frames: (first, end) half-open, counted from 0; None for all.
        fps: rate to resample to. capture_fps: rate at which the footage was captured, if not that at which it plays.
        focal: "28mm" or "1674px" (focal_length.py). sensor: mm of its longer side, if `focal` is in true millimetres.
        camera: FILE or FILE#NAME of the camera that filmed, in whose world people stand. camera_frame: the frame of its scene that
            belongs to the footage's first. floor: the height of that world's floor, m, or "auto".
        cameras: the calibration of several views that are joined; "auto" without one, None for a single view.
        height: cm, of everybody or of each person. betas: files with each person's shape.
        start_shape: "average", "female" or "male", for what bones and silhouettes leave open.
        skeleton: "smpl", or "skel" for SKEL's angles beside SMPL's.
        method: an Estimator of the catalogue. quality: of quality_levels.py. refine: Refiners in order; "auto" for those of the quality.
        texture: paint the open body's skin from the footage, as a square picture of texture_size px.
        smoothing: 0 is off, 1 the default strength. contacts: lock feet while they touch. keep_touch: people who seem to touch do.
        known_contacts: files with each person's certain contacts. corrections: file of an artist's corrections of an earlier result.
        upright: turn the world so that z is up and the floor is at zero.
        up: of an SMPL-family motion in place of footage, the axis that is up: "z", "y", or "auto" as its format says.
    """

    body: str = option(
        OPEN_MODEL,
        argument=Argument(
            "--body", "the open body, your SMPL, SMPL-H or SMPL-X file, or the name you gave it", "open|FILE|NAME", parse_model
        ),
        panel=PanelProperty("Body", "Your own SMPL, SMPL-H or SMPL-X file; empty for the body that comes with MeshRec"),
        is_model_file=True,
    )
    person: str = option("largest", argument=Argument("--person", "who; N counts from 1, the largest first", "largest|all|N", parse_person))
    people_list: str | None = option(
        None,
        argument=Argument(
            "--people",
            "who is where, when (docs/people.md): read if the file exists, else written; --person refers to it",
            "people.json",
            parse_file,
        ),
    )
    include_doubtful: bool = option(
        False,
        argument=Argument(
            "--include-doubtful",
            "of --person all: also those who may be nobody, or whose body does not explain the footage (docs/people.md)",
        ),
        panel=PanelProperty(
            "Include Doubtful People", "With Everybody: also statues, mirror images, and people whose body does not match the footage"
        ),
    )
    frames: tuple[int, int | None] | None = option(
        None, argument=Argument("--frames", "range of frames, counted from 0, without B", "A:B", parse_frame_range)
    )
    fps: float | None = option(
        None, argument=Argument("--fps", "resample the motion to this rate; for a folder of images: their rate", parse=parse_fps)
    )
    capture_fps: float | None = option(
        None,
        argument=Argument(
            "--capture-fps",
            "rate at which slow motion was captured, which gives its true time; what the file says by default",
            "FPS",
            parse_fps,
        ),
        panel=PanelProperty(
            "Capture Rate",
            "Frames a second at which slow motion was captured, so that the motion has its true time; 0 for what the file says",
            minimum=0.0,
            soft_maximum=960.0,
        ),
    )
    focal: str | None = option(
        None,
        argument=Argument(
            "--focal",
            "focal length of the lens: millimetres in 35 mm equivalents (28mm; with --sensor, the true ones) or pixels of the picture "
            "(1674px); what the file says by default, else it is solved",
            "MM|PX",
            parse_focal_length,
        ),
        panel=PanelProperty(
            "Focal Length",
            "Of the lens: millimetres in 35 mm equivalents such as 28mm, or pixels such as 1674px; empty for what the file says, or else "
            "what the reconstruction finds",
        ),
    )
    sensor: float | None = option(
        None,
        argument=Argument(
            "--sensor", "width in millimetres of the sensor's longer side, for --focal in its true millimetres", "MM", parse_sensor
        ),
        panel=PanelProperty(
            "Sensor Width",
            "Millimetres of the sensor's longer side, if the focal length is the true one of the lens; 0 for 35 mm equivalents",
            minimum=0.0,
            soft_maximum=70.0,
        ),
    )
    camera: str | None = option(
        None,
        argument=Argument(
            "--camera",
            "the camera that filmed, where it is known: of a .blend, .fbx, .abc or .usd, with #NAME one of its cameras, or a .json "
            "(docs/known_camera.md); people stand in its world, on its floor, at its scale, frame for frame",
            "FILE[#NAME]",
            parse_file,
        ),
    )
    cameras: str | None = option(
        None,
        argument=Argument(
            "--cameras",
            "join the inputs, several views of one scene, into one output: the cameras' calibration of Pose2Sim (.toml), Qualisys "
            "(.qca.txt), OpenCV (.yml, .xml, .json) or Blender (.json), or auto to find the cameras, which stand still, from the people",
            "CALIB|auto",
            parse_cameras,
        ),
    )
    camera_frame: int | None = option(
        None,
        argument=Argument("--camera-frame", "the scene's frame that is the footage's first; the scene's first", "N", parse_frame_number),
        panel=PanelProperty("Footage Begins at", "The frame of the scene that is the footage's first; 0 for the scene's first"),
    )
    floor: str | None = option(
        None,
        argument=Argument("--floor", "height of the floor in the camera's world, metres (0), or auto", "M|auto", parse_floor),
        panel=PanelProperty("Floor", "Height in metres of the floor in the camera's world; empty for 0, auto to find it from people"),
    )
    height: float | tuple[float, ...] | None = option(
        None,
        argument=Argument(
            "--height",
            "the person's height without shoes in centimetres, which fixes scale and distance; of several people one for all, or one "
            "each in their order, 0 to estimate one (--height 182 165)",
            "CM",
            parse_heights,
        ),
        panel=PanelProperty(
            "Height",
            "Everybody's height in centimetres without shoes, which fixes scale and distance; 0 to estimate it",
            minimum=0.0,
            soft_maximum=HEIGHT_RANGE[1],
        ),
    )
    betas: tuple[str, ...] = option(
        (),
        argument=Argument(
            "--betas",
            "the shape of a person whom another clip showed: its motion .npz, or its report in JSON; of several people once each, in "
            "their order",
            "FILE",
            parse_file,
            is_repeated=True,
        ),
        panel=PanelProperty(
            "Shape of",
            "A motion .npz or a report of the same person, whose shape this result takes over; empty to estimate it",
            is_path=True,
        ),
    )
    start_shape: str = option(
        "average",
        choices=START_SHAPES,
        argument=Argument("--start-shape", "the shape of which the person has what the footage does not show; of the open body"),
        panel=PanelProperty("Shape Starts as", "Whose shape the person has where the footage does not show it; of the open body"),
    )
    skeleton: str = option(
        "smpl",
        choices=SKELETONS,
        argument=Argument("--skeleton", "SMPL's joints, or SKEL's bones and anatomical angles with their limits"),
        panel=PanelProperty("Skeleton", "Which bones the armature has"),
    )
    skel_body: str = option(
        OPEN_MODEL,
        argument=Argument("--skel", "the open SKEL body, your SKEL file, or the name you gave it", "open|FILE|NAME", parse_model),
        panel=PanelProperty("SKEL Body", "Your own SKEL file; empty for the one that comes with MeshRec"),
        is_model_file=True,
    )
    detector: str = option(
        "auto",
        choices=catalog_choices("detector", "Landmarks in footage; the points themselves of a keypoints file"),
        argument=Argument("--detector", catalog_help("detector"), "NAME"),
        panel=PanelProperty("Detector", "What finds people in the picture"),
    )
    method: str = option(
        "auto",
        choices=catalog_choices("estimator", "The one that suits the detector"),
        argument=Argument("--method", catalog_help("estimator"), "NAME"),
        panel=PanelProperty("Method", "What turns 2D into 3D"),
    )
    quality: str = option(
        "standard",
        choices=QUALITIES,
        argument=Argument(
            "--quality",
            "speed or accuracy: draft analyses about 15 frames a second and refines nothing, best uses a larger landmark model",
        ),
        panel=PanelProperty("Quality", "Speed or accuracy"),
    )
    refine: tuple[str, ...] = option(
        (AUTO_REFINER,),
        argument=Argument(
            "--refine",
            f"once or more, or none; {AUTO_REFINER} by default: {' and '.join(QUALITY_LEVELS['standard'].refiners)}, and none with "
            f"--quality draft. {catalog_help('refiner')}",
            "NAME",
            words=(AUTO_REFINER, *(entry.name for entry in catalog_entries("refiner")), EMPTY_WORD),
            is_repeated=True,
        ),
        panel=PanelProperty("Refinement", "What improves the result after the method", choices=refiner_choices()),
    )
    texture: bool = option(
        False,
        argument=Argument(
            "--texture", "paint the open body's skin from the footage: NAME_texture.png beside the output, and in the body's material"
        ),
        panel=PanelProperty("Texture from Footage", "Paint the skin of the body that comes with MeshRec as the footage shows the person"),
    )
    texture_size: str = option(
        "1024",
        choices=TEXTURE_SIZES,
        argument=Argument("--texture-size", "pixels of the texture's sides; --texture SIZE is short for it"),
        panel=PanelProperty("Texture Size", "Pixels of the texture's sides"),
    )
    device: str = option(
        "auto",
        choices=DEVICES,
        argument=Argument("--device", "what to compute on"),
        panel=PanelProperty("Device", "The processor or the graphics card to compute with"),
    )
    smoothing: float = option(
        1.0,
        argument=Argument("--smoothing", "strength of smoothing; 1 is usual, 0 is off", "S", parse_non_negative),
        panel=PanelProperty("Smoothing", "How much jitter is removed; 0 is off, 1 is usual", minimum=0.0, soft_maximum=3.0),
    )
    contacts: bool = option(
        True,
        argument=Argument("--no-contacts", "do not keep feet where they touch the ground"),
        panel=PanelProperty("Lock Feet", "Find when heels and toes touch the floor and hold them still"),
    )
    keep_touch: bool = option(
        False,
        argument=Argument("--keep-touch", "people who seem to touch each other do: hand in hand, a hand on a shoulder, a hug"),
        panel=PanelProperty("Keep Touch", "Bring hands to the other person's body where the picture shows them together"),
    )
    known_contacts: tuple[str, ...] = option(
        (),
        argument=Argument(
            "--contacts",
            "contacts of heels and toes that are certain: a motion .npz whose contacts were edited, touching above 0.5 and not below, nan "
            "where they are to be found; of several people once each, in their order",
            "FILE",
            parse_file,
            is_repeated=True,
        ),
    )
    corrections: str | None = option(
        None,
        argument=Argument(
            "--corrections",
            "an artist's corrections of an earlier result of this clip, such as clip.corrections.json: ranges that are bad, joints that "
            "were dragged, contacts",
            "FILE",
            parse_file,
        ),
    )
    upright: bool = option(
        True,
        argument=Argument("--no-upright", "leave the world as the camera stands"),
        panel=PanelProperty("Level Floor", "Turn the world so that Z is up and the floor is at zero"),
    )
    up: str = option(
        "auto",
        choices=UP_AXES,
        argument=Argument("--up", "of an SMPL motion of other software, the axis that is up; its format's by default", words=("y", "z")),
    )


@dataclass(frozen=True, kw_only=True)
class SceneOptions:
    """The options of the scene or file that is made of a result.

    preset: the program that an .fbx is for. stretch: let the bones of a calibrated person stretch until they meet the joints. surface:
    of a calibrated person, the skin that the bones move or the exact surface. pose_shapes: give the mesh SMPL's pose blend shapes, as shape
    keys that bones drive. smplh: write motion files in AMASS's widths.
    with_camera: write the camera too into formats of other programs.
    """

    preset: str = option(
        "blender",
        choices=EXPORT_PRESETS,
        argument=Argument("--preset", "the axes of an .fbx"),
        panel=PanelProperty("For", "The program that is to read the file", "export_preset"),
    )
    stretch: bool = option(
        True,
        argument=Argument(
            "--no-stretch", "of a calibrated motion: bones keep their lengths, in the nearest pose to where the joints were calibrated"
        ),
        panel=PanelProperty(
            "Stretch Bones",
            "Let bones grow and shrink until every joint is where PC-HMR saw it. Off, they keep their lengths and come near it",
        ),
    )
    surface: str = option(
        "skinned",
        choices=SURFACES,
        argument=Argument(
            "--surface",
            "of a calibrated motion: the skin that bones move, or also the exact surface, as NAME.pc2 beside a .blend or an .npz",
        ),
        panel=PanelProperty("Surface", "Which surface a calibrated person has"),
    )
    pose_shapes: bool = option(
        False,
        argument=Argument("--pose-shapes", "of a .blend: give the mesh the pose blend shapes of its body, over 100 driven shape keys"),
        panel=PanelProperty(
            "Pose Shapes", "Give the mesh the pose blend shapes of its body, over 100 driven shape keys: bends keep more of their volume"
        ),
    )
    with_camera: bool = option(
        False,
        argument=Argument("--with-camera", "of an .fbx, .glb or .usdc: the camera too, animated as it filmed; a .blend always has it"),
        panel=PanelProperty("Camera", "Write the camera that filmed too, animated, into .fbx, .glb and .usdc"),
    )
    smplh: bool = option(
        False,
        argument=Argument(
            "--smplh",
            "of an .npz: AMASS's 156 columns, with hands at rest, for programs that slice 66:156",
            other_flags=("--amass-version",),
        ),
    )


RECONSTRUCT_OPTIONS = options_of(ReconstructOptions)
SCENE_OPTIONS = options_of(SceneOptions)
CHARACTER_OPTIONS = options_of(CharacterOptions)
OPTIONS = {entry.name: entry for entry in (*RECONSTRUCT_OPTIONS, *SCENE_OPTIONS, *CHARACTER_OPTIONS)}
