"""Pelvis, spine, ribs, breastbone, collar bone and shoulder blade, in the body's axes; metres."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np

from blender_meshrec.core.array_types import FloatArray, IntArray

from .signed_distance import Mesh, capsule_chain, difference, ellipsoid, mesh_solid, mirror_solid, plate, rod_mesh, transform_solid, union

HeightMesh: TypeAlias = tuple[float, FloatArray, IntArray]  # height m, vertices (N,3) m, triangles (M,3)

# Centres of the vertebral bodies along the spine, up and front; interpolated between.
SPINE = np.array([(0.050, -0.012), (0.085, 0.0), (0.14, 0.004), (0.20, -0.006), (0.28, -0.018), (0.36, -0.020), (0.44, -0.006),
                  (0.50, 0.016), (0.56, 0.034), (0.592, 0.040)])  # fmt: skip
# Lowest and highest centre (up, m), count, half width, half depth, length of the spinous and of the transverse processes.
VERTEBRAE = {
    "lumbar": (0.068, 0.192, 5, 0.0205, 0.0155, 0.034, 0.032),
    "thoracic": (0.217, 0.444, 12, 0.0155, 0.0140, 0.036, 0.026),
    "cervical": (0.464, 0.577, 7, 0.0120, 0.0090, 0.024, 0.020),
}
# From the first rib to the twelfth: half width of the rib cage, front end, and drop from the spine to the front end.
RIB_HALF_WIDTHS = (0.052, 0.075, 0.093, 0.106, 0.115, 0.121, 0.126, 0.129, 0.130, 0.128, 0.122, 0.108)
RIB_FRONTS = (0.066, 0.080, 0.091, 0.099, 0.105, 0.110, 0.114, 0.116, 0.116, 0.114, 0.10, 0.09)
RIB_DROPS = (0.030, 0.042, 0.055, 0.068, 0.080, 0.092, 0.102, 0.108, 0.106, 0.100, 0.085, 0.060)
RIB_LENGTH_FRACTIONS = (1, 1, 1, 1, 1, 1, 1, 0.97, 0.93, 0.88, 0.66, 0.50)  # of the way from the spine to the breastbone
SHOULDER_BLADE_CENTRE = np.array([0.115, 0.39, -0.01])  # of the left side
# Centre line of the breastbone, up and front.
BREASTBONE = np.array([(0.428, 0.060), (0.410, 0.071), (0.380, 0.082), (0.330, 0.096), (0.290, 0.102), (0.268, 0.101)])


def spine_depth(height: float) -> float:
    """The z coordinate of the spine's centre at a height, m."""
    return float(np.interp(height, SPINE[:, 0], SPINE[:, 1]))


def vertebrae() -> Iterator[HeightMesh]:
    """The vertebrae as (height, vertices, faces), from the lowest."""
    for start, end, count, wide, deep, spinous, transverse in VERTEBRAE.values():
        tall = (end - start) / (count - 1)
        for number, height in enumerate(np.linspace(start, end, count)):
            scale = 1.12 - 0.24 * number / (count - 1) if count == 12 else 1.04 - 0.08 * number / (count - 1)
            yield height, *_vertebra(height, tall, wide * scale, deep * scale, spinous, transverse)


def _vertebra(height: float, tall: float, wide: float, deep: float, spinous: float, transverse: float) -> Mesh:
    """A vertebra with a body, a spinous process and two transverse processes."""
    lean = np.arctan2(spine_depth(height + 0.01) - spine_depth(height - 0.01), 0.02)
    axes = np.array([[1, 0, 0], [0, np.cos(lean), -np.sin(lean)], [0, np.sin(lean), np.cos(lean)]])
    centre = np.array([0, height, spine_depth(height)])
    half = 0.45 * tall
    rim = np.array([-1, -0.96, 0, 0.96, 1])
    swell = np.array([0.6, 1, 0.88, 1, 0.6])
    ring = centre + np.outer(rim * half, axes[:, 1])
    parts = [rod_mesh(ring, np.outer(swell, (wide, deep)), 10, axes[:, 2])]
    back = centre - axes[:, 2] * (deep + 0.006)
    tip = back - axes[:, 2] * (spinous - 0.012) - axes[:, 1] * 0.45 * tall
    parts.append(
        rod_mesh(
            [centre - axes[:, 2] * deep * 0.8, back, (back + tip) / 2, tip],
            [(0.006, 0.3 * tall), (0.006, 0.35 * tall), (0.0042, 0.3 * tall), (0.003, 0.16 * tall)],
            6,
        )
    )
    for side in (-1, 1):
        line = back + np.outer((0.1, 0.9, 1.0), side * axes[:, 0] * transverse - axes[:, 2] * 0.006)
        parts.append(rod_mesh(line, [0.0055, 0.0042, 0.0022], 6))
    return _merge_meshes(parts)


def ribs() -> Iterator[HeightMesh]:
    """The left ribs as (height at the spine, vertices, faces), from the first."""
    start, end, count = VERTEBRAE["thoracic"][:3]
    for number, height in enumerate(np.linspace(end, start, count)):
        fraction = np.linspace(0, RIB_LENGTH_FRACTIONS[number], 17)
        angle = np.pi * fraction
        behind = spine_depth(height) - 0.018
        middle = (behind + RIB_FRONTS[number]) / 2 - 0.004
        x = RIB_HALF_WIDTHS[number] * np.sin(angle) ** 0.85
        x = np.where(angle < np.pi / 2, np.maximum(x, 0.016), np.maximum(x, 0.014))
        hump = 0.022 * np.sin(np.clip(fraction / 0.36, 0, 1) * np.pi) ** 2  # ribs run backward before they curve forward
        z = np.where(
            fraction < 0.5,
            middle + (behind - middle) * np.abs(np.cos(angle)) - hump,
            middle + (RIB_FRONTS[number] - middle) * np.abs(np.cos(angle)),
        )
        fall = np.interp(fraction, (0, 0.15, 0.72, 1), (0, 0.06, 1, 1))
        rise = np.interp(fraction, (0, 0.76, 0.9, 1), (0, 0, 0.55, 1)) * max(0, number - 2) * 0.0085 if number < 10 else 0
        y = height - RIB_DROPS[number] * fall**1.2 + rise
        thin = np.interp(fraction / RIB_LENGTH_FRACTIONS[number], (0, 0.03, 0.1, 0.95, 1), (0.5, 1, 1, 1, 0.45))
        yield height, *rod_mesh(np.stack([x, y, z], 1), thin[:, None] * (0.0034, 0.0062 if number else 0.005), 6)


def breastbone() -> Mesh:
    """The mesh of the breastbone."""
    width = (0.020, 0.024, 0.0165, 0.018, 0.015, 0.006)
    line = np.stack([np.zeros(6), *BREASTBONE.T], 1)
    line = np.concatenate([line[:1] + (0, 0.003, -0.001), line, line[-1:] - (0, 0.004, 0)])
    radii = np.stack([(0.011, *width, 0.003), (0.003, *(0.0062,) * 5, 0.004, 0.002)], 1)
    return rod_mesh(line, radii, 10, (0, 0, 1))


def pelvis_bone() -> Mesh:
    """The mesh of hip bones, sacrum and tail bone, both sides."""
    socket = ellipsoid((0.088, -0.087, 0.017), 0.036)
    spike, top, behind, waist, hip = (
        (0.101, 0.018, 0.064),
        (0.114, 0.058, 0.010),
        (0.054, 0.044, -0.050),
        (0.056, -0.015, -0.042),
        (0.088, -0.060, 0.012),
    )
    wing = union(*(plate(corners, 0.012) for corners in ((spike, top, hip), (top, behind, hip), (behind, waist, hip))), reach=0.012)
    crest = capsule_chain([behind, (0.088, 0.057, -0.024), top, (0.112, 0.042, 0.040), spike], (0.0075, 0.0062, 0.0065, 0.0062, 0.007))
    column = capsule_chain([(0.050, 0.020, -0.048), (0.072, -0.030, -0.022), (0.088, -0.072, 0.006)], (0.011, 0.015, 0.017))
    before = capsule_chain([(0.100, 0.013, 0.063), (0.094, -0.030, 0.046), (0.090, -0.065, 0.030)], (0.006, 0.0085, 0.014))
    above = capsule_chain([(0.082, -0.072, 0.040), (0.045, -0.072, 0.062), (0.014, -0.080, 0.074)], (0.011, 0.0085, 0.010))
    sit = capsule_chain([(0.085, -0.100, 0.004), (0.071, -0.130, -0.014), (0.060, -0.140, -0.006)], (0.016, 0.0155, 0.014))
    below = capsule_chain([(0.058, -0.138, 0.002), (0.036, -0.118, 0.040), (0.015, -0.095, 0.070)], (0.0095, 0.0075, 0.0085))
    middle = ellipsoid((0.006, -0.087, 0.074), (0.010, 0.017, 0.009))
    sacrum = union(ellipsoid((0, 0.036, -0.024), (0.046, 0.020, 0.019)), ellipsoid((0.020, 0.010, -0.040), (0.026, 0.028, 0.014)),
                    ellipsoid((0, -0.022, -0.051), (0.024, 0.030, 0.011)),
                    capsule_chain([(0, -0.045, -0.054), (0, -0.078, -0.040)], (0.010, 0.0055)),
                    reach=0.012)  # fmt: skip
    whole = union(socket, union(wing, crest, column, before, above, sit, below, middle, reach=0.012), sacrum, reach=0.008)
    whole = difference(whole, ellipsoid((0.110, -0.097, 0.020), 0.027), reach=0.006)
    return mesh_solid(mirror_solid(whole), (-0.15, -0.185, -0.10), (0.15, 0.085, 0.115), 0.0066)


def shoulder_blade() -> Mesh:
    """The mesh of the left shoulder blade."""
    glenoid, top, inner, low = (0.146, 0.424, 0.012), (0.078, 0.452, -0.034), (0.066, 0.405, -0.050), (0.088, 0.312, -0.052)
    blade = union(plate([top, inner, low], 0.0072), plate([top, low, (0.135, 0.415, -0.010)], 0.0072), reach=0.006)
    edge = capsule_chain([low, (0.115, 0.360, -0.036), (0.140, 0.412, 0.004)], (0.0055, 0.0052, 0.008))
    ridge = capsule_chain(
        [(0.068, 0.420, -0.050), (0.105, 0.438, -0.054), (0.140, 0.452, -0.030), (0.163, 0.459, 0.004)], (0.0042, 0.0062, 0.0062, 0.007)
    )
    web = plate([(0.070, 0.416, -0.046), (0.140, 0.450, -0.030), (0.130, 0.425, -0.012)], 0.005)
    roof = capsule_chain([(0.160, 0.458, -0.002), (0.170, 0.457, 0.022)], (0.008, 0.0065), (1, 1.4, 1))
    beak = capsule_chain([(0.134, 0.436, 0.010), (0.132, 0.444, 0.034), (0.142, 0.438, 0.050)], (0.0075, 0.0062, 0.0052))
    whole = union(blade, edge, ridge, web, roof, beak, ellipsoid(glenoid, (0.008, 0.018, 0.013)), reach=0.006)
    # Small cells across the blade, which is thin, and large ones along it.
    normal = np.cross(np.subtract(low, top), np.subtract((0.135, 0.415, -0.010), top))
    normal /= np.linalg.norm(normal)
    along = np.cross(normal, (1, 0, 0)) / np.linalg.norm(np.cross(normal, (1, 0, 0)))
    axes = np.stack([np.cross(along, normal), along, normal], 1)
    return mesh_solid(
        transform_solid(whole, -axes.T @ SHOULDER_BLADE_CENTRE, axes.T),
        (-0.09, -0.11, -0.09),
        (0.09, 0.11, 0.09),
        (0.0066, 0.0066, 0.0042),
        SHOULDER_BLADE_CENTRE,
        axes,
    )


def collar_bone() -> Mesh:
    """The mesh of the left collar bone, from the breastbone to the acromion."""
    line = [(0.014, 0.431, 0.066), (0.017, 0.432, 0.067), (0.035, 0.440, 0.074), (0.070, 0.450, 0.076), (0.105, 0.456, 0.056),
            (0.135, 0.460, 0.036), (0.158, 0.460, 0.026), (0.162, 0.460, 0.025)]  # fmt: skip
    radii = np.array(
        [
            (0.006, 0.006),
            (0.011, 0.010),
            (0.0075, 0.0075),
            (0.0062, 0.006),
            (0.0065, 0.0058),
            (0.0085, 0.005),
            (0.010, 0.005),
            (0.006, 0.003),
        ]
    )
    return rod_mesh(line, radii, 10)


def _merge_meshes(parts: Sequence[Mesh]) -> Mesh:
    """Several meshes as one."""
    vertices: list[FloatArray] = []
    faces: list[IntArray] = []
    count = 0
    for part_vertices, part_faces in parts:
        vertices.append(part_vertices)
        faces.append(part_faces + count)
        count += len(part_vertices)
    return np.concatenate(vertices), np.concatenate(faces)
