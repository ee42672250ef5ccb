"""The centre of mass of a body, from a few joints."""

import numpy as np

from ...core.array_types import FloatArray
from ...core.skeletons import H36M17

# Shares of a body's mass, at the joints in whose middle they lie.
MASSES = {"hip": 0.5, "thorax": 0.35, "left_knee": 0.075, "right_knee": 0.075}
_JOINTS, _SHARES = [H36M17.index(name) for name in MASSES], np.array(list(MASSES.values()))


def centre_of_mass(joints: FloatArray) -> FloatArray:
    """The centres of mass (F,3) m of h36m17 joints (F,17,3) m."""
    return _SHARES @ joints[:, _JOINTS]
