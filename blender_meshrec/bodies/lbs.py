"""Kinematics and linear blend skinning, batched over frames and differentiable. Source: Loper et al. 2015 (SMPL)."""

import numpy as np
import roma
import torch


def rotmats_from_pose(global_orient, body_pose):
    """Local rotation matrices (F,J,3,3) of a pose.

    Args:
        global_orient: (F,3) rad as rotation vectors, or (F,3,3) or (F,1,3,3) as matrices.
        body_pose: (F,3(J-1)) or (F,J-1,3) rad, or (F,J-1,3,3).
    """
    frames = len(global_orient)
    if body_pose.ndim == 4:
        return torch.cat([global_orient.reshape(frames, 1, 3, 3), body_pose], 1)
    rotvecs = torch.cat([global_orient.reshape(frames, 1, 3), body_pose.reshape(frames, -1, 3)], 1)
    return roma.rotvec_to_rotmat(rotvecs)


class KinematicTree:
    """The joints of a kinematic tree by their depth, so that kinematics takes one step a level instead of one a joint.

    parents: (J,) int, -1 at the root, each parent before its children.
    """

    def __init__(self, parents, device):
        parents = np.asarray(parents)
        depth = np.zeros(len(parents), int)
        for joint in range(1, len(parents)):
            depth[joint] = depth[parents[joint]] + 1
        order = np.argsort(depth, kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        self.parents = torch.as_tensor(np.maximum(parents, 0), device=device)
        self.place = torch.as_tensor(place, device=device)
        # For each level below the root: its joints, and where in the level above their parents stand.
        self.levels = []
        above = order[:1]
        for level in range(1, depth.max() + 1):
            joints = order[depth[order] == level]
            slots = [int(np.flatnonzero(above == parents[joint])[0]) for joint in joints]
            self.levels.append((torch.as_tensor(joints, device=device), torch.as_tensor(slots, device=device)))
            above = joints


def forward_kinematics(rotmats, rest_joints, tree):
    """Pose a skeleton.

    Args:
        rotmats: (F,J,3,3), local. rest_joints: (F,J,3) or (1,J,3) m. tree: a Tree.

    Returns:
        joints (F,J,3) m with the root at its rest place, and global rotations (F,J,3,3). Source: SMPL eq. 4.
    """
    frames = len(rotmats)
    offsets = rest_joints - rest_joints[:, tree.parents]
    rotations = [rotmats[:, :1]]
    joints = [rest_joints[:, :1].expand(frames, -1, -1)]
    for members, slots in tree.levels:
        above = rotations[-1][:, slots]
        joints.append(joints[-1][:, slots] + (above @ offsets[:, members, :, None])[..., 0])
        rotations.append(above @ rotmats[:, members])
    return torch.cat(joints, 1)[:, tree.place], torch.cat(rotations, 1)[:, tree.place]


def skin_vertices(vertices, lbs_weights, joints, rotations, rest_joints):
    """Linear blend skinning.

    Args:
        vertices: (F,V,3) or (1,V,3) m, at rest, pose blend shapes included. lbs_weights: (V,J).
        joints: (F,J,3) m and rotations (F,J,3,3), from `forward_kinematics`. rest_joints: (F,J,3) or (1,J,3) m.

    Returns:
        (F,V,3) m. Source: SMPL eq. 2-3.
    """
    # Joint transforms that leave the rest pose where it is: x -> G x + (joint - G rest_joint).
    shift = joints - (rotations @ rest_joints[..., None])[..., 0]
    blended = torch.cat([rotations, shift[..., None]], -1).flatten(2)
    blended = torch.matmul(lbs_weights, blended).unflatten(-1, (3, 4))
    return (blended[..., :3] * vertices[:, :, None, :]).sum(-1) + blended[..., 3]


def pose_blend_shapes(rotmats, posedirs):
    """Vertex offsets (F,V,3) m that correct skinning: posedirs (V,3,9(J-1)) times the local rotations' departure from rest.

    Source: SMPL eq. 9-10.
    """
    feature = rotmats[:, 1:] - torch.eye(3, dtype=rotmats.dtype, device=rotmats.device)
    return (feature.flatten(1) @ posedirs.flatten(0, 1).T).unflatten(1, (-1, 3))
