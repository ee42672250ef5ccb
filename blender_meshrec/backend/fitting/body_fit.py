"""From joints to a body: betas from bone lengths, rotations by DIK, ends from the points seen on them.

The 17 joints that estimators speak and a body's joints are not the same places: hips and shoulders are marked on the skin,
"thorax" and "nose" mean different things to different detectors. What is kept and what gives way:

* Directions of thighs, shins, upper arms and forearms are kept exactly, in every frame.
* Torso: hip, thorax and spine are taken from hips and shoulders, the same way on both sides (core.skeletons), so that the
  pelvis follows the line of the hips, the chest the line of the shoulders, and both the line from hips to shoulders.
* That a detector's hips or shoulders lie some centimetres off the body's is a constant of the detector, not a shape: it
  hardly counts in betas (`betas_fit.MEASUREMENTS`), turns nothing, and is shared out by placing the body so that the
  twelve limb joints are missed by nothing on the mean.
* Collars: 17 joints do not show them. They take a share of the upper arms' elevation, as collar bones do: a T-pose body
  with its arms simply turned down would stand with its shoulders shrugged.
* Head: how far nose and head top are apart is the detector's; the rest triangle thorax, nose, head top is the clip's own,
  laid into the body's plane of symmetry along the body's own neck. With points on the face it follows those.

The result is in the axes of the joints (a camera's). A later stage that turns the world, world_from_camera with rotation R
and translation t, needs only the two records changed: `transform_body`.
"""

from dataclasses import dataclass

import numpy as np
import roma
import torch

from ...bodies.alignment import normalize_or, swing_onto
from ...bodies.lbs import KinematicTree, forward_kinematics
from ...core.records import BodyParams
from ...core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from ...core.skeletons import H36M17, LIMB_JOINTS, SMPL_JOINTS, SMPL_PARENTS, h36m17_weights_from_names, limb_indices
from ...methods import dik
from .betas_fit import fit_betas, measure_lengths
from .end_rotations import ankle_rotvecs, foot_directions, head_rotvecs, knee_axes, wrist_rotvecs

# A joint whose confidence never reaches this is not in the picture.
MIN_CONFIDENCE = 0.05
# A line from nose to head top shorter than this tells no direction, m.
MIN_HEAD_LENGTH = 0.05
# The collar bone's share of the upper arm's elevation over the horizontal, and the least and most it turns, rad. Ours: about
# what the open body's collars turn between its A-pose and its T-pose.
COLLAR_SHARE, COLLAR_RANGE = 0.18, (-0.22, 0.4)
TORSO_JOINTS = ("hip", "left_hip", "right_hip", "spine", "thorax", "left_shoulder", "right_shoulder")
# Arms that are never seen hang: SMPL's rest has them held out. Radians about the z axis.
HANGING_ARM_ANGLES = {"left_shoulder": -1.25, "right_shoulder": 1.25}
# What a joint of SMPL's inherits its confidence from, where h36m17 has no joint of its name.
_CONFIDENCE_SOURCE = {
    "pelvis": "hip", "spine1": "spine", "spine2": "spine", "spine3": "spine", "neck": "thorax", "head": "nose",
    "left_collar": "left_shoulder", "right_collar": "right_shoulder", "left_foot": "left_ankle", "right_foot": "right_ankle",
    "left_hand": "left_wrist", "right_hand": "right_wrist",
}  # fmt: skip


@dataclass(frozen=True)
class BodyFit:
    """A body fitted to a clip: body, a BodyParams in the axes of the joints; joints (F,24,3) m, posed; confidence (F,24).

    limb_errors: (12,) m, median distance of each of LIMB_JOINTS from where it was seen.
    """

    body: BodyParams
    joints: np.ndarray
    confidence: np.ndarray
    limb_errors: np.ndarray


def fit_body(template, joints, confidence, points=None, timestamps=None, device="cpu"):
    """Fit a body to the joints of a clip.

    Args:
        template: a BodyTemplate.
        joints: (F,17,3) m, h36m17, in camera axes; bone lengths roughly constant. confidence: (F,17) 0..1.
        points: EndPoints that the detector has beside them (toes, heels, fingers, face), in the same axes, or None.
        timestamps: (F,) s; one a frame when None.

    Returns:
        a BodyFit.
    """
    joints, confidence = np.asarray(joints, np.float64), np.asarray(confidence, np.float64)
    times = np.arange(len(joints), dtype=float) if timestamps is None else np.asarray(timestamps, float)
    betas = fit_betas(template, measure_lengths(joints, confidence))
    vertices, rest_all = template.rest(betas)
    rest = rest_all[template.smpl_joint_indices]
    landmarks = {name: vertices[vertex].astype(float) for name, vertex in template.landmarks.items()}

    seen = derive_torso_joints(joints)
    at_rest = _fit_rest_head(_h36m17_at_rest(rest, landmarks), seen, confidence)
    ever_seen = confidence.max(0) > MIN_CONFIDENCE
    # A torso cut off by the picture's edge is still where the estimator thinks; without it nothing says which way is up.
    ever_seen[[H36M17.index(name) for name in TORSO_JOINTS]] = True
    weights = np.repeat(ever_seen.astype(float)[None], len(joints), 0)
    # About the hip, so that single precision is enough; it is what every device has.
    about_hip = torch.as_tensor(seen - seen[:, :1], dtype=torch.float32, device=device)
    rotmats, _ = dik.solve_dik(about_hip, torch.as_tensor(at_rest).to(about_hip), torch.as_tensor(weights).to(about_hip))
    ankles = torch.as_tensor(joints[:, [H36M17.index("left_ankle"), H36M17.index("right_ankle")]]).to(about_hip)
    skeleton = torch.as_tensor(rest).to(about_hip), torch.as_tensor(at_rest).to(about_hip)
    head = _head_rotations(rotmats, skeleton[1], about_hip)
    rotmats = _apply_end_rotations(rotmats, *skeleton, head, ankles, landmarks, points, times)
    rotmats = _raise_collars(_hang_unseen_arms(rotmats, confidence), rest)

    posed = forward_kinematics(rotmats, torch.as_tensor(rest).to(rotmats)[None], KinematicTree(SMPL_PARENTS, rotmats.device))[0]
    posed = posed.cpu().numpy().astype(float)
    transl = _solve_transl(posed, joints, confidence)
    posed = posed + transl[:, None]
    off = np.linalg.norm(posed[:, limb_indices(SMPL_JOINTS)] - joints[:, limb_indices(H36M17)], axis=-1)
    return BodyFit(
        body=_body_params(template, betas, roma.rotmat_to_rotvec(rotmats).cpu().numpy(), transl),
        joints=posed.astype(np.float32),
        confidence=np.stack([confidence[:, H36M17.index(_CONFIDENCE_SOURCE.get(name, name))] for name in SMPL_JOINTS], 1),
        limb_errors=np.median(off, axis=0) if len(off) else np.zeros(len(LIMB_JOINTS)),
    )


def transform_body(body, rest_root, rotation, translation):
    """The same body in other axes, x -> rotation x + translation.

    Args:
        body: a BodyParams. rest_root: (3,) m, the body's root joint at rest under its betas. rotation: (3,3) or (F,3,3).
        translation: (3,) or (F,3) m.

    A body turns about its root, which rests at `rest_root` and not at the origin: global_orient is multiplied from the
    left, and transl carries the root to its new place. Everything else stays.
    """
    rotation, rest_root = np.asarray(rotation, float), np.asarray(rest_root, float)
    orient = rotvec_from_rotmat(rotation @ rotmat_from_rotvec(body.global_orient))
    root = (rotation @ (body.transl + rest_root)[..., None])[..., 0] + translation
    return BodyParams(model=body.model, betas=body.betas, global_orient=orient, body_pose=body.body_pose, transl=root - rest_root)


def derive_torso_joints(joints):
    """Joints (F,17,3) with hip, spine and thorax made of hips and shoulders, as `h36m17_weights_from_names` makes them of a body."""
    weights = h36m17_weights_from_names([name for name in H36M17 if name not in ("hip", "spine", "thorax")])
    kept = [H36M17.index(name) for name in H36M17 if name not in ("hip", "spine", "thorax")]
    return np.einsum("jk,fkc->fjc", weights, joints[:, kept])


def _h36m17_at_rest(rest, landmarks):
    """The h36m17 points (17,3) of a body at rest."""
    points = np.concatenate([rest, [landmarks["nose"], landmarks["head_top"]]])
    return h36m17_weights_from_names((*SMPL_JOINTS, "nose", "head_top")) @ points


def _fit_rest_head(at_rest, joints, confidence):
    """Rest points (17,3) whose triangle thorax, nose, head top is the clip's, along the line the body has to its head top."""
    thorax, nose, top = (H36M17.index(name) for name in ("thorax", "nose", "head_top"))
    sure = confidence[:, [thorax, nose, top]].min(1) > MIN_CONFIDENCE
    if not sure.any():
        return at_rest
    to_nose, to_top = joints[sure, nose] - joints[sure, thorax], joints[sure, top] - joints[sure, thorax]
    length_nose, length_top = (np.median(np.linalg.norm(v, axis=-1)) for v in (to_nose, to_top))
    angle = np.median(np.arctan2(np.linalg.norm(np.cross(to_nose, to_top), axis=-1), (to_nose * to_top).sum(-1)))
    up = (at_rest[top] - at_rest[thorax]) * [0, 1, 1]
    up /= np.linalg.norm(up)
    front = np.cross([1.0, 0, 0], up)
    rest = at_rest.copy()
    rest[top] = at_rest[thorax] + length_top * up
    rest[nose] = at_rest[thorax] + length_nose * (np.cos(angle) * up + np.sin(angle) * front)
    return rest


def _head_rotations(rotmats, at_rest, joints):
    """Global rotations (F,3,3) of the head by h36m17's joints.

    Unit (9) looks at nose and head top from the thorax, as if neck and head were one piece; the line from nose to head top
    belongs to the head alone.
    """
    neck = dik.global_rotmats(rotmats)["neck"]
    nose, top = (H36M17.index(name) for name in ("nose", "head_top"))
    rest = at_rest[top] - at_rest[nose]
    if rest.norm() < MIN_HEAD_LENGTH:
        return neck
    rest = (rest / rest.norm()).expand(len(joints), 3)
    return swing_onto(neck, rest, normalize_or(joints[:, top] - joints[:, nose], (neck @ rest[..., None])[..., 0]))


def _apply_end_rotations(rotmats, rest, at_rest, head, ankles, landmarks, points, times):
    """Local rotations (F,24,3,3) with the twist of straight limbs carried over, and head, hands and feet turned as seen."""
    at = {name: i for i, name in enumerate(SMPL_JOINTS)}
    feet = axes = trust = None
    if points is not None:
        world = dik.global_rotmats(rotmats)
        soles = [landmarks[f"{side}_big_toe"] - landmarks[f"{side}_heel"] for side in ("left", "right")]
        soles = torch.nn.functional.normalize(torch.as_tensor(np.array(soles)).to(rotmats), dim=-1)
        shins = torch.stack([world["left_knee"], world["right_knee"]], 1)
        feet = foot_directions(points, landmarks, ankles, (shins @ soles[..., None])[..., 0])
    if feet is not None:
        rest_thighs = torch.nn.functional.normalize(
            rest[[at["left_knee"], at["right_knee"]]] - rest[[at["left_hip"], at["right_hip"]]], dim=-1
        )
        thighs = (torch.stack([world["left_hip"], world["right_hip"]], 1) @ rest_thighs[..., None])[..., 0]
        axes, trust = (torch.cat([value, torch.zeros_like(value)], 1) for value in knee_axes(feet, thighs, rest_thighs))
    seconds = torch.as_tensor(times - times[:1]).to(rotmats)
    rotmats = dik.interpolate_twist(rotmats, at_rest, axes, trust, seconds)

    world = dik.global_rotmats(rotmats)
    local = {}
    head = (
        roma.rotmat_to_rotvec(world["spine3"].mT @ head)
        if points is None
        else head_rotvecs(points, landmarks, world["spine3"], head, times)
    )
    # Neck and head turn alike; SMPL's skin is made for both.
    local["neck"] = local["head"] = roma.rotvec_to_rotmat(head / 2)
    if feet is not None:
        shins = torch.stack([world["left_knee"], world["right_knee"]], 1)
        ankles = roma.rotvec_to_rotmat(ankle_rotvecs(feet, shins, times))
        local["left_ankle"], local["right_ankle"] = ankles.unbind(1)
    forearms = torch.stack([world["left_elbow"], world["right_elbow"]], 1)
    along = torch.nn.functional.normalize(rest[[at["left_wrist"], at["right_wrist"]]] - rest[[at["left_elbow"], at["right_elbow"]]], dim=-1)
    hands = None if points is None else wrist_rotvecs(points, forearms, along, times)
    if hands is not None:
        twists, wrists = hands
        elbows = rotmats[:, [at["left_elbow"], at["right_elbow"]]] @ roma.rotvec_to_rotmat(twists[..., None] * along)
        local["left_elbow"], local["right_elbow"] = elbows.unbind(1)
        local["left_wrist"], local["right_wrist"] = roma.rotvec_to_rotmat(wrists).unbind(1)
    return torch.stack([local.get(name, rotmats[:, i]) for name, i in at.items()], 1)


def _hang_unseen_arms(rotmats, confidence):
    """Arms that are in no frame hang at the sides."""
    for shoulder, angle in HANGING_ARM_ANGLES.items():
        if confidence[:, H36M17.index(shoulder.replace("shoulder", "elbow"))].max(initial=0) <= MIN_CONFIDENCE:
            rotmats = rotmats.clone()
            rotmats[:, SMPL_JOINTS.index(shoulder)] = roma.rotvec_to_rotmat(rotmats.new_tensor([0.0, 0.0, angle]))
    return rotmats


def _raise_collars(rotmats, rest):
    """Collars that go along with the upper arms, whose global rotations stay; rest: (24,3) m."""
    rotmats = rotmats.clone()
    for side, sign in (("left", 1.0), ("right", -1.0)):
        collar, shoulder, elbow = (SMPL_JOINTS.index(f"{side}_{joint}") for joint in ("collar", "shoulder", "elbow"))
        bone = torch.as_tensor(rest[elbow] - rest[shoulder]).to(rotmats)
        arm = rotmats[:, collar] @ rotmats[:, shoulder] @ (bone / bone.norm())
        elevation = torch.asin(arm[:, 1].clamp(-1, 1))
        lift = (COLLAR_SHARE * elevation).clamp(*COLLAR_RANGE)
        turn = roma.rotvec_to_rotmat(lift[:, None] * rotmats.new_tensor([0.0, 0.0, sign]))
        rotmats[:, shoulder] = turn.mT @ rotmats[:, collar] @ rotmats[:, shoulder]
        rotmats[:, collar] = turn
    return rotmats


def _solve_transl(posed, joints, confidence):
    """Translations (F,3) m with which the posed limb joints are missed by nothing on the mean.

    Each joint counts by its confidence over the clip, not the frame's, so that the body does not move because a joint
    comes into view.
    """
    off = joints[:, limb_indices(H36M17)] - posed[:, limb_indices(SMPL_JOINTS)]
    weights = confidence[:, limb_indices(H36M17)].mean(0) if len(confidence) else np.ones(len(LIMB_JOINTS))
    weights = weights if weights.sum() > 0 else np.ones_like(weights)
    return (weights[:, None] * off).sum(1) / weights.sum()


def _body_params(template, betas, rotvecs, transl):
    """BodyParams of rotations (F,24,3) rad, for bodies with more joints too: fingers, jaw and eyes stay at rest."""
    poses = np.zeros((len(rotvecs), len(template.parents), 3))
    poses[:, template.smpl_joint_indices] = rotvecs
    return BodyParams(
        model=template.surface_model_type,
        betas=betas,
        global_orient=poses[:, 0],
        body_pose=poses[:, 1:].reshape(len(poses), -1),
        transl=transl,
    )
