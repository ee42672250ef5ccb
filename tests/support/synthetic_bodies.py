"""Synthetic people for tests: a body of tubes with all arrays of an SMPL body, a motion for it, and skinning in a slow, simple version."""

import numpy as np

from blender_meshrec.core.cameras import rigid_transform
from blender_meshrec.core.conventions import WORLD_FROM_BODY, WORLD_FROM_LEVEL_CAMERA
from blender_meshrec.core.files.body_template import BodyTemplate
from blender_meshrec.core.motion import forward_kinematics, motion_from_recovery
from blender_meshrec.core.records import Recovery
from blender_meshrec.core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from blender_meshrec.core.skeletons import SMPL_JOINTS, SMPL_PARENTS

# Approximate joints of an adult: y up, facing +z, metres.
REST = np.array(
    [
        (0, 0.95, 0), (0.07, 0.86, 0), (-0.07, 0.86, 0), (0, 1.06, -0.03), (0.1, 0.48, 0), (-0.1, 0.48, 0), (0, 1.19, -0.02),
        (0.09, 0.08, -0.03), (-0.09, 0.08, -0.03), (0, 1.25, 0), (0.11, 0.02, 0.09), (-0.11, 0.02, 0.09), (0, 1.46, -0.03),
        (0.08, 1.37, -0.02), (-0.08, 1.37, -0.02), (0, 1.53, 0.02), (0.17, 1.4, -0.03), (-0.17, 1.4, -0.03), (0.43, 1.39, -0.05),
        (-0.43, 1.39, -0.05), (0.68, 1.4, -0.05), (-0.68, 1.4, -0.05), (0.76, 1.39, -0.06), (-0.76, 1.39, -0.06),
    ]
)  # fmt: skip
RING, RADIUS = 8, 0.05


def make_tube_body(posedirs=True, seed=0):
    """A tube along each bone; the ring of vertices at a joint regresses the joint. Blend shapes are smooth fields."""
    rng = np.random.default_rng(seed)
    angles = np.arange(RING) * 2 * np.pi / RING
    vertices, weights, faces = [], [], []
    for joint, parent in enumerate(SMPL_PARENTS):
        start, end = (REST[parent], REST[joint]) if parent >= 0 else (REST[0] - [0, 0.05, 0], REST[0])
        along = (end - start) / np.linalg.norm(end - start)
        side = np.cross(along, [0.3, 0.5, 0.8])
        side /= np.linalg.norm(side)
        circle = RADIUS * (np.outer(np.cos(angles), side) + np.outer(np.sin(angles), np.cross(along, side)))
        first = len(vertices) * RING
        for fraction in (0.0, 0.5, 1.0):
            vertices.append(start + fraction * (end - start) + circle)
            row = np.zeros(24)
            row[joint] += 0.5 * fraction**2
            row[max(parent, 0)] += 1 - 0.5 * fraction**2
            weights.append(np.tile(row, (RING, 1)))
        for ring in (0, RING):
            for i in range(RING):
                a, b = first + ring + i, first + ring + (i + 1) % RING
                faces += [(a, b, b + RING), (a, b + RING, a + RING)]
    vertices, weights = np.concatenate(vertices), np.concatenate(weights)
    regressor = np.zeros((24, len(vertices)))
    for joint in range(24):
        last = 3 * RING * joint + 2 * RING
        regressor[joint, last : last + RING] = 1 / RING
    shapes = np.stack([(vertices - REST[0]) @ rng.normal(scale=0.02, size=(3, 3)) for _ in range(10)], -1)
    poses = None
    if posedirs:
        poses = rng.normal(scale=0.004, size=(len(vertices), 3, 9 * 23))
        poses[:, :, 9 * 9 :] = 0  # only the first nine joints have corrections
    return BodyTemplate(
        name="tube man",
        surface_model_type="open",
        gender="neutral",
        joint_names=SMPL_JOINTS,
        parents=SMPL_PARENTS,
        v_template=vertices.astype(np.float32),
        faces=np.array(faces),
        shapedirs=shapes.astype(np.float32),
        posedirs=None if poses is None else poses.astype(np.float32),
        J_regressor=regressor,
        lbs_weights=weights.astype(np.float32),
        landmarks={},
    )


def make_recovery(template, frames=60, fps=24.0, seed=0, timestamps=None, **changes):
    """A Recovery of a person who moves every joint and walks about in front of a level camera."""
    rng = np.random.default_rng(seed)
    times = np.arange(frames) / fps if timestamps is None else np.asarray(timestamps)
    values = 3 * len(template.joint_names)
    waves = rng.uniform(0.3, 1.5, (1, values)) * times[:, None] * 2 * np.pi + rng.uniform(0, 6, (1, values))
    poses = 0.35 * np.sin(waves)
    # One full turn in two seconds, through quaternions of both signs, with some sway.
    turning = rotmat_from_rotvec(np.outer(np.pi * times, [0, 0, 1]))
    poses[:, :3] = rotvec_from_rotmat(turning @ WORLD_FROM_BODY @ rotmat_from_rotvec(0.5 * poses[:, :3]))
    betas = rng.normal(size=10)
    rest = template.rest_joints(betas)
    pelvis = np.stack([0.5 * np.sin(times), 0.3 * np.cos(times), 0.95 + 0.1 * np.sin(2 * times)], -1)
    camera_from_world = rigid_transform(WORLD_FROM_LEVEL_CAMERA.T, -WORLD_FROM_LEVEL_CAMERA.T @ [0.2, -4.5, 1.1])
    values = dict(
        poses=poses,
        trans=pelvis - rest[0],
        betas=betas,
        surface_model_type="open",
        mocap_framerate=fps,
        timestamps=times,
        visible=np.arange(len(times)) % 7 != 3,
        joints=np.zeros((len(times), 24, 3)),
        confidence=np.ones((len(times), 24)),
        lifted_joints=np.zeros((len(times), 17, 3)),
        contacts=rng.uniform(size=(len(times), 4)),
        camera_intrinsics=[[900.0, 0, 655.0], [0, 900.0, 330.0], [0, 0, 1]],
        camera_from_world=np.tile(camera_from_world, (len(times), 1, 1)),
        image_size=(1280, 720),
    )
    record = Recovery(**{**values, **changes})
    motion = motion_of(record, template)
    return Recovery(**{**record.arrays(), "joints": forward_kinematics(motion)[0][:, template.smpl_joint_indices]})


def with_calibrated_joints(recovery, seed=0):
    """The same recovery with calibrated joints: bones up to 10% longer or shorter and slightly rotated, the whole body translated."""
    rng = np.random.default_rng(seed)
    joints = recovery.joints.astype(float)
    waves = np.sin(rng.uniform(1, 4, (24, 4)) * recovery.timestamps[:, None, None] + rng.uniform(0, 6, (24, 4)))
    targets = joints + 0.02 * waves[:, :1, :3]
    for joint, parent in enumerate(SMPL_PARENTS):
        if parent >= 0:
            rotation = rotmat_from_rotvec(0.08 * waves[:, joint, 1:])
            bone = rotation @ (joints[:, joint] - joints[:, parent])[..., None]
            targets[:, joint] = targets[:, parent] + (1 + 0.1 * waves[:, joint, :1]) * bone[..., 0]
    return Recovery(**{**recovery.arrays(), "calibrated_joints": targets})


def motion_of(recovery, template):
    return motion_from_recovery(recovery, template.rest_joints(recovery.betas), template.joint_names, template.parents)


def skin_recovery(recovery, template, row, pose_shapes=True):
    """Vertices (V,3) m in the world of one row, by a loop over the joints."""
    vertices, joints = template.rest(recovery.betas)
    local = rotmat_from_rotvec(recovery.poses[row].reshape(-1, 3))
    if pose_shapes and template.posedirs is not None:
        vertices = vertices + template.posedirs @ (local[1:] - np.eye(3)).ravel()
    rotations, places = [], []
    for joint, parent in enumerate(template.parents):
        if parent < 0:
            rotations.append(local[joint])
            places.append(joints[joint])
        else:
            rotations.append(rotations[parent] @ local[joint])
            places.append(places[parent] + rotations[parent] @ (joints[joint] - joints[parent]))
    posed = sum(
        template.lbs_weights[:, joint, None] * ((vertices - joints[joint]) @ rotations[joint].T + places[joint])
        for joint in range(len(joints))
    )
    return posed + recovery.trans[row]


def rotate_upright(vertices_or_joints):
    """Convert points from the body's axes at rest to world axes."""
    return vertices_or_joints @ WORLD_FROM_BODY.T
