"""Single images and folders of images: every common format, upright, in the right order."""

import shutil
import struct

import av
import cv2
import numpy as np
import pytest

from blender_meshrec.backend.footage import heif
from blender_meshrec.backend.footage.images import decode_image, find_missing_images
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


@pytest.mark.parametrize(
    "orientation, rotation, is_mirrored",
    [(1, 0, False), (3, 180, False), (6, 90, False), (8, 270, False), (2, 0, True), (4, 180, True), (5, 270, True), (7, 90, True)],
)
@pytest.mark.parametrize("suffix", [".jpg", ".jfif"])
def test_exif_orientation_is_honoured(tmp_path, orientation, rotation, is_mirrored, suffix):
    """Mirrored left to right and then turned clockwise, the stored picture is upright."""
    stored = np.rot90(make_frame(5), rotation // 90)
    stored = stored[:, ::-1] if is_mirrored else stored
    path = with_orientation(save(tmp_path / "held.jpg", stored), orientation).rename(tmp_path / f"held{suffix}")
    footage = open_footage(path)
    (frame,) = footage.read()
    assert footage.size == (WIDTH, HEIGHT) and is_upright(frame.image) and read_frame_number(frame.image) == 5
    assert (footage.rotation, footage.is_mirrored) == (rotation, is_mirrored)


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


def test_a_renamed_photo_is_read_by_its_content(tmp_path, shared_cases):
    shutil.copy(shared_cases / "11_heic_plain.heic", tmp_path / "IMG_0001.jpg")
    footage = open_footage(tmp_path / "IMG_0001.jpg")
    assert len(list(footage.read())) == 1 and footage.size == (1708, 960)


@pytest.mark.parametrize("name", ["01_heic_iphone_tiles.heic", "11_heic_plain.heic"])
def test_heic_pictures_are_whole_and_count_in_folders(tmp_path, shared_cases, name):
    footage = open_footage(shared_cases / name)
    (frame,) = footage.read()
    assert footage.size == (1708, 960) == frame.image.shape[1::-1] and footage.frame_rate([0.0]) == 24
    assert footage.play_rate == 24 and (footage.rotation, footage.is_mirrored) == (0, False)
    # The two files show the same clip: tiles out of order would differ by far more than the encodings do.
    tiled, plain = (decode_image(shared_cases / file).astype(int) for file in ("01_heic_iphone_tiles.heic", "11_heic_plain.heic"))
    assert np.abs(tiled - plain).mean() < 8  # grey levels
    for number in (1, 2):
        shutil.copy(shared_cases / name, tmp_path / f"IMG_{number}.HEIC")
    assert [frame.image.shape[:2] for frame in open_footage(tmp_path).read()] == [(960, 1708)] * 2


@pytest.mark.parametrize("transforms", [[(b"irot", 1)], [(b"irot", 3)], [(b"imir", 0)], [(b"imir", 1)], [(b"irot", 1), (b"imir", 1)]])
def test_heic_rotation_and_mirroring_are_applied_in_their_order(transforms):
    items = heif._Items(primary=1, properties=[(kind.decode(), value) for kind, value in transforms])
    items.associations[1] = list(range(1, len(transforms) + 1))
    image = stored = make_frame(5)
    for kind, value in transforms:
        image = np.rot90(image, value) if kind == b"irot" else (image[:, ::-1] if value else image[::-1])
    assert np.array_equal(heif.apply_transforms(stored, items.transforms(1)), image)
    rotation, is_mirrored = heif.orientation_of_transforms(items.transforms(1))
    assert np.array_equal(np.rot90(stored[:, ::-1] if is_mirrored else stored, -rotation // 90), image)


def box(kind, *content):
    content = b"".join(content)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def test_the_items_of_a_heif_file_are_read_as_the_standard_lays_them_out():
    """A phone's portrait: a grid of two tiles, rotated by a quarter turn, and a thumbnail."""
    grid = struct.pack(">4BHH", 0, 0, 0, 1, 90, 60)
    names = [(1, b"hvc1"), (2, b"hvc1"), (3, b"grid"), (4, b"hvc1")]
    kinds = [box(b"infe", struct.pack(">BxxxHH4sx", 2, number, 0, kind)) for number, kind in names]
    size = box(b"ispe", bytes(12))
    meta = box(
        b"meta",
        bytes(4),
        box(b"hdlr", bytes(20)),
        box(b"pitm", struct.pack(">BxxxH", 0, 3)),
        box(b"iinf", struct.pack(">BxxxH", 0, len(kinds)), *kinds),
        box(b"iref", bytes(4), box(b"dimg", struct.pack(">HHHH", 3, 2, 2, 1)), box(b"thmb", struct.pack(">HHH", 4, 1, 3))),
        box(
            b"iprp",
            box(b"ipco", size, box(b"irot", b"\x03")),
            box(b"ipma", bytes(4), struct.pack(">IHBBBHBB", 2, 3, 2, 0x81, 0x82, 1, 1, 1)),
        ),
        box(b"idat", grid),
        box(b"iloc", struct.pack(">BxxxBBHHHHHII", 1, 0x44, 0, 1, 3, 1, 0, 1, 0, len(grid))),
    )
    items = heif._read_items(box(b"ftyp", b"heic") + meta)
    assert items.primary == 3 and items.kinds[3] == b"grid" and items.tiles == {3: [2, 1]}
    assert items.transforms(3) == [("irot", 3)] and items.transforms(1) == []
    assert heif._grid_size(b"", items) == (1, 2, 90, 60)
    tiles = [make_frame(1, 48, 64), make_frame(2, 48, 64)]
    assert np.array_equal(heif._join_tiles(tiles, 1, 2, 90, 60), np.hstack(tiles)[:60, :90])
    assert heif._join_tiles(tiles, 1, 3, 90, 60) is None and heif._join_tiles(tiles, 1, 2, 900, 60) is None


def animate(path, images, milliseconds):
    animation = cv2.Animation()
    animation.frames = [cv2.cvtColor(image, cv2.COLOR_RGB2BGRA) for image in images]
    animation.durations = np.array(milliseconds)
    path.write_bytes(bytes(cv2.imencodeanimation(path.suffix, animation)[1]))
    return path


@pytest.mark.parametrize("suffix", [".webp", ".avif", ".png"])
def test_animated_pictures_are_clips_with_true_times(tmp_path, suffix):
    footage = open_footage(animate(tmp_path / f"moving{suffix}", [make_frame(i) for i in range(31)] * 2, [40] * 30 + [80] * 32))
    frames = list(footage.read())
    assert [read_frame_number(frame.image) for frame in frames] == [*range(31)] * 2 and is_upright(frames[0].image)
    assert np.allclose([frame.time for frame in frames], np.cumsum([0] + [0.04] * 30 + [0.08] * 31))  # s
    (frame,) = open_footage(tmp_path / f"moving{suffix}", frames=(7, 8)).read()
    assert (frame.row, frame.time, read_frame_number(frame.image)) == (0, 0.0, 7)
    with pytest.raises(InputError, match="62 frames"):
        list(open_footage(tmp_path / f"moving{suffix}", frames=(70, 72)).read())


def test_pages_of_a_tiff_are_frames_and_thumbnails_are_not(tmp_path):
    pages = [cv2.cvtColor(make_frame(i), cv2.COLOR_RGB2BGR) for i in range(4)]
    cv2.imwritemulti(str(tmp_path / "pages.tif"), pages)
    footage = open_footage(tmp_path / "pages.tif", fps=12)
    frames = list(footage.read())
    assert [read_frame_number(frame.image) for frame in frames] == [0, 1, 2, 3] and footage.frame_rate([]) == 12
    cv2.imwritemulti(str(tmp_path / "photo.tif"), [pages[2], pages[2][::4, ::4]])
    assert len(list(open_footage(tmp_path / "photo.tif").read())) == 1


def test_floating_point_tiff_is_linear_light(tmp_path):
    shown = make_frame(5).astype(float) / 255
    light = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4).astype(np.float32)
    cv2.imwrite(str(tmp_path / "plate.tif"), light[..., ::-1])
    (frame,) = open_footage(tmp_path / "plate.tif").read()
    assert np.abs(frame.image.astype(int) - make_frame(5)).max() <= 1


def test_the_animated_picture_of_the_field_has_all_its_frames(shared_cases):
    footage = open_footage(shared_cases / "10_animated.webp")
    times = [frame.time for frame in footage.read()]
    assert len(times) == 12 and footage.frame_rate(times) == 25


def test_photos_with_exif_are_read_under_other_names(shared_cases):
    footage = open_footage(shared_cases / "02_photo_with_exif.jfif")
    assert footage.size == (1708, 960) and next(footage.read()).image is not None
