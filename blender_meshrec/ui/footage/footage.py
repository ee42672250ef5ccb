"""The kind, length, frame rate and size of footage, as Blender reads them."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import bpy

from ...core.conventions import IMAGE_SUFFIXES as READABLE_IMAGES
from ..translation import translate

# Blender's stubs lack these two. The backend reads more images, of which the panel has no thumbnail.
VIDEO_SUFFIXES: tuple[str, ...] = tuple(sorted(bpy.path.extensions_movie))  # pyrefly: ignore[missing-attribute]
IMAGE_SUFFIXES: tuple[str, ...] = tuple(sorted(READABLE_IMAGES | set(bpy.path.extensions_image)))  # pyrefly: ignore[missing-attribute]
KEYPOINT_SUFFIXES = (".npz", ".json")


@dataclass(frozen=True)
class Footage:
    """A piece of footage.

    kind: VIDEO, IMAGE, FOLDER, KEYPOINTS, or NONE if Blender cannot read it. picture: the file of the thumbnail, "" for none.
    frames, fps, size (width and height, px): 0 if unknown.
    """

    kind: str = "NONE"
    picture: str = ""
    frames: int = 0
    fps: float = 0.0
    size: tuple[int, int] = (0, 0)

    @property
    def summary(self) -> str:
        """One translated line for the panel."""
        if self.kind == "NONE":
            return translate("Blender cannot read this footage")
        if self.kind == "KEYPOINTS":
            return translate("2D keypoints")
        size = f"{self.size[0]} x {self.size[1]}" if min(self.size) > 0 else ""
        if self.kind == "IMAGE":
            return translate("Image, {size}", size=size) if size else translate("Image")
        frames = translate("{frames} frames", frames=self.frames)
        rate = translate("{rate} fps", rate=f"{self.fps:.5g}") if self.fps else ""
        seconds = translate("{seconds} s", seconds=f"{self.frames / self.fps:.1f}") if self.fps else ""
        return ", ".join(part for part in (frames, seconds, rate, size) if part)


def probe_footage(source: str) -> Footage:
    """Read the footage at a path. Leaves no data blocks in the .blend."""
    path = Path(source)
    if path.is_dir():
        images = sorted(file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
        if not images:
            return Footage("KEYPOINTS") if any(path.glob("*.json")) else Footage()
        return Footage("FOLDER", str(images[0]), len(images), 0.0, _image_size(images[0]))
    suffix = path.suffix.lower()
    if not path.is_file():
        return Footage()
    if suffix in KEYPOINT_SUFFIXES:
        return Footage("KEYPOINTS")
    if suffix in IMAGE_SUFFIXES:
        return Footage("IMAGE", str(path), 1, 0.0, _image_size(path))
    return _probe_video(path) if suffix in VIDEO_SUFFIXES else Footage()


def _probe_video(path: Path) -> Footage:
    with contextlib.suppress(RuntimeError):  # Blender cannot read the file
        clip = bpy.data.movieclips.load(str(path))
        try:
            width, height = clip.size
            if min(width, height) > 0:
                return Footage("VIDEO", str(path), clip.frame_duration, clip.fps, (width, height))
        finally:
            bpy.data.movieclips.remove(clip)
    return Footage()


def _image_size(path: Path) -> tuple[int, int]:
    with contextlib.suppress(RuntimeError):  # Blender cannot read the file
        image = bpy.data.images.load(str(path))
        try:
            width, height = image.size
            return width, height
        finally:
            bpy.data.images.remove(image)
    return (0, 0)
