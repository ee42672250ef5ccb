"""People who stand are turned upright where the lifter has them lean: before the solve, and before sizes on a known floor are told.

Gravity is estimated with people's balance as one of its witnesses (fitting/tilt_posterior.py); by how much they are still out of balance
in that world is the lifter's error, which in depth is several degrees, the same for a whole clip (fitting/lean.py).
"""

from dataclasses import replace

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.cameras import transform_points
from ...core.files.body_template import BodyTemplate
from ...core.skeletons import H36M17
from ..fitting.body_params import transform_body
from ..fitting.clip_solve.solve_clip import ClipEvidence, PersonEvidence, world_from_up
from ..fitting.lean import lean_of_person, straightening_turns
from ..known_camera import soles_on_ground
from .posed import posed_legs

HIP = H36M17.index("hip")


def straightened(template: BodyTemplate, person: PersonEvidence, clip: ClipEvidence) -> PersonEvidence:
    """A person's evidence with body and lifted joints turned about the pelvis until they are balanced, in the world of the start."""
    world = world_from_up(clip.up, clip.floor)
    root = template.rest_joints(person.body.betas)[0]
    pelvis = person.body.transl.astype(float) + root
    soles, camera, joints = (
        transform_points(world, points)
        for points in (posed_legs(template, person.body).points, clip.places(0.0), pelvis[:, None] + person.lifted)
    )
    touching = soles_on_ground(soles, camera, person.contacts, clip.timestamps) & person.visible[:, None]
    turns = upright_turns(world, joints, soles, touching, camera, clip.timestamps, person.visible)
    body = transform_body(person.body, root, turns, pelvis - (turns @ pelvis[..., None])[..., 0])
    return replace(person, body=body, lifted=person.lifted @ np.swapaxes(turns, -1, -2))


def upright_turns(
    world: FloatArray,
    joints: FloatArray,
    soles: FloatArray,
    touching: BoolArray,
    camera: FloatArray,
    timestamps: FloatArray,
    visible: BoolArray,
) -> FloatArray:
    """The turns (F,3,3) in the axes of a view after which a person is balanced.

    Args:
        world: (4,4), from the view. The others are those of `lean_of_person`, in the world.
    """
    lean = lean_of_person(joints, soles, touching, camera, timestamps, visible)
    turns: FloatArray = world[:3, :3].T @ straightening_turns(lean, joints[:, HIP] - camera) @ world[:3, :3]
    return turns
