"""A walk before a camera that does not turn, of which a detector with 33 landmarks sees every point on a joint."""

from blender_meshrec.core.skeletons import H36M17, KEYPOINT_SETS
from tests.support.synthetic_gait import walk

# Rows of h36m17 on which the landmarks lie: those that are no joint, at the nose.
LANDMARK_ROWS = [H36M17.index(name) if name in H36M17 else H36M17.index("nose") for name in KEYPOINT_SETS["blazepose33"].points]


def walk_about_hip(times):
    """Joints (F,17,3) m about the hip at times (F,) s, y down and z ahead."""
    joints = walk(times).h36m17[..., [0, 2, 1]] * [1, -1, 1]
    return joints - joints[:, :1]
