"""From footage to motion: the list of passes, in the order of the papers' figures.

    footage -> observations -> joints -> camera space -> body -> world -> shape -> solve -> contacts -> recovery (-> SKEL, calibrated mesh)

Skeleton2Mesh's pose branch is "estimate" (lifting) and "fit body" (DIK), its shape branch "refine shape"; PC-HMR's two streams are
estimators, and "calibrate" joins them. The passes in between are ours: those up to "stand up" make a start, from which "solve" finds all
frames, all people and the world they share at once; "contacts" then holds feet exactly still.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ..bodies.make_body import make_body
from ..bridge.messages import ReconstructRequest, Result
from ..core.errors import InputError
from ..core.files.open_body_details import load_body_of_start
from ..core.quality_levels import chosen_refiners
from ..core.skeleton_choice import wants_skel
from . import moving_camera, quality
from .clip import Clip, OnProgress, Person, Stages
from .devices import choose_device
from .doubtful import choose_undoubted, leave_out_unexplained, leaves_out
from .held_gaps import say_held_gaps
from .known_camera import camera_of_frames, read_known_camera
from .known_people import read_known_people, unused_values
from .left_out_frames import fill_in_left_out_frames, has_left_out_frames
from .lens import choose_lens
from .lifting.leg_sides import give_legs_their_sides
from .lifting.playing_speed import find_playing_speed
from .motion_input import is_motion_file, recover_motion
from .passes import camera, feet, held, recoveries, shots, solve, solve_again, start, texture, unseen_legs, views
from .people_list import apply_people_list, find_people, result_of_people, with_doubts
from .refiners.skel_conversion import check_skel_refiners, load_skel_body
from .report import build_report
from .still_contacts import see_contacts_from_still_places
from .tracking.detect_and_track import TrackingResult, detect_and_track, say_jumps
from .views.open_views import open_joined_views, read_cameras


@dataclass(frozen=True)
class Pass:
    """A step over all people of a clip. stage: the name under which it is timed and shown; None if it names its own stages."""

    stage: str | None
    run: Callable[[Clip], None]
    needed: Callable[[Clip], bool] = lambda clip: True


def both(first: Callable[[Clip], bool], second: Callable[[Clip], bool]) -> Callable[[Clip], bool]:
    """Whether a clip fulfils two conditions."""
    return lambda clip: first(clip) and second(clip)


def is_solved_anew(clip: Clip) -> bool:
    """Whether the whole clip is solved, not only the ranges that an artist has corrected."""
    return not solve_again.has_earlier(clip)


def has_unknown_camera(clip: Clip) -> bool:
    """Whether nobody told where the camera was."""
    return clip.known_camera is None


LIFT = (
    Pass("estimate", start.lift_keypoints),
    Pass("estimate", start.find_joints_in_picture, needed=views.has_one_view),
    Pass("estimate", start.lift_joints_in_picture, needed=both(views.has_one_view, start.is_lifted)),
)
TO_WORLD = (
    Pass("place", start.solve_joints_in_camera_space),
    Pass("fit body", start.fit_bodies),
    Pass(None, moving_camera.scale_camera_path, needed=moving_camera.has_unscaled_path),
    Pass("estimate", see_contacts_from_still_places, needed=moving_camera.has_camera_path),
    Pass(None, moving_camera.scale_camera_path, needed=moving_camera.has_unscaled_path),  # by these contacts
    Pass("stand up", start.estimate_world),
    Pass("stand up", camera.stand_on_map_floor, needed=moving_camera.has_unscaled_path),
    Pass("estimate", see_contacts_from_still_places, needed=moving_camera.has_unscaled_path),
)
CAMERA = (
    Pass("camera", camera.solve_camera_of_clip, needed=views.has_one_view),
    Pass("camera", views.look_at_cameras, needed=views.has_views),
)
TO_RECOVERY = (
    Pass("camera", start.look_at_perpendicular_edges, needed=both(views.has_one_view, has_unknown_camera)),
    Pass("estimate", give_legs_their_sides, needed=both(views.has_one_view, start.is_lifted)),
    Pass("estimate", find_playing_speed, needed=both(views.has_one_view, start.has_unknown_speed)),
    *LIFT,
    Pass("estimate", views.lift_views, needed=views.has_views),
    Pass("join views", views.join_views_of_clip, needed=views.has_views),
    *TO_WORLD,
    Pass("stand up", start.look_through_long_lens, needed=both(views.has_one_view, has_unknown_camera)),
    *(replace(step, needed=both(start.has_long_lens, step.needed)) for step in (*LIFT, *TO_WORLD)),
    Pass("stand up", start.scale_people_to_floor, needed=views.has_one_view),
    *(replace(step, needed=both(start.is_rescaled, step.needed)) for step in TO_WORLD),
    Pass("stand up", start.level_floor_of_people, needed=start.stand_together),
    Pass("refine shape", solve.refine_bodies, needed=is_solved_anew),
    Pass("solve", solve.solve_clip_of_people, needed=is_solved_anew),
    Pass("contacts", feet.lock_feet_of_people, needed=is_solved_anew),
    Pass("contacts", held.stand_held_people, needed=both(is_solved_anew, has_unknown_camera)),
    Pass("solve", solve_again.solve_corrected_ranges, needed=solve_again.has_earlier),
    Pass(None, unseen_legs.hold_unseen_legs, needed=views.has_one_view),
    Pass(None, recoveries.make_recoveries),
)
TO_SKEL = (
    Pass("convert to SKEL", recoveries.convert_people_to_skel, needed=recoveries.wants_skel),
    Pass(None, recoveries.refine_skel, needed=recoveries.wants_skel),
)
GENERATED = (Pass(None, recoveries.bring_generated_meshes_to_world, needed=recoveries.has_generated_meshes),)
AFTERWARDS = (
    Pass("check the result", quality.judge_people),
    Pass("check the result", say_held_gaps),
    Pass(None, leave_out_unexplained, needed=lambda clip: leaves_out(clip.request) and not clip.is_listed),
    Pass("texture", texture.paint_people, needed=texture.wants_texture),
    Pass("fill in frames", fill_in_left_out_frames, needed=has_left_out_frames),
    Pass("fill in frames", solve_again.keep_left_out_frames, needed=both(has_left_out_frames, solve_again.has_earlier)),
    Pass(None, recoveries.resample_people, needed=recoveries.is_resampled),
    Pass("calibrate", recoveries.calibrate_meshes, needed=recoveries.has_generated_meshes),
)
# Of a clip without cuts; of another, each shot runs TO_RECOVERY by itself.
PASSES = (*CAMERA, *TO_RECOVERY, *TO_SKEL, *GENERATED, *AFTERWARDS)


def recover(request: ReconstructRequest, on_progress: OnProgress = lambda progress: None) -> Result:
    """Reconstruct the people of one piece of footage.

    Args:
        on_progress: called with Progress; an exception from it ends the reconstruction.

    Returns:
        a Recovery for each chosen person, in one shared world, and the report.

    Raises:
        MeshRecError: its class and exit code give the reason.
    """
    check_skel_refiners(chosen_refiners(request.refine, request.quality), "skel" if wants_skel(request) else "smpl")
    if is_motion_file(request.source):
        chosen_people(request.person, (1,))
        return recover_motion(request, on_progress)
    if request.only_find:
        return find_people(request, on_progress)
    clip, tracked = open_clip(request, on_progress)
    run(CAMERA, clip)
    if shots.has_shots(clip):
        shots.solve_shots(clip, partial(run, (*TO_RECOVERY, *GENERATED)))
        run((*TO_SKEL, *AFTERWARDS), clip)
    else:
        run(PASSES[len(CAMERA) :], clip)
    report = build_report(clip, tracked)
    recoveries, numbers = tuple(person.recovery for person in clip.people), [person.number for person in clip.people]
    result = result_of_people(with_doubts(tracked, clip.left_out), report, recoveries, numbers)
    return replace(result, textures=tuple(person.texture for person in clip.people)) if texture.wants_texture(clip) else result


def run(passes: Sequence[Pass], clip: Clip) -> None:
    """Run those of some passes that a clip needs, one after another."""
    for step in passes:
        if not step.needed(clip):
            continue
        if step.stage is None:
            step.run(clip)
        else:
            with clip.stages(step.stage):
                step.run(clip)


def open_clip(request: ReconstructRequest, on_progress: OnProgress) -> tuple[Clip, TrackingResult]:
    """Load the models, detect and track everybody, and choose the people to reconstruct."""
    stages = Stages(on_progress)
    with stages("load models"):
        device = choose_device(request.device)
        body = make_body(load_body_of_start(request.body, request.start_shape), device)
        skel = load_skel_body(request.skel_body, device) if wants_skel(request) else None
    known, known_camera = read_known_people(request, body.template), read_known_camera(request)
    calibration = read_cameras(request)
    tracked = apply_people_list(request, detect_and_track(request, on_progress))
    stages.seconds.update(tracked.seconds)
    numbers, left_out = choose_undoubted(request, tracked, chosen_people(request.person, tracked.person_numbers))
    places = [tracked.person_numbers.index(number) for number in numbers]
    people = [Person(n, tracked.people[place], known(n, n == numbers[0]), place=place) for n, place in zip(numbers, places, strict=True)]
    warnings = [*tracked.warnings, *say_jumps(tracked, request.source), *unused_values(request, numbers, max(tracked.person_numbers))]
    lens = choose_lens(request, tracked.frames)
    joined = open_joined_views(request, tracked, calibration, warnings, on_progress)
    if joined is not None:
        for person in people:
            person.observations = person.steady = joined.views[0].people[person.place]
    filming = None if known_camera is None else camera_of_frames(known_camera, request, tracked.frames, tracked.looked_at.rows)
    return Clip(
        request,
        stages,
        device,
        body,
        skel,
        tracked.frames,
        tracked.looked_at,
        lens.intrinsics,
        people,
        warnings if filming is None else [*warnings, *filming.warnings],
        tracked.background,
        tracked.tracks,
        tracked.lines,
        lens_sigma=lens.sigma,
        lens_source=lens.source,
        known_camera=None if filming is None else filming.camera,
        known_key=None if filming is None else filming.first_key,
        joined=joined,
        tracked_people=tracked.people,
        left_out=left_out,
        is_listed=bool(tracked.numbers),
        jumps=tracked.jumps,
    ), tracked


def chosen_people(person: str, numbers: Sequence[int]) -> list[int]:
    """The numbers, from 1, of the people that "largest", "all" or a number selects among those found. Raises InputError."""
    if person == "all":
        return list(numbers)
    if person != "largest" and not person.isdecimal():
        raise InputError("person-choice-unknown", "{person} is no person.", "Choose largest, all, or a number from 1.", person=person)
    number, found = numbers[0] if person == "largest" else int(person), len(numbers)
    if number in numbers:
        return [number]
    if tuple(numbers) != tuple(range(1, found + 1)):
        problem, remedy = "There is no person {number} in the list of people.", "Choose one of its people who are seen: {people}."
        raise InputError("person-number-unlisted", problem, remedy, number=number, people=tuple(numbers))
    remedy = "Choose a person from 1 to {found}, or all."
    if found == 1:
        raise InputError("person-number-of-one", "There is no person {number}: only one person was found.", remedy, number=number, found=1)
    problem = "There is no person {number}: {found} people were found."
    raise InputError("person-number-too-high", problem, remedy, number=number, found=found)
