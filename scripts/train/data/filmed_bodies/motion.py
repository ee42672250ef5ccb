"""Short pieces of motion capture at other speeds, with a preference for motion that is rarely recorded."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import SMPL_JOINTS
from scripts.train.data.recordings import TEST_SUBJECTS, VALIDATION_SUBJECTS, Recording, mirror_rotmats, rotmats_from_quats

PARTS = ("train", "validation", "test")
MIN_FRAMES, MAX_FRAMES = 48, 81
SLOWEST, FASTEST = 0.7, 1.4  # of the recorded speed
FULL_SPEED_FRACTION = 0.4  # of the clips play at the recorded speed

# Kinds of motion by words of the recording's text: how often each is drawn, relative to one another.
KINDS = {
    "acrobatics": (1.5, ("flip", "cartwheel", "handspring", "handstand", "breakdance", "acrobat", "somersault", "roll", "tumbl")),
    "floor": (2.5, ("crawl", "lying", "floor", "sit", "kneel", "ladder", "get up", "stool", "climb", "salutation", "human subject")),
    "dance": (2.5, ("dance", "salsa", "pirouette", "jete", "arabesque", "ballet", "charleston", "lindy")),
    "sport": (
        2.5,
        ("kick", "punch", "box", "jump", "golf", "ball", "empi", "oiduki", "heian", "gedan", "mawashi", "yoko", "sword", "swing"),
    ),
    "walk": (1.5, ("walk", "run", "jog")),
    "other": (2.5, ("",)),
}
# Motion capture hardly turns heads and wrists on their own: constant rotations of a clip, rad (standard deviations).
END_SIGMAS = {"head": 0.15, "left_wrist": 0.3, "right_wrist": 0.3}


@dataclass(frozen=True)
class Motion:
    """A piece of F frames at 30 frames a second.

    rotmats: (F,24,3,3), local. transl: (F,3) m, the pelvis; y up, floor near y = 0. leg_length: m, of the performer.
    """

    subject: str
    text: str
    name: str
    rotmats: FloatArray
    transl: FloatArray
    leg_length: float


def part_of(subject: str) -> str:
    """The part of the data, of PARTS, that a performer belongs to."""
    if subject in TEST_SUBJECTS:
        return "test"
    return "validation" if subject in VALIDATION_SUBJECTS else "train"


def kind_of(text: str) -> str:
    """The first of KINDS with a word in a recording's text."""
    text = text.lower()
    return next(kind for kind, (_weight, words) in KINDS.items() if any(word in text for word in words))


class MotionDrawer:
    """Draws Motions of one part: first the kind, then a run of valid frames in proportion to its length, then a place in it."""

    def __init__(self, recordings: Sequence[Recording], part: str) -> None:
        self._runs: dict[str, list[tuple[Recording, slice]]] = {}
        for recording in recordings:
            if part_of(recording.subject) == part:
                long_enough = [run for run in recording.pieces() if run.stop - run.start >= MIN_FRAMES]
                self._runs.setdefault(kind_of(recording.text), []).extend((recording, run) for run in long_enough)
        self._runs = {kind: runs for kind, runs in self._runs.items() if runs}
        if not self._runs:
            raise ValueError(f"the recordings have no run of {MIN_FRAMES} frames by a performer of the {part} part")

    def draw(self, rng: np.random.Generator) -> Motion:
        """A Motion of MIN_FRAMES to MAX_FRAMES frames, half of them mirrored."""
        kinds = list(self._runs)
        weights = np.array([KINDS[kind][0] for kind in kinds])
        runs = self._runs[kinds[rng.choice(len(kinds), p=weights / weights.sum())]]
        lengths = np.array([run.stop - run.start for _recording, run in runs], float)
        recording, run = runs[rng.choice(len(runs), p=lengths / lengths.sum())]
        available = run.stop - run.start
        speed = 1.0 if rng.random() < FULL_SPEED_FRACTION else rng.uniform(SLOWEST, FASTEST)
        frames = min(int(rng.integers(MIN_FRAMES, MAX_FRAMES + 1)), int((available - 1) / speed) + 1)
        begin = run.start + rng.uniform(0, available - 1 - (frames - 1) * speed)
        rotmats, transl = _resample(recording, np.clip(begin + speed * np.arange(frames), run.start, run.stop - 1))
        if rng.random() < 0.5:
            rotmats, transl = mirror_rotmats(rotmats), transl * [-1, 1, 1]
        for joint, sigma in END_SIGMAS.items():
            rotmats[:, SMPL_JOINTS.index(joint)] @= rotmat_from_rotvec(rng.normal(0, sigma, 3))
        leg_length = float(np.linalg.norm(recording.offsets[[4, 7]], axis=1).sum())
        return Motion(recording.subject, recording.text, recording.name, rotmats, transl, leg_length)


def _resample(recording: Recording, moments: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Local rotations (F,24,3,3) and pelvis (F,3) m at fractional frames (F,): normalised linear interpolation of quaternions."""
    before = np.floor(moments).astype(int)
    after = np.minimum(before + 1, len(recording.trans) - 1)
    fraction = (moments - before)[:, None, None]
    first, second = recording.quats[before].astype(float), recording.quats[after].astype(float)
    sign = np.where((first * second).sum(-1, keepdims=True) < 0, -1.0, 1.0)
    rotmats = rotmats_from_quats(first + fraction * (sign * second - first))
    transl = recording.trans[before] + fraction[..., 0] * (recording.trans[after] - recording.trans[before])
    return rotmats, np.asarray(transl, float)
