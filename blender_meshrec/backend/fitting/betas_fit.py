"""The shape of a person from the lengths of their bones: betas, one set for the clip."""

import numpy as np

from ...core.skeletons import H36M17, SMPL_JOINTS

# What is measured, between which joints (middles of several), and how far a detector's length may be off a body's, metres.
# Knees, ankles, elbows and wrists are the same places everywhere. Hips and shoulders are not: detectors mark the skin over
# them, some centimetres off a body's joints, so that what involves them says less. Ours.
MEASUREMENTS = (
    ("shin", ("knee",), ("ankle",), 0.010),
    ("forearm", ("elbow",), ("wrist",), 0.010),
    ("thigh", ("hip",), ("knee",), 0.020),
    ("upper arm", ("shoulder",), ("elbow",), 0.015),
    ("shoulders", ("left_shoulder",), ("right_shoulder",), 0.030),
    ("hips", ("left_hip",), ("right_hip",), 0.060),
    ("torso", ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder"), 0.030),
)
SIDES = ("left", "right")
# Betas are standard deviations of the population; nobody is taken to be further from the mean than this.
MAX_BETA = 3.0
MIN_CONFIDENCE = 0.3
STEPS = 8


def measure_lengths(joints, confidence):
    """Lengths over a clip, metres by the names of MEASUREMENTS; left and right are taken to be alike.

    Args:
        joints: (F,17,3) m, h36m17. confidence: (F,17).

    Returns:
        the median over both sides and the frames that show a length; lengths that no frame shows are left out.
    """
    lengths = {}
    for name, starts, ends, _ in MEASUREMENTS:
        measured = []
        for start, end in _joint_pairs(starts, ends):
            seen = np.minimum(_min_confidence(confidence, start), _min_confidence(confidence, end)) > MIN_CONFIDENCE
            measured.append(np.linalg.norm(_midpoints(joints, end) - _midpoints(joints, start), axis=-1)[seen])
        measured = np.concatenate(measured)
        if len(measured):
            lengths[name] = float(np.median(measured))
    return lengths


def fit_betas(template, lengths):
    """The likeliest betas (B,) of a body whose bones have the given lengths.

    Args:
        template: a BodyTemplate. lengths: metres by the names of MEASUREMENTS.

    Gauss-Newton on the rest joints, which are linear in betas, with the population as the prior (betas of unit
    variance): what the lengths do not tell stays average.
    """
    betas = np.zeros(template.J_shapedirs.shape[-1])
    offsets = template.J_template[template.smpl_joint_indices], template.J_shapedirs[template.smpl_joint_indices]
    for _ in range(STEPS):
        rows, off = [np.eye(len(betas))], [-betas]
        for name, starts, ends, sigma in MEASUREMENTS:
            if name not in lengths:
                continue
            pairs = list(_joint_pairs(starts, ends))
            for start, end in pairs:
                base, change = (_midpoint_difference(value, start, end) for value in offsets)
                bone = base + change @ betas
                length = np.linalg.norm(bone)
                weight = 1 / (sigma * np.sqrt(len(pairs)))
                rows.append(weight * (bone / length @ change)[None])
                off.append(np.array([weight * (lengths[name] - length)]))
        betas = betas + np.linalg.lstsq(np.concatenate(rows), np.concatenate(off), rcond=None)[0]
    return np.clip(betas, -MAX_BETA, MAX_BETA)


def _joint_pairs(starts, ends):
    """The joints a measure goes between: one pair, or one a side."""
    if starts[0].startswith(SIDES):
        return [(starts, ends)]
    return [tuple(tuple(f"{side}_{name}" for name in names) for names in (starts, ends)) for side in SIDES]


def _midpoints(joints, names):
    return joints[:, [H36M17.index(name) for name in names]].mean(1)


def _min_confidence(confidence, names):
    return confidence[:, [H36M17.index(name) for name in names]].min(1)


def _midpoint_difference(values, start, end):
    """Values (24, ...) at the middle of `end` minus those at the middle of `start`."""
    first, last = ([SMPL_JOINTS.index(name) for name in names] for names in (start, end))
    return values[last].mean(0) - values[first].mean(0)
