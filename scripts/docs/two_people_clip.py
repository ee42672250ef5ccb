"""A clip of two people for the guide's pictures: the demo clip, and beside it the same mirrored, later, and in another shirt.

.venv/bin/python -m scripts.docs.two_people_clip OUT.mp4
"""

import argparse
from pathlib import Path

import numpy as np

from blender_meshrec.backend.footage.video import open_footage
from blender_meshrec.backend.footage.video_writer import VideoWriter
from blender_meshrec.core.array_types import ImageArray
from scripts import ROOT

CLIP = ROOT / "scripts" / "demo_clip.mp4"
LATER = 45  # frames


def write_two_people(path: Path, clip: Path = CLIP) -> None:
    """Write the clip; each half of its picture is the middle of the other's, where the person is."""
    footage = open_footage(clip)
    frames = list(footage.read())
    images = [frame.image for frame in frames if frame.image is not None]
    with VideoWriter(path, footage.frame_rate([frame.time for frame in frames])) as video:
        for now, later in zip(images, images[LATER:]):
            video.write(np.concatenate([_middle(now), _in_violet(_middle(later)[:, ::-1])], 1))


def _middle(image: ImageArray) -> ImageArray:
    """The middle half (H,W/2,3) of an image, of even width."""
    width = image.shape[1] // 4 * 2
    left = (image.shape[1] - width) // 2
    return image[:, left : left + width]


def _in_violet(image: ImageArray) -> ImageArray:
    """The image (H,W,3) with its strong oranges, which are the shirt's, turned to violet."""
    red, green, blue = np.moveaxis(image.astype(int), -1, 0)
    is_shirt = (red - blue > 105) & (red - green > 65)
    return np.where(is_shirt[..., None], image[..., [1, 2, 0]], image)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path)
    write_two_people(parser.parse_args().out)


if __name__ == "__main__":
    main()
