"""Single images and folders of images: every common format, upright, in the right order."""

import struct

import av
import cv2
import numpy as np
import pytest

from blender_meshrec.backend.footage.images import find_missing_images
from blender_meshrec.backend.footage.video import open_footage
from blender_meshrec.core.errors import InputError
from tests.support.footage_files import HEIGHT, WIDTH, is_upright, make_frame, read_frame_number


def save(path, image):
    encoded = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
    path.write_bytes(encoded.tobytes())
    return path


def with_orientation(path, orientation):
    """Write an EXIF orientation into a JPEG, as a phone held sideways does."""
    content = path.read_bytes()
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + tiff
    path.write_bytes(content[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + content[2:])
    return path


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tiff", ".avif"])
def test_an_image_is_one_frame_at_24_fps(tmp_path, suffix):
    footage = open_footage(save(tmp_path / f"фото 写真{suffix}", make_frame(9)))
    (frame,) = footage.read()
    assert read_frame_number(frame.image) == 9 and is_upright(frame.image)
    assert footage.size == (WIDTH, HEIGHT) and footage.num_declared_frames == 1
    assert footage.frame_rate([frame.time]) == 24


@pytest.mark.parametrize("orientation, turn, rotation", [(1, 0, 0), (3, 2, 180), (6, 1, 90), (8, 3, 270)])
def test_exif_orientation_is_honoured(tmp_path, orientation, turn, rotation):
    stored = np.rot90(make_frame(5), turn)
    footage = open_footage(with_orientation(save(tmp_path / "held.jpg", stored), orientation))
    (frame,) = footage.read()
    assert footage.size == (WIDTH, HEIGHT) and is_upright(frame.image)
    assert footage.rotation == rotation


@pytest.mark.parametrize("kind", ["grey", "16 bit", "transparent"])
def test_unusual_pixels_become_rgb(tmp_path, kind):
    image = {
        "grey": np.full((20, 30), 200, np.uint8),
        "16 bit": np.full((20, 30, 3), 200 * 257, np.uint16),
        "transparent": np.full((20, 30, 4), 200, np.uint8),
    }[kind]
    cv2.imwrite(str(tmp_path / "odd.png"), image)
    (frame,) = open_footage(tmp_path / "odd.png").read()
    assert frame.image.dtype == np.uint8 and frame.image.shape == (20, 30, 3) and (frame.image == 200).all()


def write_exr(path, light):
    """Write linear light (H,W,3) as OpenEXR."""
    with av.open(str(path), "w", format="image2", options={"update": "1"}) as container:
        stream = container.add_stream("exr", rate=24)
        stream.height, stream.width, stream.pix_fmt = *light.shape[:2], "gbrpf32le"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(light.astype(np.float32), "gbrpf32le")))
        container.mux(stream.encode())


def test_openexr_images_are_converted_from_linear_to_srgb(tmp_path):
    shown = make_frame(5).astype(float) / 255
    light = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    light[-1, -1] = [7, np.nan, -1]  # linear light is unbounded
    for number in (1, 2):
        write_exr(tmp_path / f"plate.{number:04}.exr", light)
    (tmp_path / "plate.0003.exr").write_bytes(b"v/1\x01 broken")
    footage = open_footage(tmp_path)
    first, second, broken = footage.read()
    expected = make_frame(5)
    expected[-1, -1] = [255, 0, 0]
    assert np.abs(first.image.astype(int) - expected).max() <= 1 and np.array_equal(first.image, second.image)
    assert broken.image is None and "plate.0003.exr" in footage.warnings[0]
    assert np.array_equal(next(open_footage(tmp_path / "plate.0001.exr").read()).image, first.image)


def test_a_24_megapixel_image_is_read(tmp_path):
    footage = open_footage(save(tmp_path / "large.jpg", make_frame(3, 6000, 4000)))
    assert footage.size == (6000, 4000)
    assert read_frame_number(next(footage.read()).image) == 3


def test_a_folder_is_read_in_order_of_numbers(tmp_path):
    for number in (10, 9, 1, 2):
        save(tmp_path / f"Bild_{number}.png", make_frame(number))
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "._Bild_1.png").write_bytes(b"what macOS leaves behind")
    footage = open_footage(tmp_path)
    frames = list(footage.read())
    assert [read_frame_number(frame.image) for frame in frames] == [1, 2, 9, 10]
    assert np.allclose([frame.time for frame in frames], np.arange(4) / 30)
    assert footage.frame_rate([]) == 30 and open_footage(tmp_path, fps=12).frame_rate([]) == 12
    assert [read_frame_number(frame.image) for frame in open_footage(tmp_path, frames=(1, 3)).read()] == [2, 9]


def test_unusable_images_become_frames_without_an_image(tmp_path):
    for number in range(5):
        save(tmp_path / f"{number}.png", make_frame(number))
    (tmp_path / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    save(tmp_path / "3.png", make_frame(3, WIDTH * 2, HEIGHT))
    footage = open_footage(tmp_path)
    frames = list(footage.read())
    assert [None if frame.image is None else read_frame_number(frame.image) for frame in frames] == [0, None, 2, None, 4]
    assert len(footage.warnings) == 2 and "1.png" in footage.warnings[0] and "3.png" in footage.warnings[1]


@pytest.mark.parametrize(
    "names, missing, before",
    [
        (["f_0001", "f_0002", "f_0005", "f_0006", "f_0007", "f_0009"], 3, "f_0002.png"),
        (["f_0001", "f_0003", "f_0005", "f_0009"], 0, ""),
        (["9", "10", "11", "13"], 1, "11.png"),
        (["shot1.0998_v2", "shot1.0999_v2", "shot1.1000_v2"], 0, ""),
        (["a1", "b2", "c9"], 0, ""),
        (["1", "2", "x"], 0, ""),
        (["1"], 0, ""),
    ],
)
def test_missing_images_of_a_sequence_are_counted(names, missing, before):
    assert find_missing_images([f"{name}.png" for name in names]) == (missing, before)


def test_gaps_outside_the_range_give_no_warning(tmp_path):
    for number in (1, 2, 3, 5):
        save(tmp_path / f"{number}.png", make_frame(number))
    footage = open_footage(tmp_path)
    assert len(list(footage.read())) == 4 and "the first after 3.png" in footage.warnings[0]
    footage = open_footage(tmp_path, frames=(0, 3))
    assert len(list(footage.read())) == 3 and footage.warnings == []


def test_a_folder_without_readable_images_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(InputError, match="holds no images"):
        open_footage(tmp_path)
    (tmp_path / "a.png").write_bytes(b"broken")
    with pytest.raises(InputError, match="None of the 1 images"):
        open_footage(tmp_path)


def test_a_range_beyond_the_images_is_refused(tmp_path):
    save(tmp_path / "1.png", make_frame(1))
    for path in (tmp_path, tmp_path / "1.png"):
        with pytest.raises(InputError, match="1 frames"):
            open_footage(path, frames=(4, 6))
