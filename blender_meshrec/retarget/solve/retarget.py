"""Retargeting: a rig moves as a performer moved. `retarget` reads as the whole does: turn, carry, plant, express as channels.

The rest pose of the rig is never touched. What differs between the two rest poses is kept as one constant rotation a bone:
R_target(t) = D(t) K  with  D(t) = R_source(t) R_source_rest^-1, how far the source has turned, and  K = A P R_target_rest.  P
takes the target's body axes (left, forward, up) onto the source's; A takes a limb's direction onto that of the source's limb by
the least swing, beginning with its parent's A, so that an A-pose, a T-pose and anything in between keep their natural twist.
"""

import numpy as np

from ...core.contacts import contact_runs
from ..rig import RetargetedMotion, RetargetOptions
from ..source.contacts import rest_floor_height, source_contacts, source_floor_height, source_soles
from ..source.resampling import resample_performance
from ..write.channels import solve_bone_channels
from .bone_rotations import RotationTransfer, rotate_twist_bones
from .foot_planting import MIN_STEP_HEIGHT, plant_feet
from .forward_kinematics import Pose
from .hand_reach import reach_hands
from .quality import measure_quality
from .rest_pose import RestPose
from .root_placement import RootPlacement, hip_height
from .stance import estimate_stance


def retarget(performance, rig, mapping, options=None, floor_height=None):
    """Move a rig as a performance moved its source.

    Args:
        performance: a Performance of F frames. rig: a Rig. mapping: its BoneMapping. options: RetargetOptions, or None for the usual.
        floor_height: how high the rig's soles are at rest, m in the world, where its skin says so; None to tell from its bones.

    Returns:
        a RetargetedMotion, a row a frame: the performance's own frames, or those of the options' fps.

    Raises:
        InputError: the rig's object is mirrored or flat.
    """
    options = options or RetargetOptions()
    if options.fps is not None:
        performance = resample_performance(performance, options.fps)
    frames, times = len(performance), performance.timestamps
    source, target = RestPose(performance.rig, performance.mapping), RestPose(rig, mapping)
    source_stance = estimate_stance(source, rest_floor_height(performance, source))
    if floor_height is not None:  # told in the world, and of use where the rig stands upright in it
        upright = target.axes[2, 2] > 1 - 1e-6
        floor_height = (floor_height - target.origin[2]) / target.stretch[2, 2] if upright else None
    target_stance = estimate_stance(target, floor_height)
    placement = RootPlacement(source, target, source_stance, target_stance, is_control_rig=mapping.controls is not None)

    soles, hips = source_soles(performance, source, source_stance), hip_height(source, source_stance)
    contacts = source_contacts(performance, soles, hips)
    floor = source_floor_height(soles, contacts, hips)

    bone_rotations = RotationTransfer(performance, source, target, source_stance.feet, target_stance.feet).bone_rotations
    heads = placement.solve_body_location(bone_rotations, placement.hip_path(performance, floor))
    pose = Pose(target, bone_rotations, {placement.location_bone: heads}, frames)
    before = measure_quality(pose, target_stance, contacts, placement, times)
    if options.feet and contacts.any():
        heads = plant_feet(
            pose, bone_rotations, heads, target_stance, contacts, _support_heights(soles, floor, contacts, placement), placement, times
        )
    moved = {placement.location_bone: heads}
    if options.root == "in_place":
        moved = {placement.location_bone: placement.pin_in_place(heads)}
    elif options.root == "root" and (root := placement.extract_root_motion(bone_rotations, heads)) is not None:
        moved[root[0]] = root[1]
    if options.hands:
        pose = Pose(target, bone_rotations, moved, frames)
        reach_hands(pose, bone_rotations, placement.hand_targets(performance, floor), moved[placement.location_bone] - heads)
    if any(target.slots.get(slot) for slot in mapping.slots if slot.endswith("_twist")):
        pose = Pose(target, bone_rotations, moved, frames)
        rotate_twist_bones(pose, bone_rotations)
    keyed, quats, locations = solve_bone_channels(pose, bone_rotations, moved)
    after = measure_quality(pose, target_stance, contacts, placement, times)
    quality = {f"{name}_{when}": value for when, values in (("before", before), ("after", after)) for name, value in values.items()}
    return RetargetedMotion(
        bones=tuple(rig.bones[bone] for bone in keyed),
        rotations=quats,
        locations={rig.bones[bone]: place for bone, place in locations.items()},
        rotmats=np.swapaxes(target.world_rotation.T @ pose.rotations, 0, 1),
        heads=np.swapaxes(pose.heads @ target.world_rotation, 0, 1) / target.scale,
        timestamps=times,
        fps=performance.fps,
        contacts=contacts.astype(float),
        quality={"hip_scale": float(placement.leg_ratio), **quality},
    )


def _support_heights(soles, floor, contacts, placement):
    """How high over the floor what each foot touches is, (F,2) m: zero but on steps and boxes."""
    levels = np.zeros((len(contacts), 2))
    if soles is None:
        return levels
    for side in range(2):
        points = slice(2 * side, 2 * side + 2)
        touching = contacts[:, points]
        height = ((soles[:, points, 2] - floor) * touching).sum(1) / np.maximum(touching.sum(1), 1)
        levels[:, side] = _step_heights(height, touching.any(1)) * placement.leg_ratio / placement.target.stretch[2, 2]
    return levels


def _step_heights(height, touching):
    steps = np.zeros(len(height))
    for first, last in contact_runs(touching):
        middle = np.median(height[first:last])
        steps[first:last] = middle if middle > MIN_STEP_HEIGHT else 0.0
    return steps
