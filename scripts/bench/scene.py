"""Time Blender's half on a long clip; run it with a Python that has bpy. Prints one line of JSON.

    .venvs/bpy-4.5/bin/python -m scripts.bench.scene [--frames 3000]

| row | seconds for |
|---|---|
| scene_build | armature, mesh, weights, shape keys, keyframes, camera |
| play_100_frames | evaluating 100 frames, mesh and pose blend shapes included |
| export_fbx, export_glb, export_usdc, export_bvh, export_blend | one file each |
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import bpy
import numpy as np

from blender_meshrec.core.conventions import WORLD_FROM_BODY
from blender_meshrec.core.files.body_template import BodyTemplate, load_body
from blender_meshrec.core.files.bvh import write_bvh
from blender_meshrec.core.motion import motion_on_body
from blender_meshrec.core.records import Recovery
from blender_meshrec.core.rotations import rotvec_from_rotmat
from blender_meshrec.scene.assemble import Assembly, Person, assemble, match_scene
from blender_meshrec.scene.assembly import AssemblyOptions
from blender_meshrec.scene.context import active_scene
from blender_meshrec.scene.export.export import export_assembly

REPEATS = 3


def make_recovery(template: BodyTemplate, frames: int, fps: float = 30.0) -> Recovery:
    """A Recovery in which every joint moves in every frame."""
    rng = np.random.default_rng(0)
    times = np.arange(frames) / fps
    poses = 0.3 * np.sin(np.outer(times, rng.uniform(0.3, 2.0, 3 * len(template.joint_names))))
    poses[:, :3] = rotvec_from_rotmat(WORLD_FROM_BODY)
    return Recovery(
        poses=poses,
        trans=np.zeros((frames, 3)),
        betas=np.zeros(10),
        surface_model_type="open",
        mocap_framerate=fps,
        timestamps=times,
        visible=np.ones(frames, bool),
        joints=np.zeros((frames, 24, 3)),
        confidence=np.ones((frames, 24)),
        lifted_joints=np.zeros((frames, 17, 3)),
        contacts=np.zeros((frames, 4)),
        camera_intrinsics=np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]]),
        camera_from_world=np.tile(np.eye(4), (frames, 1, 1)),
        image_size=np.array([1280, 720]),
    )


def time_playback(frames: int) -> float:
    """The time to evaluate frames of the scene, s."""
    start = time.perf_counter()
    for frame in range(1, frames + 1):
        active_scene().frame_set(frame)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--frames", type=int, default=3000)
    arguments = parser.parse_args()
    template = load_body()
    person = Person("person1", make_recovery(template, arguments.frames), template)
    seconds: dict[str, float] = {}

    def build(pose_shapes: bool) -> tuple[float, Assembly]:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        start = time.perf_counter()
        assembly = assemble([person], "clip", AssemblyOptions(pose_shapes=pose_shapes, footage=False))
        match_scene(active_scene(), assembly, person.recovery.camera)
        return time.perf_counter() - start, assembly

    seconds["scene_build"] = min(build(pose_shapes=True)[0] for _ in range(REPEATS))
    seconds["play_100_frames"] = time_playback(100)
    assembly = build(pose_shapes=False)[1]  # as files are written
    motion = motion_on_body(person.recovery, template)
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".fbx", ".glb", ".usdc", ".blend", ".bvh"):
            start, path = time.perf_counter(), Path(folder) / f"a{suffix}"
            if suffix == ".bvh":
                write_bvh(path, motion)
            else:
                export_assembly(path, assembly)
            seconds[f"export_{suffix[1:]}"] = time.perf_counter() - start
    rounded = {name: round(value, 4) for name, value in seconds.items()}
    print(f"\n{json.dumps({'blender': bpy.app.version_string, 'frames': arguments.frames, 'seconds': rounded})}")
    sys.stdout.flush()
    os._exit(0)  # some Blender modules hang while Python tears them down


if __name__ == "__main__":
    main()
