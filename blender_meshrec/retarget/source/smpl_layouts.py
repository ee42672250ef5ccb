"""The layouts in which programs store SMPL-family motions: names of the arrays, which axis is up, where the floor is.

| layout | names | up |
|---|---|---|
| AMASS | poses, or root_orient, pose_body and pose_hand; trans | z |
| smplx and many others | global_orient, body_pose, transl | not stated |
| ROMP | smpl_thetas or global_orient and body_pose; cam_trans | the camera's axes |
| AIST++ | smpl_poses, smpl_trans, smpl_scaling | y |
| WHAM | people by number: pose_world, trans_world | y |
| GVHMR | smpl_params_global: global_orient, body_pose, transl | y |
| 4D-Humans | frames by path, see smpl_tracks | the camera's axes |
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...core.array_types import FloatArray
from ...core.errors import InputError
from ...core.messages import Message
from .smpl_arrays import NUM_SKEL_ANGLES, LayoutError, SmplArrays, UpAxis, first_present, read_fps, to_betas, to_rotvecs
from .smpl_tracks import frames_of_first_person, is_frames, is_tracked_frames, longest_track

ROOT_KEYS = ("root_orient", "global_orient", "smpl_global_orient", "root_pose")
BODY_KEYS = ("pose_body", "body_pose", "smpl_body_pose")
POSE_KEYS = ("poses", "pose_world", "fullpose", "full_pose", "smpl_poses", "smpl_pose", "smpl_thetas", "thetas", "pose")
TRANS_KEYS = (
    "trans", "trans_world", "transl", "smpl_trans", "smpl_transl", "translation", "global_translation", "root_trans", "cam_trans",
)  # fmt: skip
_BETAS_KEYS = ("betas", "smpl_betas", "shape")
_HAND_KEYS = ("pose_hand", "hand_pose")
_SIDED_HAND_KEYS = (("left_hand_pose", "right_hand_pose"), ("pose_left_hand", "pose_right_hand"))
OTHER_KEYS = (
    *_BETAS_KEYS, *_HAND_KEYS, *_SIDED_HAND_KEYS[0], *_SIDED_HAND_KEYS[1], "smpl_scaling",
    "mocap_framerate", "mocap_frame_rate", "framerate", "frame_rate", "mocap_fps", "fps",
)  # fmt: skip
WRAPPER_KEYS = ("smpl_params_global", "results", "smpl_params", "pd_params", "motion")
_BODY_COUNTS, _HAND_COUNT = (21, 23), 15
_WHOLE_COUNTS = (22, 24, 52, 55)
_AIST_FPS = 60.0  # of all motions of that data set
_MAX_ANGLE, _MAX_LENGTH = 1e3, 1e5  # rad, m
_HAND_WIDTH = 6 * _HAND_COUNT  # values a frame of both hands
_REMEDY_FORMS = "Choose a motion of SMPL, SMPL-H or SMPL-X, such as AMASS, WHAM, GVHMR, ROMP or 4D-Humans write, or a .bvh."


def has_smpl_names(names: set[str]) -> bool:
    """Whether the names of a file's arrays are those of an SMPL-family motion."""
    is_split = bool(names & set(ROOT_KEYS)) and bool(names & set(BODY_KEYS))
    return is_split or bool(names & set(POSE_KEYS))


def parse_layout(content: Any, name: str) -> SmplArrays:
    """The motion in the content of a file.

    Args:
        content: arrays by name, possibly in a table of people or of frames.

    Raises:
        InputError: it holds no SMPL-family motion; the message says what it holds instead. LayoutError: its arrays are damaged.
    """
    if isinstance(content, list) and len(content) == 1:
        content = content[0]
    if not isinstance(content, Mapping) or not content:
        raise not_smpl_error(name)
    if isinstance(content.get("smpl_params_global"), Mapping):  # GVHMR
        return replace(_parse_person({**content, **content["smpl_params_global"]}, name), up="y", is_grounded=False)
    if is_tracked_frames(content):  # 4D-Humans
        person, count = longest_track(content)
        return _add_people_note(replace(_parse_person(person, name), up="-y", is_grounded=False), count, name)
    if (stored := _parse_table(content, name)) is not None:
        return stored
    wrapped = next((content[key] for key in WRAPPER_KEYS if isinstance(content.get(key), Mapping)), None)
    return parse_layout(wrapped, name) if wrapped is not None else _parse_person(content, name)


def _parse_table(content: Mapping[Any, Any], name: str) -> SmplArrays | None:
    """The motion in a table of people, as WHAM writes it, or of pictures, as ROMP does; None if the content is neither."""
    people = [value for value in content.values() if isinstance(value, Mapping) and has_smpl_names(set(map(str, value)))]
    if not people or has_smpl_names(set(map(str, content))):
        return None
    if is_frames(content):
        return replace(_parse_person(frames_of_first_person(content), name), up="-y", is_grounded=False)
    return _add_people_note(_parse_person(max(people, key=_num_frames), name), len(people), name)


def _num_frames(person: Mapping[str, Any]) -> int:
    arrays = [first_present(person, keys) for keys in (POSE_KEYS, ROOT_KEYS)]
    return max(len(array) if array is not None and array.ndim else 0 for array in arrays)


def _add_people_note(stored: SmplArrays, count: int, name: str) -> SmplArrays:
    if count < 2:
        return stored
    text = "{name} holds {count} people: the one seen longest is read."
    return replace(stored, notes=(*stored.notes, Message("smpl-several-people", text, name=name, count=count)))


def _parse_person(content: Mapping[str, Any], name: str) -> SmplArrays:
    """The motion in arrays by name."""
    poses = _read_poses(content, name)
    trans, path_notes = _read_path(content, len(poses), name)
    if not len(poses) or trans.shape != (len(poses), 3) or poses.shape[1] < 66 or poses.shape[1] % 3:
        raise InputError(
            "smpl-motion-shapes-differ",
            "The poses and the path of {name} do not fit together: they have {poses} and {trans} numbers.",
            _REMEDY_FORMS,
            name=name,
            poses=" x ".join(map(str, poses.shape)),
            trans=" x ".join(map(str, trans.shape)),
        )
    if not np.isfinite(trans).all():
        raise LayoutError("it holds numbers that are not finite")
    if np.abs(poses).max() > _MAX_ANGLE or np.abs(trans).max() > _MAX_LENGTH:
        raise LayoutError("its numbers are too large for a motion in radians and metres")
    is_aist = "smpl_scaling" in content and "smpl_trans" in content
    fps, rate_notes = read_fps({"fps": _AIST_FPS, **content} if is_aist else content, name)
    up, is_grounded = _stated_up(content)
    betas = to_betas(first_present(content, _BETAS_KEYS))
    return SmplArrays(poses, trans, betas, fps, up, is_grounded, (*path_notes, *rate_notes))


def _read_path(content: Mapping[str, Any], num_frames: int, name: str) -> tuple[FloatArray, tuple[Message, ...]]:
    """The path (F,3) m of a person, and a note where the file has none."""
    stored = first_present(content, TRANS_KEYS)
    if stored is None:
        if first_present(content, POSE_KEYS) is not None and "smpl_thetas" not in content:
            raise InputError("smpl-motion-without-path", "{name} holds poses without the path of the body.", _REMEDY_FORMS, name=name)
        note = Message("smpl-path-unknown", "{name} holds no path: the person stays in one place.", name=name)
        return np.zeros((num_frames, 3)), (note,)
    trans = np.asarray(stored, float)
    if trans.size == 3 * num_frames:
        trans = trans.reshape(-1, 3)
    scaling = first_present(content, ("smpl_scaling",))
    if scaling is not None and "smpl_trans" in content and scaling.size == 1 and scaling.item() > 0:
        trans = trans / scaling.item()  # AIST++ stores the path in units of its own
    return trans, ()


def _read_poses(content: Mapping[str, Any], name: str) -> FloatArray:
    """The poses (F,D) rad of a person."""
    whole = first_present(content, POSE_KEYS)
    root, body = first_present(content, ROOT_KEYS), first_present(content, BODY_KEYS)
    if whole is not None and whole.shape[-1:] == (NUM_SKEL_ANGLES,):
        raise InputError(
            "smpl-motion-of-skel",
            "{name} holds the 46 angles of SKEL, from which SMPL's rotations do not follow directly.",
            "Give the SMPL motion that SKEL was fitted to, or a motion that MeshRec has made with SKEL.",
            name=name,
        )
    if root is None or body is None:
        if whole is None:
            raise not_smpl_error(name, set(map(str, content)))
        return to_rotvecs(whole, _WHOLE_COUNTS)
    root, body = to_rotvecs(root, (1,)), to_rotvecs(body, _BODY_COUNTS)
    if root.shape[1] != 3 or len(root) != len(body) or body.shape[1] not in [3 * count for count in _BODY_COUNTS]:
        raise LayoutError("its rotations are not those of a body")
    hands = _read_hands(content, len(root))
    return np.concatenate([root, body] if hands is None else [root, body[:, :63], hands], axis=1)


def _read_hands(content: Mapping[str, Any], num_frames: int) -> FloatArray | None:
    """Both hands' rotation vectors (F,90), left before right; None if the file has none, or only principal components of them."""
    both = first_present(content, _HAND_KEYS)
    parts: list[FloatArray] = []
    if both is not None:
        parts = [to_rotvecs(both, (2 * _HAND_COUNT,))]
    else:
        for keys in _SIDED_HAND_KEYS:
            sides = [side for key in keys if (side := first_present(content, (key,))) is not None]
            if len(sides) == len(keys):
                parts = [to_rotvecs(side, (_HAND_COUNT,)) for side in sides]
                break
    if not parts or {len(part) for part in parts} != {num_frames} or sum(part.shape[1] for part in parts) != _HAND_WIDTH:
        return None
    return np.concatenate(parts, axis=1)


def _stated_up(content: Mapping[str, Any]) -> tuple[UpAxis | None, bool]:
    """The axis that is up by a layout's definition, None where it has none, and whether its floor is at height 0."""
    if "pose_world" in content or "trans_world" in content:
        return "y", False
    if "cam_trans" in content or "smpl_thetas" in content:
        return "-y", False
    if "smpl_poses" in content and "smpl_trans" in content:
        return "y", True
    is_amass = "trans" in content and ("poses" in content or "root_orient" in content)
    return ("z" if is_amass else None), True


# --- files of other kinds -------------------------------------------------------------------------------------------------


def not_smpl_error(name: str, names: set[str] | frozenset[str] = frozenset()) -> InputError:
    """The error for a file that holds no SMPL-family motion: it says what the names of its arrays are those of."""
    if names & {"v_template", "J_regressor", "shapedirs"}:
        return InputError("motion-is-body", "{name} is a body model and holds no motion.", "Give it as --body, and a motion.", name=name)
    if names & {"keypoints", "keypoint_set"}:
        return InputError(
            "motion-is-keypoints", "{name} holds keypoints in pictures and no motion.", "Give it to `meshrec reconstruct`.", name=name
        )
    if {"motion", "lengths"} <= names or names & {"joints", "joints3d", "joints_3d", "positions", "keypoints3d", "pred_keypoints_3d"}:
        return InputError(
            "motion-is-positions",
            "{name} holds positions of joints without rotations.",
            "Fit a body to it with the software that made it, or export it as .bvh.",
            name=name,
        )
    return InputError("motion-not-smpl", "{name} holds no motion of a body that is known here.", _REMEDY_FORMS, name=name)
