"""Where a body's centre of mass is: shares of the mass at a few joints, fitted to the centre of the open body's volume.

    .venv/bin/python -m scripts.evaluate.body_masses MOCAP

The open body takes poses of motion capture in shapes of its population, and is as dense everywhere. Prints the shares of each pair of
joints (SMPL_MASSES of backend/fitting/body_masses.py), how far from the centre of the volume they and those that are used lie, and where
a body at rest, which stands upright, has that centre above its soles (STANCE).
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from blender_meshrec.backend.fitting.body_masses import SMPL_MASSES, SMPL_SHARES
from blender_meshrec.bodies.lbs import forward_kinematics, skin_vertices
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.core.array_types import FloatArray, IntArray
from blender_meshrec.core.files.body_template import BodyTemplate, load_body
from blender_meshrec.core.foot_planting.leg_kinematics import soles_from_template
from blender_meshrec.core.skeletons import SMPL_JOINTS
from scripts.train.data.recordings import read_recordings, rotmats_from_quats

RECORDINGS, POSES = 200, 3  # drawn, and of each
_ROWS = [SMPL_JOINTS.index(name) for name in SMPL_MASSES]


def main() -> None:
    """Print the shares and their errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path)
    template = load_body()
    joints, centres = draw_bodies(template, parser.parse_args().mocap)
    pairs = joints.reshape(len(joints), -1, 2, 3).mean(2)
    # Shares that sum to one: of what lies between each pair and the last.
    design, target = (values - pairs[:, -1:] for values in (pairs[:, :-1], centres[:, None]))
    shares = np.linalg.lstsq(np.moveaxis(design, 1, 2).reshape(-1, design.shape[1]), target.reshape(-1), rcond=None)[0]
    shares = np.append(shares, 1 - shares.sum())
    names = [name.removeprefix("left_") for name in SMPL_MASSES if name.startswith("left")]
    print("fitted:", ", ".join(f"{name} {share:.3f}" for name, share in zip(names, shares, strict=True)))
    for label, found in (("fitted", shares @ pairs), ("as used", SMPL_SHARES @ joints)):
        print(f"{label}: {1000 * np.sqrt(((found - centres) ** 2).sum(-1).mean()):.1f} mm from the centre of the volume")
    rest = template.rest_joints(np.zeros(template.shapedirs.shape[-1]))[template.smpl_joint_indices][_ROWS]
    heel, toe = soles_from_template(template, np.zeros(template.shapedirs.shape[-1])).points[:2, 2]
    print(f"at rest above {100 * ((SMPL_SHARES @ rest)[2] - heel) / (toe - heel):.0f} % of the way from heel to toe")


def draw_bodies(template: BodyTemplate, mocap: Path) -> tuple[FloatArray, FloatArray]:
    """The joints (N,K,3) of SMPL_MASSES and the centres (N,3) of volume, m, of bodies in random poses and shapes."""
    rng, body = np.random.default_rng(0), make_body(template)
    recordings = [recording for recording in read_recordings(mocap) if not recording.testing]
    joints: list[FloatArray] = []
    centres: list[FloatArray] = []
    with torch.inference_mode():
        for _ in range(RECORDINGS):
            recording = recordings[rng.integers(len(recordings))]
            quats = recording.quats[rng.integers(0, len(recording.quats), POSES)]
            rotmats = torch.as_tensor(rotmats_from_quats(quats), dtype=torch.float32)
            betas = rng.normal(0, 1, template.shapedirs.shape[-1])
            rest_joints = body.rest_joints(torch.as_tensor(betas[None], dtype=torch.float32))
            bare = torch.as_tensor(template.rest_vertices(betas), dtype=torch.float32)[None]
            posed, rotations = forward_kinematics(rotmats, rest_joints, body.tree)
            vertices = skin_vertices(bare, body.lbs_weights, posed, rotations, rest_joints)
            joints.append(posed.numpy().astype(float)[:, _ROWS])
            centres.append(np.stack([centre_of_volume(one, template.faces) for one in vertices.numpy().astype(float)]))
    return np.concatenate(joints), np.concatenate(centres)


def centre_of_volume(vertices: FloatArray, faces: IntArray) -> FloatArray:
    """The centre (3,) of what a closed surface of vertices (V,3) and triangles (T,3) encloses."""
    corners = vertices[faces]
    volumes = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
    return volumes @ corners.sum(1) / (4 * volumes.sum())


if __name__ == "__main__":
    main()
