"""The invariant of a motion: `joints` are where its own poses, betas and trans put them."""

from dataclasses import replace


def with_posed_joints(body, recovery):
    """The recovery with `joints` as its own poses, betas and trans give them."""
    joints = body.joints(recovery.betas, recovery.poses[:, :3], recovery.poses[:, 3:], recovery.trans)
    return replace(recovery, joints=joints[:, body.template.smpl_joint_indices].detach().cpu().numpy())
