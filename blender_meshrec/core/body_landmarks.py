"""Landmarks on a body's skin: keypoints of detectors that are no joints (nose, eyes, ears, top of the head, heels, toes)."""

from collections.abc import Sequence

import numpy as np

from .array_types import FloatArray

# Vertices of the two published topologies. Source: vertex_ids.py of the smplx package; the top of the head from SPIN's
# list of joint regressors (vertex 411).
SMPL_VERTICES = {
    "nose": 332, "left_eye": 2800, "right_eye": 6260, "left_ear": 583, "right_ear": 4071, "head_top": 411,
    "left_big_toe": 3216, "left_small_toe": 3226, "left_heel": 3387,
    "right_big_toe": 6617, "right_small_toe": 6624, "right_heel": 6787,
}  # fmt: skip
SMPLX_VERTICES = {
    "nose": 9120, "left_eye": 9448, "right_eye": 9929, "left_ear": 6, "right_ear": 616,
    "left_big_toe": 5770, "left_small_toe": 5780, "left_heel": 8846,
    "right_big_toe": 8463, "right_small_toe": 8474, "right_heel": 8635,
}  # fmt: skip


def find_landmarks(v_template: FloatArray, lbs_weights: FloatArray, joint_names: Sequence[str]) -> dict[str, int]:
    """Landmarks by their position on the body at rest, for topologies without a published list.

    The nose is the head's foremost vertex, the top of the head its highest, the ears its outermost; heels and toes are the
    rearmost and foremost vertices of the feet.

    Args:
        v_template: (V,3) m, y up, facing +z. lbs_weights: (V,J). joint_names: of the J joints.

    Returns:
        name -> vertex.
    """
    owner = np.asarray(lbs_weights).argmax(1)

    def extreme_vertex(joints: Sequence[str], direction: tuple[float, float, float]) -> int:
        members = np.flatnonzero(np.isin(owner, [joint_names.index(joint) for joint in joints]))
        members = members if len(members) else np.arange(len(v_template))
        return int(members[(v_template[members] @ np.array(direction, float)).argmax()])

    landmarks = {"nose": extreme_vertex(["head"], (0, 0, 1)), "head_top": extreme_vertex(["head"], (0, 1, 0))}
    for side, sign in (("left", 1), ("right", -1)):
        foot = [f"{side}_ankle", f"{side}_foot"]
        landmarks[f"{side}_ear"] = extreme_vertex(["head"], (sign, 0, 0))
        landmarks[f"{side}_eye"] = extreme_vertex(["head"], (0.3 * sign, 0.3, 1))
        landmarks[f"{side}_heel"] = extreme_vertex(foot, (0, -0.5, -1))
        landmarks[f"{side}_big_toe"] = extreme_vertex(foot, (-0.2 * sign, -0.2, 1))
        landmarks[f"{side}_small_toe"] = extreme_vertex(foot, (0.5 * sign, -0.2, 1))
    return landmarks
