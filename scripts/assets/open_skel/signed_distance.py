"""Solids as signed distance functions (negative inside), and closed meshes of them; all lengths in metres.

A solid is a function of points (N,3) to approximate distances (N,). Primitives and smooth unions: Hart 1996, "Sphere tracing", and
Quilez, "Distance functions". The mesher is surface nets (Gibson 1998): one vertex in every cell that the surface crosses, then moved onto
the surface.
"""

from collections.abc import Callable
from functools import reduce
from typing import TypeAlias

import numpy as np

from blender_meshrec.core.array_types import ArrayLike, FloatArray, IntArray

BLEND_RADIUS = 0.006  # m, radius of the fillet between two joined solids

Solid: TypeAlias = Callable[[FloatArray], FloatArray]
Mesh: TypeAlias = tuple[FloatArray, IntArray]  # vertices (N,3) m, triangles (M,3)
BoneMesh: TypeAlias = tuple[str, FloatArray, IntArray]  # name of the bone, vertices (N,3) m, triangles (M,3)


def ellipsoid(centre: ArrayLike, radii: ArrayLike) -> Solid:
    """An axis-aligned ellipsoid; `radii`: one number or three."""
    middle, radius = np.asarray(centre, float), np.broadcast_to(np.asarray(radii, float), 3)

    def distance(p: FloatArray) -> FloatArray:
        scaled, gradient = np.linalg.norm((p - middle) / radius, axis=1), np.linalg.norm((p - middle) / radius**2, axis=1)
        return scaled * (scaled - 1) / np.maximum(gradient, 1e-9)

    return distance


def capsule_chain(points: ArrayLike, radii: ArrayLike, flat: ArrayLike = (1, 1, 1)) -> Solid:
    """A tube along points (K,3) with round ends and radii (K,); `flat` (3,) scales space before the distance is computed."""
    centres, scale = np.asarray(points, float), np.asarray(flat, float)
    radius = np.broadcast_to(np.asarray(radii, float), len(centres))

    def distance(p: FloatArray) -> FloatArray:
        nearest = np.full(len(p), np.inf)
        for a, b, radius_a, radius_b in zip(centres[:-1] * scale, centres[1:] * scale, radius[:-1], radius[1:], strict=True):
            along = b - a
            fraction = np.clip(((p * scale - a) @ along) / (along @ along), 0, 1)
            from_axis = np.linalg.norm(p * scale - a - fraction[:, None] * along, axis=1)
            nearest = np.minimum(nearest, from_axis - radius_a - (radius_b - radius_a) * fraction)
        return nearest / scale.max()

    return distance


def plate(corners: ArrayLike, thickness: float) -> Solid:
    """A triangular plate with corners (3,3), a thickness, and round edges."""
    points = np.asarray(corners, float)
    normal = np.cross(points[1] - points[0], points[2] - points[0])
    normal /= np.linalg.norm(normal)

    def distance(p: FloatArray) -> FloatArray:
        height = (p - points[0]) @ normal
        within = np.ones(len(p), bool)
        edges = np.full(len(p), np.inf)
        for a, b in zip(points, np.roll(points, -1, axis=0), strict=True):
            along = b - a
            within &= (p - a) @ np.cross(normal, along) >= 0
            fraction = np.clip(((p - a) @ along) / (along @ along), 0, 1)
            edges = np.minimum(edges, np.linalg.norm(p - a - fraction[:, None] * along, axis=1))
        return np.where(within, np.abs(height), edges) - thickness / 2

    return distance


def union(*solids: Solid, reach: float = BLEND_RADIUS) -> Solid:
    """The union of solids, with fillets of about `reach` m."""

    def blend_two(one: FloatArray, other: FloatArray) -> FloatArray:
        blend = np.clip(0.5 + (other - one) / (2 * reach), 0, 1)
        return other + (one - other) * blend - reach * blend * (1 - blend)

    def distance(p: FloatArray) -> FloatArray:
        return reduce(blend_two, (solid(p) for solid in solids))

    return distance


def difference(solid: Solid, *cut: Solid, reach: float = 0.003) -> Solid:
    """A solid minus others, with edges rounded by about `reach` m."""
    outside = union(_complement(solid), *cut, reach=reach)
    return _complement(outside)


def _complement(solid: Solid) -> Solid:
    """The space outside a solid."""

    def distance(p: FloatArray) -> FloatArray:
        return -solid(p)

    return distance


def mirror_solid(solid: Solid) -> Solid:
    """The part of a solid at x >= 0, and its mirror image."""

    def distance(p: FloatArray) -> FloatArray:
        return solid(np.abs(p) * (1, 0, 0) + p * (0, 1, 1))

    return distance


def transform_solid(solid: Solid, origin: FloatArray, axes: FloatArray) -> Solid:
    """A solid placed at `origin` (3,) with axes (3,3), whose columns are lateral, up and front."""

    def distance(p: FloatArray) -> FloatArray:
        return solid((p - origin) @ axes)

    return distance


def mesh_solid(
    solid: Solid, low: ArrayLike, high: ArrayLike, cell: ArrayLike, origin: ArrayLike = (0, 0, 0), axes: FloatArray | None = None
) -> Mesh:
    """The closed mesh of a solid within a box, with outward triangles, by surface nets.

    Args:
        low, high: corners (3,) of the box in the solid's axes. cell: size of the cells, one number or three.
        origin, axes: position (3,) and axes (3,3) of the solid in the body.

    Raises:
        ValueError: the solid exceeds the box.
    """
    size = np.broadcast_to(np.asarray(cell, float), 3)
    lowest, highest = np.asarray(low, float), np.asarray(high, float)
    counts = np.ceil((highest - lowest) / size).astype(int) + 1
    # Centred, so that the cells of a mirrored solid are mirrored too.
    lowest = (lowest + highest) / 2 - (counts - 1) * size / 2
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in counts), indexing="ij"), -1).reshape(-1, 3)
    value = solid(lowest + grid * size).reshape(counts)
    inside = value < 0
    if any(np.take(inside, side, axis).any() for axis in range(3) for side in (0, -1)):
        raise ValueError("the solid reaches out of its box")
    positions, quads = _surface_nets(value)
    vertices = _onto_surface(solid, lowest + size * positions, size)
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    return vertices @ (np.eye(3) if axes is None else axes).T + np.asarray(origin, float), triangles


def _surface_nets(value: FloatArray) -> Mesh:
    """The surface of a grid of distances: vertices (N,3) in cells, and outward quads (M,4).

    Each cell that the surface crosses gets a vertex at the mean of the crossings of its edges.
    """
    counts = np.array(value.shape)
    crossings, hits = np.zeros((*(counts - 1), 3)), np.zeros(counts - 1)
    quads = []
    for axis in range(3):
        lower, upper = (np.take(value, range(start, counts[axis] - 1 + start), axis) for start in (0, 1))
        edges = np.argwhere((lower < 0) != (upper < 0))
        a, b = lower[tuple(edges.T)], upper[tuple(edges.T)]
        crossing = edges.astype(float)
        crossing[:, axis] += a / (a - b)
        first, second = (axis + 1) % 3, (axis + 2) % 3
        corners = []
        for step_first, step_second in ((-1, -1), (0, -1), (0, 0), (-1, 0)):
            cells = edges.copy()
            cells[:, first] += step_first
            cells[:, second] += step_second
            np.add.at(crossings, tuple(cells.T), crossing)
            np.add.at(hits, tuple(cells.T), 1)
            corners.append(np.ravel_multi_index(tuple(cells.T), tuple(counts - 1)))
        quad = np.stack(corners, 1)
        quads.append(np.where((a < 0)[:, None], quad, quad[:, ::-1]))
    used = np.flatnonzero(hits.ravel())
    vertex_of_cell = np.full(hits.size, -1)
    vertex_of_cell[used] = np.arange(len(used))
    return crossings.reshape(-1, 3)[used] / hits.ravel()[used, None], vertex_of_cell[np.concatenate(quads)]


def _onto_surface(solid: Solid, vertices: FloatArray, cell: FloatArray) -> FloatArray:
    """Vertices moved along the gradient of the distance to its zero, by at most half a cell."""
    start, step = vertices, 1e-4
    for _ in range(4):
        gradient = np.stack([solid(vertices + step * e) - solid(vertices - step * e) for e in np.eye(3)], 1) / (2 * step)
        squared_norm = np.maximum((gradient**2).sum(1, keepdims=True), 0.25)
        vertices = vertices - solid(vertices)[:, None] * gradient / squared_norm
        vertices = np.clip(vertices, start - cell / 2, start + cell / 2)
    return vertices


def rod_mesh(points: ArrayLike, radii: ArrayLike, sides: int = 8, up: ArrayLike = (0, 1, 0)) -> Mesh:
    """A closed tube of few triangles along points (K,3), with outward triangles.

    Args:
        radii: (K,), or (K,2) across and along `up`. The ends of the tube are flat; the radii should decrease towards them.
    """
    centres, radius = np.asarray(points, float), np.asarray(radii, float)
    radius = radius if radius.ndim == 2 else np.stack([radius, radius], 1)
    along = np.gradient(centres, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    across = np.cross(along, np.asarray(up, float))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    above = np.cross(across, along)
    angle = 2 * np.pi * np.arange(sides) / sides
    ring = radius[:, None, :1] * np.cos(angle)[:, None] * across[:, None] + radius[:, None, 1:] * np.sin(angle)[:, None] * above[:, None]
    vertices = np.concatenate([(centres[:, None] + ring).reshape(-1, 3), centres[:1], centres[-1:]])
    this = np.arange(sides)
    following, last = (this + 1) % sides, (len(centres) - 1) * sides
    faces: list[IntArray] = []
    for start in range(0, last, sides):
        a, b, c, d = start + this, start + following, start + sides + following, start + sides + this
        faces += [np.stack([a, b, c], 1), np.stack([a, c, d], 1)]
    first_cap, last_cap = len(vertices) - 2, len(vertices) - 1
    faces.append(np.stack([np.full(sides, first_cap), following, this], 1))
    faces.append(np.stack([np.full(sides, last_cap), last + this, last + following], 1))
    return vertices, orient_outwards(vertices, np.concatenate(faces))


def orient_outwards(vertices: FloatArray, faces: IntArray) -> IntArray:
    """The triangles of a closed mesh, oriented so that its volume is positive."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    return faces if np.einsum("ti,ti->", a, np.cross(b, c)) > 0 else faces[:, ::-1]
