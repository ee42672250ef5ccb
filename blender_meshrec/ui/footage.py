"""What footage is, found out by Blender itself: its length, rate and size."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import bpy

from .translation import translate

VIDEO_SUFFIXES = tuple(sorted(bpy.path.extensions_movie))
IMAGE_SUFFIXES = tuple(sorted(bpy.path.extensions_image))
KEYPOINT_SUFFIXES = (".npz", ".json")


@dataclass(frozen=True)
class Footage:
    """A piece of footage. kind: VIDEO, IMAGE, FOLDER, KEYPOINTS, or NONE where Blender cannot read it.

    picture: the file to show a thumbnail of, "" for none. frames, fps, size (px): 0 where not known.
    """

    kind: str = "NONE"
    picture: str = ""
    frames: int = 0
    fps: float = 0.0
    size: tuple = (0, 0)

    @property
    def summary(self):
        """One line for the panel."""
        if self.kind == "NONE":
            return translate("Blender cannot read this footage")
        if self.kind == "KEYPOINTS":
            return translate("2D keypoints")
        size = f"{self.size[0]} x {self.size[1]}" if min(self.size) > 0 else ""
        if self.kind == "IMAGE":
            return translate("Image, {size}", size=size) if size else translate("Image")
        rate = translate("{rate} fps", rate=f"{self.fps:.5g}") if self.fps else ""
        seconds = translate("{seconds} s", seconds=f"{self.frames / self.fps:.1f}") if self.fps else ""
        return ", ".join(part for part in (translate("{frames} frames", frames=self.frames), seconds, rate, size) if part)


def probe_footage(source):
    """The Footage at a path. It opens the file, and leaves nothing behind in the .blend."""
    path = Path(source)
    if path.is_dir():
        pictures = sorted(file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
        if not pictures:
            return Footage("KEYPOINTS") if any(path.glob("*.json")) else Footage()
        return Footage("FOLDER", str(pictures[0]), len(pictures), 0.0, _image_size(pictures[0]))
    suffix = path.suffix.lower()
    if not path.is_file():
        return Footage()
    if suffix in KEYPOINT_SUFFIXES:
        return Footage("KEYPOINTS")
    if suffix in IMAGE_SUFFIXES:
        return Footage("IMAGE", str(path), 1, 0.0, _image_size(path))
    return _probe_video(path) if suffix in VIDEO_SUFFIXES else Footage()


def _probe_video(path):
    with contextlib.suppress(RuntimeError):  # how Blender says that it cannot read a file
        clip = bpy.data.movieclips.load(str(path))
        try:
            size = tuple(clip.size)
            if min(size) > 0:
                return Footage("VIDEO", str(path), int(clip.frame_duration), float(clip.fps), size)
        finally:
            bpy.data.movieclips.remove(clip)
    return Footage()


def _image_size(path):
    with contextlib.suppress(RuntimeError):
        image = bpy.data.images.load(str(path))
        try:
            return tuple(image.size)
        finally:
            bpy.data.images.remove(image)
    return (0, 0)
