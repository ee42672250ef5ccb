"""What the artist chooses, kept with the scene, and the request it comes down to."""

from pathlib import Path

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
from ..core import catalog
from ..scene.earlier_results import person_name, rename_person
from . import footage
from .thumbnails import store_portrait

PERSON_ITEMS = (
    ("LARGEST", "Largest", "The person who is largest in the picture, by the median of the whole clip"),
    ("ALL", "Everybody", "Everybody the detector follows, in one shared world"),
    ("ONE", "One", "One person by number; 1 is the largest"),
)
DEVICE_ITEMS = (
    ("auto", "Automatic", "The graphics card where there is one that works"),
    ("cpu", "Processor", "The processor, always"),
    ("cuda", "NVIDIA", "An NVIDIA graphics card"),
    ("mps", "Apple", "Apple's graphics"),
)
SKELETON_ITEMS = (
    ("smpl", "SMPL", "24 joints, as research and most other software have them"),
    ("skel", "SKEL", "The bones of the human body with 46 anatomical angles and their limits, beside SMPL's motion"),
)
SURFACE_ITEMS = (
    ("SKINNED", "Skinned", "The skin that the bones move, to be edited like any character's"),
    ("EXACT", "Exact", "The calibrated surface itself, from a .pc2 file beside the .blend; the eye of its modifier brings the skin back"),
)
RERUN_ITEMS = (
    ("REPLACE", "Replace", "The earlier result of the same people in the same footage goes; Undo brings it back"),
    ("ADD", "Keep", "The earlier result stays beside the new one"),
)
# Blender's own description of the axes differs by engine; meshes, motion and units are the same.
EXPORT_PRESET_ITEMS = (
    ("blender", "General", "Y up, for Blender, Maya, 3ds Max, Cinema 4D and most other programs"),
    ("unreal", "Unreal Engine", "Z up, nothing is turned on the way"),
    ("unity", "Unity", "Y up, and no object is rotated"),
)
# Later Blenders want to be told that a path may start at the .blend ("//").
_PATH_OPTIONS = {"options": {"PATH_SUPPORTS_BLEND_RELATIVE"}} if bpy.app.version >= (4, 5, 0) else {}


def _catalog_items(role, automatic):
    entries = tuple((entry.name, entry.label, entry.explanation) for entry in catalog.catalog_entries(role))
    return (("auto", "Automatic", automatic), *entries)


def _quality_items():
    more = [entry for entry in catalog.catalog_entries("refiner") if entry.name not in catalog.DEFAULT_REFINERS]
    return (
        ("QUICK", "Quick", "What the method gives, without a second look at the picture"),
        ("STANDARD", "Standard", "Limbs turned as motion capture knows it, and the shape that silhouettes show"),
        *((entry.name, entry.label, entry.explanation) for entry in more),
    )


def _refiners_of_quality(quality):
    """What a quality comes down to."""
    if quality == "QUICK":
        return ()
    return catalog.DEFAULT_REFINERS if quality == "STANDARD" else (*catalog.DEFAULT_REFINERS, quality)


def _on_source_change(settings, context):
    settings.update_footage()


def _on_first_frame_change(settings, context):
    if settings.last_frame < settings.first_frame:
        settings.last_frame = settings.first_frame


def _on_last_frame_change(settings, context):
    if settings.first_frame > settings.last_frame:
        settings.first_frame = settings.last_frame


def _on_name_change(person, context):
    rename_person(context.scene.meshrec.path, person.number, person.name or default_person_name(person.number))


class FoundPerson(bpy.types.PropertyGroup):
    """Somebody whom the last run has found in the footage."""

    name: StringProperty(name="Name", description="What this person's objects are called in the scene", update=_on_name_change)
    number: IntProperty()
    portrait_key: StringProperty()
    frames: IntProperty()
    total: IntProperty()


class Settings(bpy.types.PropertyGroup):
    """The settings of a scene's reconstruction."""

    # No file path to Blender: the browser it would put beside the field shows every file, Open Footage's only footage.
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
    body: StringProperty(
        name="Body",
        description="Your own SMPL, SMPL-H or SMPL-X file; empty for the body that comes with MeshRec",
        subtype="FILE_PATH",
        **_PATH_OPTIONS,
    )
    skeleton: EnumProperty(name="Skeleton", description="Which bones the armature has", items=SKELETON_ITEMS)
    skel_body: StringProperty(
        name="SKEL Body",
        description="Your own SKEL file; empty for the one that comes with MeshRec",
        subtype="FILE_PATH",
        **_PATH_OPTIONS,
    )
    smoothing: FloatProperty(
        name="Smoothing", description="How much jitter is removed; 0 is off, 1 is usual", default=1.0, min=0.0, soft_max=3.0
    )
    contacts: BoolProperty(name="Lock Feet", description="Find when heels and toes touch the floor and hold them still", default=True)
    upright: BoolProperty(name="Stand Upright", description="Turn the world so that Z is up and the floor is at zero", default=True)
    match_scene: BoolProperty(
        name="Match Scene to Footage",
        description="Give the scene the footage's frame rate, range and resolution, and its camera. Off, the motion keeps its real speed",
        default=True,
    )
    rerun: EnumProperty(name="Earlier Result", description="What becomes of an earlier result of this footage", items=RERUN_ITEMS)
    detector: EnumProperty(
        name="Detector", description="What finds people in the picture", items=_catalog_items("detector", "By the input")
    )
    method: EnumProperty(
        name="Method", description="What turns 2D into 3D", items=_catalog_items("estimator", "The one that suits the detector")
    )
    quality: EnumProperty(name="Quality", description="How much work is put into the result", items=_quality_items(), default="STANDARD")
    device: EnumProperty(name="Device", description="What computes", items=DEVICE_ITEMS)
    stretch: BoolProperty(
        name="Stretch Bones",
        description="Let bones grow and shrink until every joint is where PC-HMR saw it. Off, they keep their lengths and come near it",
        default=True,
    )
    surface: EnumProperty(name="Surface", description="What the mesh shows of a calibrated person", items=SURFACE_ITEMS)
    export_preset: EnumProperty(name="For", description="The program that is to read the file", items=EXPORT_PRESET_ITEMS)

    @property
    def path(self):
        """The footage's place, as results keep it; "" for none."""
        return str(Path(bpy.path.abspath(self.source)).absolute()) if self.source else ""

    @property
    def is_calibrated(self):
        """Whether results have calibrated joints and an exact surface."""
        return is_calibrated_method(self.method) and self.skeleton == "smpl"

    @property
    def body_source(self):
        """What `load_body` is given."""
        return bpy.path.abspath(self.body) if self.body else "open"

    @property
    def skel_source(self):
        """What `load_skel` is given."""
        return bpy.path.abspath(self.skel_body) if self.skel_body else "open"

    @property
    def footage(self):
        """The Footage as it was when it was chosen."""
        return footage.Footage(self.footage_kind, self.footage_picture, self.footage_frames, self.footage_fps, tuple(self.footage_size))

    def update_footage(self):
        """Find out about new footage, and choose all of it and nobody in particular."""
        found = footage.probe_footage(bpy.path.abspath(self.source)) if self.source else footage.Footage()
        self.footage_kind, self.footage_picture = found.kind, found.picture
        self.footage_frames, self.footage_fps, self.footage_size = found.frames, found.fps, found.size
        self.use_range, self.first_frame, self.last_frame = False, 1, max(1, found.frames or 100)
        self.people.clear()
        if self.person == "ONE":
            self.person, self.person_number = "LARGEST", 1

    def person_name(self, number):
        """What a person is called."""
        return next((person.name for person in self.people if person.number == number and person.name), default_person_name(number))

    def set_people(self, report, portraits=()):
        """Fill the list with everybody a report says was found, and their pictures; names that were given stay."""
        names = {person.number: person.name for person in self.people}
        self.people.clear()
        for entry in report.get("found", ()):
            person = self.people.add()
            person.number, person.frames = entry["person"], entry["frames_with_person"]
            person.total = report["frames_read"]
            person.name = names.get(person.number) or person_name(self.path, person.number) or default_person_name(person.number)
            store_portrait(person, portraits[person.number - 1] if portraits else None)


def default_person_name(number):
    """What a person is called whom nobody has named."""
    return f"person{number}"


def item_description(settings, name):
    """What the chosen item of a menu means, one line."""
    return settings.bl_rna.properties[name].enum_items[getattr(settings, name)].description


def build_request(settings, cache=None, surface=None):
    """The ReconstructRequest that Settings come down to; cache: folder of observations; surface: prefix of exact surfaces; or None."""
    person = {"LARGEST": "largest", "ALL": "all", "ONE": str(settings.person_number)}[settings.person]
    return ReconstructRequest(
        source=bpy.path.abspath(settings.source),
        person=person,
        frames=(settings.first_frame - 1, settings.last_frame) if settings.use_range else None,
        body=settings.body_source,
        skeleton=settings.skeleton,
        skel_body=settings.skel_source,
        detector=settings.detector,
        method=settings.method,
        # Each quality comes on top of what is usual.
        refine=_refiners_of_quality(settings.quality),
        device=settings.device,
        smoothing=settings.smoothing,
        contacts=settings.contacts,
        upright=settings.upright,
        cache=cache,
        surface=surface,
    )


CLASSES = (FoundPerson, Settings)
