"""BVH files as performances: any order of channels, any unit, y or z up, and rest poses in which nobody could stand."""

import re
from pathlib import Path

import numpy as np

from ...core.axis_rotations import rotation_between, unit_vector
from ...core.conventions import WORLD_FROM_BODY
from ...core.errors import InputError
from ..mapping.map_bones import map_bones
from ..rig import SIDES, Performance, Rig
from ..solve.rest_pose import LEG

_REMEDY = "Export the motion as BVH again, or choose another file."
_MAX_BYTES = 1 << 30
# Lengths of units, m: metres, centimetres, inches, millimetres, and the CMU library's own.
_UNIT_LENGTHS = (1.0, 0.01, 0.0254, 0.001, 0.0254 / 0.45)
_USUAL_LEG_LENGTH = 0.85  # m, a usual leg
# A rest pose is one to stand in if thighs point down the spine at least this much: cosine of 60 degrees.
_MIN_UPRIGHT_COSINE = 0.5


def performance_from_bvh(path):
    """Read a BVH file.

    Returns:
        a Performance without contacts: they are found from the motion. World: z up, metres of a person of usual size.

    Raises:
        InputError: no BVH file, damaged, or its skeleton is no person's.
    """
    path = Path(path)
    skeleton, channels, frame_time = _read_file(path)
    names, parents, offsets, orders, tails = skeleton
    local, places = _local_transforms(channels, orders, offsets)
    rotations, heads = _forward_kinematics(parents, local, places)
    rest_turns = np.tile(np.eye(3), (len(names), 1, 1))
    rest_heads = _rest_heads(parents, offsets)
    # Names tell the parts, wherever the rest pose has them; an upright rest is needed to tell more.
    mapping = map_bones(_build_rig(path.stem, names, parents, rest_turns, rest_heads, tails))
    row = {name: number for number, name in enumerate(names)}
    parts = {slot: row[bones[0]] for slot, bones in mapping.slots.items()}
    if _uprightness(rest_heads[None], parts)[0] < _MIN_UPRIGHT_COSINE:
        # Nobody could stand so: the frame in which the body stands straightest serves as rest.
        frame = int(np.argmax(_uprightness(heads, parts)))
        rest_turns, rest_heads = rotations[frame], heads[frame] - heads[frame, 0] + rest_heads[0]
    turn = _z_up_from_file(rest_heads, parts)
    scale = _metres_per_unit(rest_heads, parts)
    rig = _build_rig(path.stem, names, parents, turn @ rest_turns, scale * rest_heads @ turn.T, scale * tails)
    # Bones are given axes of their own, y along them: how these lie to the file's at rest goes along.
    own = np.swapaxes(turn @ rest_turns, 1, 2) @ rig.rest[:, :3, :3]
    return Performance(
        rig=rig,
        mapping=mapping,
        rotations=turn @ rotations @ own,
        heads=scale * heads @ turn.T,
        fps=1 / frame_time,
        timestamps=np.arange(len(heads)) * frame_time,
    )


def _read_file(path):
    """The skeleton (names, parents, offsets, channels' names by joint, tails), the numbers (F,C) and the time a frame takes, s."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError("bvh-too-large", "{name} is larger than a BVH file can be.", _REMEDY, name=path.name)
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError as error:
        raise InputError("bvh-not-found", "There is no file {path}.", "Check the path.", path=path) from error
    except OSError as error:
        raise InputError(
            "bvh-not-readable",
            "{path} cannot be read: {reason}.",
            "Check the path and that you may read it.",
            path=path,
            reason=error.strerror or error,
        ) from error
    head, found, body = text.partition("MOTION")
    header = re.match(r"\s*Frames:\s*(\d+)\s+Frame Time:\s*(\S+)", body)
    if "HIERARCHY" not in head or not found or not header:
        raise InputError("bvh-not-one", "{name} is not a BVH file.", _REMEDY, name=path.name)
    try:
        skeleton = _parse_hierarchy(head.split("HIERARCHY", 1)[1].split())
        count, frame_time = int(header[1]), float(header[2])
        numbers = np.array(body[header.end() :].split(), dtype=float)
    except (ValueError, IndexError, KeyError, StopIteration) as error:
        raise InputError(
            "bvh-damaged", "{name} is damaged: its skeleton or its numbers cannot be read.", _REMEDY, name=path.name
        ) from error
    width = sum(len(order) for order in skeleton[3])
    rows = min(count, len(numbers) // width if width else 0)
    if rows < 1 or not frame_time > 0 or not np.isfinite(numbers[: rows * width]).all():
        raise InputError("bvh-without-motion", "{name} holds no motion.", _REMEDY, name=path.name)
    return skeleton, numbers[: rows * width].reshape(rows, width), frame_time


def _parse_hierarchy(words):
    """Joints as their channels follow: names, parents (J,), offsets (J,3), tuples of channel names, and tails (J,3) from the joint."""
    names, parents, offsets, orders, ends = [], [], [], [], {}
    open_joints, word = [], iter(words)
    for token in word:
        if token in ("ROOT", "JOINT"):
            names.append(" ".join(iter(word.__next__, "{")))
            parents.append(open_joints[-1] if open_joints else -1)
            offsets.append(np.zeros(3))
            orders.append(())
            open_joints.append(len(names) - 1)
        elif token == "End":
            list(iter(word.__next__, "{"))  # "Site"
            open_joints.append(-2)
        elif token == "}":
            open_joints.pop()
        elif token == "OFFSET":
            offset = np.array([float(next(word)) for _ in range(3)])
            if open_joints[-1] == -2:
                ends[open_joints[-2]] = offset
            else:
                offsets[open_joints[-1]] = offset
        elif token == "CHANNELS":
            orders[open_joints[-1]] = tuple(next(word) for _ in range(int(next(word))))
        else:
            raise ValueError(token)
    if not names or open_joints:
        raise ValueError("unfinished skeleton")
    for order in orders:
        for channel in order:
            if channel[0] not in "XYZ" or channel[1:] not in ("position", "rotation"):
                raise KeyError(channel)
    parents = np.array(parents)
    tails = []
    for joint in range(len(names)):
        children = [offsets[child] for child in np.flatnonzero(parents == joint) if np.linalg.norm(offsets[child]) > 1e-9]
        tails.append(children[0] if children else ends.get(joint, offsets[joint]))
    return _make_unique(names), parents, np.array(offsets), orders, np.array(tails)


def _make_unique(names):
    """Names that occur again get a number, as Blender gives them."""
    seen = {}
    for place, name in enumerate(names):
        seen[name] = seen.get(name, -1) + 1
        names[place] = f"{name}.{seen[name]:03d}" if seen[name] else name
    return names


def _local_transforms(channels, orders, offsets):
    """Rotations (F,J,3,3) to the parent and places (F,J,3) in its axes: channels turn in the order they are listed in."""
    frames, joints = len(channels), len(orders)
    local = np.tile(np.eye(3), (frames, joints, 1, 1))
    places = np.tile(offsets, (frames, 1, 1))
    column = 0
    for joint, order in enumerate(orders):
        for channel in order:
            axis, values = "XYZ".index(channel[0]), channels[:, column]
            column += 1
            if channel.endswith("position"):
                places[:, joint, axis] = values
            else:
                local[:, joint] = local[:, joint] @ _axis_rotation(axis, np.radians(values))
    return local, places


def _axis_rotation(axis, angles):
    turn = np.zeros((len(angles), 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    turn[:, axis, axis] = 1
    turn[:, i, i] = turn[:, j, j] = np.cos(angles)
    turn[:, j, i] = np.sin(angles)
    turn[:, i, j] = -turn[:, j, i]
    return turn


def _forward_kinematics(parents, local, places):
    rotations, heads = local.copy(), places.copy()
    for joint, parent in enumerate(parents):
        if parent >= 0:
            rotations[:, joint] = rotations[:, parent] @ local[:, joint]
            heads[:, joint] = heads[:, parent] + np.einsum("fij,fj->fi", rotations[:, parent], places[:, joint])
    return rotations, heads


def _rest_heads(parents, offsets):
    heads = offsets.copy()
    for joint, parent in enumerate(parents):
        if parent >= 0:
            heads[joint] += heads[parent]
    return heads


def _build_rig(name, names, parents, turns, heads, tails):
    """A Rig with bones along their tails (J,3), given in joints' own axes, which are `turns` (J,3,3) at rest."""
    along = np.einsum("jab,jb->ja", turns, tails)
    lengths = np.linalg.norm(along, axis=1)
    usual = np.median(lengths[lengths > 0]) if (lengths > 0).any() else 1.0
    along = np.where(lengths[:, None] > 0, along, [0.0, usual, 0.0])
    rest = np.tile(np.eye(4), (len(names), 1, 1))
    rest[:, :3, :3] = rotation_between([0.0, 1.0, 0.0], along)
    rest[:, :3, 3] = heads
    return Rig(name, names, parents, rest, np.linalg.norm(along, axis=1))


def _trunk_vector(heads, parts):
    """From the middle of the hip joints to the head, (F,3)."""
    return heads[:, parts["head"]] - heads[:, [parts[f"{side}_upper_leg"] for side in SIDES]].mean(1)


def _uprightness(heads, parts):
    """How much thighs and shins of poses (F,J,3) point away from the head: 1 in somebody who stands straight."""
    up = unit_vector(_trunk_vector(heads, parts))
    legs = [unit_vector(heads[:, parts[f"{side}_{LEG[1]}"]] - heads[:, parts[f"{side}_{LEG[0]}"]]) for side in SIDES]
    legs += [
        unit_vector(heads[:, parts[f"{side}_{LEG[2]}"]] - heads[:, parts[f"{side}_{LEG[1]}"]]) for side in SIDES if f"{side}_{LEG[2]}" in parts
    ]
    return np.min([-(leg * up).sum(1) for leg in legs], axis=0)


def _z_up_from_file(rest_heads, parts):
    """The turn (3,3) from the file's axes to z up: y is up but where the rest pose stands along z."""
    up = unit_vector(_trunk_vector(rest_heads[None], parts))[0]
    return np.eye(3) if abs(up[2]) > abs(up[1]) else WORLD_FROM_BODY


def _metres_per_unit(rest_heads, parts):
    """Metres a unit of the file: the unit that gives legs of nearest to usual length; of no unit, legs of usual length."""
    legs = [np.linalg.norm(rest_heads[parts[f"{side}_lower_leg"]] - rest_heads[parts[f"{side}_upper_leg"]]) * 2 for side in SIDES]
    leg = max(float(np.mean(legs)), 1e-9)
    unit_length = min(_UNIT_LENGTHS, key=lambda length: abs(np.log(leg * length / _USUAL_LEG_LENGTH)))
    return unit_length if 0.5 < leg * unit_length / _USUAL_LEG_LENGTH < 1.6 else _USUAL_LEG_LENGTH / leg
