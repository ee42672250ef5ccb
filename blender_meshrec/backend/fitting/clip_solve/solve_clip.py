"""Solve a clip: all frames, all people and the world they share, from the observations and a start."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ....core.array_types import FloatArray, IntArray
from ....core.cameras import rays_from_pixels, rigid_transform
from ....core.contacts import point_speeds
from ....core.files.body_template import BodyTemplate
from ....core.records import BodyParams
from ....core.rotations import quat_from_rotmat, rotvec_from_quat, slerp, turn_between
from ....core.skeletons import H36M17
from ....core.time_series import LONGEST_GAP, bracketing_samples, interpolate_over_time
from ..body_params import local_rotmats, transform_body, with_rotvecs
from ..keypoint_noise import keypoint_noise, keypoint_weights
from . import weights
from .body_points import MOVING, NUM_OFFSETS, SEEN_ROWS, SOLE_ROWS, BodyState, PosedPoints, Shape, pose_points
from .body_residuals import PosePrior, ShapePrior, StandingKnees
from .corrections import residuals_of_corrections, trust_in
from .equations import LENS, PATH, UP
from .evidence import ClipEvidence, PersonEvidence
from .foot_residuals import residuals_of_feet
from .ground_contacts import (
    GROUND_ROWS,
    count_once,
    ground_radii,
    ground_skin,
    ground_weights,
    hovering_support,
    outliers_of_approach,
    resting_places,
    share_off_ground,
)
from .ground_residuals import ContactPlace, ContactSpeed, Heights, WorldPrior
from .image_residuals import LiftedBones, Reprojection
from .known_floor import KnownFloor
from .lifted_bones import bone_precision, lifted_bones
from .motion_residuals import ACCELERATING_ROWS, Acceleration, TurnAcceleration, second_difference
from .phases import APPROACH_PHASES, KNOWN_FLOOR_PHASES, PHASES, SIZE_PHASE, TOUCH_PHASE, Phase, height_sigmas
from .residuals import Residual, World
from .solver import ClipState, PersonProblem, linearise, minimise
from .standing_balance import find_balance
from .touches import Meeting, find_meetings
from .uncertainty import joint_sigmas
from .view_evidence import residuals_of_views

HOVERING = 0.01  # of the points of all frames: so many that hover where they should touch are drawn to the ground
NEAR_FLOOR = 0.025  # m
BLOCKS, BLOCK_FRAMES = 3, 20  # of frames that tell whether another start is worth a solve of all
LEVEL = np.array([0.0, -1.0, 0.0])  # up in the axes of a level camera


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
    shapes = [person.shape(template) for person in people]
    problem = _ClipProblem(template, people, shapes, smoothing)
    total = sum(phase.steps for phase in (*problem.phases(clip), *APPROACH_PHASES))
    level = replace(clip, up=LEVEL)
    tilt = float(np.arccos(np.clip(clip.up @ LEVEL, -1, 1)))
    is_open = clip.may_be_level and weights.OTHER_START < tilt < weights.LEVEL_WITHIN * clip.tilt_sigma.max()
    starts = 2 if is_open else 1
    state, energy, problems = problem.solve(clip, lambda step: on_step(step, starts * total))
    if starts > 1 and problem.may_prefer(level, clip, state):
        other, other_energy, other_problems = problem.solve(level, lambda step: on_step(total + step, 2 * total))
        # The estimated gravity stays unless the other start is clearly better.
        gain = problem.cost(clip, state, energy) - problem.cost(level, other, other_energy)
        if gain > weights.CLEARLY_BETTER * energy:
            clip, state, problems = level, other, other_problems
    if problem.hovers(clip, state):
        last = starts * total - sum(phase.steps for phase in APPROACH_PHASES)
        state, _energy, problems = problem.run(APPROACH_PHASES, clip, state, lambda step: on_step(last + step, starts * total))
    solved = [
        SolvedPerson(
            body=_body_params(template, person, clip.timestamps, shape.betas(body.shape), body),
            floor=world.floor,
            sigma=_sigma(person, clip.timestamps, problem, body, world),
        )
        for person, shape, problem, body, world in zip(people, shapes, problems, state.people, state.worlds, strict=True)
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
        return self.run(self.phases(clip), clip, ClipState(tuple(self._starts(self.people)), worlds), on_step)

    def run(
        self, phases: Sequence[Phase], clip: ClipEvidence, state: ClipState, on_step: Callable[[int], None]
    ) -> tuple[ClipState, float, list[PersonProblem]]:
        """The state after some phases, from one before; the rest is as of `solve`."""
        energy, done = 0.0, 0
        problems: list[PersonProblem] = []
        for phase in phases:
            if phase.finds_sizes and self._is_near_floor(clip, state):
                continue
            problems = self._problems(clip, state, phase)
            unknown = ((UP, bool(clip.tilt_sigma.any())), (LENS, clip.lens_sigma > 0), (PATH, clip.path_sigma > 0))
            free = [] if phase.is_final or phase.finds_sizes else [part for part, is_unknown in unknown if is_unknown]
            free += [columns for number, view in enumerate(clip.views) for columns in view.sigma.free_columns(number)]
            state, energy = minimise(problems, state, phase.steps, free, lambda step, first=done: on_step(first + step))
            done += phase.steps
        return state, energy, problems

    def may_prefer(self, other: ClipEvidence, clip: ClipEvidence, state: ClipState) -> bool:
        """Whether another start than the clip's, which was solved, may be the better one: whether it nearly is in some of the frames."""
        rows = some_frames(len(clip.timestamps))
        few = replace(self, people=[person.frames(rows) for person in self.people])
        if len(rows) == len(clip.timestamps) or clip.views or not all(person.visible.any() for person in few.people):
            return True
        kept = [np.flatnonzero(np.isin(np.flatnonzero(person.visible), rows)) for person in self.people]
        start = replace(state, people=tuple(body.frames(own) for body, own in zip(state.people, kept, strict=True)))
        here, there = clip.frames(rows), other.frames(rows)
        solved, energy = minimise(few._problems(here, start, PHASES[-1]), start, PHASES[-1].steps, ())
        found, other_energy, _problems = few.solve(there, lambda step: None)
        gain = few.cost(here, solved, energy) - few.cost(there, found, other_energy)
        return gain > 0.5 * weights.CLEARLY_BETTER * energy

    def cost(self, clip: ClipEvidence, state: ClipState, energy: float) -> float:
        """What starts are compared by: nobody who rests hangs in the air, so what is on the ground counts for a start."""
        return energy - weights.SUPPORT_GAIN * self.support(clip, state)

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
            radii = self._skin_radii(posed[number], world) if phase.is_on_skin else radii
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
        first = KNOWN_FLOOR_PHASES if clip.is_floor_known else (*PHASES[:-1], *sizes)
        return (*first, PHASES[-1], *((TOUCH_PHASE,) if clip.keeps_touch else ()))

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

    def hovers(self, clip: ClipEvidence, state: ClipState) -> bool:
        """Whether what should touch the ground is so far above it, or in it, that it was let go."""
        shares: list[float] = []
        for person, shape, body, world in zip(self.people, self.shapes, state.people, state.worlds, strict=True):
            points, times = pose_points(shape, body), clip.timestamps[person.visible]
            radii = self._skin_radii(points, world)
            shares.append(share_off_ground(points, world, radii, times, person.soles))
        return max(shares) > HOVERING

    def _skin_radii(self, points: PosedPoints, world: World) -> FloatArray:
        """How high (F,K) m each of GROUND_ROWS is on the ground; the start's girth: joints in motion do not show it."""
        return ground_skin(self.template, points.shape.start).radii(points.rotations, world.up)


def some_frames(count: int) -> IntArray:
    """The rows of BLOCKS of consecutive frames, spread over `count` frames; all of them in a short clip."""
    if count <= 2 * BLOCKS * BLOCK_FRAMES:
        return np.arange(count)
    firsts = np.linspace(0, count - BLOCK_FRAMES, BLOCKS).round().astype(int)
    return (firsts[:, None] + np.arange(BLOCK_FRAMES)).ravel()


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
    if person.keypoint_sigma is None:
        noise = noise_factor * keypoint_noise(rays, visibility, times)
    else:
        noise = person.keypoint_sigma[seen] / clip.intrinsics[0, 0]
    sigma = np.hypot(weights.KEYPOINT_SIGMA / distance[:, None], noise)
    used = [row for row in range(len(H36M17)) if visibility[:, row].any()]
    residuals: list[Residual] = [
        Reprojection(SEEN_ROWS[used], rays[:, used], (visibility * frame_weights[:, None])[:, used], sigma[:, used], centres),
        LiftedBones(
            lifted_bones(person.lifted[seen].astype(float), posed.markers),
            bone_precision(None if person.spread is None else person.spread[seen], sight, bone_factor)
            * (frame_weights[:, None] * trust.bones)[..., None, None],
        ),
        PosePrior(start.rotmats[:, list(MOVING)], frame_weights[:, None] * trust.rotations),
        ShapePrior(_prior_weight(frame_weights), weights.SHARED_FLOOR_STATURE_SIGMA if person.is_size_shared else None),
        *residuals_of_feet(person.feet, clip, seen, distance, trust.feet * frame_weights[:, None], centres),
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
    hovering = hovering_support(points, world, radii, times, person.soles) if phase.approaches else np.zeros_like(touching)
    touching = np.maximum(touching, hovering)
    sigmas = height_sigmas(phase, finds_sizes, max(world.floor, 1.0))
    on_ground = touching * frame_weights[:, None] * (weights.KNOWN_FLOOR_FACTOR if clip.is_floor_known and is_final else 1.0)
    residuals: list[Residual] = [
        Heights(
            GROUND_ROWS,
            radii,
            on_ground if is_final or finds_sizes else count_once(touching, frame_weights, weights.FOOTHOLD_FRAMES),
            sigmas[0],
            frame_weights,
            sigmas[1],
            not is_final,
            outliers_of_approach(hovering) if phase.approaches else weights.SOLE_OUTLIER,
        ),
        *([KnownFloor(clip.floor)] if clip.is_floor_known else []),
        WorldPrior(clip.up, clip.tilt_sigma, clip.lens_sigma or 1.0, clip.path_sigma or 1.0, _prior_weight(frame_weights)),
        StandingKnees(standing_legs(touching, points.state.pelvis, times) * frame_weights[:, None]),
    ]
    if is_final and not phase.approaches:  # which moves what rests
        places, resting = resting_places(points.rows[:, GROUND_ROWS], touching, times)
        residuals.append(ContactPlace(GROUND_ROWS, places, resting * frame_weights[:, None]))
        residuals.append(find_balance(points, world.up, touching, times, frame_weights))
    if len(times) > 1:
        holding = np.minimum(touching[1:], touching[:-1]) * np.minimum(frame_weights[1:], frame_weights[:-1])[:, None]
        residuals.append(ContactSpeed(GROUND_ROWS, durations, holding, person.soles.outliers(len(GROUND_ROWS))))
    return residuals


def standing_legs(touching: FloatArray, pelvis: FloatArray, times: FloatArray) -> FloatArray:
    """Weights (F,2) of legs that are nearly straight: those on whose foot the body stands, and more where it stands still.

    Args:
        touching: (F,K), weights of GROUND_ROWS in contact, soles first. pelvis: (F,3) m. times: (F,) s.
    """
    speed = point_speeds(pelvis[:, None], times, camera=np.zeros(3))
    still = np.exp(-((speed / weights.STILL_SPEED) ** 2))
    return touching[:, : len(SOLE_ROWS)].reshape(-1, 2, 2).max(2) * (1 + (weights.STILL_FACTOR - 1) * still)


def _prior_weight(frame_weights: FloatArray) -> float:
    """How often a prior of the whole clip counts: the frames of PRIOR_FRAMES repeat each other's errors, and weigh as one."""
    return max(1.0, float(frame_weights.sum()) / weights.PRIOR_FRAMES)


def _frame_weights(times: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weights (F,) of frames, their durations in frames of 1/30 s, and the intervals (F-1,) s between them."""
    if len(times) < 2:
        return np.ones(len(times)), np.zeros(0)
    durations = np.maximum(np.diff(times), 1e-4)
    return np.clip(np.gradient(times) * weights.REFERENCE_RATE, 1e-3, weights.MAX_FRAME_WEIGHT), durations
