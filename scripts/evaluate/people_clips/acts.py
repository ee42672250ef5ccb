"""What two people do together: motion capture of test subjects on two bodies, placed on one stage, with hands that touch.

The stage is y up, metres, with its floor at y = 0; the camera looks along -z. An actor whose turn is 0 walks and faces along +z.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.axis_rotations import rotate_vectors, rotation_between, unit_vector
from blender_meshrec.core.kinematics import global_rotmats
from blender_meshrec.core.rotations import quat_from_rotmat, rotmat_from_quat, rotmat_from_rotvec, rotvec_from_rotmat, slerp
from blender_meshrec.core.skeletons import SMPL_JOINTS, SMPL_PARENTS
from scripts.train.data.recordings import Recording, rotmats_from_quats

JOINT = {name: index for index, name in enumerate(SMPL_JOINTS)}
MAX_REACH = 0.99  # of an arm's length


@dataclass(frozen=True)
class Actor:
    """One of the two.

    recording: its name. moments: the recording's first and last frame; turn: degrees about the vertical; end: (x, z) m, where the pelvis is
    in the last frame, or in the middle frame if `is_centred`. stature: m. holds: the shares of the clip between which the actor stops, at
    the share of the motion that has passed by then; None without a stop.
    """

    recording: str
    moments: tuple[int, int]
    turn: float
    end: tuple[float, float]
    stature: float
    is_centred: bool = True
    holds: tuple[float, float] | None = None


@dataclass(frozen=True)
class Act:
    """Two actors over so many frames; touch: "hug", "hands" or nothing; touching: the share of the clip at which it begins."""

    name: str
    frames: int
    actors: tuple[Actor, Actor]
    touch: str = ""
    touching: float = 0.0


ACTS = (
    Act("crossing", 92, (Actor("38_02", (0, 92), 90, (0, 0.2), 1.78), Actor("02_02", (0, 74), -90, (0, -0.8), 1.65))),
    Act("hiding", 130, (Actor("02_10", (60, 190), 0, (0, -1.0), 1.76),
                        Actor("38_01", (0, 87), 90, (0.0, 0.5), 1.68, holds=(0.35, 0.68)))),
    Act("hug", 120, (Actor("38_01", (20, 62), 90, (-0.16, 0), 1.80, is_centred=False, holds=(0.4, 1.0)),
                     Actor("02_01", (10, 54), -90, (0.16, 0), 1.66, is_centred=False, holds=(0.4, 1.0))), "hug", 0.42),
    Act("hand in hand", 88, (Actor("38_01", (0, 87), 12, (-0.36, -0.4), 1.75), Actor("02_01", (0, 85), 12, (0.36, -0.4), 1.67)), "hands"),
    Act("with a child", 92, (Actor("38_02", (0, 92), 80, (0.0, -0.7), 1.78), Actor("02_02", (0, 74), 60, (0.2, 0.4), 1.10))),
    Act("fight", 120, (Actor("02_05", (40, 160), 90, (-0.5, 0.0), 1.82), Actor("02_07", (60, 180), -70, (0.5, -0.1), 1.70))),
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One person's motion on their body. betas: (10,). rotmats: (F,24,3,3), local. pelvis: (F,3) m, on the stage. rest: (24,3) m."""

    betas: FloatArray
    rotmats: FloatArray
    pelvis: FloatArray
    rest: FloatArray

    def joints(self) -> tuple[FloatArray, FloatArray]:
        """Joints (F,24,3) m and global rotations (F,24,3,3)."""
        turned = global_rotmats(self.rotmats, np.asarray(SMPL_PARENTS))
        places = np.zeros((len(self.pelvis), len(SMPL_JOINTS), 3))
        places[:, 0] = self.pelvis
        for joint in range(1, len(SMPL_JOINTS)):
            parent = SMPL_PARENTS[joint]
            places[:, joint] = places[:, parent] + turned[:, parent] @ (self.rest[joint] - self.rest[parent])
        return places, turned


def make_part(actor: Actor, frames: int, recording: Recording, body: Smpl, betas: FloatArray) -> Part:
    """An actor's motion on a body of given betas (10,)."""
    moments = _moments(actor, frames)
    before = np.minimum(np.floor(moments).astype(int), len(recording.trans) - 2)
    weight = (moments - before)[:, None]
    rotmats = rotmats_from_quats(recording.quats.astype(float))
    quats = quat_from_rotmat(rotmats)
    rotmats = rotmat_from_quat(slerp(quats[before], quats[before + 1], weight))
    path = recording.trans.astype(float)
    pelvis = (1 - weight) * path[before] + weight * path[before + 1]
    rest = body.template.rest_joints(betas)[body.template.smpl_joint_indices].astype(float)
    own, theirs = (np.linalg.norm(bones[[4, 7]] - bones[[1, 4]], axis=-1).sum() for bones in (rest, recording.rest_joints()))
    turn = rotmat_from_rotvec(np.radians([0.0, actor.turn, 0.0]))
    rotmats[:, 0] = turn @ rotmats[:, 0]
    pelvis = pelvis @ turn.T * (own / theirs)
    anchor = pelvis[len(pelvis) // 2] if actor.is_centred else pelvis[-1]
    return Part(betas, rotmats, pelvis - anchor * [1, 0, 1] + [actor.end[0], 0, actor.end[1]], rest)


def _moments(actor: Actor, frames: int) -> FloatArray:
    """The recording's fractional frames (F,) of an actor, who slows down to a stop and starts again where they hold."""
    time, (first, last) = np.linspace(0, 1, frames), actor.moments
    if actor.holds is None:
        return first + (last - first) * time
    begin, end = actor.holds
    speed = 1 - np.clip(np.minimum((time - begin) / 0.08, (end - time) / 0.08) if end < 1 else (time - begin) / 0.08, 0, 1)
    passed = np.concatenate([[0.0], np.cumsum((speed[1:] + speed[:-1]) / 2)])
    return first + (last - first) * passed / passed[-1]


def touch(act: Act, parts: tuple[Part, Part], body: Smpl) -> tuple[Part, Part]:
    """The two with arms that reach each other where the act says so."""
    if not act.touch:
        return parts
    weight = np.clip((np.linspace(0, 1, act.frames) - act.touching) / 0.1, 0, 1) if act.touching > 0 else np.ones(act.frames)
    weight = weight * weight * (3 - 2 * weight)
    places = [part.joints()[0] for part in parts]
    aims = _hug_aims(places) if act.touch == "hug" else _hand_aims(places)
    one, other = (_reach(part, own, weight) for part, own in zip(parts, aims, strict=True))
    return one, other


Aim = tuple[str, FloatArray, FloatArray]  # a side, where its wrist goes (F,3) m, and which way its elbow points (F,3)


def _hug_aims(places: Sequence[FloatArray]) -> list[list[Aim]]:
    """Each one's wrists on the other's back: the first one's above the second one's."""
    aims: list[list[Aim]] = []
    for number, height in ((0, "spine3"), (1, "spine1")):
        other = places[1 - number]
        ahead = unit_vector((other[:, 0] - places[number][:, 0]) * [1, 0, 1])
        left = np.cross([0.0, 1.0, 0.0], ahead)
        middle = other[:, JOINT[height]] + 0.1 * ahead
        aims.append([
            (side, middle + sign * 0.1 * left + np.array([0, 0.04 * sign, 0]), sign * left - [0, 0.8, 0] - 0.3 * ahead)
            for side, sign in (("left", 1.0), ("right", -1.0))
        ])  # fmt: skip
    return aims


def _hand_aims(places: Sequence[FloatArray]) -> list[list[Aim]]:
    """The inner wrists at the middle between the two; the first is on the picture's left, and their left hand is the inner one."""
    shoulders = places[0][:, JOINT["left_shoulder"]], places[1][:, JOINT["right_shoulder"]]
    middle = (shoulders[0] + shoulders[1]) / 2
    length = np.median([np.linalg.norm(own[:, JOINT["left_elbow"]] - own[:, JOINT["left_shoulder"]], axis=-1) for own in places])
    target = middle - [0, 1.75 * length, 0]
    apart = unit_vector(shoulders[1] - shoulders[0])
    back = np.tile([0.0, -0.2, -1.0], (len(target), 1))
    return [[("left", target - 0.03 * apart, back)], [("right", target + 0.03 * apart, back)]]


def _reach(part: Part, aims: Sequence[Aim], weight: FloatArray) -> Part:
    """A part whose wrists reach their aims, as much as weight (F,) says: two-bone inverse kinematics with a direction for the elbow."""
    places, turned = part.joints()
    rotmats = part.rotmats.copy()
    for side, target, pole in aims:
        shoulder, elbow, wrist = (JOINT[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist"))
        upper, lower = (float(np.linalg.norm(part.rest[b] - part.rest[a])) for a, b in ((shoulder, elbow), (elbow, wrist)))
        way = target - places[:, shoulder]
        distance = np.minimum(np.linalg.norm(way, axis=-1), MAX_REACH * (upper + lower))[:, None]
        ahead = unit_vector(way)
        across = unit_vector(pole - (pole * ahead).sum(-1, keepdims=True) * ahead)
        along = (upper**2 - lower**2 + distance**2) / (2 * distance)
        bend = np.sqrt(np.maximum(upper**2 - along**2, 0))
        joint = along * ahead + bend * across
        bones = joint, distance * ahead - joint
        swing = rotation_between(turned[:, shoulder] @ (part.rest[elbow] - part.rest[shoulder]), bones[0])
        new_shoulder = swing @ turned[:, shoulder]
        carried = new_shoulder @ rotmats[:, elbow]
        new_elbow = rotation_between(rotate_vectors(carried, part.rest[wrist] - part.rest[elbow]), bones[1]) @ carried
        reached = {
            shoulder: np.swapaxes(turned[:, SMPL_PARENTS[shoulder]], -1, -2) @ new_shoulder,
            elbow: np.swapaxes(new_shoulder, -1, -2) @ new_elbow,
        }
        for number, local in reached.items():
            change = rotvec_from_rotmat(np.swapaxes(rotmats[:, number], -1, -2) @ local)
            rotmats[:, number] = rotmats[:, number] @ rotmat_from_rotvec(weight[:, None] * change)
    return Part(part.betas, rotmats, part.pelvis, part.rest)


def make_parts(act: Act, recordings: dict[str, Recording], body: Smpl, betas_of: Callable[[Actor, int], FloatArray]) -> tuple[Part, Part]:
    """The two people of an act; betas_of gives the betas (10,) of an actor and their number."""
    one, other = (
        make_part(actor, act.frames, recordings[actor.recording], body, betas_of(actor, number)) for number, actor in enumerate(act.actors)
    )
    return touch(act, (one, other), body)
