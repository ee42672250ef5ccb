"""Writing the outputs of a command: in this process where no Blender is needed or it is one, else in a Blender."""

import sys
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..bridge.scene_process import OutputPeople, RetargetTarget, SceneRequest, SceneResult, run_scene_process
from ..core.files.body_template import load_body
from ..core.files.motion_npz import write_motion
from ..core.files.recovery_bvh import write_recovery_bvh
from ..core.files.temporary_folder import scratch_folder
from ..core.format_notes import format_notes
from ..core.messages import Message
from ..core.options import CHARACTER_OPTIONS, ReconstructOptions
from ..core.records import Recovery
from ..core.skel.template import load_skel
from ..core.skeleton_choice import wants_skel
from ..core.time_gaps import recovery_without_gaps
from ..retarget.character_path import split_character_path
from ..retarget.mapping.presets import read_preset
from .surfaces import copied_surfaces
from .textures import written_textures

_WITHOUT_BLENDER = (".npz", ".bvh")


@dataclass(frozen=True)
class OutputSettings:
    """How to write the outputs of one clip.

    body: "open" or the path of an SMPL-family file. preset: blender, unreal or unity. stretch: let the bones of calibrated people
    stretch. blender: path of the Blender that makes scenes, or None. skel: "open" or a SKEL file for scenes with SKEL's skeleton, None
    for SMPL's. retarget_target: the artist's character to retarget to, or None. surfaces: the point cache of each person's exact
    surface, or (). smplh: write motion files in AMASS's widths. pose_shapes: give meshes the pose blend shapes of their body.
    with_camera: write the camera too. textures: the content of each person's texture, a PNG file, or None; () without any. names:
    of people, by number; personN for the others.
    """

    body: str
    preset: str
    stretch: bool
    blender: str | None = None
    skel: str | None = None
    retarget_target: RetargetTarget | None = None
    surfaces: tuple[Path, ...] = ()
    smplh: bool = False
    pose_shapes: bool = False
    with_camera: bool = False
    textures: tuple[bytes | None, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)


def settings_from_options(options: Namespace) -> OutputSettings:
    """The OutputSettings of a command's options, without a character, surfaces, textures and names."""
    return OutputSettings(
        body=options.body,
        preset=options.preset,
        stretch=options.stretch,
        blender=options.blender,
        skel=options.skel_body if wants_skel(options) else None,
        smplh=options.smplh,
        pose_shapes=options.pose_shapes,
        with_camera=options.with_camera,
    )


def retarget_target_from_options(options: Namespace) -> RetargetTarget | None:
    """The RetargetTarget of a command's options; None without --rig.

    Raises:
        InputError: the character's file or the mapping preset cannot be read.
    """
    if not options.rig:
        return None
    split_character_path(options.rig)
    if options.mapping:
        read_preset(options.mapping)
    chosen = {option.name: getattr(options, option.name) for option in CHARACTER_OPTIONS}
    if getattr(options, "timeline_fps", None):
        chosen["fps"] = options.timeline_fps
    return RetargetTarget(options.rig, chosen, options.mapping, getattr(options, "up", ReconstructOptions.up))


def outputs_per_person(path: Path, numbers: Sequence[int], all_people: bool) -> list[OutputPeople]:
    """The outputs that one output path stands for, with the indices of their people.

    Args:
        numbers: of the people, as the user counts them. all_people: whether `--person all` was given: then each person has a file,
            except that a .blend holds all.
    """
    if not all_people:
        return [(path, (0,))]
    if path.suffix.lower() == ".blend":
        return [(path, tuple(range(len(numbers))))]
    return [(path.with_name(f"{path.stem}.person{number}{path.suffix}"), (index,)) for index, number in enumerate(numbers)]


def write_outputs(
    recoveries: Sequence[Recovery], numbers: Sequence[int], outputs: Sequence[OutputPeople], name: str, settings: OutputSettings
) -> SceneResult:
    """Write every output of one clip; each file appears whole or not at all.

    Args:
        recoveries: of the people. numbers: of the people, as the user counts them. name: of the clip.

    Raises:
        OutputError: a file cannot be written. ModelError, InputError: a body file cannot be read or used.
    """
    has_character = settings.retarget_target is not None
    name = utf8_name(name)
    names = {number: settings.names.get(number, f"person{number}") for number in numbers}
    people = [(f"{name} {names[number]}", recovery) for number, recovery in zip(numbers, recoveries)]
    scene_outputs = tuple(output for output in outputs if _needs_blender(output[0], has_character))
    file_outputs = [output for output in outputs if not _needs_blender(output[0], has_character)]
    with copied_surfaces(file_outputs if has_character else outputs, numbers, settings.surfaces) as surface_copies:
        made = SceneResult()
        with written_textures(file_outputs if has_character else outputs, numbers, settings.textures) as textures:
            if scene_outputs:
                copies = tuple(surface_copies.get(path, ()) for path, _people in scene_outputs)
                request = replace(_scene_request(name, scene_outputs, settings, copies), textures=textures.sources)
                made = _write_scenes(people, request, settings.blender)
            notes = [note for path, (index,) in file_outputs for note in _write_file(path, *people[index], settings)]
    surfaces = dict.fromkeys(copy for copies in surface_copies.values() for copy in copies)
    return replace(made, notes=(*made.notes, *notes), surfaces=tuple(surfaces), textures=textures.paths)


def utf8_name(name: str) -> str:
    """A file's name without bytes that are not UTF-8, which Blender refuses."""
    return name.encode("utf-8", "replace").decode("utf-8")


def needs_scene_process(paths: Iterable[Path], blender: str | None, with_character: bool = False) -> bool:
    """Whether a Blender in another process is needed."""
    return not is_inside_blender(blender) and any(_needs_blender(path, with_character) for path in paths)


def _needs_blender(path: Path, with_character: bool) -> bool:
    """Whether only a Blender can write a file. An .npz always holds the performer's own motion."""
    return path.suffix.lower() not in (_WITHOUT_BLENDER if not with_character else (".npz",))


def is_inside_blender(blender: str | None) -> bool:
    """Whether this process is a Blender, and no other was chosen."""
    return blender is None and "bpy" in sys.modules


def _write_file(path: Path, person_name: str, recovery: Recovery, settings: OutputSettings) -> list[Message]:
    """Write a file that needs no Blender; returns notes on what it does not keep."""
    suffix = path.suffix.lower()
    gap_notes: tuple[Message, ...] = ()
    if suffix == ".npz":
        write_motion(path, recovery, settings.smplh)
    else:
        recovery, gap_notes = recovery_without_gaps(recovery, person_name)
        write_recovery_bvh(path, recovery, load_body(settings.body), settings.stretch)
    stretched = settings.stretch and recovery.calibrated_joints is not None
    return [*gap_notes, *format_notes(suffix, person_name, stretched, bool(settings.surfaces), anatomy=settings.skel is not None)]


# --- scenes -----------------------------------------------------------------------------------------------------------


def _scene_request(
    name: str, outputs: tuple[OutputPeople, ...], settings: OutputSettings, surface_paths: tuple[tuple[Path, ...], ...]
) -> SceneRequest:
    """A SceneRequest without people."""
    return SceneRequest(
        name=name,
        people=(),
        outputs=outputs,
        body=settings.body,
        preset=settings.preset,
        retarget_target=settings.retarget_target,
        skel=settings.skel,
        stretch=settings.stretch,
        surfaces=settings.surfaces,
        surface_paths=surface_paths,
        pose_shapes=settings.pose_shapes,
        with_camera=settings.with_camera,
    )


def _write_scenes(people: Sequence[tuple[str, Recovery]], request: SceneRequest, blender: str | None) -> SceneResult:
    if request.retarget_target is None and is_inside_blender(blender):
        return _write_scenes_here(people, request)
    with scratch_folder() as scratch:
        motions = []
        for index, (person_name, recovery) in enumerate(people):
            motions.append((person_name, scratch / f"{index}.npz"))
            write_motion(motions[-1][1], recovery)
        return make_scenes(replace(request, people=tuple(motions)), blender)


def _write_scenes_here(people: Sequence[tuple[str, Recovery]], request: SceneRequest) -> SceneResult:
    from ..scene.assemble import Person
    from ..scene.outputs import Output, write_outputs

    template, skel = load_body(request.body), load_skel(request.skel) if request.skel else None
    surfaces, textures = request.surfaces or [None] * len(people), request.textures or [None] * len(people)
    assembled = [
        Person(name, recovery, template, skel, surface, texture=None if texture is None else texture.read_bytes())
        for (name, recovery), surface, texture in zip(people, surfaces, textures)
    ]
    outputs = [Output(path, indices, None, copies) for (path, indices), copies in zip(request.outputs, request.surface_paths)]
    options = request.preset, request.stretch, request.pose_shapes, request.with_camera
    return SceneResult(tuple(write_outputs(assembled, outputs, request.name, *options)))


def make_scenes(request: SceneRequest, blender: str | None = None) -> SceneResult:
    """Execute a SceneRequest: a retarget in this process where it is a Blender, anything else in a child."""
    target = request.retarget_target
    if target is None or not is_inside_blender(blender):
        return run_scene_process(request, blender)
    from ..scene.outputs import Output
    from ..scene.retargeting.retarget_outputs import retarget_files

    outputs = [Output(path, indices) for path, indices in request.outputs]
    quality, notes = retarget_files(
        request.people, outputs, request.body, request.preset, target.rig, target.options, target.mapping, target.up
    )
    return SceneResult(tuple(notes), quality)
