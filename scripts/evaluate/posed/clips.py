"""Clips with truth from motions: settled on their supports, on a body of random shape."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.core.array_types import BoolArray, FloatArray
from blender_meshrec.core.files.body_template import BodyTemplate
from blender_meshrec.core.rotations import rotvec_from_rotmat
from scripts.evaluate.posed.body_parts import PosedBody
from scripts.evaluate.posed.key_poses import Contact, Motion, in_spans, interpolate_poses
from scripts.evaluate.posed.settle import Supported, first_pelvis, settle
from scripts.evaluate.posed.truth import FPS, PosedClip


def clip_of_motion(template: BodyTemplate, motion: Motion) -> PosedClip:
    """Settle a motion posed by hand on a body whose shape is random, seeded by the motion's name."""
    betas = random_betas(motion.name)
    body = PosedBody(template, betas, parts_in(motion.contacts))
    times = np.arange(round(motion.seconds * FPS) + 1) / FPS
    rotmats = interpolate_poses(motion.keys, times, template.rest_joints(betas))
    supported = supported_frames(motion.contacts, motion.supports, times)
    flight = in_spans(times, [(flight.begin, flight.end) for flight in motion.flights])
    supported = replace(supported, flight=flight, balance=in_spans(times, motion.balance))
    shifts = [(round(f.begin * FPS), round(f.end * FPS), np.array(f.shift, float)) for f in motion.flights]
    start = np.array([0, 0, 1.0])
    pelvis = first_pelvis(body, rotmats, supported, shifts, FPS, start)
    settled, at = settle(body, rotmats, pelvis, supported, FPS)
    still = np.full(len(times), motion.still)
    jumps = np.array([(round(f.begin * FPS), round(f.end * FPS)) for f in motion.jumps]).reshape(-1, 2)
    return make_clip(template, motion.name, betas, settled, at, supported, in_spans(times, motion.straight), still, jumps)


def make_clip(
    template: BodyTemplate,
    name: str,
    betas: FloatArray,
    rotmats: FloatArray,
    pelvis: FloatArray,
    supported: Supported,
    straight: BoolArray,
    still: BoolArray,
    flights: FloatArray,
) -> PosedClip:
    """A PosedClip from local rotations (F,24,3,3) and the pelvis (F,3) m."""
    poses = rotvec_from_rotmat(rotmats).reshape(len(rotmats), -1)
    transl = pelvis - template.rest_joints(betas)[0]
    joints = make_body(template).joints(betas, poses[:, :3], poses[:, 3:], transl).numpy().astype(float)
    parts, touching, heights = supported.parts, supported.touching, supported.heights
    return PosedClip(name, betas, poses, transl, joints, parts, touching, heights, straight, still, flights)


def parts_in(contacts: Sequence[Contact]) -> tuple[str, ...]:
    """The parts that a motion's contacts name, whole hands where palms are among them, and thighs where the seat is."""
    parts = {contact.part for contact in contacts}
    parts |= {part.replace("palm", "hand") for part in parts if part.endswith("palm")}
    return tuple(sorted(parts | ({"left_thigh", "right_thigh"} if "seat" in parts else set())))


def random_betas(name: str) -> FloatArray:
    """A body's shape (10,), seeded by a name; the stature varies little, since one camera cannot tell it."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return rng.normal(0, 0.8, 10) * np.array([0.3, 1, 1, 1, 1, 1, 0, 0, 0, 0])


def supported_frames(contacts: Sequence[Contact], supports: Mapping[str, float], times: FloatArray) -> Supported:
    """Contacts as masks over frames; a part's contacts with one support are one column."""
    columns = sorted({(contact.part, contact.support, contact.slides) for contact in contacts})
    masks = [in_spans(times, [(c.begin, c.end) for c in contacts if (c.part, c.support, c.slides) == column]) for column in columns]
    touching: BoolArray = np.array(masks, bool).reshape(len(columns), len(times)).T
    heights = np.array([0.0 if support == "floor" else supports[support] for _, support, _ in columns])
    nothing = np.zeros(len(times), bool)
    return Supported(
        parts=tuple(part for part, _, _ in columns),
        heights=heights,
        touching=touching,
        slides=np.array([slides for _, _, slides in columns], bool),
        flight=nothing,
        balance=nothing,
        bar=np.array([support == "bar" for _, support, _ in columns], bool),
    )
