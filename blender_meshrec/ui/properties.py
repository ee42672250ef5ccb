"""What the artist chooses, kept with the scene, and the request it comes down to."""

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from ..bridge.messages import ReconstructRequest
from ..core import catalog

PEOPLE = (
    ("LARGEST", "Largest", "The person who is largest in the picture, by the median of the whole clip"),
    ("ALL", "Everybody", "Everybody the detector follows, in one shared world"),
    ("ONE", "One", "One person by number; 1 is the largest"),
)
DEVICES = (
    ("auto", "Automatic", "The graphics card where there is one that works"),
    ("cpu", "Processor", "The processor, always"),
    ("cuda", "NVIDIA", "An NVIDIA graphics card"),
    ("mps", "Apple", "Apple's graphics"),
)
# Later Blenders want to be told that a path may start at the .blend ("//").
_RELATIVE = {"options": {"PATH_SUPPORTS_BLEND_RELATIVE"}} if bpy.app.version >= (4, 5, 0) else {}


def _choices(role, automatic):
    entries = tuple((entry.name, entry.label, entry.explanation) for entry in catalog.entries(role))
    return (("auto", "Automatic", automatic), *entries)


class Settings(bpy.types.PropertyGroup):
    """The settings of a scene's reconstruction."""

    source: StringProperty(
        name="Footage",
        description="A video, an image, a folder of numbered images, or a 2D keypoints file",
        subtype="FILE_PATH",
        **_RELATIVE,
    )
    person: EnumProperty(name="Person", description="Whom to reconstruct", items=PEOPLE)
    person_number: IntProperty(name="Number", description="Counted from 1, the largest first", default=1, min=1)
    use_range: BoolProperty(name="Part of the Clip", description="Reconstruct only some of the footage's frames")
    first_frame: IntProperty(name="First", description="First frame of the footage to use, counted from 1", default=1, min=1)
    last_frame: IntProperty(name="Last", description="Last frame of the footage to use", default=100, min=1)
    body: StringProperty(
        name="Body",
        description="Your own SMPL, SMPL-H or SMPL-X file; empty for the body that comes with MeshRec",
        subtype="FILE_PATH",
        **_RELATIVE,
    )
    smoothing: FloatProperty(name="Smoothing", description="How much jitter is removed; 0 is off", default=1.0, min=0.0, soft_max=3.0)
    contacts: BoolProperty(name="Lock Feet", description="Find when heels and toes touch the floor and hold them still", default=True)
    upright: BoolProperty(name="Stand Upright", description="Turn the world so that Z is up and the floor is at zero", default=True)
    match_scene: BoolProperty(
        name="Match Scene to Footage",
        description="Give the scene the footage's frame rate, range and resolution, and its camera. Off, the motion keeps its real speed",
        default=True,
    )
    detector: EnumProperty(name="Detector", description="What finds people in the picture", items=_choices("detector", "By the input"))
    method: EnumProperty(name="Method", description="What turns 2D into 3D", items=_choices("estimator", "The one that suits the detector"))
    device: EnumProperty(name="Device", description="What computes", items=DEVICES)


def request_from(settings, cache=None):
    """The ReconstructRequest that Settings come down to; cache: folder of observations, or None."""
    person = {"LARGEST": "largest", "ALL": "all", "ONE": str(settings.person_number)}[settings.person]
    return ReconstructRequest(
        source=bpy.path.abspath(settings.source),
        person=person,
        frames=(settings.first_frame - 1, settings.last_frame) if settings.use_range else None,
        body=bpy.path.abspath(settings.body) if settings.body else "open",
        detector=settings.detector,
        method=settings.method,
        device=settings.device,
        smoothing=settings.smoothing,
        contacts=settings.contacts,
        upright=settings.upright,
        cache=cache,
    )


CLASSES = (Settings,)
