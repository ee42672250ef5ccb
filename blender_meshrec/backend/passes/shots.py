"""The shots of a clip: each is solved as a clip of its own, with its own camera, lens and gravity, and all are joined to one motion.

The longest shot comes first, and people keep its shape in the others. The shots' worlds are turned about the vertical and moved along the
floor, so that a person goes on behind a cut where and as they stood before it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...core.array_types import FloatArray
from ...core.cameras import invert_rigid_transform, rigid_transform, transform_points
from ...core.records import Observations, Recovery
from ...core.recovery_rows import frame_arrays, join_rows
from ...core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from ...core.skeletons import H36M17
from ..camera.through_lens import through_ideal_lens
from ..clip import Clip, Person
from ..known_people import KnownContacts, KnownPerson
from ..quality import background_left
from .camera import see_steadily
from .solve_again import has_earlier


def has_shots(clip: Clip) -> bool:
    """Whether the clip has several shots, which have to be solved one by one."""
    return clip.known_camera is None and clip.joined is None and len(clip.camera.shots) > 1


def solve_shots(clip: Clip, solve: Callable[[Clip], None]) -> None:
    """Solve each shot that shows somebody by itself, and join the results; solve: makes the recoveries of a clip's people."""
    parts = [clip_of_shot(clip, number) for number in range(len(clip.camera.shots))]
    shapes: dict[int, FloatArray] = {}
    order = sorted(
        (number for number, part in enumerate(parts) if part.people),
        key=lambda number: -sum(int(person.observations.visible.sum()) for person in parts[number].people),
    )
    for part in (parts[number] for number in order):
        for person in part.people:
            if person.number in shapes:
                person.known = replace(person.known, height=None, betas=shapes[person.number])
        see_steadily(part)
        solve(part)
        for person in part.people:
            shapes.setdefault(person.number, np.asarray(person.recovery.betas, float))
    join_shots(clip, parts, order[0])


def clip_of_shot(clip: Clip, number: int) -> Clip:
    """The frames of one shot as a clip, with the people who are in it."""
    shot = clip.camera.shots[number]
    first, last = shot.first, shot.last
    people = [
        Person(person.number, person.observations.between(first, last), known_in_rows(person.known, clip, first, last))
        for person in clip.people
        if person.observations.visible[first:last].any()
    ]
    times = clip.frames.timestamps[first:last]
    part = replace(
        clip,
        frames=replace(clip.frames, timestamps=times - times[0], first=int(clip.frame_numbers[first])),
        looked_at=clip.looked_at.between(first, last),
        people=people,
        warnings=[],
        background=None if clip.background is None else clip.background[first:last],
        tracks=None,
        lines=None if clip.lines is None else clip.lines.rows_from(first, last),
        parts=(),
        jumps=tuple(row - first for row in clip.jumps if first < row < last),
    )
    part.camera = clip.camera.of_shot(number)
    return part


def known_in_rows(known: KnownPerson, clip: Clip, first: int, last: int) -> KnownPerson:
    """What is known of a person, with the contacts of the rows first:last."""
    if known.contacts is None:
        return known
    return replace(
        known, contacts=KnownContacts(known.contacts.name, known.contacts.at(clip.frames.timestamps, clip.looked_at)[first:last], None)
    )


def join_shots(clip: Clip, parts: Sequence[Clip], number: int) -> None:
    """Give the people of a clip the motions of its parts, one a shot, in one world; number: of the part that speaks for all."""
    clip.parts, clip.main_part, main = tuple(parts), number, parts[number]
    clip.warnings += [warning for part in parts for warning in part.warnings]
    ways = [np.eye(4)] * len(parts) if has_earlier(clip) else ways_to_one_world(parts, clip.people)
    clip.intrinsics, clip.lens_sigma, clip.lens_source = main.intrinsics, main.lens_sigma, main.lens_source
    clip.world_from_camera, clip.tilt_sigma, clip.edges = main.world_from_camera, main.tilt_sigma, main.edges
    focal = np.concatenate([part.intrinsics[0, 0] * zoom_of(part) for part in parts])
    clip.zoom = None if np.allclose(focal, main.intrinsics[0, 0], rtol=1e-9) else focal / main.intrinsics[0, 0]
    clip.background = None if clip.background is None else np.concatenate([movement_left(part) for part in parts])
    cameras = cameras_in_one_world(parts, ways)
    for person in clip.people:
        join_person(clip, person, ways, cameras)


def zoom_of(part: Clip) -> FloatArray:
    """The focal length (F,) of each frame over that of the intrinsics."""
    return np.ones(len(part.frames)) if part.zoom is None else part.zoom


def movement_left(part: Clip) -> FloatArray:
    """The movement (F,3) of the background that is not taken out; none where nobody is seen, whose path it could be."""
    left = background_left(part) if part.people else None
    return np.zeros((len(part.frames), 3)) if left is None else left


def join_person(clip: Clip, person: Person, ways: Sequence[FloatArray], cameras: FloatArray) -> None:
    """Give one person the motion of all shots; cameras: camera_from_world (F,4,4)."""
    own = [next((one for one in part.people if one.number == person.number), None) for part in clip.parts]
    main = own[clip.main_part] or max((one for one in own if one is not None), key=lambda one: int(one.observations.visible.sum()))
    person.estimate, person.refined = main.estimate, main.refined
    person.foot_slide = mean_foot_slide([one for one in own if one is not None])
    motions = [None if one is None else one.recovery for one in own]
    person.recovery = fill_recovery(clip, main.recovery, in_one_world(motions, clip, ways), cameras)
    if main.generated is not None:
        meshes = [None if one is None else one.generated for one in own]
        person.generated = fill_recovery(clip, main.generated, in_one_world(meshes, clip, ways), cameras)
    seen = replace(observations_of_shots(clip, person), joints=joints_of_shots(clip, own))
    person.observations = person.steady = seen


def mean_foot_slide(people: Sequence[Person]) -> tuple[float, float]:
    """The foot slide of a person in several shots, before and after locking, by the frames that show them; nan where no foot stood."""
    slides = np.array([one.foot_slide for one in people], float)
    weights = np.array([one.observations.visible.sum() for one in people], float)[:, None] * np.isfinite(slides)
    total = weights.sum(0)
    before, after = (np.nan_to_num(slides) * weights).sum(0) / np.where(total > 0, total, np.nan)
    return float(before), float(after)


def observations_of_shots(clip: Clip, person: Person) -> Observations:
    """What was seen of a person in all shots, through one lens."""
    if clip.zoom is None:
        return person.observations
    filmed = np.tile(clip.intrinsics, (len(clip.frames), 1, 1))
    filmed[:, [0, 1], [0, 1]] *= clip.zoom[:, None]
    return through_ideal_lens(person.observations, filmed, np.zeros(3), clip.intrinsics, np.array(clip.frames.size))


def joints_of_shots(clip: Clip, own: Sequence[Person | None]) -> FloatArray | None:
    """Where a person's joints are in the picture in all shots, (F,17,3) as of Observations, through the lens of `observations_of_shots`.

    own: the person in each shot.
    """
    if all(one is None or one.observations.joints is None for one in own):
        return None
    found: list[FloatArray] = []
    for part, one in zip(clip.parts, own, strict=True):
        joints = np.zeros((len(part.frames), len(H36M17), 3))
        if one is not None and one.observations.joints is not None:
            zoom = clip.intrinsics[0, 0] / part.intrinsics[0, 0]
            pixels = zoom * (one.observations.joints[..., :2] - part.intrinsics[:2, 2]) + clip.intrinsics[:2, 2]
            joints = np.concatenate([pixels, one.observations.joints[..., 2:] * zoom], -1) * one.observations.visible[:, None, None]
        found.append(joints)
    return np.concatenate(found)


def fill_recovery(clip: Clip, main: Recovery, parts: Sequence[Recovery | None], cameras: FloatArray) -> Recovery:
    """One recovery of those of the shots; where a shot does not show the person, they stay as they were."""
    known = [number for number, part in enumerate(parts) if part is not None]
    rows: list[Recovery] = []
    for number, shot in enumerate(clip.parts):
        nearest = min(known, key=lambda other, number=number: (abs(other - number), other))
        part = parts[nearest]
        if part is not None:
            rows.append(part if nearest == number else held_still(part, len(shot.frames), is_before=nearest < number))
    joined = join_rows(rows)
    return replace(
        joined,
        timestamps=clip.frames.timestamps,
        camera_from_world=cameras,
        camera_intrinsics=clip.intrinsics,
        camera_zoom=clip.zoom,
        first_frame=clip.frames.first,
        betas=main.betas,
    )


def held_still(part: Recovery, count: int, is_before: bool) -> Recovery:
    """So many frames of a person who is not seen, as they were in the last frame of a shot before, or in the first of one after."""
    rows: dict[str, Any] = {
        name: np.repeat(values[-1:] if is_before else values[:1], count, axis=0) for name, values in frame_arrays(part).items()
    }
    unseen = {name: np.zeros_like(rows[name]) for name in ("visible", "confidence", "contacts")}
    return replace(part, **{**rows, **unseen})


def in_one_world(parts: Sequence[Recovery | None], clip: Clip, ways: Sequence[FloatArray]) -> list[Recovery | None]:
    """Each shot's recovery of a person after its shot's transform (4,4)."""
    return [None if part is None else in_other_world(part, clip, way) for part, way in zip(parts, ways, strict=True)]


def in_other_world(recovery: Recovery, clip: Clip, way: FloatArray) -> Recovery:
    """A recovery after the rigid transform `way` (4,4); its camera is another matter, and so is its zoom."""
    root = clip.template.rest_joints(recovery.betas)[0]
    orient = rotvec_from_rotmat(way[:3, :3] @ rotmat_from_rotvec(recovery.poses[:, :3].astype(float)))
    return replace(
        recovery,
        poses=np.concatenate([orient, recovery.poses[:, 3:]], 1),
        trans=transform_points(way, recovery.trans.astype(float) + root) - root,
        joints=transform_points(way[None], recovery.joints.astype(float)),
        lifted_joints=transform_points(way[None], recovery.lifted_joints.astype(float)),
        camera_zoom=None,
    )


def cameras_in_one_world(parts: Sequence[Clip], ways: Sequence[FloatArray]) -> FloatArray:
    """camera_from_world (F,4,4) of all shots; of a shot without people nothing is known, and the camera stays where it was last."""
    found: list[FloatArray | None] = [
        part.people[0].recovery.camera_from_world @ invert_rigid_transform(way) if part.people else None
        for part, way in zip(parts, ways, strict=True)
    ]
    known = [k for k, one in enumerate(found) if one is not None]
    joined: list[FloatArray] = []
    for k, part in enumerate(parts):
        nearest = found[min(known, key=lambda other: (abs(other - k), other))]
        one = found[k]
        joined.append(np.repeat(nearest[-1:], len(part.frames), axis=0) if one is None and nearest is not None else np.asarray(one))
    return np.concatenate(joined)


def ways_to_one_world(parts: Sequence[Clip], people: Sequence[Person]) -> list[FloatArray]:
    """The transforms (4,4) of each shot's world to the first one's, with which people go on behind a cut as they were before it."""
    ways: list[FloatArray] = []
    last_seen: dict[int, tuple[FloatArray, FloatArray]] = {}
    order = sorted(people, key=lambda person: -person.observations.visible.sum())
    for part in parts:
        own = {person.number: person for person in part.people}
        way = np.eye(4)
        for number in (person.number for person in order if person.number in last_seen and person.number in own):
            way = way_behind_cut(last_seen[number], stance(own[number], 0))
            break
        ways.append(way)
        for number, person in own.items():
            rotation, pelvis = stance(person, -1)
            last_seen[number] = way[:3, :3] @ rotation, way[:3, :3] @ pelvis + way[:3, 3]
    return ways


def stance(person: Person, row: int) -> tuple[FloatArray, FloatArray]:
    """The pelvis's rotation (3,3) and place (3,) m in the first (0) or last (-1) frame with the person."""
    row = int(np.flatnonzero(person.observations.visible)[row])
    return rotmat_from_rotvec(person.recovery.poses[row, :3].astype(float)), person.recovery.joints[row, 0].astype(float)


def way_behind_cut(before: tuple[FloatArray, FloatArray], after: tuple[FloatArray, FloatArray]) -> FloatArray:
    """The transform (4,4) about the vertical and along the floor that takes the stance after a cut to that before it, of `stance`."""
    turn = after[0] @ before[0].T  # the turn about z with the greatest trace of z-turn times this
    angle = np.arctan2(turn[0, 1] - turn[1, 0], turn[0, 0] + turn[1, 1])
    rotation = rotmat_from_rotvec(np.array([0.0, 0.0, angle]))
    return rigid_transform(rotation, (before[1] - rotation @ after[1]) * [1, 1, 0])
