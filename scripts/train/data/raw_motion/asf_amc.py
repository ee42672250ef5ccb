"""Reads Acclaim skeletons (ASF) and motions (AMC) of the CMU library.

A bone's rotation is M = C R C^-1, where C turns the world's axes to the bone's own (the ASF's `axis`) and R is the product of the AMC's
angles in the order of `dof`, the first one applied first. Source: the ASF/AMC description by Lander, "Working with motion capture file
formats", Game Developer, January 1998.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.axis_rotations import rotation_about_axis
from scripts.train.data.raw_motion.cmu_skeleton import BONE_PARENTS, CmuMotion

CAPTURE_FPS = 120.0
INCH = 0.0254  # m
ROOT = "root"


@dataclass(frozen=True)
class AsfBone:
    """A bone. offset: (3,) m, from its start to its end in the zero pose. axes: (3,3). dof: the axes of its angles, as "xyz"."""

    parent: str
    offset: FloatArray
    axes: FloatArray
    dof: str


@dataclass(frozen=True)
class AsfSkeleton:
    """The bones by name, each parent before its children; the root has none. scale: m for each unit of the files."""

    bones: Mapping[str, AsfBone]
    scale: float


def euler_rotmat(angles: Sequence[FloatArray] | FloatArray, axes: str) -> FloatArray:
    """Rotations (...,3,3) by angles (A,...) in degrees about `axes` ("xyz"), the first one applied first."""
    rotmat = np.broadcast_to(np.eye(3), (*np.shape(angles)[1:], 3, 3))
    for angle, axis in zip(angles, axes.lower(), strict=True):
        rotmat = rotation_about_axis(np.eye(3)["xyz".index(axis)], np.radians(angle)) @ rotmat
    return rotmat


def read_asf(text: str) -> AsfSkeleton:
    """Read a skeleton file.

    Raises:
        ValueError: the file has no bones, or angles in another unit than degrees.
    """
    lines = [line.split("#")[0].split() for line in text.splitlines()]
    fields = [words for words in lines if words]
    # "length" is both the unit and a bone's; the unit comes first.
    scale = INCH / float(next(words[1] for words in fields if words[0] == "length"))
    if any(words[0] == "angle" and words[1] != "deg" for words in fields):
        raise ValueError("the skeleton has angles in radians")
    start, end = (next(i for i, words in enumerate(fields) if words[0] == section) for section in (":bonedata", ":hierarchy"))
    found = _bone_fields(fields[start:end])
    bones: dict[str, AsfBone] = {}
    for parent, *children in fields[end:]:
        if parent in (ROOT, *found):
            bones |= {bone: _bone(parent, found[bone], scale) for bone in children}
    if not bones:
        raise ValueError("the skeleton has no bones")
    return AsfSkeleton(bones, scale)


def _bone_fields(lines: Sequence[list[str]]) -> dict[str, dict[str, list[str]]]:
    """The values of each bone's fields, by bone and field."""
    found: dict[str, dict[str, list[str]]] = {}
    name = ""
    for field, *values in lines:
        if field == "name":
            name = values[0]
        elif field in ("direction", "length", "axis", "dof"):
            found.setdefault(name, {})[field] = values
    return found


def _bone(parent: str, words: Mapping[str, list[str]], scale: float) -> AsfBone:
    direction = np.array(words["direction"], float)
    offset = direction / np.linalg.norm(direction) * float(words["length"][0]) * scale
    axes = euler_rotmat(np.array(words["axis"][:3], float), words["axis"][3])
    return AsfBone(parent, offset, axes, "".join(name[1] for name in words.get("dof", ())))


def read_amc(text: str) -> dict[str, FloatArray]:
    """The values (F,N) of the root and each bone of a motion file.

    Raises:
        ValueError: frames lack values, or are not evenly numbered.
    """
    numbers: list[int] = []
    values: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        words = line.split()
        if not words or words[0][0] in "#:":
            continue
        if len(words) == 1 and words[0].isdigit():
            numbers.append(int(words[0]))
        else:
            values.setdefault(words[0], []).append(words[1:])
    if len(set(np.diff(numbers))) > 1 or {len(rows) for rows in values.values()} != {len(numbers)}:
        raise ValueError("the motion lacks frames")
    return {name: np.array(rows, float) for name, rows in values.items()}


def pose_skeleton(skeleton: AsfSkeleton, values: Mapping[str, FloatArray], fps: float) -> CmuMotion:
    """A motion of a skeleton; bones without values keep their zero pose. The root's values are its position and its angles x, y, z."""
    root = values[ROOT]
    rotmats = {ROOT: euler_rotmat(root[:, 3:].T, "xyz")}
    for name, bone in skeleton.bones.items():
        rotmats[name] = rotmats[bone.parent]
        if name in values:
            turns = euler_rotmat(values[name].T, bone.dof)
            rotmats[name] = rotmats[name] @ (bone.axes @ turns @ bone.axes.T)
    offsets = {name: skeleton.bones[name].offset for name in BONE_PARENTS}
    return CmuMotion(offsets, root[:, :3] * skeleton.scale, {name: rotmats[name] for name in (ROOT, *BONE_PARENTS)}, fps)
