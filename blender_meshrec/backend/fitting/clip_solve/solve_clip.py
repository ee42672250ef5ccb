"""Solve a clip: all frames, all people and the world they share, from the observations and a start."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ....core.array_types import BoolArray, FloatArray
from ....core.cameras import rays_from_pixels, rigid_transform
from ....core.files.body_template import BodyTemplate
from ....core.records import BodyParams
from ....core.rotations import quat_from_rotmat, rotvec_from_quat, slerp, turn_between
from ....core.skeletons import H36M17
from ....core.time_series import LONGEST_GAP, bracketing_samples, interpolate_over_time
from ..body_params import local_rotmats, transform_body, with_rotvecs
from ..keypoint_noise import keypoint_noise, keypoint_weights
from . import weights
from .body_points import (
    MARKER_ROWS,
    MOVING,
    NUM_OFFSETS,
    SOLE_ROWS,
    BodyState,
    PosedPoints,
    Shape,
    pose_points,
    shape_of_stature,
)
from .body_residuals import PosePrior, ShapePrior, StandingKnees
from .corrections import CorrectionEvidence, residuals_of_corrections, trust_in
from .equations import LENS, PATH, UP
from .ground_contacts import GROUND_ROWS, SoleContacts, count_once, ground_radii, ground_weights, resting_places
from .ground_residuals import ContactPlace, ContactSpeed, Heights, WorldPrior
from .image_residuals import LiftedBones, Reprojection
from .known_floor import KnownFloor
from .lifted_bones import bone_precision, lifted_bones
from .motion_residuals import ACCELERATING_ROWS, Acceleration, TurnAcceleration, second_difference
from .residuals import Residual, World
from .solver import ClipState, PersonProblem, linearise, minimise
from .touches import Meeting, find_meetings
from .uncertainty import joint_sigmas
from .view_evidence import PersonInView, ViewEvidence, residuals_of_views


class Phase(NamedTuple):
    """At most so many steps; is_final: gravity is settled, and so is people's size; finds_sizes: gravity alone is settled."""

    steps: int
    is_final: bool = False
    finds_sizes: bool = False


PHASES = (Phase(5), Phase(5), Phase(8, is_final=True))
SIZE_PHASE, TOUCH_PHASE = Phase(4, finds_sizes=True), Phase(6, is_final=True)
NEAR_FLOOR = 0.025  # m
LEVEL = np.array([0.0, -1.0, 0.0])  # up in the axes of a level camera


@dataclass(frozen=True)
class PersonEvidence:
    """What is known of one person over F frames.

    body: the start, in camera axes. keypoints: (F,17,3) px and confidence, h36m17. lifted: (F,17,3) m about the hip, camera axes.
    contacts: (F,4) 0..1, of the soles. visible: (F,). is_shape_known: the start's betas stay.
    certain: (F,4), contacts of the soles that are certain, 1 or 0, and nan elsewhere; or None. spread: (F,17,3) m, of the lifted joints
    relative to their parents, across and along the line of sight; or None. views: what each of the clip's further views shows, if anything.
    is_size_open: whether the views show how large the person is, or the floor that they share; else their stature is the start's.
    corrections: an artist's, or None. shares_floor: whether they stand on one floor with all others who do.
    """

    body: BodyParams
    keypoints: FloatArray
    lifted: FloatArray
    contacts: FloatArray
    visible: BoolArray
    is_shape_known: bool = False
    certain: FloatArray | None = None
    spread: FloatArray | None = None
    views: Sequence[PersonInView | None] = ()
    is_size_open: bool = False
    corrections: CorrectionEvidence | None = None
    shares_floor: bool = False

    @property
    def is_size_shared(self) -> bool:
        """Whether the floor that people share tells the person's size."""
        return self.shares_floor and self.is_size_open

    @property
    def soles(self) -> SoleContacts:
        """The contacts of the frames with the person."""
        return SoleContacts(self.contacts[self.visible], None if self.certain is None else self.certain[self.visible])


@dataclass(frozen=True)
class ClipEvidence:
    """What the people share.

    intrinsics: (3,3) px. image_size: (width, height) px. timestamps: (F,) s. up: (3,) in camera axes. floor: m; a point's height is
    up . x + floor. tilt_sigma: (2,) rad, how well the camera's pitch and roll are known; 0 where up is given and does not change.
    lens_sigma: of the logarithm of the focal length; 0 where it is given. centres: (F,3) m, the places of a camera that moves but does not
    turn, or None if it stays at the origin; path_sigma: of the logarithm of their scale; 0 where it is given.
    may_be_level: whether nothing but people's bodies speaks against a level camera. views: further views, which do not move.
    is_floor_known: whether the floor is given, and does not change. keeps_touch: whether contact between people is kept.
    """

    intrinsics: FloatArray
    image_size: FloatArray
    timestamps: FloatArray
    up: FloatArray
    floor: float
    tilt_sigma: FloatArray
    lens_sigma: float = 0.0
    centres: FloatArray | None = None
    path_sigma: float = 0.0
    may_be_level: bool = True
    is_floor_known: bool = False
    views: Sequence[ViewEvidence] = ()
    keeps_touch: bool = False

    def places(self, growth: float, seen: BoolArray | slice = slice(None)) -> FloatArray:
        """The camera's places (F,3) m in the frames that are `seen`, with a path exp(growth) times the assumed size."""
        centres = np.zeros((len(self.timestamps), 3)) if self.centres is None else self.centres
        return np.exp(growth) * centres[seen]


@dataclass(frozen=True)
class SolvedPerson:
    """A person's body in camera axes, and the floor below them: a point's height is up . x + floor.

    sigma: (F,24) m, how sure the solve is of each joint relative to the pelvis, of `joint_sigmas`.
    """

    body: BodyParams
    floor: float
    sigma: FloatArray


def solve_clip(
    template: BodyTemplate,
    people: Sequence[PersonEvidence],
    clip: ClipEvidence,
    smoothing: float = 1.0,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[SolvedPerson], World]:
    """Solve a clip.

    Returns:
        the people, and the world of the first: its up and lens are shared.
    """
    shapes = [shape_of_stature(template, person.body.betas.astype(float), person.is_shape_known, person.is_size_open) for person in people]
    starts = [clip]
    if clip.tilt_sigma.any() and clip.may_be_level and np.arccos(np.clip(clip.up @ LEVEL, -1, 1)) > weights.OTHER_START:
        starts.append(replace(clip, up=LEVEL))
    problem = _ClipProblem(template, people, shapes, smoothing)
    total = sum(phase.steps for phase in problem.phases(clip))
    states, energies, problems = zip(
        *(problem.solve(start, lambda step, k=k: on_step(k * total + step, len(starts) * total)) for k, start in enumerate(starts)),
        strict=True,
    )
    # Nobody who rests hangs in the air: what is on the ground counts for a start.
    costs = [energy - weights.SUPPORT_GAIN * problem.support(clip, state) for state, energy in zip(states, energies, strict=True)]
    # The estimated gravity stays unless the other start is clearly better.
    chosen = -1 if costs[-1] < costs[0] - weights.CLEARLY_BETTER * energies[0] else 0
    state = states[chosen]
    solved = [
        SolvedPerson(
            body=_body_params(template, person, clip.timestamps, shape.betas(body.shape), body),
            floor=world.floor,
            sigma=_sigma(person, clip.timestamps, problem, body, world),
        )
        for person, shape, problem, body, world in zip(people, shapes, problems[chosen], state.people, state.worlds, strict=True)
    ]
    return solved, state.worlds[0]


def _sigma(person: PersonEvidence, times: FloatArray, problem: PersonProblem, body: BodyState, world: World) -> FloatArray:
    """How sure the solve is of each joint, (F,24) m, at times (F,) s; interpolated in frames without the person."""
    points = pose_points(problem.shape, body)
    return interpolate_over_time(times, times[person.visible], joint_sigmas(points, linearise(problem, points, world)))


@dataclass(frozen=True)
class _ClipProblem:
    """The people of a clip and their shapes, to be solved from a start."""

    template: BodyTemplate
    people: Sequence[PersonEvidence]
    shapes: Sequence[Shape]
    smoothing: float

    def solve(self, clip: ClipEvidence, on_step: Callable[[int], None]) -> tuple[ClipState, float, list[PersonProblem]]:
        """The solved state, its energy, by which starts are compared, and the people's last problems."""
        views = tuple(view.place for view in clip.views)
        worlds = tuple(World(clip.up, clip.floor, np.zeros(3), views=views) for _ in self.people)
        state, energy, done = ClipState(tuple(self._starts(self.people)), worlds), 0.0, 0
        problems: list[PersonProblem] = []
        for phase in self.phases(clip):
            if phase.finds_sizes and self._is_near_floor(clip, state):
                continue
            problems = self._problems(clip, state, phase)
            unknown = ((UP, bool(clip.tilt_sigma.any())), (LENS, clip.lens_sigma > 0), (PATH, clip.path_sigma > 0))
            free = [] if phase.is_final or phase.finds_sizes else [part for part, is_unknown in unknown if is_unknown]
            free += [columns for number, view in enumerate(clip.views) for columns in view.sigma.free_columns(number)]
            state, energy = minimise(problems, state, phase.steps, free, lambda step, first=done: on_step(first + step))
            done += phase.steps
        return state, energy, problems

    def _starts(self, people: Sequence[PersonEvidence]) -> list[BodyState]:
        """The starts of people, over the frames with each."""
        return [_start_state(self.template, person, shape.basis.shape[1]) for person, shape in zip(people, self.shapes, strict=True)]

    def _problems(self, clip: ClipEvidence, state: ClipState, phase: Phase) -> list[PersonProblem]:
        """Everybody's residuals in a phase that begins at a state."""
        radii, zoom, places = ground_radii(self.template), state.worlds[0].zoom, clip.places(state.worlds[0].growth)
        people = [through_lens(person, self.template, zoom, clip.places(0), places) for person in self.people]
        posed = [pose_points(shape, body) for shape, body in zip(self.shapes, state.people, strict=True)]
        meetings: list[list[Meeting]] = [[] for _ in people]
        if clip.keeps_touch and phase.is_final:
            meetings = find_meetings(posed, [person.visible for person in people], clip.timestamps)
        problems: list[PersonProblem] = []
        for number, (person, start) in enumerate(zip(people, self._starts(people), strict=True)):
            shape, world = self.shapes[number], state.worlds[number]
            # On a known floor, or one that is shared, the size is found, and bones are as long as that.
            is_sized = clip.is_floor_known or person.shares_floor
            start = replace(start, shape=state.people[number].shape) if is_sized else start
            residuals = [
                *_body_residuals(person, clip, start, world, shape, self.smoothing),
                *_ground_residuals(person, clip, posed[number], world, radii, phase),
                *meetings[number],
            ]
            problems.append(PersonProblem(shape, residuals, person.shares_floor))
        return problems

    def phases(self, clip: ClipEvidence) -> tuple[Phase, ...]:
        """PHASES; with one for the sizes of people who share a floor, and one more where people meet, who do so at new places in each."""
        sizes = (SIZE_PHASE,) if any(person.is_size_shared for person in self.people) else ()
        return (*PHASES[:-1], *sizes, PHASES[-1], *((TOUCH_PHASE,) if clip.keeps_touch else ()))

    def _is_near_floor(self, clip: ClipEvidence, state: ClipState) -> bool:
        """Whether the soles of people who share a floor are so near to it that the last phase finds the rest of their sizes too."""
        for person, shape, body, world in zip(self.people, self.shapes, state.people, state.worlds, strict=True):
            touching = person.soles.probabilities
            if person.is_size_shared and touching.any():
                heights = pose_points(shape, body).rows[:, SOLE_ROWS] @ world.up + world.floor
                if (touching * np.abs(heights)).sum() > NEAR_FLOOR * touching.sum():
                    return False
        return True

    def support(self, clip: ClipEvidence, state: ClipState) -> float:
        """How many points touch the ground, summed over frames and people."""
        radii, total = ground_radii(self.template), 0.0
        for person, shape, body, world in zip(self.people, self.shapes, state.people, state.worlds, strict=True):
            times = clip.timestamps[person.visible]
            points = pose_points(shape, body)
            touching = ground_weights(points, world.up, world.floor, radii, times, person.soles)
            total += float((touching * _frame_weights(times)[0][:, None]).sum())
        return total


def world_from_up(up: FloatArray, floor: float) -> FloatArray:
    """world_from_camera (4,4) with the camera above the origin, looking along +y; a point's height is up (3,) . x + floor m."""
    forward = np.array([0.0, 0.0, 1.0]) - up[2] * up
    forward /= np.linalg.norm(forward)
    return rigid_transform(np.stack([np.cross(forward, up), forward, up]), [0.0, 0.0, floor])


def through_lens(
    person: PersonEvidence, template: BodyTemplate, zoom: float, places: FloatArray | float = 0.0, places_now: FloatArray | float = 0.0
) -> PersonEvidence:
    """The evidence with the focal length exp(zoom) times the assumed one: what was seen from a line of sight turns with it.

    places: (F,3) m, where the camera was assumed, and places_now where it is taken to be.
    """
    root = template.rest_joints(person.body.betas)[0]
    pelvis = person.body.transl.astype(float) + root
    sight = pelvis - places
    sight_now = sight * [1, 1, np.exp(zoom)]
    turn = turn_between(sight, sight_now)
    body = transform_body(person.body, root, turn, sight_now + places_now - (turn @ pelvis[..., None])[..., 0])
    return replace(person, body=body, lifted=person.lifted @ np.swapaxes(turn, -1, -2))


def _start_state(template: BodyTemplate, person: PersonEvidence, num_shape: int) -> BodyState:
    """The start over the frames with the person."""
    seen, joints = person.visible, template.smpl_joint_indices
    root = template.rest_joints(person.body.betas)[0]
    return BodyState(
        person.body.transl[seen].astype(float) + root,
        local_rotmats(person.body)[seen][:, joints],
        np.zeros(num_shape),
        np.zeros(NUM_OFFSETS),
    )


def _body_params(template: BodyTemplate, person: PersonEvidence, times: FloatArray, betas: FloatArray, state: BodyState) -> BodyParams:
    """The solved body at times (F,) s: interpolated in frames without the person, held in longer gaps, before the first and after the last
    with them."""
    before, after, weight = bracketing_samples(times, times[person.visible], LONGEST_GAP)
    quats = quat_from_rotmat(state.rotmats)
    rotvecs = person.body.poses.astype(float).reshape(len(times), -1, 3)
    rotvecs[:, template.smpl_joint_indices] = rotvec_from_quat(slerp(quats[before], quats[after], weight[:, None]))
    pelvis = (1 - weight)[:, None] * state.pelvis[before] + weight[:, None] * state.pelvis[after]
    transl = pelvis - template.rest_joints(betas)[0]
    return replace(with_rotvecs(person.body, rotvecs, transl=transl), betas=betas)


def _body_residuals(
    person: PersonEvidence, clip: ClipEvidence, start: BodyState, world: World, shape: Shape, smoothing: float
) -> list[Residual]:
    """What the image, the lifter and the body itself say of one person."""
    seen, times = person.visible, clip.timestamps[person.visible]
    keypoints = person.keypoints[seen].astype(float)
    rays = rays_from_pixels(keypoints[..., :2], clip.intrinsics)
    trust = trust_in(person.corrections, seen)
    visibility = keypoint_weights(keypoints, clip.image_size) * trust.keypoints
    frame_weights, durations = _frame_weights(times)
    sight = start.pelvis - clip.places(world.growth, seen)
    distance = np.maximum(sight[:, 2], 0.1)
    centres = None if clip.centres is None else clip.centres[seen]
    posed = pose_points(shape, start)
    noise_factor, bone_factor = weights.NOISE_FACTOR, 1.0
    if clip.views:
        noise_factor, bone_factor = weights.SEVERAL_VIEWS_NOISE_FACTOR, weights.SEVERAL_VIEWS_BONE_FACTOR
    sigma = np.hypot(weights.KEYPOINT_SIGMA / distance[:, None], noise_factor * keypoint_noise(rays, visibility, times))
    used = [row for row in range(len(H36M17)) if visibility[:, row].any()]
    residuals: list[Residual] = [
        Reprojection(MARKER_ROWS[used], rays[:, used], (visibility * frame_weights[:, None])[:, used], sigma[:, used], centres),
        LiftedBones(
            lifted_bones(person.lifted[seen].astype(float), posed.markers),
            bone_precision(None if person.spread is None else person.spread[seen], sight, bone_factor)
            * (frame_weights[:, None] * trust.bones)[..., None, None],
        ),
        PosePrior(start.rotmats[:, list(MOVING)], frame_weights[:, None] * trust.rotations),
        ShapePrior(_prior_weight(frame_weights), weights.SHARED_FLOOR_STATURE_SIGMA if person.is_size_shared else None),
        *residuals_of_corrections(person.corrections, seen, clip.intrinsics, posed, centres),
        *residuals_of_views(person.views, clip.views, seen, times, frame_weights, posed, _prior_weight(frame_weights)),
    ]
    if len(times) > 2 and smoothing > 0:
        inner = frame_weights[1:-1]
        residuals.append(Acceleration(ACCELERATING_ROWS, second_difference(times), inner, weights.ACCELERATION_SIGMA / smoothing))
        residuals.append(TurnAcceleration(durations, inner, weights.TURN_ACCELERATION_SIGMA / smoothing))
    return residuals


def _ground_residuals(
    person: PersonEvidence, clip: ClipEvidence, points: PosedPoints, world: World, radii: FloatArray, phase: Phase
) -> list[Residual]:
    """What the ground says of one person, by the contacts of the points as they are."""
    is_final, finds_sizes = phase.is_final, phase.finds_sizes or clip.is_floor_known
    times = clip.timestamps[person.visible]
    frame_weights, durations = _frame_weights(times)
    floor = world.floor if is_final else None
    touching = ground_weights(points, world.up, floor, radii, times, person.soles)
    foothold = weights.FOOTHOLD_DEPTH_SIGMA * max(world.floor, 1.0) * weights.FOOTHOLD_FRAMES**0.5
    sigmas = (weights.SOLE_HEIGHT_SIGMA, weights.PENETRATION_SIGMA) if is_final else (foothold, foothold)
    if finds_sizes and not is_final:
        sigmas = (weights.SIZE_HEIGHT_SIGMA, weights.SIZE_HEIGHT_SIGMA)
    on_ground = touching * frame_weights[:, None]
    residuals: list[Residual] = [
        Heights(
            GROUND_ROWS,
            radii,
            on_ground if is_final or finds_sizes else count_once(touching, frame_weights, weights.FOOTHOLD_FRAMES),
            sigmas[0],
            frame_weights,
            sigmas[1],
            not is_final,
        ),
        *([KnownFloor(clip.floor)] if clip.is_floor_known else []),
        WorldPrior(clip.up, clip.tilt_sigma, clip.lens_sigma or 1.0, clip.path_sigma or 1.0, _prior_weight(frame_weights)),
        StandingKnees(touching[:, : len(SOLE_ROWS)].reshape(-1, 2, 2).max(2) * frame_weights[:, None]),
    ]
    if is_final:
        places, resting = resting_places(points.rows[:, GROUND_ROWS], touching, times)
        residuals.append(ContactPlace(GROUND_ROWS, places, resting * frame_weights[:, None]))
    if len(times) > 1:
        holding = np.minimum(touching[1:], touching[:-1]) * np.minimum(frame_weights[1:], frame_weights[:-1])[:, None]
        residuals.append(ContactSpeed(GROUND_ROWS, durations, holding, person.soles.outliers(len(GROUND_ROWS))))
    return residuals


def _prior_weight(frame_weights: FloatArray) -> float:
    """How often a prior of the whole clip counts: the frames of PRIOR_FRAMES repeat each other's errors, and weigh as one."""
    return max(1.0, float(frame_weights.sum()) / weights.PRIOR_FRAMES)


def _frame_weights(times: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weights (F,) of frames, their durations in frames of 1/30 s, and the intervals (F-1,) s between them."""
    if len(times) < 2:
        return np.ones(len(times)), np.zeros(0)
    durations = np.maximum(np.diff(times), 1e-4)
    return np.clip(np.gradient(times) * weights.REFERENCE_RATE, 1e-3, weights.MAX_FRAME_WEIGHT), durations
