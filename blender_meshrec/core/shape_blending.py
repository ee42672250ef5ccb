"""Bodies at rest whose vertices and joints are linear in their shape parameters (betas).

Source: Loper et al. 2015, "SMPL: A Skinned Multi-Person Linear Model", eq. 8 and 10.
"""

from dataclasses import dataclass, field

import numpy as np

from .array_types import AnyArray, ArrayLike, FloatArray, IntArray


def blend_shapes(points: FloatArray, directions: FloatArray, betas: ArrayLike) -> FloatArray:
    """Points (N,3) m displaced along directions (N,3,B) by the shape `betas`; missing betas are zero."""
    betas = np.asarray(betas, np.float64).ravel()
    return points + directions[..., : len(betas)] @ betas


@dataclass(frozen=True)
class ShapedTemplate:
    """Base of the body templates: mesh, skinning weights and blend shapes, independent of the kind of skeleton.

    v_template: (V,3) m. faces: (T,3). shapedirs: (V,3,B). posedirs: (V,3,P), or None where the body has none.
    lbs_weights: (V,J), rows sum to 1. J_template: (J,3) m. J_shapedirs: (J,3,B).
    """

    name: str
    gender: str
    v_template: FloatArray
    faces: IntArray
    shapedirs: FloatArray
    posedirs: FloatArray | None
    lbs_weights: FloatArray
    J_template: FloatArray = field(init=False, repr=False)
    J_shapedirs: FloatArray = field(init=False, repr=False)

    def rest_joints(self, betas: ArrayLike) -> FloatArray:
        """Joints (J,3) m at rest of the shape `betas` (at most B)."""
        return blend_shapes(self.J_template, self.J_shapedirs, betas)

    def rest_vertices(self, betas: ArrayLike) -> FloatArray:
        """Vertices (V,3) m at rest of the shape `betas` (at most B)."""
        return blend_shapes(self.v_template, self.shapedirs, betas)

    def _regress_joints(self, regressor: FloatArray) -> None:
        """Set J_template and J_shapedirs in double precision, and make every array read-only; to be called once."""
        regressor = np.asarray(regressor, np.float64)
        object.__setattr__(self, "J_template", regressor @ self.v_template)
        object.__setattr__(self, "J_shapedirs", np.einsum("jv,vcb->jcb", regressor, self.shapedirs))
        for value in vars(self).values():
            if isinstance(value, np.ndarray):
                array: AnyArray = value
                array.setflags(write=False)
