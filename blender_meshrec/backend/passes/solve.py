"""The whole-clip solve of all people, and the refiners of their bodies before it."""

from dataclasses import replace

import numpy as np

from ...core.array_types import FloatArray
from ...core.cameras import points_on_rays, rays_from_pixels
from ...core.contacts import detect_contacts
from ...core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from ..clip import Clip, Person
from ..corrections import with_corrections
from ..fitting.camera_space import with_focal_length
from ..fitting.clip_solve.foot_keypoints import foot_keypoints
from ..fitting.clip_solve.solve_clip import LEVEL, ClipEvidence, PersonEvidence, solve_clip, through_lens, world_from_up
from ..fitting.clip_solve.uncertainty import certainty
from ..fitting.feet_in_reach import lowest_ankles, within_reach
from ..fitting.tilt_from_lines import contradicts
from ..moving_camera import camera_path_in_world, has_camera_path, moved_body
from ..refiners import silhouette_refiner, twist_refiner  # noqa: F401 - register themselves
from ..registry import refiners_of_stage
from .balance import straightened
from .known_camera import is_floor_known, world_after_solve
from .posed import body_in_world, keep_known_shape, known_contacts, posed_legs
from .start import ANKLES
from .views import evidence_of_views, has_calibration, has_views, person_in_views, take_solved_views


def refine_bodies(clip: Clip) -> None:
    """Improve each body by the requested refiners, one refiner after another."""
    for name, refine in refiners_of_stage("body", clip.refiners).items():
        for person in clip.people:
            person.refined[name] = refine(person, clip)
    for person in clip.people:
        keep_known_shape(person, clip.template)


def sigma_of_lens(clip: Clip) -> float:
    """How free the focal length is in the solve, of its logarithm; 0 where something tells it, or a camera's path was found for it."""
    return clip.lens_sigma if clip.lens_source == "solved" and not has_camera_path(clip) else 0.0


def solve_clip_of_people(clip: Clip) -> None:
    """Solve all frames of all people, and the world they share, at once (fitting/clip_solve)."""
    up = clip.world_from_camera[2, :3]
    evidence = [with_corrections(evidence_of_person(person, clip), person, clip) for person in clip.people]
    shared = ClipEvidence(
        clip.intrinsics, clip.view_size, clip.motion_times, up, float(clip.world_from_camera[2, 3]), clip.tilt_sigma,
        sigma_of_lens(clip),
        centres=clip.places if has_camera_path(clip) else None,
        path_sigma=0.0 if clip.path_scale is None else clip.path_scale.solve_sigma,
        is_floor_known=is_floor_known(clip),
        views=evidence_of_views(clip),
        may_be_level=clip.map_floor is None and (clip.edges is None or not contradicts(clip.edges, up, LEVEL)),
        keeps_touch=clip.request.keep_touch and len(clip.people) > 1,
    )  # fmt: skip
    if clip.known_camera is None and not has_views(clip):
        evidence = [straightened(clip.template, known, shared) for known in evidence]
    solved, world = solve_clip(clip.template, evidence, shared, clip.request.smoothing, clip.stages.count)
    take_solved_views(clip, world.views)
    places = clip.places
    if clip.path_scale is not None:
        clip.path_scale = replace(clip.path_scale, scale=clip.path_scale.scale * float(np.exp(world.growth)))
    for person, known, result in zip(clip.people, evidence, solved, strict=True):
        person.start = moved_body(through_lens(known, clip.template, world.zoom, places, clip.places).body, -clip.places)
        person.fit = replace(
            person.fit, body=moved_body(result.body, -clip.places), confidence=person.fit.confidence * certainty(result.sigma)
        )
        person.sigma = result.sigma
        keep_known_shape(person, clip.template)
        person.camera_space = with_focal_length(person.camera_space, world.zoom)
    if clip.camera_from_view is not None:  # the background moves as far in the picture as before
        clip.camera_from_view = rotmat_from_rotvec(rotvec_from_rotmat(clip.camera_from_view) * np.exp(-world.zoom))
    clip.intrinsics = clip.intrinsics * [[np.exp(world.zoom), 1, 1], [1, np.exp(world.zoom), 1], [1, 1, 1]]
    if clip.known_camera is None:
        clip.world_from_camera = world_from_up(world.up, world.floor)
    else:
        clip.world_from_camera = world_after_solve(clip, world.floor)


def evidence_of_person(person: Person, clip: Clip) -> PersonEvidence:
    """What is known of a person before the solve."""
    has_open_size = is_floor_known(clip) or has_calibration(clip) or person.stands_with_others
    return PersonEvidence(
        moved_body(person.fit.body, clip.places),
        keypoints_of_solve(person, clip),
        np.asarray(person.estimate.joints, float),
        contacts_of_solve(person, clip),
        person.steady.visible,
        is_shape_known=person.known.betas is not None,
        certain=known_contacts(person, clip),
        spread=person.estimate.spread,
        views=person_in_views(person),
        is_size_open=has_open_size and person.betas is None,
        shares_floor=person.stands_with_others,
        feet=feet_of_solve(person, clip),
        # Feet, and keypoints that nobody has corrected, are where the detector sees them.
        foot_set=person.steady.keypoint_set if person.steady.joints is None or is_floor_known(clip) else "h36m17",
        keypoint_sigma=person.steady.joint_sigma,
    )


def keypoints_of_solve(person: Person, clip: Clip) -> FloatArray:
    """The keypoints (F,17,3) px and confidence that the solve fits, h36m17."""
    keypoints = person.steady.joint_points
    if feet_of_solve(person, clip) is not None:
        keypoints[:, ANKLES, 2] = 0.0  # they are among the feet
    return keypoints


def feet_of_solve(person: Person, clip: Clip) -> FloatArray | None:
    """FOOT_POINTS (F,6,3) px and confidence where the floor is known, else None."""
    return foot_keypoints(person.steady.keypoints, person.steady.keypoint_set) if is_floor_known(clip) else None


def contacts_of_solve(person: Person, clip: Clip) -> FloatArray:
    """The `start_contacts` of feet that reach the floor, and those that the network expects in short gaps, in which nothing is seen."""
    contacts, expected = start_contacts(person, clip) * reach_of_feet(person, clip), person.estimate.contacts
    in_gap = np.asarray(person.steady.visible & ~person.observations.visible)
    if expected is None or not clip.request.contacts:
        return contacts
    return np.where(in_gap[:, None], np.asarray(expected, float), contacts)


def reach_of_feet(person: Person, clip: Clip) -> FloatArray:
    """Factors (F,4) of contacts: small for feet that are seen where no leg reaches down to the other foot."""
    legs = posed_legs(clip.template, moved_body(person.fit.body, clip.places)).joints
    length = float(np.median(np.linalg.norm(np.diff(legs[:, :, :3], axis=2), axis=-1).sum(-1)))
    ankles = person.steady.joint_points[:, ANKLES, :2]
    sight = points_on_rays(rays_from_pixels(ankles, clip.intrinsics), np.ones(ankles.shape[:2]))
    up = clip.world_from_camera[2, :3]
    lowest = lowest_ankles(legs[:, :, 0], sight, clip.places, up, length)
    return within_reach(np.where(person.ankles_seen, lowest, np.nan), (legs[:, :, 2] @ up).min(1))


def start_contacts(person: Person, clip: Clip) -> FloatArray:
    """Probabilities (F,4) that soles touch the ground, 0 where the foot is not in view."""
    if not clip.request.contacts:
        return np.zeros((len(clip.frames), 4))
    seen = np.repeat(person.ankles_seen, 2, axis=1)
    if person.estimate.contacts is not None:
        contacts = np.asarray(person.estimate.contacts, float)
        return np.where(seen, contacts, 0.0)
    root = clip.template.rest_joints(person.fit.body.betas)[0]
    points = posed_legs(clip.template, body_in_world(person.fit.body, root, clip)).points
    return detect_contacts(points, clip.motion_times, seen, camera_path_in_world(clip))
