"""Fit a person's shape to the lengths of their bones: one set of betas for the clip."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ...core.array_types import FloatArray
from ...core.files.body_template import BodyTemplate
from ...core.skeletons import H36M17, SMPL_JOINTS
from .stature import stature_and_gradient


class Measurement(NamedTuple):
    """A length of the body: between which joints (the middle of several), and how far a detector's length may be off a body's.

    starts, ends: joint names of both H36M17 and SMPL_JOINTS. sigma: m.
    """

    name: str
    starts: tuple[str, ...]
    ends: tuple[str, ...]
    sigma: float


# Knees, ankles, elbows and wrists are the same points for detectors and bodies. Hips and shoulders are not: detectors mark
# the skin over them, some centimetres off a body's joints, so lengths from them weigh less. Joints without a side are measured
# on both. Ours.
MEASUREMENTS = (
    Measurement("shin", ("knee",), ("ankle",), 0.010),
    Measurement("forearm", ("elbow",), ("wrist",), 0.010),
    Measurement("thigh", ("hip",), ("knee",), 0.020),
    Measurement("upper arm", ("shoulder",), ("elbow",), 0.015),
    Measurement("shoulders", ("left_shoulder",), ("right_shoulder",), 0.030),
    Measurement("hips", ("left_hip",), ("right_hip",), 0.060),
    Measurement("torso", ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder"), 0.030),
)
SIDES = ("left", "right")
# Betas are standard deviations of the population; nobody is assumed to be further from the mean than this.
MAX_BETA = 3.0
HEIGHT_SIGMA = 0.001  # m, of a height that is known
MIN_CONFIDENCE = 0.3
NUM_ITERATIONS = 8


def _bones_of_measurement(measurement: Measurement) -> tuple[Measurement, ...]:
    """The bones of one of MEASUREMENTS: one a side, or a single one where its joints name their sides."""
    if measurement.starts[0].startswith(SIDES):
        return (measurement,)
    starts, ends = ([tuple(f"{side}_{joint}" for joint in joints) for side in SIDES] for joints in (measurement.starts, measurement.ends))
    return tuple(measurement._replace(starts=start, ends=end) for start, end in zip(starts, ends))


# The bones of MEASUREMENTS, in their order, left before right.
MEASURED_BONES = tuple(bone for measurement in MEASUREMENTS for bone in _bones_of_measurement(measurement))


def measure_lengths(joints: FloatArray, confidence: FloatArray) -> dict[str, float]:
    """Measure a clip: m, by the names of MEASUREMENTS; left and right are taken to be alike.

    Args:
        joints: (F,17,3) m, h36m17. confidence: (F,17).

    Returns:
        the median over both sides and the frames that show a length; lengths that no frame shows are left out.
    """
    measured: dict[str, list[FloatArray]] = {}
    for bone in MEASURED_BONES:
        starts, ends = ([H36M17.index(name) for name in names] for names in (bone.starts, bone.ends))
        is_shown = np.minimum(confidence[:, starts].min(1), confidence[:, ends].min(1)) > MIN_CONFIDENCE
        length = np.linalg.norm(joints[:, ends].mean(1) - joints[:, starts].mean(1), axis=-1)
        measured.setdefault(bone.name, []).append(length[is_shown])
    lengths = {name: np.concatenate(sides) for name, sides in measured.items()}
    return {name: float(np.median(values)) for name, values in lengths.items() if len(values)}


def fit_betas(template: BodyTemplate, lengths: Mapping[str, float], height: float | None = None) -> FloatArray:
    """The likeliest betas (B,) of a body whose bones have the given lengths, m, by the names of MEASUREMENTS, and whose height is known, m.

    Gauss-Newton on the rest joints, which are linear in betas, with the population as the prior (betas of unit
    variance about the template's start): what the lengths do not determine stays average.
    """
    start = np.zeros(template.J_shapedirs.shape[-1]) if template.start_betas is None else np.asarray(template.start_betas, float)
    betas = start.copy()
    names = [bone.name for bone in MEASURED_BONES]
    used = [row for row, name in enumerate(names) if name in lengths]
    # Both sides of a measurement together weigh as one.
    weights = np.array([1 / (bone.sigma * np.sqrt(names.count(bone.name))) for bone in MEASURED_BONES])[used]
    measured = np.array([lengths[names[row]] for row in used])
    for _ in range(NUM_ITERATIONS):
        current, jacobian = bone_lengths_and_jacobian(template, betas)
        rows = np.concatenate([np.eye(len(betas)), weights[:, None] * jacobian[used]])
        residuals = np.concatenate([start - betas, weights * (measured - current[used])])
        if height is not None:
            size, gradient = stature_and_gradient(template, betas)
            rows = np.concatenate([rows, gradient[None] / HEIGHT_SIGMA])
            residuals = np.append(residuals, (height - size) / HEIGHT_SIGMA)
        betas = betas + np.linalg.lstsq(rows, residuals, rcond=None)[0]
    return np.clip(betas, -MAX_BETA, MAX_BETA) if height is None else betas


def bone_lengths_and_jacobian(template: BodyTemplate, betas: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lengths (M,) m of MEASURED_BONES at rest, and their derivatives (M,B) by betas (B,)."""
    rest, directions = template.rest_joints(betas)[template.smpl_joint_indices], template.J_shapedirs[template.smpl_joint_indices]
    lengths: list[float] = []
    jacobian: list[FloatArray] = []
    for measurement in MEASURED_BONES:
        starts, ends = ([SMPL_JOINTS.index(name) for name in names] for names in (measurement.starts, measurement.ends))
        bone, change = (values[ends].mean(0) - values[starts].mean(0) for values in (rest, directions))
        length = np.linalg.norm(bone)
        lengths.append(float(length))
        jacobian.append((bone / length @ change)[: len(betas)])
    return np.array(lengths), np.array(jacobian)
