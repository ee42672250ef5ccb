"""Retargeting: a rig moves as a performer moved. `retarget` lists the stages: rotations, path, feet, root motion, hands, twist, channels.

The rig's rest pose is never changed. The difference between the two rest poses is one constant rotation a bone:
R_target(t) = D(t) K  with  D(t) = R_source(t) R_source_rest^-1, the source's rotation away from rest, and  K = A P R_target_rest.  P
takes the target's body axes (left, forward, up) onto the source's; A takes a limb's direction onto that of the source's limb by
the least swing, beginning with its parent's A, so that an A-pose, a T-pose and anything in between keep their natural twist.
"""

from collections.abc import Mapping

import numpy as np

from ...core.array_types import FloatArray
from ...core.foot_planting.foot_plan import step_heights
from ..rig import BoneMapping, Performance, RetargetedMotion, RetargetOptions, RetargetTuning, Rig
from ..source.contacts import rest_floor_height, source_contacts, source_floor_height, source_soles
from ..source.resampling import resample_performance
from ..write.channels import solve_bone_channels
from .bone_rotations import RotationTransfer, rotate_twist_bones
from .detached_bones import SolvingRig, attach_detached_bones
from .foot_planting import Steps, plant_feet
from .foot_skin import FootSkin, Sole, find_soles, fit_stance_to_soles
from .forward_kinematics import BoneArrays, Pose
from .hand_planting import plant_hands
from .hand_reach import reach_hands
from .hinge_locks import fit_hinges
from .quality import measure_quality
from .rest_pose import RestPose
from .resting_up import resting_up
from .root_placement import RootPlacement, hip_height
from .stance import Stance, estimate_stance
from .tuning import path_shift, planted_sides, tune_rotations, turned_performance

# What a foot stands on is a step of its own height from this height above the floor on, m of a source of ordinary size.
MIN_STEP_HEIGHT = 0.08
_CONTACT = 0.5  # of the performer's hands, from which they touch


def retarget(
    performance: Performance,
    rig: Rig,
    mapping: BoneMapping,
    options: RetargetOptions | None = None,
    floor_height: float | None = None,
    skins: Mapping[str, FootSkin] | None = None,
) -> RetargetedMotion:
    """Move a rig as a performance moved its source.

    Args:
        performance: F frames. mapping: of the rig. options: None for the defaults.
        floor_height: height of the rig's soles at rest, m in the world, if its skin shows it; None to estimate it from its bones.
        skins: side -> the skin of the foot; None where the rig has none.

    Returns:
        One row a frame: the performance's own frames, or those at the options' fps.

    Raises:
        InputError: the rig's object is mirrored or flat.
    """
    options = options or RetargetOptions()
    if options.fps is not None:
        performance = resample_performance(performance, options.fps)
    solving = attach_detached_bones(rig, mapping)
    performance = turned_performance(performance, options.tuning.heading)
    source, skins = _Source(performance), skins or {}
    target = RestPose(solving.attached, mapping)
    if (up := resting_up(target, skins)) is not None:
        target = RestPose(solving.attached, mapping, up)
    known_floor = _floor_at_rest(target, floor_height, skins)
    stance = estimate_stance(target, known_floor)
    soles = find_soles(target, stance, skins) if known_floor is not None else {}
    stance = fit_stance_to_soles(target, stance, soles)
    placement = RootPlacement(source.rest, target, source.stance, stance, is_control_rig=mapping.controls is not None)
    body = _TargetBody(source, target, stance, placement, options.tuning)
    before = measure_quality(body.pose, stance, source.contacts, placement, performance.timestamps, soles)
    if options.feet and source.contacts.any():
        body.plant_feet(soles)
    body.move_root(options.root)
    body.place_hands(options.hands)
    fit_hinges(target, body.bone_rotations)
    body.rotate_twist_bones()
    pose = body.keyed_pose(solving, mapping)
    keyed, quats, locations = solve_bone_channels(pose, body.bone_rotations, body.heads)
    after = measure_quality(pose, stance, source.contacts, placement, performance.timestamps, soles)
    quality = {f"{name}_{when}": value for when, values in (("before", before), ("after", after)) for name, value in values.items()}
    return RetargetedMotion(
        bones=tuple(solving.keyed.bones[bone] for bone in keyed),
        rotations=quats,
        locations={solving.keyed.bones[bone]: location for bone, location in locations.items()},
        rotmats=np.swapaxes(target.world_rotation.T @ pose.rotations[solving.rows], 0, 1),
        heads=np.swapaxes(pose.heads[solving.rows] @ target.world_rotation, 0, 1) / target.scale,
        timestamps=performance.timestamps,
        fps=performance.fps,
        contacts=source.contacts.astype(float),
        quality={"hip_scale": float(placement.leg_ratio), **quality},
    )


class _Source:
    """A performance and what its feet do: soles (F,4,3) m or None, contacts (F,4) bool, and the floor's height, m."""

    def __init__(self, performance: Performance) -> None:
        self.performance = performance
        self.rest = RestPose(performance.rig, performance.mapping)
        self.stance = estimate_stance(self.rest, rest_floor_height(performance, self.rest))
        hips = hip_height(self.rest, self.stance)
        self.soles = source_soles(performance, self.rest, self.stance)
        self.contacts = source_contacts(performance, self.soles, hips)
        self.floor = source_floor_height(self.soles, self.contacts, hips)

    def step_heights(self) -> FloatArray:
        """Height over the floor of what each foot stands on, (F,2) m: zero except on steps and boxes."""
        steps = np.zeros((len(self.contacts), 2))
        if self.soles is None:
            return steps
        for side in range(2):
            points = slice(2 * side, 2 * side + 2)
            touching = self.contacts[:, points]
            heights = ((self.soles[:, points, 2] - self.floor) * touching).sum(1) / np.maximum(touching.sum(1), 1)
            steps[:, side] = step_heights(heights, np.any(touching, axis=1), MIN_STEP_HEIGHT)
        return steps


class _TargetBody:
    """The rig while it is solved.

    bone_rotations: bone -> (F,3,3). heads: bone -> (F,3) m, of bones that move. pose: the rig as last posed.
    """

    def __init__(self, source: _Source, target: RestPose, stance: Stance, placement: RootPlacement, tuning: RetargetTuning) -> None:
        """Turn the bones and move the body as the performer's, scaled to the rig's legs and tuned."""
        self._source, self._target, self._stance, self._placement, self._tuning = source, target, stance, placement, tuning
        self.bone_rotations = RotationTransfer(source.performance, source.rest, target, source.stance.feet, stance.feet).bone_rotations
        tune_rotations(target, self.bone_rotations, tuning)
        path = placement.hip_path(source.performance, source.floor)
        self._path_shift = path_shift(path, tuning)
        self._body_heads = placement.solve_body_location(self.bone_rotations, path + self._path_shift)
        self.heads: BoneArrays = {placement.location_bone: self._body_heads}
        self.pose = self._posed()

    def plant_feet(self, soles: Mapping[str, Sole]) -> None:
        """Hold the feet where they touch, and keep their soles, by side, above the floor."""
        source, placement = self._source, self._placement
        heights = source.step_heights() * placement.leg_ratio / self._target.stretch[2, 2]
        steps = Steps(planted_sides(source.contacts, self._tuning), heights, source.performance.timestamps)
        self._body_heads = plant_feet(self.pose, self.bone_rotations, self._body_heads, self._stance, steps, placement, soles)
        self.heads = {self._placement.location_bone: self._body_heads}

    def move_root(self, root: str) -> None:
        """Split the movement between hips and root bone as RetargetOptions.root says."""
        if root == "in_place":
            pinned = self._placement.pin_in_place(self._body_heads) + np.asarray(self._tuning.path_offset) * [1, 1, 0]
            self.heads = {self._placement.location_bone: pinned}
        elif root == "root" and (motion := self._placement.extract_root_motion(self.bone_rotations, self._body_heads)) is not None:
            bone, heads = motion
            self.heads[bone] = heads

    def place_hands(self, in_place: bool) -> None:
        """Bring the wrists where the performer's are, if they are to be kept `in_place`, and keep them still while they touch."""
        if in_place:
            self.reach_hands()
        contacts = self._source.performance.hand_contacts
        if contacts is not None and (contacts > _CONTACT).any():
            self.pose = self._posed()
            plant_hands(self.pose, self.bone_rotations, contacts, self._source.performance.timestamps)

    def reach_hands(self) -> None:
        """Bring the wrists where the performer's are."""
        self.pose = self._posed()
        targets = self._placement.hand_targets(self._source.performance, self._source.floor)
        shift = self.heads[self._placement.location_bone] - self._body_heads + self._path_shift
        reach_hands(self.pose, self.bone_rotations, targets, shift)

    def rotate_twist_bones(self) -> None:
        """Turn the twist bones beside the limbs, if the rig has any."""
        if any(bones for slot, bones in self._target.slots.items() if slot.endswith("_twist")):
            self.pose = self._posed()
            rotate_twist_bones(self.pose, self.bone_rotations)

    def keyed_pose(self, solving: SolvingRig, mapping: BoneMapping) -> Pose:
        """The pose of the bones with their own parents; adds the heads of detached bones."""
        if not solving.detached:
            return self.pose
        posed = self._posed()
        self.heads |= {bone: posed.heads[bone] for bone in solving.detached}
        rest = RestPose(solving.keyed, mapping)
        return Pose(rest, self.bone_rotations, self.heads, len(self._source.performance))

    def _posed(self) -> Pose:
        return Pose(self._target, self.bone_rotations, self.heads, len(self._source.performance))


def _floor_at_rest(target: RestPose, floor_height: float | None, skins: Mapping[str, FootSkin]) -> float | None:
    """The height of the floor in the target's axes, from that in the world, or from the skin where the rig is not upright at rest."""
    if target.axes[2, 2] <= 1 - 1e-6:
        return min((float((skin.in_axes_of(target) @ target.axes[:, 2]).min()) for skin in skins.values()), default=None)
    return None if floor_height is None else (floor_height - target.origin[2]) / target.stretch[2, 2]
