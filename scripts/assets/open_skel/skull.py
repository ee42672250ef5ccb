"""Skull, jaw and teeth, in the body's axes relative to the head joint; metres. The jaw does not move: SKEL's head is one bone."""

from collections.abc import Iterator, Mapping

import numpy as np

from blender_meshrec.core.array_types import ArrayLike, FloatArray

from .signed_distance import (
    BoneMesh,
    Mesh,
    Solid,
    capsule_chain,
    difference,
    ellipsoid,
    mesh_solid,
    mirror_solid,
    orient_outwards,
    plate,
    union,
)


def skull_bones(place: Mapping[str, FloatArray]) -> Iterator[BoneMesh]:
    """The meshes of skull and jaw, both sides. place: joints (3,) m by name."""
    joint = place["head"]
    yield "head", *mesh_solid(mirror_solid(skull()), (-0.085, -0.05, -0.10), (0.085, 0.16, 0.12), 0.0076, joint)
    yield "head", *mesh_solid(mirror_solid(jaw()), (-0.075, -0.095, -0.03), (0.075, 0.04, 0.11), 0.0068, joint)


def teeth(place: Mapping[str, FloatArray]) -> Iterator[BoneMesh]:
    """The meshes of the left side's teeth. place: joints (3,) m by name."""
    for height, tall in ((-0.0285, 0.0045), (-0.0385, 0.0040)):
        for x, z, width in zip(*_dental_arch()):
            yield "head", *_tooth(place["head"] + (x, height, z), (width, tall, 0.0033))


def skull() -> Solid:
    vault = union(ellipsoid((0, 0.074, 0.008), (0.067, 0.066, 0.084)), ellipsoid((0, 0.080, 0.045), (0.056, 0.052, 0.050)),
                   ellipsoid((0, 0.048, -0.02), (0.058, 0.050, 0.055)), reach=0.02)  # fmt: skip
    brow = capsule_chain(
        [(0, 0.048, 0.092), (0.018, 0.053, 0.092), (0.038, 0.050, 0.080), (0.050, 0.038, 0.066)], (0.008, 0.0085, 0.007, 0.006)
    )
    cheek = capsule_chain([(0.018, 0.006, 0.082), (0.036, 0.009, 0.078), (0.050, 0.017, 0.060)], (0.008, 0.0085, 0.007))
    rim = capsule_chain([(0.050, 0.038, 0.066), (0.050, 0.017, 0.062)], (0.006, 0.007))
    arch = capsule_chain([(0.050, 0.017, 0.060), (0.060, 0.019, 0.038), (0.062, 0.020, 0.012)], (0.0062, 0.0056, 0.006))
    upper_jaw = union(
        ellipsoid((0, -0.004, 0.072), (0.030, 0.020, 0.026)), ellipsoid((0, -0.018, 0.072), (0.026, 0.009, 0.024)), reach=0.01
    )
    nose = capsule_chain([(0, 0.046, 0.090), (0, 0.026, 0.105)], (0.007, 0.0058))
    beside_nose = capsule_chain([(0.008, 0.040, 0.086), (0.016, 0.012, 0.090)], (0.006, 0.008))
    base = union(ellipsoid((0, 0.010, 0.0), (0.042, 0.018, 0.040)), ellipsoid((0.050, 0.000, -0.008), (0.011, 0.020, 0.013)), reach=0.012)
    whole = union(vault, brow, union(cheek, rim, arch, upper_jaw, nose, beside_nose, reach=0.006), base, reach=0.010)
    eye = ellipsoid((0.030, 0.030, 0.086), (0.0175, 0.0155, 0.028))
    hole = union(
        ellipsoid((0.004, 0.012, 0.100), (0.0078, 0.013, 0.020)), ellipsoid((0.003, 0.020, 0.100), (0.005, 0.011, 0.020)), reach=0.004
    )
    temple = ellipsoid((0.080, 0.036, 0.040), (0.024, 0.026, 0.026))
    return difference(whole, eye, hole, temple, reach=0.004)


def jaw() -> Solid:
    corner, hinge, chin = (0.043, -0.042, 0.026), (0.051, 0.012, 0.016), (0.010, -0.062, 0.086)
    body = capsule_chain([corner, (0.034, -0.050, 0.056), chin, (0, -0.062, 0.089)], (0.0085, 0.0095, 0.0115, 0.0115), (1.25, 1, 1))
    branch = plate([corner, hinge, (0.046, 0.006, 0.042)], 0.008)
    front = plate([corner, (0.046, 0.004, 0.040), (0.036, -0.046, 0.054)], 0.009)
    return union(
        body, branch, front, ellipsoid(hinge, (0.008, 0.006, 0.006)), ellipsoid((0, -0.066, 0.090), (0.014, 0.009, 0.008)), reach=0.007
    )


def _dental_arch() -> tuple[FloatArray, FloatArray, FloatArray]:
    """The x and z positions and the half widths, m, of the left side's seven teeth."""
    angle = np.radians(np.linspace(8.5, 78, 7))
    width = np.interp(np.degrees(angle), (0, 20, 50, 80), (0.0036, 0.0031, 0.0033, 0.0042))
    return 0.0235 * np.sin(angle), 0.060 + 0.0325 * np.cos(angle) ** 0.8, width


def _tooth(middle: FloatArray, half: ArrayLike) -> Mesh:
    """A box with a centre (3,) m and half sizes (3,) m."""
    corners = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    quads = np.array([(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)])
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    vertices = corners * np.asarray(half) + middle
    return vertices, orient_outwards(corners, faces)
