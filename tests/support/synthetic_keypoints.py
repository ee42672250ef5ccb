"""Synthetic detections: stick figures of 33 points that walk on the spot and turn, with the colours of their clothes."""

import numpy as np

from blender_meshrec.backend.detection.detections import Detection
from blender_meshrec.core.skeletons import BLAZEPOSE33

# Positions in m relative to the hips' centre in camera axes (x right, y down, z forward). The subject faces the camera: left is +x.
_REST = {
    "nose": (0, -0.62, -0.12), "eye_inner": (0.02, -0.66, -0.1), "eye": (0.03, -0.66, -0.1), "eye_outer": (0.04, -0.66, -0.1),
    "ear": (0.07, -0.64, 0.0), "mouth": (0.02, -0.59, -0.1), "shoulder": (0.18, -0.48, 0), "elbow": (0.24, -0.22, 0.02),
    "wrist": (0.26, 0.02, -0.06), "pinky": (0.27, 0.1, -0.07), "index": (0.26, 0.11, -0.09), "thumb": (0.25, 0.08, -0.1),
    "hip": (0.1, 0, 0), "knee": (0.11, 0.42, -0.02), "ankle": (0.11, 0.84, 0.03), "heel": (0.11, 0.88, 0.07),
    "big_toe": (0.12, 0.88, -0.14),
}  # fmt: skip
_SWING = {
    "elbow": -0.12,
    "wrist": -0.3,
    "pinky": -0.32,
    "index": -0.32,
    "thumb": -0.32,
    "knee": 0.15,
    "ankle": 0.3,
    "heel": 0.3,
    "big_toe": 0.3,
}


def animate_stick_figure(times, turn=0.0, pace=1.0):
    """(F,33,3) m in camera axes: arms and legs swing against each other; `turn` rad (F,) about the vertical."""
    times, turn = np.asarray(times, float), np.broadcast_to(turn, np.shape(times))
    points = np.zeros((len(times), 33, 3))
    for i, name in enumerate(BLAZEPOSE33):
        words = name.split("_")
        side = 1.0 if "left" in words else -1.0 if "right" in words else 0.0
        part = "_".join(word for word in words if word not in ("left", "right"))
        points[:, i] = np.array(_REST[part]) * [side if side else 0.0, 1, 1]
        points[:, i, 2] += side * _SWING.get(part, 0.0) * np.sin(2 * np.pi * pace * times)
    cosine, sine = np.cos(turn)[:, None], np.sin(turn)[:, None]
    x, z = points[..., 0].copy(), points[..., 2].copy()
    points[..., 0], points[..., 2] = cosine * x + sine * z, cosine * z - sine * x
    return points


def project_orthographic(points, position, scale=200.0, confidence=0.9):
    """Points (F,33,3) m as keypoints (F,33,3) px and confidence. position: (F,2) px of the hips' centre; scale: px per metre."""
    positions = np.broadcast_to(np.asarray(position, float), (len(points), 2))
    pixels = points[..., :2] * scale + positions[:, None]
    return np.concatenate([pixels, np.full((*points.shape[:2], 1), confidence)], -1)


def clothing_colours(seed):
    """An appearance as `similarity.compute_appearance` gives it; different seeds give clearly different ones."""
    histogram = np.random.default_rng(seed).gamma(0.15, size=64)
    return (histogram / histogram.sum()).astype(np.float32)


def shuffled_detections(people, appearances, hidden=()):
    """Detections frame by frame, in random order. people: (F,33,3) each; hidden: (person, frame) pairs that are not detected."""
    rng = np.random.default_rng(0)
    frames = []
    for frame in range(len(people[0])):
        detections = [
            Detection(person[frame], None, 0.9, appearance)
            for i, (person, appearance) in enumerate(zip(people, appearances))
            if (i, frame) not in hidden
        ]
        frames.append([detections[i] for i in rng.permutation(len(detections))])
    return frames
