"""The mesh generators, which give one mesh a frame without a 3D pose as input. Importing this module registers all of them."""

from ...methods.hmr import generate
from .. import registry

hmr = registry.generator("hmr")(generate)
