"""Who turns 2D points into 3D joints. Importing this module registers every estimator of the published methods.

An estimator is a function `estimate(observations, intrinsics, timestamps, device) -> Estimate`.
"""

from ..methods import blazepose
from . import registry

registry.estimator("blazepose")(blazepose.estimate)
