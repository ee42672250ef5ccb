"""What is drawn in place of a control's bone: meshes of edges alone, which all rigs of a file share and no scene shows."""

from collections.abc import Iterable

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ..context import expect_type

_PREFIX = "MeshRec control "
_CIRCLE_POINTS = 32
_CORNERS = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)], float)


def set_shape(bone: bpy.types.PoseBone, kind: str, size: float, offset: Iterable[float] = (0.0, 0.0, 0.0)) -> None:
    """Draw a bone as "circle" (across the bone), "box", "ball", "sole" or "ground", `size` m large, `offset` m along its axes."""
    bone.custom_shape = _shape_object(kind)
    bone.use_custom_shape_bone_size = False
    bone.custom_shape_scale_xyz = (size, size, size)
    bone.custom_shape_translation = tuple(offset)
    expect_type(bone.bone, bpy.types.Bone).show_wire = True
    if hasattr(bone, "custom_shape_wire_width"):  # Blender 4.3 and later
        bone.custom_shape_wire_width = 2.0


def _shape_object(kind: str) -> bpy.types.Object:
    name = f"{_PREFIX}{kind}"
    for obj in bpy.data.objects:
        if obj.name == name and not obj.users_collection and not obj.library:
            return obj
    points, edges = _SHAPES[kind]()
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points.tolist(), edges, [])
    return bpy.data.objects.new(name, mesh)


_Shape = tuple[FloatArray, list[tuple[int, int]]]


def _circle() -> _Shape:
    """A circle of diameter 1 about the bone's axis."""
    angles = np.linspace(0, 2 * np.pi, _CIRCLE_POINTS, endpoint=False)
    points = 0.5 * np.stack([np.cos(angles), np.zeros_like(angles), np.sin(angles)], -1)
    return points, [(point, (point + 1) % _CIRCLE_POINTS) for point in range(_CIRCLE_POINTS)]


def _ball() -> _Shape:
    """Three circles about the axes."""
    points, edges = _circle()
    turned = [points, points[:, [1, 0, 2]], points[:, [0, 2, 1]]]
    return np.concatenate(turned), [(a + part * len(points), b + part * len(points)) for part in range(3) for a, b in edges]


def _box() -> _Shape:
    edges = [(a, b) for a in range(8) for b in range(a + 1, 8) if (np.abs(_CORNERS[a] - _CORNERS[b]) > 0.1).sum() == 1]
    return _CORNERS, edges


def _sole() -> _Shape:
    """A rectangle in the bone's plane XY, as long as two widths, from a third behind the bone's head."""
    outline = np.array([(-0.25, -0.33, 0), (0.25, -0.33, 0), (0.3, 0.5, 0), (0, 0.67, 0), (-0.3, 0.5, 0)], float)
    return outline, [(point, (point + 1) % len(outline)) for point in range(len(outline))]


def _ground() -> _Shape:
    """A circle on the floor with an arrow forwards."""
    points, edges = _circle()
    arrow = np.array([(0, 0.5, 0), (0, 0.75, 0), (-0.08, 0.65, 0), (0.08, 0.65, 0)], float)
    first = len(points)
    return np.concatenate([points[:, [0, 2, 1]], arrow]), [*edges, (first, first + 1), (first + 1, first + 2), (first + 1, first + 3)]


_SHAPES = {"circle": _circle, "ball": _ball, "box": _box, "sole": _sole, "ground": _ground}
