"""People of 33 points who walk on the spot and turn, and a picture of their clothes: what a detector would deliver."""

import numpy as np

from blender_meshrec.backend.detection.detections import Detection
from blender_meshrec.core.skeletons import BLAZEPOSE33

# Metres from the hips' middle in camera axes (x right, y down, z forward): the subject faces the camera, so left is +x.
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


def project_orthographic(metres, place, scale=200.0, confidence=0.9):
    """(F,33,3) px and confidence of people seen from afar. place: (F,2) px of the hips' middle; scale: px a metre."""
    places = np.broadcast_to(np.asarray(place, float), (len(metres), 2))
    pixels = metres[..., :2] * scale + places[:, None]
    return np.concatenate([pixels, np.full((*metres.shape[:2], 1), confidence)], -1)


def clothing_colours(seed):
    """A look, as `poses.appearance` gives it: two with different seeds differ plainly."""
    look = np.random.default_rng(seed).gamma(0.15, size=64)
    return (look / look.sum()).astype(np.float32)


def poses_of(people, looks, hidden=()):
    """Poses frame by frame, in an order of their own each frame. people: (F,33,3) each; hidden: (person, frame) pairs not seen."""
    rng = np.random.default_rng(0)
    frames = []
    for frame in range(len(people[0])):
        here = [
            Detection(person[frame], None, 0.9, look) for i, (person, look) in enumerate(zip(people, looks)) if (i, frame) not in hidden
        ]
        frames.append([here[i] for i in rng.permutation(len(here))])
    return frames
