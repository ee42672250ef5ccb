"""The bones of the left hand and foot: fingers along the fingers of the skin, the foot in its own axes; metres."""

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np
from scipy.sparse import coo_matrix  # pyrefly: ignore[untyped-import] - scipy ships no type stubs
from scipy.sparse.csgraph import dijkstra  # pyrefly: ignore[untyped-import] - scipy ships no type stubs

from blender_meshrec.core.array_types import AnyArray, FloatArray

from .signed_distance import BoneMesh, Mesh, capsule_chain, ellipsoid, mesh_solid, rod_mesh, union

# Distances along the skin, from the finger's tip, of two rings of skin that define the finger's axis; and of the joints on that axis, from
# the tip to the knuckle.
FINGER_RINGS = {
    "thumb": (0.020, 0.052, (0.009, 0.029, 0.060)), "index": (0.036, 0.068, (0.008, 0.026, 0.050, 0.094)),
    "middle": (0.036, 0.068, (0.008, 0.027, 0.054, 0.100)), "ring": (0.036, 0.068, (0.008, 0.027, 0.052, 0.095)),
    "pinky": (0.020, 0.044, (0.008, 0.023, 0.041, 0.075)),
}  # fmt: skip
# Starts of the metacarpals, from the wrist: along the hand, up, towards the thumb.
METACARPAL_BASES = {
    "thumb": (0.022, -0.010, 0.021), "index": (0.031, 0.0, 0.010), "middle": (0.031, 0.001, 0.001), "ring": (0.030, 0.0, -0.008),
    "pinky": (0.029, -0.002, -0.016),
}  # fmt: skip
CARPALS = [
    ((0.010, -0.001, 0.011), (0.0075, 0.007, 0.007)), ((0.011, 0, 0.001), (0.0075, 0.007, 0.006)),
    ((0.010, 0, -0.009), (0.007, 0.006, 0.0055)), ((0.020, -0.003, 0.016), (0.006, 0.006, 0.006)),
    ((0.023, 0, 0.009), (0.006, 0.006, 0.0045)), ((0.023, 0.001, 0), (0.008, 0.007, 0.005)),
    ((0.022, 0, -0.010), (0.007, 0.006, 0.006)),
]  # fmt: skip
# The foot in its own axes around the ankle: lateral, up, front.
METATARSAL_HEADS = [
    (-0.021, -0.054, 0.137),
    (-0.002, -0.052, 0.141),
    (0.0160, -0.053, 0.134),
    (0.0335, -0.055, 0.123),
    (0.0460, -0.057, 0.106),
]
METATARSAL_BASES = [
    (-0.012, -0.031, 0.070),
    (-0.002, -0.027, 0.069),
    (0.009, -0.029, 0.067),
    (0.019, -0.036, 0.062),
    (0.029, -0.043, 0.054),
]
TOE_TIPS = [(-0.021, -0.062, 0.205), (0.0045, -0.062, 0.204), (0.0220, -0.062, 0.194), (0.0375, -0.062, 0.179), (0.0520, -0.062, 0.164)]
# Distances of the toes' joints from their tips.
TOE_JOINTS = ((0.034, 0.010), *((0.031, 0.019, 0.009),) * 3, (0.025, 0.016, 0.009))


def hand_bones(place: Mapping[str, FloatArray], body: Mapping[str, AnyArray]) -> Iterator[BoneMesh]:
    """The meshes of wrist, palm and fingers. place: joints by name. body: the open body's arrays."""
    wrist = place["hand_l"]
    lines = finger_joints(body)
    for finger, (along, up, thumbwards) in METACARPAL_BASES.items():
        knuckles = lines[finger][::-1]
        thick = {"thumb": 1.12, "pinky": 0.88}.get(finger, 1)
        joints = np.concatenate([[wrist + (along, up, thumbwards)], knuckles])
        for number, (start, end) in enumerate(pairwise(joints)):
            last = number == len(joints) - 2
            yield (
                "hand_l",
                *knuckle_bone(start, end, thick * (0.0060, 0.0054, 0.0048, 0.0044)[number + (finger == "thumb" and number > 0)], last),
            )
    carpals = union(*(ellipsoid(centre, radii) for centre, radii in CARPALS), reach=0.0015)
    yield "hand_l", *mesh_solid(carpals, (-0.005, -0.02, -0.03), (0.04, 0.02, 0.035), 0.0036, wrist)


def finger_joints(body: Mapping[str, AnyArray]) -> dict[str, FloatArray]:
    """The joints of each finger from the tip, (3 or 4, 3) m, on the axis through the centres of two rings of skin."""
    v_template, faces = body["v_template"], body["f"]
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    lengths = np.linalg.norm(np.diff(v_template[edges], axis=1)[:, 0], axis=1)
    graph = coo_matrix((lengths, edges.T), shape=(len(v_template),) * 2).tocsr()
    tips = dict(zip(body["landmark_names"].tolist(), body["landmark_vertices"], strict=True))
    result: dict[str, FloatArray] = {}
    for finger, (near_ring, far_ring, joints) in FINGER_RINGS.items():
        from_tip = dijkstra(graph, directed=False, indices=tips[f"left_{finger}_tip"], limit=0.1)
        near, far = (_middle(v_template[np.abs(from_tip - ring) < 0.007]) for ring in (near_ring, far_ring))
        result[finger] = near + ((np.array(joints) - near_ring) / (far_ring - near_ring))[:, None] * (far - near)
    return result


def _middle(points: FloatArray) -> FloatArray:
    """The centre of the bounding box of points."""
    return (points.min(0) + points.max(0)) / 2


def knuckle_bone(start: FloatArray, end: FloatArray, radius: float, last: bool = False) -> Mesh:
    """A bone with thick ends and a thin shaft; the last bone of a finger has a pointed end."""
    fraction = np.array([0.02, 0.06, 0.15, 0.33, 0.6, 0.88, 0.96, 0.985])
    profile = np.array([0.45, 0.95, 1.05, 0.74, 0.66, 1.02, 0.9, 0.45])
    if last:
        profile = np.array([0.45, 0.95, 1.05, 0.78, 0.62, 0.74, 0.55, 0.3])
    return rod_mesh(start + fraction[:, None] * (end - start), radius * profile, 6)


def foot_bones(place: Mapping[str, FloatArray], axes: FloatArray) -> Iterator[BoneMesh]:
    """The meshes of talus, tarsus, metatarsals and toes. place: joints by name. axes: (3,3), columns lateral, up, front."""
    ankle = place["talus_l"]
    dome = union(
        ellipsoid((0.001, -0.013, 0.001), (0.0165, 0.012, 0.021)), ellipsoid((0.001, -0.022, 0), (0.016, 0.008, 0.019)),
        capsule_chain([(-0.001, -0.017, 0.014), (-0.006, -0.023, 0.032)], (0.0105, 0.0115)), reach=0.006,
    )  # fmt: skip
    yield "talus_l", *mesh_solid(dome, (-0.03, -0.05, -0.04), (0.03, 0.015, 0.06), 0.005, ankle, axes)
    heel = union(
        ellipsoid((0.002, -0.043, -0.040), (0.014, 0.0205, 0.0125)),
        capsule_chain([(0.003, -0.038, -0.035), (0.008, -0.038, 0.006)], (0.014, 0.0115)),
        ellipsoid((0.012, -0.038, 0.022), (0.011, 0.012, 0.014)), ellipsoid((-0.009, -0.029, 0.002), (0.008, 0.005, 0.010)), reach=0.008,
    )  # fmt: skip
    tarsus = union(
        heel, ellipsoid((-0.008, -0.024, 0.047), (0.0145, 0.0115, 0.0065)), ellipsoid((0.016, -0.039, 0.046), (0.010, 0.0095, 0.0125)),
        ellipsoid((-0.014, -0.027, 0.062), (0.0085, 0.0105, 0.010)), ellipsoid((-0.003, -0.023, 0.061), (0.0062, 0.009, 0.0085)),
        ellipsoid((0.007, -0.025, 0.060), (0.0062, 0.0085, 0.009)), reach=0.0018,
    )  # fmt: skip
    yield "calcn_l", *mesh_solid(tarsus, (-0.035, -0.08, -0.07), (0.045, 0.01, 0.09), 0.0054, ankle, axes)
    for number, (base, head, tip, back) in enumerate(zip(METATARSAL_BASES, METATARSAL_HEADS, TOE_TIPS, TOE_JOINTS, strict=True)):
        thick = 0.0075 if number == 0 else 0.0052
        base, head, tip = (ankle + axes @ np.array(point) for point in (base, head, tip))
        yield "calcn_l", *knuckle_bone(base, head, thick)
        joints = [head, *(tip + (head - tip) * distance / np.linalg.norm(head - tip) for distance in back)]
        for step, (start, end) in enumerate(pairwise(joints)):
            yield "toes_l", *knuckle_bone(start, end, thick * (0.80, 0.66, 0.62)[step], step == len(joints) - 2)
