"""Who turns 2D points into 3D joints. Importing this module registers every estimator of the published methods.

An estimator is a function `estimate(observations, intrinsics, timestamps, device) -> Estimate`.
"""

from ..methods import blazepose, skeleton2mesh
from . import registry

registry.estimator("blazepose")(blazepose.estimate)
registry.estimator("skeleton2mesh")(skeleton2mesh.estimate)
