"""The mesh generators, which give one mesh a frame without a 3D pose as input. Importing this module registers all of them."""

from ...methods import hkmr as hkmr_method
from ...methods.hmr import generate
from .. import registry
from .crop_meshes import generate_from_crops
from .keypoint_hsmr import generate_with_hsmr

hmr = registry.generator("hmr")(generate)
hkmr = registry.generator("hkmr")(hkmr_method.generate)
hsmr = registry.generator("hsmr")(generate_with_hsmr)
decomr = registry.generator("decomr")(generate_from_crops)
