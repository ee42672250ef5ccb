"""The buttons that choose the footage and the part of it to reconstruct."""

from pathlib import Path
from typing import ClassVar

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ...core.errors import InputError
from ...scene.cameras.footage_preview import find_preview, footage_frame_at, remove_preview, show_preview
from ...scene.export.relative_paths import portable_relative_path
from ...scene.motion.keyframes import scene_fps
from ..blender_types import HasFilepath, HasLayout, OperatorResult, require, scene_of, set_operator_properties, settings_of
from ..operator_feedback import poll_unless, reports_errors
from ..redraw import redraw
from ..translation import translate
from .footage import IMAGE_SUFFIXES, KEYPOINT_SUFFIXES, VIDEO_SUFFIXES

_FOOTAGE_FILTER = ";".join(f"*{suffix}" for suffix in (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES, *KEYPOINT_SUFFIXES))


def set_footage(context: bpy.types.Context, path: str) -> None:
    """Set a file or folder as the scene's footage, relative to the .blend if the user prefers relative paths."""
    if bpy.data.filepath and require(context.preferences).filepaths.use_relative_paths:
        path = portable_relative_path(path) or path
    settings_of(context).source = path
    redraw()


def check_exists(path: Path) -> None:
    """Raise an InputError if there is nothing at a path, which a user may have typed."""
    if not path.exists():
        raise InputError("chosen-file-missing", "There is no file {path}.", "Check the path.", path=path)


class OpenFootage(HasLayout, bpy.types.Operator, ImportHelper, HasFilepath):
    """Choose a video, an image, a folder of numbered images, or a 2D keypoints file"""

    bl_idname = "meshrec.open_footage"
    bl_label = "Open Footage"
    bl_options: ClassVar = {"UNDO"}

    filter_glob: StringProperty(default=_FOOTAGE_FILTER, options={"HIDDEN"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN"})
    filter_movie: BoolProperty(default=True, options={"HIDDEN"})
    filter_image: BoolProperty(default=True, options={"HIDDEN"})
    whole_folder: BoolProperty(name="All Images of the Folder", description="Take the numbered images of the folder as one clip")

    @reports_errors
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        path = Path(self.filepath)
        if self.whole_folder and path.suffix.lower() in IMAGE_SUFFIXES:
            path = path.parent
        check_exists(path)
        set_footage(context, str(path))
        return {"FINISHED"}

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.prop(self, "whole_folder")


class ShowFootage(bpy.types.Operator):
    """Show the footage in the 3D view, so that it can be scrubbed before it is reconstructed; again, to remove it"""

    bl_idname = "meshrec.show_footage"
    bl_label = "Scrub Footage"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        is_moving = settings_of(context).footage_kind in ("VIDEO", "FOLDER")
        return poll_unless(cls, "" if is_moving else translate("Choose a video or a folder of images first"))

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        scene, settings = scene_of(context), settings_of(context)
        preview = find_preview(scene, settings.path)
        if preview is not None:
            remove_preview(preview)
            return {"FINISHED"}
        start = scene.frame_start if settings.first_key is None else settings.first_key
        try:
            show_preview(scene, settings.path, settings.footage_picture, settings.footage_frames, start)
        except RuntimeError:  # of Blender's loader
            self.report({"ERROR"}, translate("Blender cannot read this footage"))
            return {"CANCELLED"}
        return {"FINISHED"}


class SetFootageRange(bpy.types.Operator):
    """Use the footage from, or up to, the timeline's current frame"""

    bl_idname = "meshrec.set_range"
    bl_label = "Set In or Out"
    bl_options: ClassVar = {"UNDO", "INTERNAL"}

    end: EnumProperty(name="End", items=(("IN", "In", "The first frame"), ("OUT", "Out", "The last frame")), options={"SKIP_SAVE"})

    @classmethod
    def description(cls, context: bpy.types.Context, properties: "SetFootageRange") -> str:
        if properties.end == "IN":
            return translate("Use the footage from the timeline's current frame on")
        return translate("Use the footage up to the timeline's current frame")

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        settings = settings_of(context)
        scene = scene_of(context)
        frame = footage_frame_at(scene, settings.path, (settings.footage_fps, scene_fps(scene)), settings.first_key)
        frame = max(1, min(frame, settings.footage_frames or frame))
        settings.use_range = True
        setattr(settings, "first_frame" if self.end == "IN" else "last_frame", frame)
        return {"FINISHED"}


class DropFootage(bpy.types.Operator):
    """Use the dropped file as footage for MeshRec, or let Blender handle it"""

    bl_idname = "meshrec.drop_footage"
    bl_label = "Footage for MeshRec"
    bl_options: ClassVar = {"UNDO", "INTERNAL"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"})
    asked: BoolProperty(options={"SKIP_SAVE", "HIDDEN"})

    @property
    def path(self) -> Path:
        """The dropped file, or the folder of several dropped images."""
        if self.directory and self.files:
            is_sequence = len(self.files) > 1 and all(Path(file.name).suffix.lower() in IMAGE_SUFFIXES for file in self.files)
            return Path(self.directory) if is_sequence else Path(self.directory) / self.files[0].name
        return Path(self.filepath)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        """Set a video at once; ask for images, which Blender itself would add as a reference image."""
        if self.path.suffix.lower() not in IMAGE_SUFFIXES or self.asked:
            return self.execute(context)
        path = str(self.path)

        def draw(menu: HasLayout, context: bpy.types.Context) -> None:
            layout = menu.layout
            layout.operator_context = "EXEC_DEFAULT"
            footage_button = layout.operator(self.bl_idname, text="Footage for MeshRec", icon="ARMATURE_DATA")
            set_operator_properties(footage_button, filepath=path, asked=True)
            reference_button = layout.operator("object.empty_image_add", text="Reference Image", icon="IMAGE_REFERENCE")
            set_operator_properties(reference_button, filepath=path)

        require(context.window_manager).popup_menu(draw, title=self.path.name)
        return {"FINISHED"}

    @reports_errors
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        path = self.path
        check_exists(path)
        set_footage(context, str(path))
        self.report({"INFO"}, translate("Footage: {name}. Click Reconstruct in the sidebar's MeshRec tab (N).", name=path.name))
        return {"FINISHED"}


CLASSES = (OpenFootage, ShowFootage, SetFootageRange, DropFootage)
