"""Small videos for tests, whose images show the number of the frame and which side is up."""

from fractions import Fraction

import av
import numpy as np

WIDTH, HEIGHT = 96, 64
CORNER = (220, 30, 30)  # the top left corner of an upright image


def make_frame(number, width=WIDTH, height=HEIGHT):
    """(H,W,3) uint8 RGB: grey, a red top left corner, and `number` (0..31) as five white or black bars along the bottom."""
    image = np.full((height, width, 3), 128, np.uint8)
    image[: height // 3, : width // 3] = CORNER
    for bit in range(5):
        image[2 * height // 3 :, bit * width // 5 : (bit + 1) * width // 5] = 255 if number >> bit & 1 else 0
    return image


def read_frame_number(image):
    """The number that was given to `make_frame`."""
    height, width = image.shape[:2]
    return sum((int(image[-height // 8, (2 * bit + 1) * width // 10].mean() > 128)) << bit for bit in range(5))


def is_upright(image):
    """Whether the red corner is at the top left."""
    height, width = image.shape[:2]
    return np.abs(image[height // 8, width // 8].astype(int) - CORNER).max() < 60


def write_video(
    path, images, fps=30, codec="libx264", times=None, rotation=0, aspect=None, options=None, container_options=None, metadata=None
):
    """Encode images. times: s, for a varying rate. rotation: degrees counterclockwise by which players turn it. aspect: of a pixel."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001), options=options or {"crf": "12", "g": "10"})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 12000)
        if aspect:
            stream.codec_context.sample_aspect_ratio = Fraction(aspect)
        if rotation:
            stream.set_display_rotation(rotation)
        for i, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
            frame.time_base = Fraction(1, 12000)
            frame.pts = round((i / fps if times is None else times[i]) * 12000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
