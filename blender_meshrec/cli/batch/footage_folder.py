"""The clips of a folder: videos, pictures, folders of pictures and 2D keypoints, in the order that people count in."""

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from ...core.conventions import IMAGE_SUFFIXES
from ...core.files.natural_order import natural_key

VIDEO_SUFFIXES = frozenset(
    (".mp4", ".m4v", ".mov", ".qt", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".m2v", ".mpv", ".wmv", ".asf", ".flv", ".f4v", ".ogv")
    + (".ogg", ".ogm", ".ts", ".mts", ".m2ts", ".mxf", ".3gp", ".3g2", ".dv", ".vob", ".divx", ".xvid", ".gif", ".y4m", ".braw", ".r3d")
    + (".h264", ".264", ".h265", ".265", ".hevc", ".av1", ".ivf", ".mjpeg", ".mjpg", ".rm", ".rmvb", ".insv", ".lrv")
)
KEYPOINT_SUFFIX = ".npz"
_OWN_NAMES = ("journal.jsonl", "summary.json", "summary.csv", "summary.html", "summary.pictures")


@dataclass(frozen=True)
class FoundClip:
    """A clip of a folder. folder: where in it, with slashes, "" at its top."""

    path: Path
    folder: str = ""


@dataclass(frozen=True)
class FolderContent:
    """The clips of a folder, and the files in it that are none."""

    clips: tuple[FoundClip, ...]
    ignored: tuple[Path, ...]


def find_clips(folder: Path, excluded: Container[Path] = ()) -> FolderContent:
    """The clips of a folder and the folders in it.

    Args:
        excluded: absolute paths of files and folders that are not looked at.

    Raises:
        OSError: a folder cannot be read.
    """
    clips: list[FoundClip] = []
    ignored: list[Path] = []
    _search(folder, "", excluded, clips, ignored)
    return FolderContent(tuple(clips), tuple(ignored))


def _search(folder: Path, inside: str, excluded: Container[Path], clips: list[FoundClip], ignored: list[Path]) -> None:
    for path in sorted(folder.iterdir(), key=lambda item: (natural_key(item.stem), item.name)):
        if path.name.startswith(".") or path.name in _OWN_NAMES or path.absolute() in excluded:
            continue
        if path.is_dir():
            if is_clip_folder(path):
                clips.append(FoundClip(path, inside))
            else:
                _search(path, f"{inside}/{path.name}".lstrip("/"), excluded, clips, ignored)
        elif path.suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES | {KEYPOINT_SUFFIX}:
            clips.append(FoundClip(path, inside))
        else:
            ignored.append(path)


def is_clip_folder(folder: Path) -> bool:
    """Whether a folder is one clip: pictures, or 2D keypoints as JSON, and neither videos nor folders."""
    try:
        content = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError:
        return False
    suffixes = {path.suffix.lower() for path in content}
    if suffixes & VIDEO_SUFFIXES or any(path.is_dir() for path in content):
        return False
    return bool(suffixes & IMAGE_SUFFIXES) or (suffixes == {".json"} and any(path.stem.endswith("_keypoints") for path in content))
