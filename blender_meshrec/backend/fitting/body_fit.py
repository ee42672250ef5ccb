"""Fit a body to joints: betas from bone lengths, rotations by DIK, ends from the keypoints on them.

The 17 joints of estimators and a body's joints are not the same points: hips and shoulders are marked on the skin, "thorax" and
"nose" mean different things to different detectors. What is exact and what is approximate:

* Directions of thighs, shins, upper arms and forearms are exact in every frame.
* Torso: hip, thorax and spine are derived from hips and shoulders, the same way on both sides (core.skeletons), so that the
  pelvis follows the line of the hips, the chest the line of the shoulders, and both the line from hips to shoulders.
* The offset of a detector's hips or shoulders from the body's is a constant of the detector, not a shape: it hardly weighs
  in betas (`betas_fit.MEASUREMENTS`) and in no rotation, and is spread by a translation with which the twelve limb joints
  have no mean error.
* Collars: 17 joints do not show them. They take a fraction of the upper arms' elevation, as collar bones do: a T-pose body
  with its arms simply lowered would stand with its shoulders shrugged.
* Head: the distance of nose and head top is the detector's; the rest triangle thorax, nose, head top is the clip's own,
  placed in the body's plane of symmetry along the body's own neck. With points on the face it follows those (end_rotations.py).

The result is in the axes of the joints (a camera's); `body_params.transform_body` takes it to others.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import roma
import torch

from ...bodies.alignment import normalize_or, swing_onto
from ...bodies.lbs import forward_kinematics, global_rotmats, smpl_tree
from ...core.array_types import ArrayLike, BoolArray, FloatArray
from ...core.files.body_template import BodyTemplate
from ...core.records import BodyParams
from ...core.skeletons import H36M17, LIMB_JOINTS, SMPL_JOINTS, h36m17_weights_from_names, limb_indices
from ...methods import dik
from .betas_fit import fit_betas, measure_lengths
from .end_points import EndPoints
from .end_rotations import (
    MAX_FOOT_TURN,
    FootDirections,
    ankle_rotvecs,
    foot_directions,
    foot_turns,
    head_rotvecs,
    knee_axes,
    wrist_rotvecs,
)

# A joint whose confidence never exceeds this is not in the image.
MIN_CONFIDENCE = 0.05
# A line from nose to head top shorter than this has no direction, m.
MIN_HEAD_LENGTH = 0.05
# The collar bone's fraction of the upper arm's elevation over the horizontal, and the least and most it turns, rad. Ours:
# about what the open body's collars turn between its A-pose and its T-pose.
COLLAR_FRACTION, COLLAR_RANGE = 0.18, (-0.22, 0.4)
TORSO_JOINTS = ("hip", "left_hip", "right_hip", "spine", "thorax", "left_shoulder", "right_shoulder")
_DERIVED_JOINTS = ("hip", "spine", "thorax")
_HEAD_TRIANGLE = [H36M17.index(name) for name in ("thorax", "nose", "head_top")]
_ANKLES = [H36M17.index(name) for name in ("left_ankle", "right_ankle")]
# Arms that are in no frame hang, rad about the z axis; SMPL's rest holds them out.
HANGING_ARM_ANGLES = {"left_shoulder": -1.25, "right_shoulder": 1.25}
# The h36m17 joint whose confidence an SMPL joint takes, where h36m17 has none of its name.
_CONFIDENCE_SOURCE = {
    "pelvis": "hip", "spine1": "spine", "spine2": "spine", "spine3": "spine", "neck": "thorax", "head": "nose",
    "left_collar": "left_shoulder", "right_collar": "right_shoulder", "left_foot": "left_ankle", "right_foot": "right_ankle",
    "left_hand": "left_wrist", "right_hand": "right_wrist",
}  # fmt: skip


@dataclass(frozen=True)
class BodyFit:
    """A body fitted to a clip, in the axes of the joints: joints (F,24,3) m, posed; confidence (F,24).

    limb_errors: (12,) m, median distance of each of LIMB_JOINTS from the joints that were fitted. feet_backwards: (F,), whether a foot was
    seen to point where no leg can turn it, and was not followed.
    """

    body: BodyParams
    joints: FloatArray
    confidence: FloatArray
    limb_errors: FloatArray
    feet_backwards: BoolArray


def fit_body(
    template: BodyTemplate,
    joints: ArrayLike,
    confidence: ArrayLike,
    points: EndPoints | None = None,
    timestamps: ArrayLike | None = None,
    device: torch.device | str = "cpu",
    betas: FloatArray | None = None,
) -> BodyFit:
    """Fit a body to the joints of a clip.

    Args:
        joints: (F,17,3) m, h36m17, in camera axes; bone lengths roughly constant. confidence: (F,17) 0..1.
        points: toes, heels, fingers and face, in the same axes, or None.
        timestamps: (F,) s; one a frame when None.
        betas: (B,), where the shape is known.
    """
    joints, confidence = np.asarray(joints, np.float64), np.asarray(confidence, np.float64)
    times = np.arange(len(joints), dtype=float) if timestamps is None else np.asarray(timestamps, float)
    betas = fit_betas(template, measure_lengths(joints, confidence)) if betas is None else betas
    vertices, all_rest_joints = template.rest(betas)
    rest_joints = all_rest_joints[template.smpl_joint_indices]
    landmarks = {name: vertices[vertex].astype(float) for name, vertex in template.landmarks.items()}
    rotmats, feet_backwards = _solve_rotations(rest_joints, landmarks, joints, confidence, points, times, device)
    rest = torch.as_tensor(rest_joints).to(rotmats)
    posed = forward_kinematics(rotmats, rest[None], smpl_tree(rotmats.device))[0].cpu().numpy().astype(float)
    transl = _solve_transl(posed, joints, confidence)
    posed = posed + transl[:, None]
    errors = np.linalg.norm(posed[:, limb_indices(SMPL_JOINTS)] - joints[:, limb_indices(H36M17)], axis=-1)
    return BodyFit(
        body=_body_params(template, betas, roma.rotmat_to_rotvec(rotmats).cpu().numpy(), transl),
        joints=posed.astype(np.float32),
        confidence=np.stack([confidence[:, H36M17.index(_CONFIDENCE_SOURCE.get(name, name))] for name in SMPL_JOINTS], 1),
        limb_errors=np.median(errors, axis=0) if len(errors) else np.zeros(len(LIMB_JOINTS)),
        feet_backwards=feet_backwards,
    )


def derive_torso_joints(joints: FloatArray) -> FloatArray:
    """Joints (F,17,3) with hip, spine and thorax derived from hips and shoulders, as `h36m17_weights_from_names` does of a body."""
    names = [name for name in H36M17 if name not in _DERIVED_JOINTS]
    return np.einsum("jk,fkc->fjc", h36m17_weights_from_names(names), joints[:, [H36M17.index(name) for name in names]])


# --- rotations ---------------------------------------------------------------------------------------------------------


def _solve_rotations(
    rest_joints: FloatArray,
    landmarks: Mapping[str, FloatArray],
    joints: FloatArray,
    confidence: FloatArray,
    points: EndPoints | None,
    times: FloatArray,
    device: torch.device | str,
) -> tuple[torch.Tensor, BoolArray]:
    """Local rotations (F,24,3,3) of a body with rest joints (24,3) m, and where feet point backwards (F,)."""
    observed = derive_torso_joints(joints)
    rest17 = _fit_rest_head(_h36m17_at_rest(rest_joints, landmarks), observed, confidence)
    is_in_image = confidence.max(0) > MIN_CONFIDENCE
    # A torso beyond the image's edge is still where the estimator puts it; without it nothing says which way is up.
    is_in_image[[H36M17.index(name) for name in TORSO_JOINTS]] = True
    weights = np.repeat(is_in_image.astype(float)[None], len(joints), 0)
    # About the hip, so that single precision is enough; every device has it.
    about_hip = torch.as_tensor(observed - observed[:, :1], dtype=torch.float32, device=device)
    rest, rest17, weights, ankles = (torch.as_tensor(value).to(about_hip) for value in (rest_joints, rest17, weights, joints[:, _ANKLES]))
    rotmats, _root = dik.solve_dik(about_hip, rest17, weights)
    head = _head_rotmats(rotmats, rest17, about_hip)
    feet = None if points is None else _foot_directions(global_rotmats(rotmats, smpl_tree(rotmats.device)), rest, ankles, landmarks, points)
    backwards = torch.zeros(len(joints), 2, dtype=torch.bool) if feet is None else feet.is_backwards.cpu()
    rotmats = _apply_end_rotations(rotmats, rest, rest17, head, feet, landmarks, points, times)
    return _raise_collars(_hang_unseen_arms(rotmats, confidence), rest), backwards.any(1).numpy()


def _h36m17_at_rest(rest_joints: FloatArray, landmarks: Mapping[str, FloatArray]) -> FloatArray:
    """The h36m17 joints (17,3) m of a body at rest."""
    points = np.concatenate([rest_joints, [landmarks["nose"], landmarks["head_top"]]])
    return h36m17_weights_from_names((*SMPL_JOINTS, "nose", "head_top")) @ points


def _fit_rest_head(rest17: FloatArray, joints: FloatArray, confidence: FloatArray) -> FloatArray:
    """Rest joints (17,3) whose triangle thorax, nose, head top is the clip's, along the body's line from thorax to head top."""
    thorax, nose, top = _HEAD_TRIANGLE
    is_shown = confidence[:, _HEAD_TRIANGLE].min(1) > MIN_CONFIDENCE
    if not is_shown.any():
        return rest17
    to_nose, to_top = (joints[is_shown, joint] - joints[is_shown, thorax] for joint in (nose, top))
    nose_length, top_length = (np.median(np.linalg.norm(vectors, axis=-1)) for vectors in (to_nose, to_top))
    angle = np.median(np.arctan2(np.linalg.norm(np.cross(to_nose, to_top), axis=-1), (to_nose * to_top).sum(-1)))
    up = (rest17[top] - rest17[thorax]) * [0, 1, 1]
    up /= np.linalg.norm(up)
    front = np.cross([1.0, 0, 0], up)
    fitted = rest17.copy()
    fitted[top] = rest17[thorax] + top_length * up
    fitted[nose] = rest17[thorax] + nose_length * (np.cos(angle) * up + np.sin(angle) * front)
    return fitted


def _head_rotmats(rotmats: torch.Tensor, rest17: torch.Tensor, joints: torch.Tensor) -> torch.Tensor:
    """Global rotations (F,3,3) of the head by joints (F,17,3).

    DIK's unit (9) aims at nose and head top from the thorax, as if neck and head were one piece; the line from nose to head
    top belongs to the head alone.
    """
    neck = global_rotmats(rotmats, smpl_tree(rotmats.device))[:, SMPL_JOINTS.index("neck")]
    _thorax, nose, top = _HEAD_TRIANGLE
    rest = rest17[top] - rest17[nose]
    if rest.norm() < MIN_HEAD_LENGTH:
        return neck
    rest = (rest / rest.norm()).expand(len(joints), 3)
    return swing_onto(neck, rest, normalize_or(joints[:, top] - joints[:, nose], (neck @ rest[..., None])[..., 0]))


def _apply_end_rotations(
    rotmats: torch.Tensor,
    rest: torch.Tensor,
    rest17: torch.Tensor,
    head: torch.Tensor,
    feet: FootDirections | None,
    landmarks: Mapping[str, FloatArray],
    points: EndPoints | None,
    times: FloatArray,
) -> torch.Tensor:
    """Local rotations (F,24,3,3) with the twist of straight limbs interpolated, and head, hands and feet turned as their points show.

    rest: (24,3) m. rest17: (17,3) m. head: (F,3,3), of `_head_rotmats`.
    """
    tree = smpl_tree(rotmats.device)
    world = global_rotmats(rotmats, tree)
    axes, trust = (None, None) if feet is None else _knee_hints(world, rest, feet)
    seconds = torch.as_tensor(times - times[:1]).to(rotmats)
    rotmats = dik.interpolate_twist(rotmats, rest17, axes, trust, seconds)

    world = global_rotmats(rotmats, tree)
    head_rotvec = head_rotvecs(points, landmarks, world[:, SMPL_JOINTS.index("spine3")], head, times)
    # Neck and head turn alike; SMPL's skin is made for both.
    local = dict.fromkeys(("neck", "head"), roma.rotvec_to_rotmat(head_rotvec / 2))
    if feet is not None:
        ankle_rotmats = roma.rotvec_to_rotmat(ankle_rotvecs(feet, world[:, _pair("knee")], times))
        local["left_ankle"], local["right_ankle"] = ankle_rotmats.unbind(1)
    forearms = _rest_directions(rest, "elbow", "wrist")
    hands = None if points is None else wrist_rotvecs(points, world[:, _pair("elbow")], forearms, times)
    if hands is not None:
        twists, wrists = hands
        elbows = rotmats[:, _pair("elbow")] @ roma.rotvec_to_rotmat(twists[..., None] * forearms)
        local["left_elbow"], local["right_elbow"] = elbows.unbind(1)
        local["left_wrist"], local["right_wrist"] = roma.rotvec_to_rotmat(wrists).unbind(1)
    return torch.stack([local.get(name, rotmats[:, joint]) for joint, name in enumerate(SMPL_JOINTS)], 1)


def _foot_directions(
    world: torch.Tensor, rest_joints: torch.Tensor, ankles: torch.Tensor, landmarks: Mapping[str, FloatArray], points: EndPoints
) -> FootDirections | None:
    """Where feet point by their points, or else by feet at rest against the shins of global rotations (F,24,3,3)."""
    soles = np.array([landmarks[f"{side}_big_toe"] - landmarks[f"{side}_heel"] for side in ("left", "right")])
    rest = torch.nn.functional.normalize(torch.as_tensor(soles).to(world), dim=-1)
    feet = foot_directions(points, landmarks, ankles, (world[:, _pair("knee")] @ rest[..., None])[..., 0])
    if feet is None:
        return None
    rest_thighs, rest_shins = (_rest_directions(rest_joints, *ends) for ends in (("hip", "knee"), ("knee", "ankle")))
    thighs, shins = ((world[:, _pair(joint)] @ bones[..., None])[..., 0] for joint, bones in (("hip", rest_thighs), ("knee", rest_shins)))
    is_odd, is_mirror_odd = (
        foot_turns(directions, world[:, 0], rest_thighs, thighs, shins).abs() > MAX_FOOT_TURN
        for directions in (feet.directions, feet.mirrored)
    )
    # Detectors take heels for toes. Of a foot towards the camera, or away from it, the picture hardly shows which it is: no sign of that.
    return feet._replace(is_reliable=feet.is_reliable & ~is_odd, is_backwards=feet.is_reliable & is_odd & is_mirror_odd)


def _knee_hints(world: torch.Tensor, rest: torch.Tensor, feet: FootDirections) -> tuple[torch.Tensor, torch.Tensor]:
    """Hinge axes (F,4,3) of knees and, without trust, elbows, and their trust (F,4), as `dik.interpolate_twist` takes them."""
    rest_thighs = _rest_directions(rest, "hip", "knee")
    axes, trust = knee_axes(feet, (world[:, _pair("hip")] @ rest_thighs[..., None])[..., 0], rest_thighs)
    return torch.cat([axes, torch.zeros_like(axes)], 1), torch.cat([trust, torch.zeros_like(trust)], 1)


def _hang_unseen_arms(rotmats: torch.Tensor, confidence: FloatArray) -> torch.Tensor:
    """Local rotations (F,24,3,3) with arms that are in no frame hanging at the sides."""
    for shoulder, angle in HANGING_ARM_ANGLES.items():
        if confidence[:, H36M17.index(shoulder.replace("shoulder", "elbow"))].max(initial=0) <= MIN_CONFIDENCE:
            rotmats = rotmats.clone()
            rotmats[:, SMPL_JOINTS.index(shoulder)] = roma.rotvec_to_rotmat(rotmats.new_tensor([0.0, 0.0, angle]))
    return rotmats


def _raise_collars(rotmats: torch.Tensor, rest: torch.Tensor) -> torch.Tensor:
    """Local rotations (F,24,3,3) with collars that follow the upper arms, whose global rotations stay; rest: (24,3) m."""
    rotmats = rotmats.clone()
    for side, sign in (("left", 1.0), ("right", -1.0)):
        collar, shoulder, elbow = (SMPL_JOINTS.index(f"{side}_{joint}") for joint in ("collar", "shoulder", "elbow"))
        bone = rest[elbow] - rest[shoulder]
        arm = rotmats[:, collar] @ rotmats[:, shoulder] @ (bone / bone.norm())
        elevation = torch.asin(arm[:, 1].clamp(-1, 1))
        lift = (COLLAR_FRACTION * elevation).clamp(*COLLAR_RANGE)
        raised = roma.rotvec_to_rotmat(lift[:, None] * rotmats.new_tensor([0.0, 0.0, sign]))
        rotmats[:, shoulder] = raised.mT @ rotmats[:, collar] @ rotmats[:, shoulder]
        rotmats[:, collar] = raised
    return rotmats


def _rest_directions(rest: torch.Tensor, start: str, end: str) -> torch.Tensor:
    """Unit vectors (2,3) from joint to joint at rest, left and right."""
    return torch.nn.functional.normalize(rest[_pair(end)] - rest[_pair(start)], dim=-1)


def _pair(joint: str) -> list[int]:
    """The indices of the left and right SMPL joint."""
    return [SMPL_JOINTS.index(f"{side}_{joint}") for side in ("left", "right")]


# --- translation and result --------------------------------------------------------------------------------------------


def _solve_transl(posed: FloatArray, joints: FloatArray, confidence: FloatArray) -> FloatArray:
    """Translations (F,3) m with which the posed limb joints (F,24,3) have no mean error.

    Each joint weighs by its confidence over the clip, not the frame's, so that the body does not move because a joint
    comes into view.
    """
    errors = joints[:, limb_indices(H36M17)] - posed[:, limb_indices(SMPL_JOINTS)]
    weights = confidence[:, limb_indices(H36M17)].mean(0) if len(confidence) else np.ones(len(LIMB_JOINTS))
    weights = weights if weights.sum() > 0 else np.ones_like(weights)
    return (weights[:, None] * errors).sum(1) / weights.sum()


def _body_params(template: BodyTemplate, betas: FloatArray, rotvecs: FloatArray, transl: FloatArray) -> BodyParams:
    """BodyParams of rotations (F,24,3) rad; bodies with more joints keep fingers, jaw and eyes at rest."""
    poses = np.zeros((len(rotvecs), len(template.parents), 3))
    poses[:, template.smpl_joint_indices] = rotvecs
    return BodyParams(
        model=template.surface_model_type,
        betas=betas,
        global_orient=poses[:, 0],
        body_pose=poses[:, 1:].reshape(len(poses), -1),
        transl=transl,
    )
