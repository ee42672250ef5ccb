"""An FBX in centimetres, the unit of Unreal, whose importer ignores the unit that a file states unless *Convert Scene Unit* is on.

Blender's exporter can state a unit of 100 cm, or scale the objects by 100. Here the lengths themselves are in centimetres, and every
object's scale is left at 1.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from .fbx_records import Record, read_records, write_records

_UNITS: Final = (b"UnitScaleFactor", b"OriginalUnitScaleFactor")
_LENGTHS_OF_MODELS: Final = (
    b"Lcl Translation",
    b"RotationOffset",
    b"RotationPivot",
    b"ScalingOffset",
    b"ScalingPivot",
    b"GeometricTranslation",
)
_LENGTHS_OF_ATTRIBUTES: Final = (b"Size",)
_MATRICES_OF_CLUSTERS: Final = (b"Transform", b"TransformLink", b"TransformAssociateModel")
_TRANSLATION: Final = slice(12, 15)  # of a matrix (16,), by columns
_FIRST_VALUE: Final = 4  # of a P record's properties: name, type, label and flags come before


def write_centimetres(path: Path) -> None:
    """Write the lengths of a binary FBX, whose unit is any, in centimetres.

    Raises:
        OSError: it cannot be written. ValueError: it is not a binary FBX as exporters write it.
    """
    content = path.read_bytes()
    try:
        root = read_records(content)
        factor = _set_unit(root)
        if factor == 1.0:
            return
        _scale_objects(root, factor)
        _scale_curves(root, factor)
        scaled = write_records(content, root)
    except (struct.error, IndexError, zlib.error) as error:
        raise ValueError(f"not a sound FBX: {error}") from error
    with path.open("wb") as file:
        file.write(scaled)
        file.flush()
        os.fsync(file.fileno())


def _set_unit(root: Record) -> float:
    """State centimetres as the unit; returns the centimetres of the unit before."""
    factor = 1.0
    for entry in root.named(b"GlobalSettings", b"Properties70", b"P"):
        values = entry.floats(_FIRST_VALUE) if entry.text(0) in _UNITS else None
        if values is not None:
            factor = float(values[0]) if entry.text(0) == _UNITS[0] else factor
            entry.set_floats(_FIRST_VALUE, np.ones(1))
    return factor


def _scale_objects(root: Record, factor: float) -> None:
    for model in root.named(b"Objects", b"Model"):
        _scale_entries(model, _LENGTHS_OF_MODELS, factor)
    for attribute in root.named(b"Objects", b"NodeAttribute"):
        _scale_entries(attribute, _LENGTHS_OF_ATTRIBUTES, factor)
    for vertices in root.named(b"Objects", b"Geometry", b"Vertices"):
        _scale(vertices, 0, factor)
    for pose_matrix in root.named(b"Objects", b"Pose", b"PoseNode", b"Matrix"):
        _scale(pose_matrix, 0, factor, _TRANSLATION)
    for name in _MATRICES_OF_CLUSTERS:
        for matrix in root.named(b"Objects", b"Deformer", name):
            _scale(matrix, 0, factor, _TRANSLATION)


def _scale_curves(root: Record, factor: float) -> None:
    """Scale the animation of locations: the curves that are connected to a curve node named T."""
    nodes = {node.integer(0): node for node in root.named(b"Objects", b"AnimationCurveNode") if node.text(1).split(b"\0")[0] == b"T"}
    for node in nodes.values():
        _scale_entries(node, (b"d|X", b"d|Y", b"d|Z"), factor)
    curves = {curve.integer(0): curve for curve in root.named(b"Objects", b"AnimationCurve")}
    for child, parent in _connections(root):
        if parent in nodes and child in curves:
            for name in (b"Default", b"KeyValueFloat"):
                for values in curves[child].named(name):
                    _scale(values, 0, factor)


def _connections(root: Record) -> Iterator[tuple[int | None, int | None]]:
    """(child, parent) identities."""
    for connection in root.named(b"Connections", b"C"):
        yield connection.integer(1), connection.integer(2)


def _scale_entries(record: Record, names: tuple[bytes, ...], factor: float) -> None:
    """Scale the values of the named entries of a record's table of properties."""
    for entry in record.named(b"Properties70", b"P"):
        if entry.text(0) in names:
            for index in range(_FIRST_VALUE, len(entry.properties)):
                _scale(entry, index, factor)


def _scale(record: Record, index: int, factor: float, part: slice = slice(None)) -> None:
    """Scale a property's number or numbers, or a part of them."""
    values = record.floats(index)
    if values is not None:
        values[part] *= factor
        record.set_floats(index, values)
