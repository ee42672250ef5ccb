"""The focal length that files state: EXIF of pictures in every container, QuickTime tags of files and tracks, and what is not believed."""

import math
import struct

import cv2
import numpy as np
import pytest

from blender_meshrec.backend.footage.exif import Exif, read_exif
from blender_meshrec.backend.footage.quicktime_tags import read_quicktime_tags
from blender_meshrec.backend.footage.stated_lens import EDITED_SIGMA, STATED_SIGMA, lens_of_exif, lens_of_tags
from blender_meshrec.backend.footage.true_time import in_true_time
from blender_meshrec.backend.footage.video import open_footage
from tests.support.footage_files import HEIGHT, WIDTH, make_frame, write_video

DIAGONAL = math.hypot(WIDTH, HEIGHT)
FILM = math.hypot(36, 24)  # mm
APPLE = "com.apple.quicktime.camera.focal_length.35mm_equivalent"
EQUIVALENT, FOCAL_LENGTH, X_RESOLUTION, RESOLUTION_UNIT, WIDTH_TAG, HEIGHT_TAG = 0xA405, 0x920A, 0xA20E, 0xA210, 0xA002, 0xA003
ZOOM, MAKER_NOTE, MAKE = 0xA404, 0x927C, 0x010F
SHORT, RATIONAL, BYTES, TEXT = 3, 5, 7, 2


def tiff(tags, order="<"):
    """A TIFF structure with a camera's make, and an EXIF directory of {tag: (kind, value)}."""
    content = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    content += struct.pack(f"{order}HHHI4sHHIII", 2, MAKE, TEXT, 4, b"Cam\0", 0x8769, 4, 1, 38, 0)
    entries, values, begin = b"", b"", len(content) + 2 + 12 * len(tags) + 4
    for tag, (kind, value) in sorted(tags.items()):
        if kind == SHORT:
            field = struct.pack(f"{order}HH", value, 0)
        else:
            field = struct.pack(f"{order}I", begin + len(values))
            values += value if kind == BYTES else struct.pack(f"{order}2I", *value)
        entries += struct.pack(f"{order}HHI", tag, kind, len(value) if kind == BYTES else 1) + field
    return content + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + values


def save(path, exif, image=None):
    """A picture with EXIF, by OpenCV's own writer."""
    image = make_frame(3) if image is None else image
    kinds, chunks = [cv2.IMAGE_METADATA_EXIF], [np.frombuffer(exif, np.uint8)]
    encoded = cv2.imencodeWithMetadata(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), kinds, chunks)[1]
    path.write_bytes(encoded.tobytes())
    return path


def box(kind, *content):
    content = b"".join(content)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def pixels(equivalent, diagonal=DIAGONAL):
    return equivalent / FILM * diagonal


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".avif"])
def test_the_35_mm_equivalent_of_a_picture_is_read(tmp_path, suffix, order):
    footage = open_footage(save(tmp_path / f"a{suffix}", tiff({EQUIVALENT: (SHORT, 28)}, order)))
    assert footage.stated_lens == pytest.approx((pixels(28), STATED_SIGMA))


def test_a_folder_of_pictures_has_the_lens_of_its_first(tmp_path):
    for number in (1, 2):
        save(tmp_path / f"{number}.jpg", tiff({EQUIVALENT: (SHORT, 20 * number)}))
    assert open_footage(tmp_path).stated_lens.focal == pytest.approx(pixels(20))


def test_the_exif_of_heif_and_tiff_files_is_found():
    exif = tiff({EQUIVALENT: (SHORT, 26), FOCAL_LENGTH: (RATIONAL, (17, 4))}, ">")
    block = struct.pack(">I", 6) + b"Exif\0\0" + exif
    items = box(b"iinf", struct.pack(">BxxxH", 0, 1), box(b"infe", struct.pack(">BxxxHH4sx", 2, 7, 0, b"Exif")))
    places = box(b"iloc", struct.pack(">BxxxBBHHHHHII", 1, 0x44, 0, 1, 7, 1, 0, 1, 0, len(block)))
    heif = box(b"ftyp", b"heic", bytes(4)) + box(b"meta", bytes(4), items, box(b"idat", block), places)
    for content in (heif, exif):
        assert read_exif(content) == Exif(equivalent=26, focal_length=4.25)


@pytest.mark.parametrize("unit, per_unit", [(None, 25.4), (2, 25.4), (3, 10.0), (4, 1.0)])
def test_the_focal_length_on_a_sensor_of_known_resolution_is_read(tmp_path, unit, per_unit):
    """A sensor of 6 mm for 96 pixels, a lens of 9 mm; the maker's note says that no editor has resized the picture since."""
    tags = {
        FOCAL_LENGTH: (RATIONAL, (90, 10)),
        X_RESOLUTION: (RATIONAL, (round(1e6 * WIDTH / 6 * per_unit), 1_000_000)),
        WIDTH_TAG: (SHORT, WIDTH),
        HEIGHT_TAG: (SHORT, HEIGHT),
        MAKER_NOTE: (BYTES, b"note of the camera"),
    } | ({RESOLUTION_UNIT: (SHORT, unit)} if unit else {})
    footage = open_footage(save(tmp_path / "a.jpg", tiff(tags)))
    assert footage.stated_lens == pytest.approx((9 / 6 * WIDTH, STATED_SIGMA), rel=1e-4)
    del tags[MAKER_NOTE]
    assert open_footage(save(tmp_path / "edited.jpg", tiff(tags))).stated_lens is None


def test_a_sensor_of_an_impossible_size_is_not_believed():
    exif = Exif(focal_length=15.4, pixels_per_mm=319.5, size=(100, 75), has_maker_note=True)
    assert lens_of_exif(exif, (100, 75)) is None  # a thumbnail, whose sensor would be 0.3 mm wide
    assert lens_of_exif(Exif(focal_length=15.4, has_maker_note=True, size=(100, 75)), (100, 75)) is None


@pytest.mark.parametrize(
    "shot, size, focal",
    [
        ((4000, 3000), (2000, 1500), pixels(24, 2500)),  # resized
        ((4000, 3000), (4000, 2250), pixels(24, 5000)),  # cut to 16:9
        ((3000, 4000), (1920, 1080), pixels(24, 0.48 * 5000)),  # resized, cut to 16:9, and turned upright
        ((4000, 3000), (1000, 1000), pixels(24, 5000 / 3)),  # the smallest crop that makes a square
    ],
)
def test_a_picture_that_was_cropped_or_resized_is_less_sure(shot, size, focal):
    assert lens_of_exif(Exif(equivalent=24, size=shot), size) == pytest.approx((focal, EDITED_SIGMA))


def test_a_picture_as_it_was_shot_is_sure_whichever_way_the_camera_was_held():
    for shot, size in (((4000, 3000), (4000, 3000)), ((4000, 3000), (3000, 4000)), ((0, 0), (3000, 4000)), ((3999, 3000), (4000, 3000))):
        assert lens_of_exif(Exif(equivalent=24, size=shot), size) == pytest.approx((pixels(24, 5000), STATED_SIGMA), rel=1e-3)
    assert lens_of_exif(Exif(equivalent=52, digital_zoom=2.0), (4000, 3000)) == pytest.approx((pixels(52, 5000), EDITED_SIGMA))
    assert lens_of_exif(Exif(equivalent=52, digital_zoom=1.0), (4000, 3000)).sigma == STATED_SIGMA


@pytest.mark.parametrize("equivalent", [0, 4, 3001, 65535])
def test_nonsense_in_exif_is_ignored(tmp_path, equivalent):
    assert open_footage(save(tmp_path / "a.jpg", tiff({EQUIVALENT: (SHORT, equivalent)}))).stated_lens is None


def test_damaged_exif_is_ignored():
    """Cut off anywhere, with bytes changed anywhere, or with a denominator of 0."""
    whole = tiff({EQUIVALENT: (SHORT, 28), FOCAL_LENGTH: (RATIONAL, (9, 0)), X_RESOLUTION: (RATIONAL, (1, 0)), MAKER_NOTE: (BYTES, b"n")})
    rng = np.random.default_rng(0)
    assert read_exif(whole) == Exif(equivalent=28, has_maker_note=True)
    for content in (b"", b"II*\0", b"\xff\xd8\xff\xe1", b"\x89PNG\r\n\x1a\n", b"RIFF....WEBP", bytes(4) + b"ftypheic"):
        assert read_exif(content) == Exif()
    for end in range(len(whole)):
        lens_of_exif(read_exif(whole[:end]), (96, 64))
        broken = bytearray(whole)
        broken[end] = rng.integers(256)
        lens_of_exif(read_exif(bytes(broken)), (96, 64))


def write_tagged(path, **tags):
    """A short video with tags, as PyAV writes them: those of the file in moov/meta, of the kind mdta."""
    return write_video(path, [make_frame(i) for i in range(3)], container_options={"movflags": "use_metadata_tags"}, metadata=tags)


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("text, equivalent", [("27", 27), ("50.00mm", 50), ("13 mm", 13), (" 26.5 ", 26.5)])
def test_the_tag_of_a_video_is_read(tmp_path, suffix, text, equivalent):
    footage = open_footage(write_tagged(tmp_path / f"a{suffix}", **{APPLE: text}))
    assert footage.stated_lens == pytest.approx((pixels(equivalent), STATED_SIGMA))
    retimed, _speed = in_true_time(footage, 120.0)
    assert retimed.stated_lens == footage.stated_lens


@pytest.mark.parametrize("text", ["0", "-28", "nan", "inf", "2", "4000", "28px", "wide", "1e2", "", "²8"])
def test_nonsense_in_tags_is_ignored(tmp_path, text):
    assert open_footage(write_tagged(tmp_path / "a.mp4", **{APPLE: text})).stated_lens is None


def test_the_names_of_a_phones_lenses_are_read():
    named = "com.blackmagic-design.camera.lensType"
    for lens in ("iPhone 17 Pro 24mm", "iPhone 15 Pro Max 24 mm"):
        assert lens_of_tags({named: lens}, (WIDTH, HEIGHT)) == pytest.approx((pixels(24), STATED_SIGMA))
    for lens in ("Canon EF 24mm f/2.8", "iPhone", "iPhone 12"):  # a lens of its own on a sensor that the tag does not tell
        assert lens_of_tags({named: lens}, (WIDTH, HEIGHT)) is None
    assert lens_of_tags({named: "iPhone 15 13mm", APPLE: "14"}, (WIDTH, HEIGHT)).focal == pytest.approx(pixels(14))


def add_to_track(content, tags):
    """The content of an .mp4 whose first track also has `tags`, {name: (type, value)}, as phones write them."""
    keys = box(b"keys", struct.pack(">II", 0, len(tags)), *(box(b"mdta", name.encode()) for name in tags))
    values = (box(b"data", struct.pack(">II", kind, 0), value) for kind, value in tags.values())
    meta = box(
        b"meta",
        box(b"hdlr", bytes(8), b"mdta", bytes(13)),
        keys,
        box(b"ilst", *(box(struct.pack(">I", k), v) for k, v in enumerate(values, 1))),
    )
    moov, trak = content.index(b"moov") - 4, content.index(b"trak") - 4
    length = int.from_bytes(content[trak : trak + 4], "big")
    longer = bytearray(content[: trak + length] + meta + content[trak + length :])
    for offset in (moov, trak):
        longer[offset : offset + 4] = struct.pack(">I", int.from_bytes(longer[offset : offset + 4], "big") + len(meta))
    return bytes(longer)


@pytest.mark.parametrize(
    "kind, value",
    [(1, b"27"), (21, b"\x1b"), (21, b"\0\0\0\x1b"), (22, b"\0\x1b"), (23, struct.pack(">f", 27)), (24, struct.pack(">d", 27))],
)
def test_the_tag_of_a_track_is_read(tmp_path, kind, value):
    """iPhones describe the camera in the video's track; FFmpeg does not pass that on. moov comes last, so that offsets stay."""
    path = tmp_path / "phone.mp4"
    path.write_bytes(
        add_to_track(write_video(path, [make_frame(i) for i in range(3)]).read_bytes(), {"a.b": (1, b"c"), APPLE: (kind, value)})
    )
    assert open_footage(path).stated_lens == pytest.approx((pixels(27), STATED_SIGMA))
    assert len(list(open_footage(path).read())) == 3


def test_damaged_boxes_have_no_tags(tmp_path):
    path = tmp_path / "a.mp4"
    whole = add_to_track(write_video(path, [make_frame(0)]).read_bytes(), {APPLE: (1, b"27")})
    begin, rng = whole.index(b"moov") - 4, np.random.default_rng(0)
    for position in range(begin, len(whole), 3):
        broken = bytearray(whole)
        broken[position : position + 4] = rng.bytes(4)
        path.write_bytes(bytes(broken)[: len(whole) - int(rng.integers(20))])
        assert all(isinstance(text, str) for text in read_quicktime_tags(path).values())
    path.write_bytes(b"no video")
    assert read_quicktime_tags(path) == {}
