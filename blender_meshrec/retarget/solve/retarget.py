"""Retargeting: a rig moves as a performer moved. `retarget` reads as the whole does: turn, carry, plant, express as channels.

The rest pose of the rig is never touched. What differs between the two rest poses is kept as one constant rotation a bone:
R_target(t) = D(t) K  with  D(t) = R_source(t) R_source_rest^-1, how far the source has turned, and  K = A P R_target_rest.  P
takes the target's body axes (left, forward, up) onto the source's; A takes a limb's direction onto that of the source's limb by
the least swing, beginning with its parent's A, so that an A-pose, a T-pose and anything in between keep their natural twist.
"""

import numpy as np

from ...core.contacts import contact_runs
from ..rig import Retargeted, RetargetOptions
from ..source.contacts import rest_floor, source_contacts, source_floor, source_soles
from ..source.resampling import resample_performance
from ..write.channels import final_pose
from .bone_rotations import BodyTurns, turn_twists
from .foot_planting import STEP, plant_feet
from .forward_kinematics import Pose
from .hand_reach import reach_hands
from .quality import measured
from .rest_pose import RestPose
from .root_placement import Placing, hip_height
from .soles import stance_of


def retarget(performance, rig, mapping, options=None, floor_height=None):
    """Move a rig as a performance moved its source.

    Args:
        performance: a Performance of F frames. rig: a Rig. mapping: its BoneMapping. options: RetargetOptions, or None for the usual.
        floor_height: how high the rig's soles are at rest, m in the world, where its skin says so; None to tell from its bones.

    Returns:
        a Retargeted, a row a frame: the performance's own frames, or those of the options' fps.

    Raises:
        InputError: the rig's object is mirrored or flat.
    """
    options = options or RetargetOptions()
    if options.fps is not None:
        performance = resample_performance(performance, options.fps)
    frames, times = len(performance), performance.timestamps
    source, target = RestPose(performance.rig, performance.mapping), RestPose(rig, mapping)
    source_stance = stance_of(source, rest_floor(performance, source))
    if floor_height is not None:  # told in the world, and of use where the rig stands upright in it
        upright = target.axes[2, 2] > 1 - 1e-6
        floor_height = (floor_height - target.origin[2]) / target.stretch[2, 2] if upright else None
    target_stance = stance_of(target, floor_height)
    placing = Placing(source, target, source_stance, target_stance, controlled=mapping.controls is not None)

    soles, hips = source_soles(performance, source, source_stance), hip_height(source, source_stance)
    contacts = source_contacts(performance, soles, hips)
    floor = source_floor(soles, contacts, hips)

    turns = BodyTurns(performance, source, target, source_stance.feet, target_stance.feet).turns
    heads = placing.carry(turns, placing.path(performance, floor))
    pose = Pose(target, turns, {placing.carrier: heads}, frames)
    before = measured(pose, target_stance, contacts, placing, times)
    if options.feet and contacts.any():
        heads = plant_feet(pose, turns, heads, target_stance, contacts, _levels(soles, floor, contacts, placing), placing, times)
    moved = {placing.carrier: heads}
    if options.root == "in_place":
        moved = {placing.carrier: placing.in_place(heads)}
    elif options.root == "root" and (root := placing.root_motion(turns, heads)) is not None:
        moved[root[0]] = root[1]
    if options.hands:
        pose = Pose(target, turns, moved, frames)
        reach_hands(pose, turns, placing.hand_places(performance, floor), moved[placing.carrier] - heads)
    if any(target.slots.get(slot) for slot in mapping.slots if slot.endswith("_twist")):
        pose = Pose(target, turns, moved, frames)
        turn_twists(pose, turns)
    keyed, quats, locations = final_pose(pose, turns, moved)
    after = measured(pose, target_stance, contacts, placing, times)
    quality = {f"{name}_{when}": value for when, values in (("before", before), ("after", after)) for name, value in values.items()}
    return Retargeted(
        bones=tuple(rig.bones[bone] for bone in keyed),
        rotations=quats,
        locations={rig.bones[bone]: place for bone, place in locations.items()},
        rotmats=np.swapaxes(target.turn.T @ pose.rotations, 0, 1),
        heads=np.swapaxes(pose.heads @ target.turn, 0, 1) / target.scale,
        timestamps=times,
        fps=performance.fps,
        contacts=contacts.astype(float),
        quality={"hip_scale": float(placing.ratio), **quality},
    )


def _levels(soles, floor, contacts, placing):
    """How high over the floor what each foot touches is, (F,2) m: zero but on steps and boxes."""
    levels = np.zeros((len(contacts), 2))
    if soles is None:
        return levels
    for side in range(2):
        points = slice(2 * side, 2 * side + 2)
        touching = contacts[:, points]
        height = ((soles[:, points, 2] - floor) * touching).sum(1) / np.maximum(touching.sum(1), 1)
        levels[:, side] = _steps(height, touching.any(1)) * placing.ratio / placing.target.stretch[2, 2]
    return levels


def _steps(height, touching):
    steps = np.zeros(len(height))
    for first, last in contact_runs(touching):
        middle = np.median(height[first:last])
        steps[first:last] = middle if middle > STEP else 0.0
    return steps
