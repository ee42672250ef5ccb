"""The size that a picture's header states, by the layout of each format: a hostile picture is refused before it is decoded."""

import struct

import pytest

from blender_meshrec.core.files import picture_header
from blender_meshrec.core.files.picture_header import stated_size

SIZES = [(160, 96), (1, 1), (300, 70_000), (16_000, 3), (70_000, 300)]  # width, height px
FRAME_MARKERS = [*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)]


def png(width, height):
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">II", width, height)


def bmp(width, height):
    return b"BM" + bytes(16) + struct.pack("<ii", width, height)


def tiff(width, height, order="<", kind=4, start=8):
    """kind: 3 for numbers of 16 bits, 4 for 32."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    pack = lambda tag, value: struct.pack(f"{order}HHI", tag, kind, 1) + struct.pack(f"{order}{'HH' if kind == 3 else 'I'}", *value)  # noqa: E731
    entries = [pack(tag, (value, 0xABC)[: 2 if kind == 3 else 1]) for tag, value in ((254, 9), (257, height), (256, width), (258, 8))]
    return mark + struct.pack(f"{order}I", start) + bytes(start - 8) + struct.pack(f"{order}H", len(entries)) + b"".join(entries)


def webp(kind, content):
    return b"RIFF" + bytes(4) + b"WEBP" + kind + bytes(4) + content


def webp_extended(width, height):
    return webp(b"VP8X", b"\xff\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little") + b"\xff")


def webp_lossless(width, height):
    return webp(b"VP8L", b"\x2f" + struct.pack("<I", 1 << 28 | (height - 1) << 14 | width - 1))


def webp_lossy(width, height):
    """The two upper bits of each side are a scale, which is not a size."""
    return webp(b"VP8 ", bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", width | 1 << 14, height | 3 << 14))


def jpeg2000(width, height):
    return struct.pack(">I", 12) + b"jP  \r\n\x87\n" + bytes(9) + b"ihdr" + struct.pack(">II", height, width)


def heif(width, height):
    """The picture, and its tiles and thumbnail, which are smaller."""
    boxes = [struct.pack(">I", 20) + b"ispe" + bytes(4) + struct.pack(">II", *size) for size in ((0, 9), (width, height), (0, 1))]
    return struct.pack(">I", 24) + b"ftypheic" + b"".join(boxes)


def netpbm(width, height):
    return f"P6 # the program\n# {7} 8\n {width} \n{height}\n255\n".encode()


def pam(width, height):
    return f"P7\nWIDTH {width}\nHEIGHT {height}\nDEPTH 3\n".encode()


def exr(width, height):
    window = struct.pack("<4i", -5, 7, width - 6, height + 6)
    return b"v/1\x01" + bytes(4) + b"channels\0" + b"dataWindow\0box2i\0" + struct.pack("<I", 16) + window


FORMATS = [png, bmp, tiff, webp_extended, jpeg2000, heif, netpbm, pam, exr]


@pytest.mark.parametrize("write", FORMATS)
@pytest.mark.parametrize("size", SIZES)
def test_each_format_states_its_size(write, size):
    assert stated_size(write(*size)) == stated_size(write(*size) + b"pixels") == size


@pytest.mark.parametrize("write", [*FORMATS[:-4], exr, webp_lossless, webp_lossy])
def test_a_header_that_breaks_off_states_none(write):
    content = write(160, 96)
    assert {stated_size(content[:length]) for length in range(len(content) - 10)} <= {(0, 0)}
    for length in range(len(content)):
        stated_size(content[:length])


@pytest.mark.parametrize("size", [(160, 96), (1, 16_383), (16_383, 1), (8192, 300)])
def test_the_small_formats_of_webp_have_fourteen_bits_a_side(size):
    assert stated_size(webp_lossless(*size)) == stated_size(webp_lossy(*size)) == size
    assert stated_size(webp_lossless(16_384, 16_384)) == (16_384, 16_384)


def test_the_upside_down_and_the_empty():
    assert stated_size(bmp(-160, -96)) == (160, 96)  # stored from the top
    assert stated_size(exr(-3, 0)) == (0, 0) and stated_size(exr(5, -1)) == (5, 0) and stated_size(exr(0, 5)) == (0, 5)


@pytest.mark.parametrize("write", [png, jpeg2000, heif, tiff])
def test_a_size_may_have_all_its_32_bits(write):
    """The largest is what a hostile file states."""
    assert stated_size(write(2**32 - 1, 2**31)) == (2**32 - 1, 2**31)


def test_the_first_of_two_headers_counts():
    for write in (jpeg2000, exr):
        assert stated_size(write(160, 96) + write(3, 4)) == (160, 96)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4])
@pytest.mark.parametrize("start", [8, 50])
def test_a_tiff_has_either_order_and_numbers_of_two_lengths(order, kind, start):
    content = tiff(160, 96, order, kind, start)
    assert stated_size(content) == (160, 96)
    assert stated_size(content[:start]) == (0, 0)  # the directory is not in the header


def segment(marker, content=b""):
    return bytes([0xFF, marker]) + struct.pack(">H", 2 + len(content)) + content


def frame(marker, width=160, height=96):
    return bytes([0xFF, marker]) + struct.pack(">HBHH", 17, 8, height, width)


@pytest.mark.parametrize("marker", FRAME_MARKERS)
def test_any_frame_of_a_jpeg_states_its_size(marker):
    content = b"\xff\xd8" + segment(0xE0, b"JFIF\0") + frame(marker)
    assert stated_size(content) == stated_size(content + frame(0xC0, 3, 4)) == (160, 96)
    assert {stated_size(content[:length]) for length in range(len(content))} == {(0, 0)}


@pytest.mark.parametrize(
    "before",
    [segment(marker, b"\xff\xc0" + bytes(20)) for marker in (0xC4, 0xC8, 0xCC, 0xD9, 0xDB, 0xFE, 0x02, 0xCE + 0x12)]
    + [segment(0xE1, b"\xff\xd8" + bytes(700))]
    + [bytes([0xFF, marker]) for marker in (0x01, *range(0xD0, 0xD9))]
    + [b"\xff", b"\xff\xff", b""],
)
def test_what_comes_before_the_frame_of_a_jpeg_is_skipped(before):
    """Segments by their length, markers without one, and bytes that fill."""
    for content in (before, before + before, before + segment(0xDB, bytes(65)), segment(0xE0) + before):
        assert stated_size(b"\xff\xd8" + content + frame(0xC2)) == (160, 96)


def test_other_files_state_no_size():
    assert stated_size(b"\xff\xd8" + b"no marker" + frame(0xC0)) == (0, 0)
    for content in (b"", b"GIF89a" + bytes(40), b"P8 1 2 ", b"P6 a b ", b"RIFF" + bytes(4) + b"WAVEVP8X" + bytes(40), bytes(100)):
        assert stated_size(content) == (0, 0)
    for begin in (b"....jP  ", b"....ftyp", b"v/1\x01", b"P6 " + b"9" * 9 + b" "):
        assert stated_size(begin + bytes(50)) == (0, 0)
    for name in (b"\x89PNG", b"BM", b"II*\0", b"MM\0*", b"RIFF", b"\xff\xd8", b"v/1\x01"):
        for content in (png(1, 2), webp_lossy(1, 2), tiff(1, 2)):
            assert stated_size(b"x" + name + content) == (0, 0)  # marks stand at the beginning


def test_as_much_is_read_as_headers_need():
    """A quarter of a megabyte: photographs have profiles and previews before their size."""
    assert picture_header.HEADER_BYTES == 2**18
