"""What `assemble` is given and returns: people to make, the options of making them, and the Assembly of what was made."""

from dataclasses import dataclass
from pathlib import Path

import bpy

from ..core.array_types import FloatArray
from ..core.conventions import FIRST_BLENDER_FRAME
from ..core.files.body_template import BodyTemplate
from ..core.records import Recovery
from ..core.skel.template import SkelTemplate
from .motion.keyframes import snapped_key_frames


@dataclass(frozen=True)
class Person:
    """A person to make: the name of the objects, a Recovery and the BodyTemplate of its pose.

    skel: the SkelTemplate of a recovery with SKEL's angles, to make SKEL's skeleton; None for SMPL's.
    surface: the point cache of the exact calibrated surface, which the mesh plays; None for the skinned mesh alone.
    rig: the person's armature object of an earlier result, which gets a new take; None to make a new one.
    texture: the content of a PNG file for the UV map of the body; None for plain colours.
    """

    name: str
    recovery: Recovery
    template: BodyTemplate
    skel: SkelTemplate | None = None
    surface: Path | None = None
    rig: bpy.types.Object | None = None
    texture: bytes | None = None


@dataclass(frozen=True)
class AssemblyOptions:
    """How the people of a clip are made.

    Attributes:
        fps: the timeline's rate; 0 for the clip's own. At another rate the motion keeps its real speed.
        first_frame: of the timeline, at which the motion begins.
        pose_shapes: add the body's pose blend shapes as driven shape keys; without them a note says so.
        stretch: let the bones of calibrated people stretch, so that joints are at their calibrated positions; otherwise people have
            the nearest pose of bones that keep their lengths.
        bone_scale: stretch bones by scaling them; otherwise bones are moved to the joints, which other programs can read.
        metres_per_unit: of the scene; new people and the camera are scaled to it.
        earlier: the collection of an earlier result, which new people join; None for a new one.
        camera: the camera object of an earlier result, which gets the new view; None for a new one.
        own_camera: the artist's own camera that filmed the clip, which stays as it is and makes another one superfluous.
        footage: show the footage behind the camera's view.
        footage_times: (N,) s of the footage's frames, where the recoveries are at other times; None for what its file says.
    """

    fps: float = 0.0
    first_frame: int = FIRST_BLENDER_FRAME
    pose_shapes: bool = True
    stretch: bool = True
    bone_scale: bool = True
    metres_per_unit: float = 1.0
    earlier: bpy.types.Collection | None = None
    camera: bpy.types.Object | None = None
    own_camera: bpy.types.Object | None = None
    footage: bool = True
    footage_times: FloatArray | None = None

    def key_frames(self, recovery: Recovery) -> FloatArray:
        """The frames (F,) of the timeline at which the rows of a Recovery have their keys."""
        return snapped_key_frames(recovery.timestamps, self.fps or recovery.mocap_framerate, self.first_frame)


@dataclass(frozen=True)
class Assembly:
    """A collection with one armature and one mesh object per person, and the camera; SKEL people have two meshes.

    fps, first_frame and last_frame: the timeline of the keys. notes: sentences about what was left out. is_camera_exported:
    whether files of other programs get the camera too.
    """

    collection: bpy.types.Collection
    armatures: tuple[bpy.types.Object, ...]
    meshes: tuple[bpy.types.Object, ...]
    camera: bpy.types.Object
    fps: float
    last_frame: int
    notes: tuple[str, ...]
    first_frame: int = FIRST_BLENDER_FRAME
    is_camera_exported: bool = False
