"""Made-up clips of a body that squats or lies, with exact keypoints, lifted joints and contacts; and wrong starts for the solve."""

from dataclasses import dataclass, replace

import numpy as np

from blender_meshrec.backend.fitting.body_params import with_rotvecs
from blender_meshrec.backend.fitting.clip_solve.body_points import (
    NUM_OFFSETS,
    SOLE_ROWS,
    BodyState,
    Shape,
    pose_points,
    shape_of_stature,
)
from blender_meshrec.backend.fitting.clip_solve.solve_clip import ClipEvidence, PersonEvidence
from blender_meshrec.core.array_types import BoolArray, FloatArray
from blender_meshrec.core.cameras import project
from blender_meshrec.core.conventions import WORLD_FROM_BODY
from blender_meshrec.core.files.body_template import BodyTemplate
from blender_meshrec.core.records import BodyParams
from blender_meshrec.core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from blender_meshrec.core.skeletons import SMPL_JOINTS
from tests.support.synthetic_gait import View, make_view

AT = {name: joint for joint, name in enumerate(SMPL_JOINTS)}


@dataclass(frozen=True)
class MadeUpClip:
    """One person seen by one camera.

    times: (F,) s. truth: in camera axes. contacts: (F,4), of the soles. view: the camera, in a world with z up and the floor at z = 0.
    """

    template: BodyTemplate
    times: FloatArray
    shape: Shape
    truth: BodyState
    contacts: FloatArray
    view: View

    def evidence(self, start: BodyState, visible: BoolArray | None = None, contacts: FloatArray | None = None) -> PersonEvidence:
        """What is known of the person: a start (its shape: that of the clip), exact keypoints and lifted joints."""
        markers = pose_points(self.shape, self.truth).markers
        keypoints = np.concatenate([project(markers, self.view.intrinsics), np.ones((*markers.shape[:2], 1))], -1)
        seen = np.ones(len(self.times), bool) if visible is None else visible
        contacts = self.contacts if contacts is None else contacts
        return PersonEvidence(self.params(start), keypoints * seen[:, None, None], markers - markers[:, :1], contacts, seen)

    def shared(self, tilt_sigma: float = 0.03) -> ClipEvidence:
        """What all people share: the true camera, gravity and floor. tilt_sigma: rad."""
        camera = self.view.camera_from_world
        up = camera[:3, 2]
        sigma = np.full(2, tilt_sigma)
        return ClipEvidence(self.view.intrinsics, np.array(self.view.size), self.times, up, float(-up @ camera[:3, 3]), sigma)

    def params(self, state: BodyState) -> BodyParams:
        """A state as parameters of the body."""
        betas = self.shape.betas(state.shape)
        rotvecs, frames = rotvec_from_rotmat(state.rotmats), len(state)
        empty = BodyParams("open", betas, np.zeros((frames, 3)), np.zeros((frames, 69)), np.zeros((frames, 3)))
        return with_rotvecs(empty, rotvecs, transl=state.pelvis - self.template.rest_joints(betas)[0])

    def heights(self, points: FloatArray) -> FloatArray:
        """Heights (...) m above the floor of points (...,3) in camera axes."""
        shared = self.shared()
        return points @ shared.up + shared.floor


def squat(
    template: BodyTemplate, times: FloatArray, view: View | None = None, at: tuple[float, float] = (0.0, 0.0), seed: int = 0
) -> MadeUpClip:
    """Squat with flat feet and swinging arms, in 2 s, at a place (2,) m of the floor; seed: of the person's shape."""
    view = make_view(pitch=0.15) if view is None else view
    down = 0.5 - 0.5 * np.cos(np.pi * times)
    shape = shape_of_stature(template, np.zeros(template.shapedirs.shape[-1]))
    rotmats = _pose(0.9 * down, 0.5 * down, 1.2 * down)
    unknowns = np.random.default_rng(seed).normal(scale=0.5, size=shape.basis.shape[1])
    state = BodyState(np.zeros((len(times), 3)), rotmats, unknowns, np.zeros(NUM_OFFSETS))
    soles = pose_points(shape, state).rows[:, SOLE_ROWS].mean(1)  # the feet stand still
    return _seen(template, times, shape, replace(state, pelvis=[*at, 0] - soles), np.ones((len(times), 4)), view)


def lie(template: BodyTemplate, times: FloatArray, view: View | None = None) -> MadeUpClip:
    """Lie on the back on the floor, moving the arms a little."""
    view = make_view(pitch=0.35) if view is None else view
    shape = shape_of_stature(template, np.zeros(template.shapedirs.shape[-1]))
    rotmats = _pose(0 * times, 0 * times, 0.3 - 0.3 * np.cos(2 * times))
    rotmats[:, 0] = rotmat_from_rotvec([0, 0, np.pi / 2]) @ WORLD_FROM_BODY @ rotmat_from_rotvec([-np.pi / 2, 0, 0])
    back = template.v_template[:, 2].min() - template.rest_joints(np.zeros(1))[0, 2]
    pelvis = np.tile([0.0, 0.0, -back], (len(times), 1))
    state = BodyState(pelvis, rotmats, np.zeros(shape.basis.shape[1]), np.zeros(NUM_OFFSETS))
    return _seen(template, times, shape, state, np.zeros((len(times), 4)), view)


def _pose(bend: FloatArray, lean: FloatArray, swing: FloatArray) -> FloatArray:
    """Local rotations (F,24,3,3), the root's in the world: knees bent by twice `bend` (F,) rad over flat feet, arms at the sides."""
    rotmats = np.tile(np.eye(3), (len(bend), len(SMPL_JOINTS), 1, 1))
    rotmats[:, 0] = WORLD_FROM_BODY @ _about_x(lean)
    for side, sign in (("left", -1), ("right", 1)):
        rotmats[:, AT[f"{side}_hip"]] = _about_x(-bend - lean - 0.04)
        rotmats[:, AT[f"{side}_knee"]] = _about_x(2 * bend + 0.08)
        rotmats[:, AT[f"{side}_ankle"]] = _about_x(-bend - 0.04)
        rotmats[:, AT[f"{side}_shoulder"]] = _about_x(-swing) @ rotmat_from_rotvec([0, 0, sign * 1.1])
    rotmats[:, AT["neck"]] = _about_x(-0.5 * lean)
    return rotmats


def _seen(template: BodyTemplate, times: FloatArray, shape: Shape, state: BodyState, contacts: FloatArray, view: View) -> MadeUpClip:
    """The clip of a state in the world."""
    rotation = view.camera_from_world[:3, :3]
    rotmats = state.rotmats.copy()
    rotmats[:, 0] = rotation @ rotmats[:, 0]
    return MadeUpClip(template, times, shape, replace(state, pelvis=view.joints(state.pelvis), rotmats=rotmats), contacts, view)


def wrong_start(clip: MadeUpClip, depth: float = 0.12, turn: float = 0.1, seed: int = 0) -> BodyState:
    """The truth with slow errors, the same at every frame rate: `depth` m along the line of sight, `turn` rad of joints, and no shape."""
    rng, state = np.random.default_rng(seed), clip.truth
    sight = state.pelvis / np.linalg.norm(state.pelvis, axis=-1, keepdims=True)

    def slow(count: int) -> FloatArray:
        rates, phases = rng.uniform(1, 4, count), rng.uniform(0, 6, count)
        return np.sin(rates * clip.times[:, None] + phases)

    turns = turn * slow(3 * len(SMPL_JOINTS)).reshape(len(clip.times), -1, 3)
    turns[:, [AT[f"{side}_{name}"] for side in ("left", "right") for name in ("hand", "foot")]] = 0
    pelvis = state.pelvis + depth * slow(1) * sight
    return replace(state, pelvis=pelvis, rotmats=state.rotmats @ rotmat_from_rotvec(turns), shape=np.zeros_like(state.shape))


def _about_x(angle: FloatArray | float) -> FloatArray:
    angle = np.asarray(angle, float)
    return rotmat_from_rotvec(np.stack([angle, 0 * angle, 0 * angle], -1))
