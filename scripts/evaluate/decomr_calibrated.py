"""PC-HMR, as shipped, over the meshes of several generators in rendered crops, each crop a clip of one frame."""

from pathlib import Path

import numpy as np
import torch

from blender_meshrec.bodies.joint_projector import JointProjector
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.uv_map import UvLayout, vertices_from_map
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.metrics import align_similarity
from blender_meshrec.methods.decomr_small import DecomrSmall, StartPose
from blender_meshrec.methods.hmr import load_hmr
from blender_meshrec.methods.pc_hmr import LIFTER_WEIGHTS_FILE, load_calibration
from blender_meshrec.methods.skeleton2mesh import load_lifter
from scripts.train.calibration.mesh_and_pose_streams import lift_with_averaging, scale_to_body
from scripts.train.data.corresponding_crops import CropArrays
from scripts.train.decomr import BATCH, make_batch

DISTANCE = 4.0  # m, that the lifter is told: a crop does not say how far away its person is


@torch.no_grad()
def measure_calibrated(network: DecomrSmall, pool: CropArrays, folder: Path, layout: UvLayout, start: StartPose) -> dict[str, list[float]]:
    """Of each generator MPVE and PA-MPJPE, mm, by itself and calibrated by PC-HMR; vertices relative to the hip."""
    body = make_body(load_body())
    projector = JointProjector(body).h36m17
    calibration, lifter, hmr = load_calibration(body.template), load_lifter(weights=LIFTER_WEIGHTS_FILE), StartPose(load_hmr())
    vertices = np.load(folder / "vertices.npy", mmap_mode="r")
    errors: dict[str, list[np.ndarray]] = {}
    for rows in np.array_split(np.arange(len(pool.images)), -(-len(pool.images) // BATCH)):
        crops, _truth = make_batch(np.random.default_rng([0, int(rows[0])]), pool, rows, start)
        true = torch.as_tensor(vertices[rows].astype(np.float32))
        rays = crops.points[:, None, :, :2] / (crops.start_camera[:, None, None, :1] * DISTANCE)
        lifted = lift_with_averaging(lifter, rays, crops.points[:, None, :, 2], by_frame=True)
        maps = {"HMR": hmr(crops.points)[0], "HKMR": crops.start_map, "DecoMR": network.eval()(crops).location_map}
        for name, location_map in maps.items():
            mesh = vertices_from_map(location_map, layout)
            mesh = mesh - (projector @ mesh)[:, :1]
            joints = projector @ mesh
            calibrated = calibration(mesh, joints, scale_to_body(lifted, joints, 1))
            for kind, found in (("", mesh), (" calibrated", calibrated)):
                errors.setdefault(name + kind, []).append(_errors(found, true, projector))
    return {name: np.round(1000 * np.concatenate(parts).mean(0), 1).tolist() for name, parts in errors.items()}


def _errors(found: torch.Tensor, true: torch.Tensor, projector: torch.Tensor) -> np.ndarray:
    """(N,2) m: the mean error of vertices (N,V,3) relative to the hip, and of the joints after alignment."""
    joints, true_joints = projector @ found, projector @ true
    apart = (found - joints[:, :1] - true + true_joints[:, :1]).norm(dim=-1).mean(1).numpy()
    aligned = np.linalg.norm(align_similarity(joints.numpy(), true_joints.numpy()) - true_joints.numpy(), axis=-1).mean(1)
    return np.stack([apart, aligned], 1)
