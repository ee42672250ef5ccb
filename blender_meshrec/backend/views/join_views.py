"""Join several views of one scene: their clocks, who is who, their cameras, and everybody's joints."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.cameras import invert_rigid_transform, transform_points
from ...core.errors import InputError
from ..fitting.clip_solve.view_residuals import ViewSigma
from .footage_views import View
from .joint_adjustment import DELAY, LEAN, LEAN_SIGMA, NUM_UNKNOWNS, SHIFT, TURN, ZOOM, CameraPrior, Cameras, Moments, solve_joints
from .matching import MAX_DISTANCE, match_people, median_cost
from .moments import choose_moments, moments_of_person, single_view_points, triangulated
from .self_calibration import FREE_SHIFT, FREE_TURN, ROUNDS, PairFit, adjust_with_lengths, are_of_one_kind, fit_pair, zoomed_intrinsics
from .synchronisation import Clock, find_clocks
from .view_samples import SightLines, ViewSamples, lifted_length, merge_samples, sample_view, sight_lines

# How exact a given calibration is taken to be, rad and m: tripods are touched, and pictures cropped.
GIVEN_TURN, GIVEN_SHIFT = np.radians(0.5), 0.01
SAMPLING_ROUNDS = 4  # of sampling the other views at the clocks that the last round found
SAME_CLOCK = 0.001  # s
JOINT_ROUNDS = 3  # of solving joints, each with the lengths and errors that the one before found
PAIRED_PEOPLE = 3  # the largest of each view, of whom a pair of views is calibrated


@dataclass(frozen=True)
class JoinedPerson:
    """One of the first view's people in all V views.

    samples: what each view shows of them at the first view's F times. points: (F,17,3) m in the first view's axes. visible: (F,), in any
    view; views_seen: (F,), in how many.
    """

    samples: tuple[ViewSamples, ...]
    points: FloatArray
    visible: BoolArray
    views_seen: FloatArray


@dataclass
class JoinedViews:
    """The views of a clip, the first of which is the clip's own.

    is_given: whether the cameras are from a calibration. sigma: (V,11) of joint_adjustment.py, how well cameras and clocks are known.
    people: those of the first view, in its order.
    """

    views: list[View]
    is_given: bool
    sigma: FloatArray = field(default_factory=lambda: np.zeros((0, NUM_UNKNOWNS)))
    people: list[JoinedPerson] = field(default_factory=list)

    def solve_sigma(self, number: int) -> ViewSigma:
        """How well the camera of a view is known before the whole-clip solve."""
        if self.is_given:
            return ViewSigma(GIVEN_TURN, GIVEN_SHIFT)
        turn, shift = float(self.sigma[number, TURN].max()), float(self.sigma[number, SHIFT].max())
        return ViewSigma(float(np.clip(turn, 0.002, 0.1)), float(np.clip(shift, 0.005, 0.3)))

    def scaled(self, factor: float) -> None:
        """Make the whole scene larger by a factor."""
        for view in self.views:
            view.view_from_first = view.view_from_first.copy()
            view.view_from_first[:3, 3] *= factor
        self.people = [replace(person, points=person.points * factor) for person in self.people]
        self.sigma = self.sigma * np.where(np.arange(NUM_UNKNOWNS) // 3 == 1, factor, 1.0)


def join_views(joined: JoinedViews) -> None:
    """Find clocks, cameras and who is who, and solve everybody's joints; the views' estimates are made.

    Raises:
        InputError: a view and the first one have nobody in common.
    """
    views = joined.views
    clocks = find_clocks(views)
    for view, clock in zip(views, clocks, strict=True):
        view.delay, view.clock = clock.delay, clock.source
    _place_cameras(joined, clocks)
    _match(views)
    prior = _prior(joined, clocks)
    cameras = replace(prior.cameras, zoom=np.array([view.zoom for view in views]))
    for _ in range(SAMPLING_ROUNDS):
        people = [samples for samples in _samples_of_people(views) if sum(bool(view.visible.any()) for view in samples) > 1]
        joined.sigma, found = _adjust(joined, people, prior, cameras)
        for view, delay in zip(views, found.delay, strict=True):
            view.delay += float(delay)
        cameras = replace(found, delay=np.zeros(len(views)))
        if np.abs(found.delay).max() < SAME_CLOCK:
            break
    for view, matrix, zoom in zip(views, cameras.matrices, cameras.zoom, strict=True):
        view.view_from_first = matrix
        view.intrinsics = zoomed_intrinsics(view.intrinsics, zoom)
    cameras = replace(cameras, zoom=np.zeros(len(views)))
    joined.people = [_joined_person(views, samples, cameras, joined.is_given) for samples in _samples_of_people(views)]


def _place_cameras(joined: JoinedViews, clocks: Sequence[Clock]) -> None:
    """Set where the views' cameras are to the first one's, to begin with."""
    first = joined.views[0]
    zooms: list[float] = []
    for number, view in enumerate(joined.views[1:], 1):
        if joined.is_given and view.camera_from_world is not None and first.camera_from_world is not None:
            view.view_from_first = view.camera_from_world @ invert_rigid_transform(first.camera_from_world)
            continue
        fit = _best_pair(first, view, clocks[number])
        if fit is None:
            raise _nobody_in_common(view)
        view.view_from_first, view.delay = fit.view_from_first, view.delay + fit.delay
        view.zoom = fit.zoom[1]
        zooms.append(fit.zoom[0])
    first.zoom = float(np.mean(zooms)) if zooms else 0.0


def _best_pair(first: View, view: View, clock: Clock) -> PairFit | None:
    """The calibration of two views by the two people with whom most of the others agree."""
    times = first.frames.timestamps
    lens_sigma = np.array([first.lens_sigma, view.lens_sigma])
    fits: list[PairFit] = []
    for a in range(min(len(first.people), PAIRED_PEOPLE)):
        for b in range(min(len(view.people), PAIRED_PEOPLE)):
            samples = [_track_samples(first, a, times), _track_samples(view, b, times)]
            views = [first.intrinsics, view.intrinsics], [first.size, view.size]
            fit = fit_pair(samples, *views, times, lens_sigma, clock.sigma)
            if fit is not None:
                fits.append(fit)
    return min(fits, key=lambda fit: _disagreement(first, view, fit), default=None)


def _disagreement(first: View, view: View, fit: PairFit) -> float:
    """How far apart the people of two views are behind a calibration, as a share of MAX_DISTANCE; large ones count most."""
    times = first.frames.timestamps
    tracks = [_track_samples(replace(view, delay=view.delay + fit.delay), number, times) for number in range(len(view.people))]
    others = [sight_lines(track, zoomed_intrinsics(view.intrinsics, fit.zoom[1]), view.size, times) for track in tracks]
    total, weights = 0.0, 0.0
    for number, person in enumerate(first.people):
        own = sight_lines(_track_samples(first, number, times), zoomed_intrinsics(first.intrinsics, fit.zoom[0]), first.size, times)
        costs = [cost for cost in (median_cost(own, other, fit.view_from_first) for other in others) if np.isfinite(cost)]
        weight = float(person.median_area * person.visible.sum())
        total += weight * min(*costs, MAX_DISTANCE, MAX_DISTANCE) / MAX_DISTANCE
        weights += weight
    return total / max(weights, 1e-9)


def _nobody_in_common(view: View) -> InputError:
    return InputError(
        "views-without-common-person",
        "{name} shows nobody whom the first view shows at the same time, so that they cannot be joined.",
        "Give views of one scene at one time, or reconstruct the views on their own.",
        name=view.name,
    )


def _track_samples(view: View, track: int, times: FloatArray) -> ViewSamples:
    """One track of a view at the first view's times (F,) s."""
    return sample_view(view.people[track], view.estimates[track], view.frames.timestamps, times + view.delay)


def _match(views: Sequence[View]) -> None:
    """Set which of each view's tracks show which of the first view's people."""
    times = views[0].frames.timestamps
    views[0].persons = [(number,) for number in range(len(views[0].people))]

    def lines(view: View, samples: ViewSamples) -> SightLines:
        return sight_lines(samples, zoomed_intrinsics(view.intrinsics, view.zoom), view.size, times)

    known: list[list[tuple[SightLines, FloatArray]]] = [
        [(lines(views[0], _track_samples(views[0], number, times)), np.eye(4))] for (number,) in views[0].persons
    ]
    for view in views[1:]:
        tracks = [_track_samples(view, number, times) for number in range(len(view.people))]
        view.persons = match_people(known, [lines(view, track) for track in tracks], view.view_from_first)
        if not any(view.persons):
            raise _nobody_in_common(view)
        for person, own in zip(known, view.persons, strict=True):
            if own:
                person.append((lines(view, merge_samples([tracks[number] for number in own])), view.view_from_first))


def _samples_of_people(views: Sequence[View]) -> list[list[ViewSamples]]:
    """What each view shows of each of the first view's people."""
    times = views[0].frames.timestamps
    empty = ViewSamples(np.zeros((len(times), 17, 3)), np.zeros(len(times), bool), np.zeros((len(times), 17, 3)))
    return [
        [merge_samples([_track_samples(view, track, times) for track in view.persons[number]] or [empty]) for view in views]
        for number in range(len(views[0].people))
    ]


def _prior(joined: JoinedViews, clocks: Sequence[Clock]) -> CameraPrior:
    """What is known of the cameras before the adjustment of all people in all views."""
    sigma = np.zeros((len(joined.views), NUM_UNKNOWNS))
    sigma[1:, TURN], sigma[1:, SHIFT] = (GIVEN_TURN, GIVEN_SHIFT) if joined.is_given else (FREE_TURN, FREE_SHIFT)
    sigma[:, LEAN] = LEAN_SIGMA
    sigma[:, ZOOM] = [[view.lens_sigma] for view in joined.views]
    sigma[1:, DELAY] = [[clock.sigma] for clock in clocks[1:]]
    placed = Cameras.placed(np.stack([view.view_from_first for view in joined.views]))
    return CameraPrior(placed, sigma, lens_groups=_lens_groups(joined.views))


def _lens_groups(views: Sequence[View]) -> list[list[int]]:
    """The views whose lenses are not known and probably of one kind."""
    groups: list[list[int]] = []
    for number, view in enumerate(views):
        for group in groups:
            first = views[group[0]]
            if are_of_one_kind([first.size, view.size], np.array([first.lens_sigma, view.lens_sigma])):
                group.append(number)
                break
        else:
            groups.append([number])
    return [group for group in groups if len(group) > 1]


def _moments(views: Sequence[View], samples: Sequence[ViewSamples]) -> Moments:
    times = views[0].frames.timestamps
    return moments_of_person(samples, [view.intrinsics for view in views], [view.size for view in views], times, lifted_length(samples))


def _adjust(joined: JoinedViews, people: Sequence[Sequence[ViewSamples]], prior: CameraPrior, start: Cameras) -> tuple[FloatArray, Cameras]:
    """The cameras, adjusted to some moments of all people, and their sigma (V,11)."""
    moments, owners, rows = choose_moments([_moments(joined.views, samples) for samples in people])
    if not len(moments):
        raise _nobody_in_common(joined.views[1])
    points = np.concatenate([_start_points(joined.views, samples, start)[own] for samples, own in zip(people, rows, strict=True)])
    points = triangulated(moments, start, points)
    adjusted, _moments_after = adjust_with_lengths(moments, owners, points, replace(prior, start=start), ROUNDS, joined.is_given)
    return adjusted.sigma, adjusted.cameras


def _start_points(views: Sequence[View], samples: Sequence[ViewSamples], cameras: Cameras) -> FloatArray:
    """Joints (F,17,3) m by each view alone, in the mean over the views that show the person, in the first one's axes."""
    times = views[0].frames.timestamps
    total, count = np.zeros((len(times), 17, 3)), np.zeros((len(times), 1, 1))
    for view, own, matrix in zip(views, samples, cameras.matrices, strict=True):
        points = single_view_points(own, sight_lines(own, view.intrinsics, view.size, times))
        total += transform_points(invert_rigid_transform(matrix), points) * own.visible[:, None, None]
        count += own.visible[:, None, None]
    return total / np.maximum(count, 1)


def _joined_person(views: Sequence[View], samples: Sequence[ViewSamples], cameras: Cameras, is_size_seen: bool) -> JoinedPerson:
    """Everything of one person, with the joints of all frames."""
    views_seen = np.sum([view.visible for view in samples], 0).astype(float)
    visible = views_seen > 0
    moments = _moments(views, samples).take(np.flatnonzero(visible))
    points = np.zeros((len(visible), 17, 3))
    start = triangulated(moments, cameras, _start_points(views, samples, cameras)[visible])
    everybody = [views_seen[visible] > 1] if (views_seen > 1).any() else [np.ones(len(moments), bool)]
    for _ in range(JOINT_ROUNDS):
        lengths = moments.with_lengths_of(start, everybody, True).lengths[everybody[0]][0]
        moments = moments.with_lengths(np.tile(lengths, (len(moments), 1)))
        start = solve_joints(moments, start, cameras)
        if is_size_seen:
            moments = moments.with_joint_sigma_of(start, cameras)
    points[visible] = start
    return JoinedPerson(tuple(samples), points, visible, views_seen)
