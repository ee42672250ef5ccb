"""The settings of a scene's reconstruction, which .blend files store, and the request to the backend that they make."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    IntVectorProperty,
    PointerProperty,
    StringProperty,
)

from ..bridge.messages import ReconstructRequest, is_calibrated_method
from ..core.array_types import ImageArray
from ..core.conventions import FOLDER_FPS, IMAGE_FPS
from ..core.files.camera_file import camera_to_text
from ..core.messages import Message
from ..core.option_choices import EXPORT_PRESETS
from ..core.options import OPTIONS, RECONSTRUCT_OPTIONS, SCENE_OPTIONS
from ..core.people_list import default_person_name
from ..core.skeleton_choice import SKEL_METHODS
from ..scene.cameras.known_cameras import camera_of_object
from ..scene.context import expect_type
from ..scene.scene_timing import choose_timing, matching_changes
from ..scene.takes.earlier_results import person_name, rename_person
from .blender_types import enum_property, settings_of
from .footage import footage
from .option_properties import add_option_properties, enum_items, option_value, request_values
from .people.people_state import forget_people, name_listed_person
from .people.thumbnails import store_portrait

PERSON_ITEMS = (
    ("LARGEST", "Largest", "The person who is largest in the picture, by the median of the whole clip"),
    ("ALL", "Everybody", "Everybody the detector follows, in one shared world"),
    ("ONE", "One", "One person by number; 1 is the largest"),
)
RERUN_ITEMS = (  # presets store these identifiers
    ("REPLACE", "New Take", "The same rig gets a new action; its earlier actions stay in its list of takes"),
    ("ADD", "New Rig", "The earlier rig stays as it is, and a new one is made beside it"),
)
RATE_ITEMS = (
    ("AUTO", "Automatic", "The footage's, in a scene that begins at frame 1 and in which nothing is animated yet; else the scene's"),
    ("FOOTAGE", "Footage", "The scene takes over the footage's frame rate and the range of the result"),
    ("SCENE", "Scene", "The scene keeps its frame rate; the motion keeps its true speed"),
)
EXPORT_PRESET_ITEMS = enum_items(EXPORT_PRESETS)


def _on_source_change(settings: "Settings", context: bpy.types.Context) -> None:
    settings.update_footage()


def _on_first_frame_change(settings: "Settings", context: bpy.types.Context) -> None:
    if settings.last_frame < settings.first_frame:
        settings.last_frame = settings.first_frame


def _on_last_frame_change(settings: "Settings", context: bpy.types.Context) -> None:
    if settings.first_frame > settings.last_frame:
        settings.first_frame = settings.last_frame


def _on_name_change(person: "FoundPerson", context: bpy.types.Context) -> None:
    settings = settings_of(context)
    rename_person(settings.path, person.number, person.name or default_person_name(person.number))
    name_listed_person(settings, person.number, person.name)


def _is_camera(settings: "Settings", thing: bpy.types.Object) -> bool:
    return thing.type == "CAMERA"


class FurtherView(bpy.types.PropertyGroup):
    """The footage of another camera that filmed the same scene."""

    path: StringProperty(name="Footage", description="What another camera filmed of the same scene", subtype="FILE_PATH")


class FoundPerson(bpy.types.PropertyGroup):
    """A person that the last reconstruction found in the footage.

    frames: number of frames with the person; total: of all frames.
    """

    name: StringProperty(name="Name", description="What this person's objects are called in the scene", update=_on_name_change)
    number: IntProperty()
    portrait_key: StringProperty()
    frames: IntProperty()
    total: IntProperty()


class Settings(bpy.types.PropertyGroup):
    """The settings of a scene's reconstruction: the properties below, and those of the options, which are added after the class."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...  # the options

    # Not a FILE_PATH: Blender's button beside such a field opens a browser of all files; Open Footage's shows footage only.
    source: StringProperty(
        name="Footage",
        description="A video, an image, a folder of numbered images, or a 2D keypoints file",
        update=_on_source_change,
    )
    footage_kind: StringProperty()
    footage_picture: StringProperty()
    footage_frames: IntProperty()
    footage_fps: FloatProperty()
    footage_size: IntVectorProperty(size=2)
    person: EnumProperty(name="People", description="Whom to reconstruct", items=PERSON_ITEMS)
    person_number: IntProperty(name="Number", description="Counted from 1, the largest first", default=1, min=1)
    people: CollectionProperty(type=FoundPerson)
    people_text: StringProperty()  # the list of people, as it is now and as the clip was solved; whether the user has changed it
    people_solved: StringProperty()
    people_edited: BoolProperty()
    people_images_key: StringProperty()
    use_range: BoolProperty(name="Part of the Clip", description="Reconstruct only some of the footage's frames")
    first_frame: IntProperty(
        name="In", description="First frame of the footage to use, counted from 1", default=1, min=1, update=_on_first_frame_change
    )
    last_frame: IntProperty(name="Out", description="Last frame of the footage to use", default=100, min=1, update=_on_last_frame_change)
    match_scene: BoolProperty(
        name="Match Scene",
        description="Give the scene the footage's frame rate, range and resolution, and its camera. Off, the motion keeps its true speed",
        default=True,
    )
    frame_rate: EnumProperty(
        name="Frame Rate", description="Whether the result has the footage's frame rate or the scene's", items=RATE_ITEMS
    )
    whole_frames: BoolProperty(
        name="Whole Frames",
        description="Resample the motion so that every key lies on a whole frame. Off, keys lie where the footage's frames are",
        default=True,
    )
    use_start_frame: BoolProperty(name="Start Frame", description="Start the motion at a frame of your choice, not at the scene's first")
    start_frame: IntProperty(name="Start Frame", description="The frame of the timeline at which the motion begins", default=1)
    scene_camera: PointerProperty(
        type=bpy.types.Object,
        name="From Scene",
        description="The camera of the scene that filmed the footage, as a matchmove has it: people stand in its world, on its floor, at "
        "its scale, frame for frame. Empty to have the camera found",
        poll=_is_camera,
    )
    views: CollectionProperty(type=FurtherView)
    calibration: StringProperty(
        name="Calibration",
        description="The calibration of all cameras: of Pose2Sim (.toml), Qualisys (.qca.txt), OpenCV (.yml, .xml, .json) or Blender "
        "(.json). Empty to find the cameras, which stand still, from the people",
        subtype="FILE_PATH",
    )
    rerun: EnumProperty(
        name="Next Result", description="Whether the next result of the same person is a new take or a new rig", items=RERUN_ITEMS
    )

    @property
    def path(self) -> str:
        """The absolute path of the footage, as results store it; "" for none."""
        return str(Path(bpy.path.abspath(self.source)).absolute()) if self.source else ""

    @property
    def first_key(self) -> int | None:
        """The frame of the timeline at which the motion shall begin; None for the scene's first."""
        return self.start_frame if self.use_start_frame else None

    @property
    def is_calibrated(self) -> bool:
        """Whether results will have calibrated joints and an exact surface."""
        return is_calibrated_method(self.method) and self.skeleton == "smpl"

    @property
    def method_gives_skel(self) -> bool:
        """Whether the method regresses SKEL's angles, so that results have SKEL's skeleton whatever is chosen."""
        return self.method in SKEL_METHODS and bool(self.body) == bool(self.skel_body)

    @property
    def body_source(self) -> str:
        """The body as `load_body` takes it: "open" or a path."""
        return option_value(self, OPTIONS["body"])

    @property
    def skel_source(self) -> str:
        """The SKEL body as `load_skel` takes it: "open" or a path."""
        return option_value(self, OPTIONS["skel_body"])

    @property
    def footage(self) -> footage.Footage:
        """What was found out about the footage when it was chosen."""
        return footage.Footage(self.footage_kind, self.footage_picture, self.footage_frames, self.footage_fps, tuple(self.footage_size))

    def update_footage(self) -> None:
        """Probe new footage, and reset the frame range and the person."""
        probed = footage.probe_footage(bpy.path.abspath(self.source)) if self.source else footage.Footage()
        self.footage_kind, self.footage_picture = probed.kind, probed.picture
        self.footage_frames, self.footage_fps, self.footage_size = probed.frames, probed.fps, probed.size
        self.use_range, self.first_frame, self.last_frame = False, 1, max(1, probed.frames or 100)
        self.people.clear()
        forget_people(self)
        if self.person == "ONE":
            self.person, self.person_number = "LARGEST", 1

    def person_name(self, number: int) -> str:
        """The name of a person's objects."""
        return next((person.name for person in self.people if person.number == number and person.name), default_person_name(number))

    def set_people(self, report: dict[str, Any], portraits: Sequence[ImageArray | None] = ()) -> None:
        """Fill the list with the people of a report and their portraits; names that the user gave are kept."""
        names = {person.number: person.name for person in self.people}
        self.people.clear()
        for index, entry in enumerate(report.get("found", ())):
            person = self.people.add()
            person.number, person.frames = entry["person"], entry["frames_with_person"]
            person.total = report["frames_read"]
            known = entry.get("name") or names.get(person.number) or person_name(self.path, person.number)
            person.name = known or default_person_name(person.number)
            store_portrait(person, portraits[index] if index < len(portraits) else None)


add_option_properties(Settings, (*RECONSTRUCT_OPTIONS, *SCENE_OPTIONS))


def planned_changes(scene: bpy.types.Scene, settings: Settings) -> list[Message]:
    """What the next reconstruction will change in the scene; nothing if the footage is unknown."""
    if not settings.match_scene or not settings.footage_frames:
        return []
    fps = settings.footage_fps or (FOLDER_FPS if settings.footage_kind == "FOLDER" else IMAGE_FPS)
    timing = choose_timing(scene, fps, settings.frame_rate, settings.first_key, settings.whole_frames, settings.match_scene)
    frames = settings.last_frame - settings.first_frame + 1 if settings.use_range else settings.footage_frames
    return matching_changes(scene, timing, frames, fps, tuple(settings.footage_size))


def item_description(settings: bpy.types.PropertyGroup, name: str) -> str:
    """The description of an enum property's current item."""
    return enum_property(settings, name).enum_items[getattr(settings, name)].description


def build_request(settings: Settings, cache: str | None = None, surface: str | None = None) -> ReconstructRequest:
    """The ReconstructRequest of Settings.

    Args:
        cache: folder of observations, or None. surface: path prefix of the exact surfaces, or None.
    """
    camera_text = _camera_text(settings)
    return ReconstructRequest(
        bpy.path.abspath(settings.source),
        person={"LARGEST": "largest", "ALL": "all", "ONE": str(settings.person_number)}[settings.person],
        frames=(settings.first_frame - 1, settings.last_frame) if settings.use_range else None,
        cache=cache,
        surface=surface,
        camera_text=camera_text,
        camera=None if camera_text is None else settings.scene_camera.name,
        **_views_of(settings),
        people_text=settings.people_text if settings.people_edited else None,
        **request_values(settings, RECONSTRUCT_OPTIONS),
    )


def _views_of(settings: Settings) -> dict[str, Any]:
    """The further views of the request, and the calibration of their cameras."""
    views = tuple(bpy.path.abspath(view.path) for view in settings.views if view.path)
    calibration = bpy.path.abspath(settings.calibration) if settings.calibration else "auto"
    return {"views": views, "cameras": calibration} if views else {}


def _camera_text(settings: Settings) -> str | None:
    """The scene's camera as the text of a camera file, if it filmed. Raises InputError: it has no perspective."""
    if settings.scene_camera is None:
        return None
    camera = camera_of_object(settings.scene_camera, expect_type(settings.id_data, bpy.types.Scene), settings.camera_frame or None)
    return camera_to_text(camera)


CLASSES = (FurtherView, FoundPerson, Settings)
