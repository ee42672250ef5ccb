"""HEIF pictures (.heic of phones): the primary item, put together from its tiles, rotated and mirrored as the file says.

FFmpeg decodes the coded items, one stream each, but PyAV does not tell how they lie side by side.

Source: ISO/IEC 23008-12 (HEIF), 6.6.2.3 for grids; ISO/IEC 14496-12, 8.11 for the boxes of items.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np

from ...core.array_types import ImageArray
from .frame_source import PathArgument
from .picture_size import MAX_PICTURE_PIXELS

HEIF_SUFFIXES = frozenset((".heic", ".heif", ".hif"))
_TRANSFORMS = (b"irot", b"imir")
MAX_HEADER_BYTES = 2**24  # of the box that describes the items
MAX_TILES = 1024


@dataclass
class _Items:
    """The items of a HEIF file. primary: id of the item to show. kinds: by id. tiles: ids of a grid's parts, row by row, by its id.
    locations: (is in idat, offset, length) of items in one piece. transforms: ("irot", quarter turns counterclockwise) and
    ("imir", mode) by id, in order.
    """

    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)
    tiles: dict[int, list[int]] = field(default_factory=dict)
    locations: dict[int, tuple[bool, int, int]] = field(default_factory=dict)
    properties: list[tuple[str, int]] = field(default_factory=list)
    associations: dict[int, list[int]] = field(default_factory=dict)
    idat: bytes = b""

    def transforms(self, item: int) -> list[tuple[str, int]]:
        """The rotation and mirroring of an item, in the order in which they apply."""
        used = [self.properties[index - 1] for index in self.associations.get(item, ()) if 0 < index <= len(self.properties)]
        return [entry for entry in used if entry[0]]


def decode_heif(path: PathArgument, as_stored: bool = False) -> ImageArray | None:
    """The primary picture of a HEIF file as (H,W,3) uint8 RGB, upright unless `as_stored`; None if it cannot be read."""
    try:
        content = Path(path).read_bytes()
        items = _read_items(content)
        image = _decode_primary(path, content, items)
    except (av.error.FFmpegError, struct.error, IndexError, ValueError, OSError):
        return None
    return image if image is None or as_stored else apply_transforms(image, items.transforms(items.primary))


def heif_exif(content: bytes) -> bytes:
    """The EXIF of a HEIF file's content; empty without one. Raises ValueError, struct.error or IndexError if it is no HEIF file."""
    items = _read_items(content)
    item = next((number for number, kind in items.kinds.items() if kind == b"Exif" and number in items.locations), None)
    if item is None:
        return b""
    in_idat, offset, length = items.locations[item]
    block = (items.idat if in_idat else content)[offset : offset + length]
    # It begins with the number of bytes before the TIFF header.
    return block[4 + struct.unpack_from(">I", block)[0] :]


def apply_transforms(image: ImageArray, transforms: list[tuple[str, int]]) -> ImageArray:
    """Rotate and mirror an image as its item's transforms say."""
    for kind, value in transforms:
        if kind == "irot":
            image = np.rot90(image, value)
        else:  # mode 0 exchanges top and bottom, 1 left and right
            image = image[:, ::-1] if value == 1 else image[::-1]
    return np.ascontiguousarray(image)


def heif_orientation(path: PathArgument) -> tuple[int, bool]:
    """(degrees clockwise, mirrored): the stored picture, mirrored left to right if so and then rotated, is the upright one."""
    try:
        items = _read_items(Path(path).read_bytes())
    except (struct.error, IndexError, ValueError, OSError):
        return 0, False
    return orientation_of_transforms(items.transforms(items.primary))


def orientation_of_transforms(transforms: list[tuple[str, int]]) -> tuple[int, bool]:
    """(degrees clockwise, mirrored) of an item's transforms: mirror left to right if so, then rotate."""
    degrees, is_mirrored = 0, False
    for kind, value in transforms:
        if kind == "irot":
            degrees -= 90 * value
        else:  # mirroring after a rotation is mirroring before the opposite one; top to bottom is left to right and a half turn
            degrees, is_mirrored = (0 if value == 1 else 180) - degrees, not is_mirrored
    return degrees % 360, is_mirrored


def _decode_primary(path: PathArgument, content: bytes, items: _Items) -> ImageArray | None:
    is_grid = items.kinds.get(items.primary) == b"grid"
    parts = items.tiles.get(items.primary, []) if is_grid else [items.primary]
    if not 0 < len(parts) <= MAX_TILES:
        return None
    decoded = _decode_items(path, set(parts))
    if not set(parts) <= decoded.keys():
        return None
    return _join_tiles([decoded[part] for part in parts], *_grid_size(content, items)) if is_grid else decoded[parts[0]]


def _decode_items(path: PathArgument, numbers: set[int]) -> dict[int, ImageArray]:
    """The images of coded items by their ids, which are those of FFmpeg's streams."""
    decoded: dict[int, ImageArray] = {}
    with av.open(f"file:{path}", options={"protocol_whitelist": "file"}) as container:
        streams = [stream for stream in container.streams.video if stream.id in numbers]
        for packet in container.demux(*streams) if streams else ():
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    decoded.setdefault(packet.stream.id, np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
    return decoded


def _join_tiles(tiles: list[ImageArray], rows: int, columns: int, width: int, height: int) -> ImageArray | None:
    """Tiles side by side, row by row, cut to (width, height)."""
    tile_height, tile_width = tiles[0].shape[:2]
    if rows * columns != len(tiles) or rows * columns * tile_height * tile_width > MAX_PICTURE_PIXELS:
        return None
    if any(tile.shape != tiles[0].shape for tile in tiles) or not 0 < width <= columns * tile_width or not 0 < height <= rows * tile_height:
        return None
    return np.ascontiguousarray(np.vstack([np.hstack(tiles[row * columns : (row + 1) * columns]) for row in range(rows)])[:height, :width])


def _grid_size(content: bytes, items: _Items) -> tuple[int, int, int, int]:
    """(rows, columns, width, height) of the primary item, a grid."""
    in_idat, offset, length = items.locations[items.primary]
    grid = (items.idat if in_idat else content)[offset : offset + length]
    _version, flags, rows, columns = struct.unpack_from(">4B", grid)
    width, height = struct.unpack_from(">2I" if flags & 1 else ">2H", grid, 4)
    return rows + 1, columns + 1, width, height


# --- the boxes of a file ----------------------------------------------------------------------------------------------


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The (kind, content) of the boxes that follow one another."""
    offset = 0
    while offset + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, offset)
        header = 8
        if length == 1:
            length, header = struct.unpack_from(">Q", content, offset + 8)[0], 16
        length = length or len(content) - offset
        if length < header:
            return
        yield kind, content[offset + header : offset + length]
        offset += length


def _read_items(content: bytes) -> _Items:
    """The items of a file. Raises ValueError, struct.error or IndexError if it is no HEIF file."""
    meta = next((box for kind, box in _boxes(content) if kind == b"meta" and len(box) <= MAX_HEADER_BYTES), None)
    if meta is None:
        raise ValueError("There is no box of items")
    items = _Items()
    for kind, box in _boxes(meta[4:]):
        if kind == b"pitm":
            items.primary = struct.unpack_from(">I" if box[0] else ">H", box, 4)[0]
        elif kind == b"iinf":
            _read_item_kinds(box, items)
        elif kind == b"iref":
            _read_references(box, items)
        elif kind == b"iloc":
            _read_locations(box, items)
        elif kind == b"iprp":
            _read_properties(box, items)
        elif kind == b"idat":
            items.idat = box
    return items


def _read_item_kinds(box: bytes, items: _Items) -> None:
    for kind, entry in _boxes(box[8 if box[0] else 6 :]):
        if kind == b"infe" and entry[0] >= 2:
            number, size = (struct.unpack_from(">H", entry, 4)[0], 2) if entry[0] == 2 else (struct.unpack_from(">I", entry, 4)[0], 4)
            items.kinds[number] = entry[6 + size : 10 + size]


def _read_references(box: bytes, items: _Items) -> None:
    letter, size = (">I", 4) if box[0] else (">H", 2)
    for kind, entry in _boxes(box[4:]):
        if kind == b"dimg":
            number, count = struct.unpack_from(letter, entry)[0], struct.unpack_from(">H", entry, size)[0]
            items.tiles[number] = [struct.unpack_from(letter, entry, size + 2 + size * k)[0] for k in range(count)]


def _read_locations(box: bytes, items: _Items) -> None:
    version, sizes = box[0], struct.unpack_from(">2B", box, 4)
    offset_size, length_size, base_size = sizes[0] >> 4, sizes[0] & 15, sizes[1] >> 4
    index_size = sizes[1] & 15 if version else 0
    position = 6

    def take(size: int) -> int:
        nonlocal position
        if position + size > len(box):
            raise ValueError("The box of locations is cut off")
        position += size
        return int.from_bytes(box[position - size : position], "big")

    for _ in range(take(4 if version == 2 else 2)):
        number = take(4 if version == 2 else 2)
        method = take(2) & 15 if version else 0
        take(2)
        base = take(base_size)
        extents = [(take(index_size), take(offset_size), take(length_size)) for _ in range(take(2))]
        if len(extents) == 1 and method in (0, 1):
            items.locations[number] = (method == 1, base + extents[0][1], extents[0][2])


def _read_properties(box: bytes, items: _Items) -> None:
    for kind, entry in _boxes(box):
        if kind == b"ipco":
            items.properties = [
                (name.decode("latin-1"), value[0] & 3) if name in (b"irot", b"imir") else ("", 0) for name, value in _boxes(entry)
            ]
        elif kind == b"ipma":
            _read_associations(entry, items)


def _read_associations(box: bytes, items: _Items) -> None:
    version, has_wide_index, position = box[0], box[3] & 1, 8
    for _ in range(struct.unpack_from(">I", box, 4)[0]):
        number = struct.unpack_from(">I" if version else ">H", box, position)[0]
        position += 4 if version else 2
        count, position = box[position], position + 1
        letter, size, mask = (">H", 2, 0x7FFF) if has_wide_index else (">B", 1, 0x7F)
        items.associations[number] = [struct.unpack_from(letter, box, position + size * k)[0] & mask for k in range(count)]
        position += size * count
