"""Shapes that the user knows, or of a height that the user knows, and how many times larger than estimated the person then is."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ...core.array_types import FloatArray
from ...core.files.body_template import BodyTemplate
from .betas_fit import MEASURED_BONES, bone_lengths_and_jacobian, fit_betas
from .stature import betas_of_stature, stature


class KnownShape(NamedTuple):
    """Betas (B,), and the factor by which the person is larger, and farther away, than their joints were estimated."""

    betas: FloatArray
    scale: float


def shape_of_height(template: BodyTemplate, lengths: Mapping[str, float], height: float) -> KnownShape:
    """The shape of a person `height` m tall whose bones have the proportions of measured `lengths`, m, by the names of MEASUREMENTS."""
    scale = height / stature(template, fit_betas(template, lengths))
    betas = fit_betas(template, {name: scale * length for name, length in lengths.items()}, height)
    return KnownShape(betas_of_stature(template, betas, height), scale)


def shape_of_betas(template: BodyTemplate, lengths: Mapping[str, float], betas: FloatArray) -> KnownShape:
    """A given shape: the scale is the mean ratio of its bones to the measured lengths, weighted by how well a length is known."""
    bones = bone_lengths_and_jacobian(template, betas)[0]
    pairs = [(length, lengths[bone.name], bone.sigma) for bone, length in zip(MEASURED_BONES, bones, strict=True) if bone.name in lengths]
    if not pairs:
        return KnownShape(betas, 1.0)
    body, measured, sigma = np.array(pairs).T
    return KnownShape(betas, float((body * measured / sigma**2).sum() / (measured**2 / sigma**2).sum()))
