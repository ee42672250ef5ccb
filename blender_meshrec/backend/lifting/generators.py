"""Who makes a mesh of each frame without asking a 3D pose. Importing this module registers every mesh generator.

A generator is a function `generate(observations, intrinsics, timestamps, device) -> GeneratedMesh`.
"""

from ...methods.hmr import generate
from .. import registry

hmr = registry.generator("hmr")(generate)
