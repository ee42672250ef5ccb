"""The buttons of the footage box: choose it, and which part of it."""

from pathlib import Path
from typing import ClassVar

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ..core.conventions import FIRST_BLENDER_FRAME
from .footage import IMAGE_SUFFIXES, KEYPOINT_SUFFIXES, VIDEO_SUFFIXES
from .redraw import redraw
from .translation import translate

_FOOTAGE_FILTER = ";".join(f"*{suffix}" for suffix in (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES, *KEYPOINT_SUFFIXES))


def set_footage(context, path):
    """Make a file or folder the scene's footage, relative to the .blend where that is what the user prefers."""
    if bpy.data.filepath and context.preferences.filepaths.use_relative_paths:
        try:
            path = bpy.path.relpath(path)
        except ValueError:  # another drive of Windows has no relative path
            path = str(path)
    context.scene.meshrec.source = path
    redraw()


class OpenFootage(bpy.types.Operator, ImportHelper):
    """Choose a video, an image, a folder of numbered images, or a 2D keypoints file"""

    bl_idname = "meshrec.open_footage"
    bl_label = "Open Footage"
    bl_options: ClassVar = {"UNDO"}

    filter_glob: StringProperty(default=_FOOTAGE_FILTER, options={"HIDDEN"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN"})
    filter_movie: BoolProperty(default=True, options={"HIDDEN"})
    filter_image: BoolProperty(default=True, options={"HIDDEN"})
    whole_folder: BoolProperty(name="All Images of the Folder", description="Take the numbered images of the folder as one clip")

    def execute(self, context):
        path = Path(self.filepath)
        if self.whole_folder and path.suffix.lower() in IMAGE_SUFFIXES:
            path = path.parent
        if not path.exists():
            self.report({"ERROR"}, translate("There is no file {path}. Choose one that exists.", path=path))
            return {"CANCELLED"}
        set_footage(context, str(path))
        return {"FINISHED"}

    def draw(self, context):
        self.layout.prop(self, "whole_folder")


class SetFootageRange(bpy.types.Operator):
    """Take the current frame of the timeline as the first or last of the footage; the footage's first frame lies on frame 1"""

    bl_idname = "meshrec.set_range"
    bl_label = "Set In or Out"
    bl_options: ClassVar = {"UNDO", "INTERNAL"}

    end: EnumProperty(name="End", items=(("IN", "In", "The first frame"), ("OUT", "Out", "The last frame")), options={"SKIP_SAVE"})

    @classmethod
    def description(cls, context, properties):
        if properties.end == "IN":
            return translate("Let the timeline's current frame be the first of the footage to use")
        return translate("Let the timeline's current frame be the last of the footage to use")

    def execute(self, context):
        settings = context.scene.meshrec
        frame = context.scene.frame_current - FIRST_BLENDER_FRAME + 1
        frame = max(1, min(frame, settings.footage_frames or frame))
        settings.use_range = True
        setattr(settings, "first_frame" if self.end == "IN" else "last_frame", frame)
        return {"FINISHED"}


class DropFootage(bpy.types.Operator):
    """Reconstruct the people in what was dropped into the 3D view, or do with it what Blender does"""

    bl_idname = "meshrec.drop_footage"
    bl_label = "Footage for MeshRec"
    bl_options: ClassVar = {"UNDO", "INTERNAL"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"})
    asked: BoolProperty(options={"SKIP_SAVE", "HIDDEN"})

    @property
    def path(self):
        """What was dropped: a file, or where there are several images, their folder."""
        if self.directory and self.files:
            several = len(self.files) > 1 and all(Path(file.name).suffix.lower() in IMAGE_SUFFIXES for file in self.files)
            return Path(self.directory) if several else Path(self.directory) / self.files[0].name
        return Path(self.filepath)

    def invoke(self, context, event):
        if self.path.suffix.lower() not in IMAGE_SUFFIXES or self.asked:
            return self.execute(context)
        path = str(self.path)

        def draw(menu, context):
            menu.layout.operator_context = "EXEC_DEFAULT"
            own = menu.layout.operator(self.bl_idname, text="Footage for MeshRec", icon="ARMATURE_DATA")
            own.filepath, own.asked = path, True
            menu.layout.operator("object.empty_image_add", text="Reference Image", icon="IMAGE_REFERENCE").filepath = path

        context.window_manager.popup_menu(draw, title=self.path.name)
        return {"FINISHED"}

    def execute(self, context):
        path = self.path
        if not path.exists():
            self.report({"ERROR"}, translate("There is no file {path}.", path=path))
            return {"CANCELLED"}
        set_footage(context, str(path))
        self.report({"INFO"}, translate("{name} is the footage now. Click Reconstruct in the sidebar's MeshRec tab (N).", name=path.name))
        return {"FINISHED"}


CLASSES = (OpenFootage, SetFootageRange, DropFootage)
