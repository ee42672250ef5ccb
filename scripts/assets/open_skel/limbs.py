"""The long bones of the left side, each in its own axes: lateral, up and front of a standing person, metres.

Proportions are chosen by eye from an anatomical atlas; lengths are the body's. The forearm is half pronated, as in the T-pose.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from blender_meshrec.core.array_types import ArrayLike, FloatArray

from .signed_distance import BoneMesh, Mesh, Solid, capsule_chain, ellipsoid, mesh_solid, union


def leg_bones(place: Mapping[str, FloatArray]) -> Iterator[BoneMesh]:
    """The meshes of femur, tibia, fibula and kneecap. place: joints (3,) m by name."""
    hip, knee, ankle = place["femur_l"], place["tibia_l"], place["talus_l"]
    outside = (1, 0, 0)
    yield "femur_l", *_mesh_bone(femur, hip, knee, outside, (-0.075, 0.04), 0.045, (0.0068, 0.013, 0.0068))
    yield "tibia_l", *_mesh_bone(tibia, knee, ankle, outside, (-0.06, 0.06), 0.045, (0.0068, 0.013, 0.0068))
    yield "tibia_l", *_mesh_bone(fibula, knee, ankle, outside, (0.0, 0.06), 0.035, (0.0052, 0.014, 0.0052))
    yield "tibia_l", *_mesh_bone(kneecap, knee, ankle, outside, (-0.035, 0.035), 0.06, 0.0072)


def arm_bones(place: Mapping[str, FloatArray]) -> Iterator[BoneMesh]:
    """The meshes of humerus, ulna and radius. place: joints (3,) m by name."""
    shoulder, elbow, wrist = place["humerus_l"], place["ulna_l"], place["hand_l"]
    outside = (0, 1, 0)  # the lateral side of an arm in the T-pose
    yield "humerus_l", *_mesh_bone(humerus, shoulder, elbow, outside, (-0.05, 0.05), 0.04, (0.0062, 0.011, 0.0062))
    yield "ulna_l", *_mesh_bone(ulna, elbow, wrist, outside, (-0.03, 0.03), 0.045, (0.0048, 0.011, 0.0048))
    yield "radius_l", *_mesh_bone(radius, elbow, wrist, outside, (-0.03, 0.04), 0.045, (0.0048, 0.011, 0.0048))


def femur(length: float) -> Solid:
    shaft = capsule_chain([(0.048, -0.045, -0.004), (0.036, -0.15, 0.006), (0.014, -length + 0.07, 0.004), (0.004, -length + 0.03, 0)],
                 (0.0165, 0.0125, 0.0145, 0.019))  # fmt: skip
    neck = capsule_chain([(0.004, -0.002, 0), (0.042, -0.03, -0.004)], (0.014, 0.016))
    condyles = (ellipsoid((side * 0.021, -length + 0.008, -0.008), (0.0175, 0.021, 0.028)) for side in (-1, 1))
    shelf = ellipsoid((0, -length + 0.022, 0.008), (0.028, 0.02, 0.014))
    trochanters = (ellipsoid((0.056, -0.022, -0.008), (0.013, 0.02, 0.016)), ellipsoid((0.03, -0.065, -0.014), 0.010))
    return union(ellipsoid((0, 0, 0), 0.0225), union(neck, shaft, *trochanters, *condyles, shelf, reach=0.010), reach=0.004)


def tibia(length: float) -> Solid:
    shaft = capsule_chain([(0, -0.05, 0.002), (-0.001, -0.1, 0.004), (-0.003, -0.25, 0.002), (-0.003, -length + 0.03, 0)],
                 (0.0185, 0.0135, 0.0105, 0.0145))  # fmt: skip
    plateau = (ellipsoid((side * 0.019, -0.030, -0.002), (0.019, 0.011, 0.022)) for side in (-1, 1))
    ends = (ellipsoid((0, -0.056, 0.016), (0.010, 0.014, 0.008)), ellipsoid((-0.001, -length + 0.017, 0), (0.018, 0.011, 0.016)))
    return union(shaft, *plateau, *ends, ellipsoid((-0.019, -length + 0.007, 0), (0.0065, 0.014, 0.010)), reach=0.009)


def fibula(length: float) -> Solid:
    line = [(0.031, -0.045, -0.014), (0.032, -0.10, -0.014), (0.030, -0.25, -0.010), (0.024, -length + 0.05, -0.006)]
    ends = ellipsoid(line[0], (0.008, 0.012, 0.009)), ellipsoid((0.024, -length + 0.004, -0.004), (0.007, 0.018, 0.009))
    return union(capsule_chain(line, (0.006, 0.0052, 0.005, 0.0055)), *ends)


def kneecap(length: float) -> Solid:
    return ellipsoid((0, 0.004, 0.036), (0.019, 0.021, 0.0095))


def humerus(length: float) -> Solid:
    shaft = capsule_chain([(0.006, -0.02, 0), (0.007, -0.09, 0), (0.003, -length + 0.09, 0), (0, -length + 0.035, 0)],
                 (0.0145, 0.0112, 0.0098, 0.0105))  # fmt: skip
    wide = capsule_chain([(0, -length + 0.05, 0), (0.020, -length + 0.012, 0)], (0.009, 0.0085))
    wide_inside = capsule_chain([(0, -length + 0.05, 0), (-0.024, -length + 0.010, -0.002)], (0.009, 0.0085))
    roll = capsule_chain([(-0.014, -length + 0.001, 0.003), (0.014, -length + 0.001, 0.004)], 0.0100)
    knobs = ellipsoid((0.015, -0.006, 0.003), (0.011, 0.015, 0.013)), ellipsoid((0.002, -0.012, 0.016), (0.008, 0.012, 0.007))
    return union(ellipsoid((-0.005, 0.002, -0.004), 0.0205), union(shaft, wide, wide_inside, roll, *knobs, reach=0.008), reach=0.005)


def ulna(length: float) -> Solid:
    line = [(-0.005, -0.02, -0.013), (-0.006, -0.08, -0.013), (-0.003, -length + 0.05, -0.012), (0, -length + 0.014, -0.013)]
    hook = capsule_chain([(-0.004, 0.009, -0.0115), (-0.004, -0.006, -0.0135), (-0.005, -0.022, -0.011)], (0.0085, 0.0082, 0.0100))
    ends = ellipsoid((-0.005, -0.018, 0.000), (0.009, 0.006, 0.008)), ellipsoid((0, -length + 0.012, -0.013), (0.0075, 0.009, 0.0075))
    return union(capsule_chain(line, (0.0095, 0.0075, 0.0062, 0.006)), hook, *ends, ellipsoid((0, -length + 0.003, -0.017), 0.0038))


def radius(length: float) -> Solid:
    line = [
        (0.012, -0.018, 0.004),
        (0.011, -0.05, 0.005),
        (0.010, -0.12, 0.010),
        (0.004, -length + 0.05, 0.012),
        (0, -length + 0.02, 0.011),
    ]
    ends = ellipsoid((0.012, -0.014, 0.004), (0.0105, 0.006, 0.0105)), ellipsoid((0, -length + 0.014, 0.010), (0.0105, 0.012, 0.0155))
    return union(
        capsule_chain(line, (0.0065, 0.0075, 0.0078, 0.0078, 0.0095)), *ends, ellipsoid((0, -length + 0.002, 0.021), (0.0045, 0.007, 0.005))
    )


def bone_axes(start: FloatArray, end: FloatArray, outside: ArrayLike) -> FloatArray:
    """The axes (3,3) of a bone, columns lateral, up and front; up points from `end` to `start`."""
    up = (start - end) / np.linalg.norm(start - end)
    front = np.cross(np.asarray(outside, float), up)
    front /= np.linalg.norm(front)
    return np.stack([np.cross(up, front), up, front], 1)


def _mesh_bone(
    bone: Callable[[float], Solid],
    start: FloatArray,
    end: FloatArray,
    outside: ArrayLike,
    sideways: tuple[float, float],
    deep: float,
    cell: ArrayLike,
) -> Mesh:
    """The mesh of a bone (a function of its length) between two joints; sideways, deep: extents of its box, m."""
    length = float(np.linalg.norm(start - end))
    axes = bone_axes(start, end, outside)
    low, high = np.array((sideways[0], -length - 0.05, -deep)), np.array((sideways[1], 0.05, deep))
    if bone is femur:
        low[0], high[0] = -0.06, 0.09
    return mesh_solid(bone(length), low, high, cell, start, axes)
