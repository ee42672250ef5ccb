"""Converts a folder of raw motion capture, performer by performer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from blender_meshrec.core.array_types import AnyArray, BoolArray, FloatArray
from blender_meshrec.core.errors import MeshRecError
from blender_meshrec.core.rotations import quat_from_rotmat
from blender_meshrec.core.skeletons import SMPL_JOINTS, SMPL_PARENTS
from scripts.train.data.raw_motion.asf_amc import pose_skeleton, read_amc, read_asf
from scripts.train.data.raw_motion.cmu_bvh import read_packed_bvh
from scripts.train.data.raw_motion.cmu_fbx import motion_from_poses, read_fbx_files
from scripts.train.data.raw_motion.cmu_skeleton import CmuMotion
from scripts.train.data.raw_motion.grading import faults, floor_height, valid_frames
from scripts.train.data.raw_motion.neo_fbx import is_neo, map_neo_poses
from scripts.train.data.raw_motion.performers import assume_skeleton, read_test_skeletons, resembles_performer
from scripts.train.data.raw_motion.smpl_mapping import EXTRA_NAMES, EXTRA_PARENTS, SmplMotion, map_motions
from scripts.train.data.raw_motion.sources import Source, find_asf, known_clips, read_sources, reason_to_skip, unpack
from scripts.train.data.recordings import FPS

OUTPUT = "cmu_smpl24_C.npz"
QUAT_SCALE = np.float32(1 / 32767)
MIN_FRAMES = 10
# Of a performer's skeletons, that of the first format in this order is taken.
_FORMATS = ("amc", "bvh", "fbx")


@dataclass(frozen=True)
class Clip:
    """A converted clip. valid: (F,)."""

    source: Source
    motion: SmplMotion
    valid: BoolArray
    grade: str


def convert_folder(raw: Path, out: Path, blender_python: Path | None) -> None:
    """Convert all files of a folder, and print what was left out and why."""
    sources = _choose_sources(raw, blender_python)
    packed = [source for source in sources if source.kind == "fbx"]
    fbx = read_fbx_files(packed, blender_python) if packed and blender_python else {}
    neo = {source: poses for source, poses in fbx.items() if is_neo(poses)}
    motions = read_motions([source for source in sources if source not in neo], fbx)
    clips = _convert_performers(motions, read_test_skeletons(raw))
    if neo:
        clips += _checked_clips(neo, map_neo_poses(list(neo.values()), FPS), "B2")
    write_clips(out / OUTPUT, clips)
    print(f"{out / OUTPUT}: {len(clips)} clips, {sum(len(clip.valid) for clip in clips) / FPS / 60:.1f} minutes")


def _choose_sources(raw: Path, blender_python: Path | None) -> list[Source]:
    sources: list[Source] = []
    known = known_clips(raw.parent)
    for source in read_sources(raw):
        reason = reason_to_skip(source, known)
        if not reason and source.kind == "fbx" and blender_python is None:
            reason = "FBX needs --blender-python"
        if reason:
            _say_left_out(source, reason)
        else:
            sources.append(source)
    return sources


def _convert_performers(motions: Mapping[Source, CmuMotion], test_skeletons: Mapping[str, FloatArray]) -> list[Clip]:
    """The clips of all performers whose skeleton is not a test performer's."""
    clips: list[Clip] = []
    for subject in dict.fromkeys(source.subject for source in motions):
        one = {source: motion for source, motion in motions.items() if source.subject == subject}
        performer = resembles_performer(next(iter(one.values())), test_skeletons)
        if performer:
            print(f"left out: all of {subject}: the skeleton is that of test performer {performer}")
        else:
            clips += convert_performer(one)
    return clips


def _say_left_out(source: Source, reason: object) -> None:
    print(f"left out: {source.name} ({source.path.name}): {reason}")


def read_motions(sources: Sequence[Source], fbx: Mapping[Source, Mapping[str, AnyArray]]) -> dict[Source, CmuMotion]:
    """The motion of each file at FPS. fbx: the arrays of the FBX files."""
    motions: dict[Source, CmuMotion] = {}
    assumed: list[Source] = []
    for source in sources:
        try:
            if source.kind == "fbx":
                motions[source] = motion_from_poses(fbx[source], source.fps).resampled(FPS)
            elif source.kind == "bvh":
                motions[source] = read_packed_bvh(source.path, source.fps).resampled(FPS)
            elif asf := find_asf(source.path):
                skeleton = read_asf(unpack(asf).decode("utf-8", errors="replace"))
                motions[source] = pose_skeleton(skeleton, read_amc(source.read_text()), source.fps).resampled(FPS)
            else:
                assumed.append(source)
        except (ValueError, KeyError, MeshRecError) as error:
            _say_left_out(source, error)
    skeletons = sorted({path for source in sources if source.kind == "amc" and (path := find_asf(source.path))})
    for subject in dict.fromkeys(source.subject for source in assumed):
        one = {source: read_amc(source.read_text()) for source in assumed if source.subject == subject}
        skeleton = assume_skeleton(one.values(), skeletons)
        motions |= {source: pose_skeleton(skeleton, values, source.fps).resampled(FPS) for source, values in one.items()}
    return motions


def convert_performer(motions: Mapping[Source, CmuMotion]) -> list[Clip]:
    """The clips of one performer, who has one skeleton. What does not look human is left out."""
    sources = sorted(motions, key=lambda source: _FORMATS.index(source.kind))
    offsets = motions[sources[0]].offsets
    grade = "B1" if sources[0].kind == "amc" and find_asf(sources[0].path) is None else "A"
    mapped = map_motions([replace(motions[source], offsets=offsets) for source in sources], assumed=grade == "B1")
    return _checked_clips(sources, mapped, grade)


def _checked_clips(sources: Iterable[Source], motions: Sequence[SmplMotion], grade: str) -> list[Clip]:
    """The clips on their floor with glitches marked, without those that do not look human."""
    clips: list[Clip] = []
    for source, motion in zip(sources, motions, strict=True):
        motion = motion.lowered(floor_height(motion, assumed=grade == "B1"))
        valid = valid_frames(motion, FPS)
        if wrong := faults(motion, valid) if len(valid) >= MIN_FRAMES else ["too short"]:
            _say_left_out(source, ", ".join(wrong))
        else:
            clips.append(Clip(source, motion, valid, grade))
    return clips


def write_clips(path: Path, clips: Sequence[Clip]) -> None:
    """Write the clips in the arrays of the cmu_smpl24 files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    skeletons = list({id(clip.motion.skeleton): clip.motion.skeleton for clip in clips}.values())
    rows = {id(skeleton): row for row, skeleton in enumerate(skeletons)}
    quats = quat_from_rotmat(np.concatenate([clip.motion.rotmats for clip in clips]))
    np.savez_compressed(
        path,
        quat=np.rint(quats / QUAT_SCALE).astype(np.int16),
        trans=np.concatenate([clip.motion.trans for clip in clips]).astype(np.float32),
        valid=np.concatenate([clip.valid for clip in clips]),
        clip_start=np.cumsum([0, *(len(clip.valid) for clip in clips)]),
        clip_name=_strings(clips, lambda clip: clip.source.name),
        clip_subject=_strings(clips, lambda clip: clip.source.subject),
        clip_text=_strings(clips, lambda clip: clip.source.text),
        clip_grade=_strings(clips, lambda clip: clip.grade),
        clip_source=_strings(clips, lambda clip: clip.source.origin),
        clip_skeleton=np.array([rows[id(clip.motion.skeleton)] for clip in clips], np.int32),
        skel_offsets=np.stack([skeleton.offsets for skeleton in skeletons]).astype(np.float32),
        skel_extra=np.stack([skeleton.extra for skeleton in skeletons]).astype(np.float32),
        joint_names=np.array(SMPL_JOINTS),
        parents=np.array(SMPL_PARENTS),
        extra_names=np.array(EXTRA_NAMES),
        extra_parents=np.array(EXTRA_PARENTS),
        fps=np.float32(FPS),
        quat_scale=QUAT_SCALE,
    )


def _strings(clips: Sequence[Clip], text: Callable[[Clip], str]) -> AnyArray:
    """One string for each clip, (C,)."""
    return np.array([text(clip) for clip in clips])
