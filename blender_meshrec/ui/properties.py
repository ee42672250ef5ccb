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
    StringProperty,
)

from ..bridge.messages import ReconstructRequest, is_calibrated_method
from ..core.array_types import ImageArray
from ..core.option_choices import EXPORT_PRESETS
from ..core.options import OPTIONS, RECONSTRUCT_OPTIONS, SCENE_OPTIONS
from ..scene.earlier_results import person_name, rename_person
from . import footage
from .blender_types import enum_property, settings_of
from .option_properties import add_option_properties, enum_items, option_value, request_values
from .thumbnails import store_portrait

PERSON_ITEMS = (
    ("LARGEST", "Largest", "The person who is largest in the picture, by the median of the whole clip"),
    ("ALL", "Everybody", "Everybody the detector follows, in one shared world"),
    ("ONE", "One", "One person by number; 1 is the largest"),
)
RERUN_ITEMS = (
    ("REPLACE", "Replace", "The earlier result of the same people in the same footage goes; Undo brings it back"),
    ("ADD", "Keep", "The earlier result stays beside the new one"),
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
    rename_person(settings_of(context).path, person.number, person.name or default_person_name(person.number))


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
    person: EnumProperty(name="Person", description="Whom to reconstruct", items=PERSON_ITEMS)
    person_number: IntProperty(name="Number", description="Counted from 1, the largest first", default=1, min=1)
    people: CollectionProperty(type=FoundPerson)
    use_range: BoolProperty(name="Part of the Clip", description="Reconstruct only some of the footage's frames")
    first_frame: IntProperty(
        name="In", description="First frame of the footage to use, counted from 1", default=1, min=1, update=_on_first_frame_change
    )
    last_frame: IntProperty(name="Out", description="Last frame of the footage to use", default=100, min=1, update=_on_last_frame_change)
    match_scene: BoolProperty(
        name="Match Scene to Footage",
        description="Give the scene the footage's frame rate, range and resolution, and its camera. Off, the motion keeps its real speed",
        default=True,
    )
    rerun: EnumProperty(name="Earlier Result", description="What becomes of an earlier result of this footage", items=RERUN_ITEMS)

    @property
    def path(self) -> str:
        """The absolute path of the footage, as results store it; "" for none."""
        return str(Path(bpy.path.abspath(self.source)).absolute()) if self.source else ""

    @property
    def is_calibrated(self) -> bool:
        """Whether results will have calibrated joints and an exact surface."""
        return is_calibrated_method(self.method) and self.skeleton == "smpl"

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
        if self.person == "ONE":
            self.person, self.person_number = "LARGEST", 1

    def person_name(self, number: int) -> str:
        """The name of a person's objects."""
        return next((person.name for person in self.people if person.number == number and person.name), default_person_name(number))

    def set_people(self, report: dict[str, Any], portraits: Sequence[ImageArray | None] = ()) -> None:
        """Fill the list with the people of a report and their portraits; names that the user gave are kept."""
        names = {person.number: person.name for person in self.people}
        self.people.clear()
        for entry in report.get("found", ()):
            person = self.people.add()
            person.number, person.frames = entry["person"], entry["frames_with_person"]
            person.total = report["frames_read"]
            person.name = names.get(person.number) or person_name(self.path, person.number) or default_person_name(person.number)
            store_portrait(person, portraits[person.number - 1] if portraits else None)


add_option_properties(Settings, (*RECONSTRUCT_OPTIONS, *SCENE_OPTIONS))


def default_person_name(number: int) -> str:
    """The name of a person that the user has not named."""
    return f"person{number}"


def item_description(settings: bpy.types.PropertyGroup, name: str) -> str:
    """The description of an enum property's current item."""
    return enum_property(settings, name).enum_items[getattr(settings, name)].description


def build_request(settings: Settings, cache: str | None = None, surface: str | None = None) -> ReconstructRequest:
    """The ReconstructRequest of Settings.

    Args:
        cache: folder of observations, or None. surface: path prefix of the exact surfaces, or None.
    """
    return ReconstructRequest(
        bpy.path.abspath(settings.source),
        person={"LARGEST": "largest", "ALL": "all", "ONE": str(settings.person_number)}[settings.person],
        frames=(settings.first_frame - 1, settings.last_frame) if settings.use_range else None,
        cache=cache,
        surface=surface,
        **request_values(settings, RECONSTRUCT_OPTIONS),
    )


CLASSES = (FoundPerson, Settings)
