"""Solids as signed distances (negative inside), and closed meshes of them; all lengths in metres.

A solid is a function of places (N,3) that returns (N,) distances, exact or a little off. Primitives and their smooth
unions: Hart 1996, "Sphere tracing", and Quilez, "Distance functions". The mesher is surface nets (Gibson 1998): one vertex in
every cell that the surface crosses, then moved onto the surface.
"""

from functools import reduce

import numpy as np

BLEND_RADIUS = 0.006  # how far two joined solids reach for each other


def ellipsoid(centre, radii):
    """An ellipsoid along the axes; `radii` one number or three."""
    centre, radii = np.asarray(centre, float), np.broadcast_to(np.asarray(radii, float), 3)

    def distance(p):
        near, far = np.linalg.norm((p - centre) / radii, axis=1), np.linalg.norm((p - centre) / radii**2, axis=1)
        return near * (near - 1) / np.maximum(far, 1e-9)

    return distance


def capsule_chain(points, radii, flat=(1, 1, 1)):
    """A tube along a line of points, round where it ends; `flat` stretches space before the distance is taken."""
    points, radii = np.asarray(points, float), np.broadcast_to(np.asarray(radii, float), len(points))
    flat = np.asarray(flat, float)

    def distance(p):
        found = np.full(len(p), np.inf)
        for a, b, radius_a, radius_b in zip(points[:-1] * flat, points[1:] * flat, radii[:-1], radii[1:], strict=True):
            along = b - a
            share = np.clip(((p * flat - a) @ along) / (along @ along), 0, 1)
            off = np.linalg.norm(p * flat - a - share[:, None] * along, axis=1)
            found = np.minimum(found, off - radius_a - (radius_b - radius_a) * share)
        return found / flat.max()

    return distance


def plate(corners, thickness):
    """A triangle of three corners, `thickness` thick, with round edges."""
    corners = np.asarray(corners, float)
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    normal /= np.linalg.norm(normal)

    def distance(p):
        height = (p - corners[0]) @ normal
        within = np.ones(len(p), bool)
        edges = np.full(len(p), np.inf)
        for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            along = b - a
            within &= (p - a) @ np.cross(normal, along) >= 0
            share = np.clip(((p - a) @ along) / (along @ along), 0, 1)
            edges = np.minimum(edges, np.linalg.norm(p - a - share[:, None] * along, axis=1))
        return np.where(within, np.abs(height), edges) - thickness / 2

    return distance


def union(*solids, reach=BLEND_RADIUS):
    """The union, with fillets of about `reach`."""

    def both(one, other):
        blend = np.clip(0.5 + (other - one) / (2 * reach), 0, 1)
        return other + (one - other) * blend - reach * blend * (1 - blend)

    return lambda p: reduce(both, (solid(p) for solid in solids))


def difference(solid, *cut, reach=0.003):
    """A solid less others, with edges rounded by about `reach`."""
    taken = union(lambda p: -solid(p), *cut, reach=reach)
    return lambda p: -taken(p)


def mirror_solid(solid):
    """A solid described for x >= 0 and its mirror image."""
    return lambda p: solid(np.abs(p) * (1, 0, 0) + p * (0, 1, 1))


def transform_solid(solid, origin, axes):
    """A solid described in axes (3,3), whose columns are its lateral, up and front, around `origin`."""
    return lambda p: solid((p - origin) @ axes)


def mesh_solid(solid, low, high, cell, origin=(0, 0, 0), axes=None):
    """The closed mesh of a solid within a box: vertices (N,3) and triangles (M,3), outward.

    Args:
        low, high: the box's corners in the solid's own axes. cell: its cells' size, one number or one an axis.
        origin, axes: where the solid's own axes lie in the body.

    Raises:
        ValueError: the solid reaches out of the box.
    """
    axes = np.eye(3) if axes is None else axes
    low, cell = np.asarray(low, float), np.broadcast_to(np.asarray(cell, float), 3)
    counts = np.ceil((np.asarray(high, float) - low) / cell).astype(int) + 1
    # Centred, so that a mirrored solid's cells are mirrored as well.
    low = (low + high) / 2 - (counts - 1) * cell / 2
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in counts), indexing="ij"), -1).reshape(-1, 3)
    value = solid(low + grid * cell).reshape(counts)
    inside = value < 0
    if any(np.take(inside, side, axis).any() for axis in range(3) for side in (0, -1)):
        raise ValueError("the solid reaches out of its box")
    crossings, hits = np.zeros((*(counts - 1), 3)), np.zeros(counts - 1)
    quads = []
    for axis in range(3):
        lower, upper = (np.take(value, range(start, counts[axis] - 1 + start), axis) for start in (0, 1))
        edges = np.argwhere((lower < 0) != (upper < 0))
        a, b = lower[tuple(edges.T)], upper[tuple(edges.T)]
        place = edges.astype(float)
        place[:, axis] += a / (a - b)
        first, second = (axis + 1) % 3, (axis + 2) % 3
        corners = []
        for step_first, step_second in ((-1, -1), (0, -1), (0, 0), (-1, 0)):
            cells = edges.copy()
            cells[:, first] += step_first
            cells[:, second] += step_second
            np.add.at(crossings, tuple(cells.T), place)
            np.add.at(hits, tuple(cells.T), 1)
            corners.append(np.ravel_multi_index(cells.T, counts - 1))
        quad = np.stack(corners, 1)
        quads.append(np.where((a < 0)[:, None], quad, quad[:, ::-1]))
    used = np.flatnonzero(hits.ravel())
    number = np.full(hits.size, -1)
    number[used] = np.arange(len(used))
    vertices = low + cell * (crossings.reshape(-1, 3)[used] / hits.ravel()[used, None])
    quads = number[np.concatenate(quads)]
    vertices = _onto_surface(solid, vertices, cell)
    return vertices @ axes.T + origin, np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def _onto_surface(solid, vertices, cell):
    """Vertices moved along the distance's slope until it is zero, by at most half a cell."""
    start, step = vertices, 1e-4
    for _ in range(4):
        slope = np.stack([solid(vertices + step * e) - solid(vertices - step * e) for e in np.eye(3)], 1) / (2 * step)
        size = np.maximum((slope**2).sum(1, keepdims=True), 0.25)
        vertices = vertices - solid(vertices)[:, None] * slope / size
        vertices = np.clip(vertices, start - cell / 2, start + cell / 2)
    return vertices


def rod_mesh(points, radii, sides=8, up=(0, 1, 0)):
    """A closed tube of few triangles along points (K,3): vertices and triangles, outward.

    Args:
        radii: (K,), or (K,2) across and along `up`. Its ends are flat; let the radii fall towards them.
    """
    points, radii = np.asarray(points, float), np.asarray(radii, float)
    radii = radii if radii.ndim == 2 else np.stack([radii, radii], 1)
    along = np.gradient(points, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    across = np.cross(along, up)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    above = np.cross(across, along)
    angle = 2 * np.pi * np.arange(sides) / sides
    ring = radii[:, None, :1] * np.cos(angle)[:, None] * across[:, None] + radii[:, None, 1:] * np.sin(angle)[:, None] * above[:, None]
    vertices = np.concatenate([(points[:, None] + ring).reshape(-1, 3), points[:1], points[-1:]])
    this = np.arange(sides)
    following, last = (this + 1) % sides, (len(points) - 1) * sides
    faces = []
    for start in range(0, last, sides):
        a, b, c, d = start + this, start + following, start + sides + following, start + sides + this
        faces += [np.stack([a, b, c], 1), np.stack([a, c, d], 1)]
    first_cap, last_cap = len(vertices) - 2, len(vertices) - 1
    faces.append(np.stack([np.full(sides, first_cap), following, this], 1))
    faces.append(np.stack([np.full(sides, last_cap), last + this, last + following], 1))
    return vertices, orient_outwards(vertices, np.concatenate(faces))


def orient_outwards(vertices, faces):
    """The triangles of a closed mesh, turned so that its volume is positive."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    return faces if np.einsum("ti,ti->", a, np.cross(b, c)) > 0 else faces[:, ::-1]
