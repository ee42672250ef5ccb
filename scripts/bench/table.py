"""Measure speed and memory against their limits; `build.py bench` calls this after set-up.

    python -m scripts.bench.table [-o out/bench.json] [ROW ...]

Each row is one figure and its limit; ROW chooses rows by the start of their names. Times depend on the load of the machine: compare rows of
one run, and quote ratios.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from blender_meshrec.core.array_types import FloatArray, IntArray
from blender_meshrec.core.records import Recovery
from scripts import ROOT

CLIP = ROOT / "scripts" / "demo_clip.mp4"
TRUTH = ROOT / "scripts" / "demo_clip_truth.npz"
BPY_PYTHON = ROOT / ".venvs" / "bpy-4.5" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


class Table:
    """The rows: name, figure, unit, and its limits, if any, as (least, most)."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def add(self, name: str, figure: float, unit: str, least: float | None = None, most: float | None = None) -> None:
        """Add a row and print it."""
        is_met = None if least is None and most is None else (least or -np.inf) <= figure <= (most or np.inf)
        self.rows.append({"name": name, "figure": round(figure, 4), "unit": unit, "least": least, "most": most, "kept": is_met})
        limit = f"at least {least}" if least is not None else f"at most {most}" if most is not None else ""
        verdict = {True: "kept", False: "NOT KEPT", None: ""}[is_met]
        print(f"{name:<58} {figure:>12,.2f} {unit:<10} {limit:<18} {verdict}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "out" / "bench.json")
    parser.add_argument("rows", nargs="*", help=f"of {', '.join(ROWS)}; all by default")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in backend/launch.py
    table = Table()
    for name, measure in ROWS.items():
        if not arguments.rows or name.startswith(tuple(arguments.rows)):
            measure(table)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(table.rows, indent=2) + "\n")
    return 0


def start_up(table: Table) -> None:
    """The time of a new process until the detector is ready for its first frame."""
    code = (
        "from blender_meshrec.backend import pipeline\n"
        "from blender_meshrec.backend.registry import DETECTORS\n"
        "from blender_meshrec.bridge.messages import ReconstructRequest\n"
        "DETECTORS.get('mediapipe')(ReconstructRequest('')).close()\n"
    )
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
    table.add("model start-up", time.perf_counter() - begun, "s")


def end_to_end(table: Table) -> None:
    """720p footage of one person, from decoding to the motion, in this process, without start-up."""
    from blender_meshrec.backend.pipeline import recover
    from blender_meshrec.bridge.messages import ReconstructRequest

    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_720p(clip, 10)
        report = recover(ReconstructRequest(str(clip))).report
        draft = recover(ReconstructRequest(str(clip), quality="draft")).report
    frames, seconds = report["frames_read"], report["seconds"]
    detection = seconds["find people"]
    others = sum(taken for stage, taken in seconds.items() if stage not in ("find people", "start detector", "load models"))
    table.add("720p, one person, decode to motion", frames / (detection + others), "frames/s", least=15)
    table.add("720p, share of time that is not finding people", 100 * others / (detection + others), "%", most=25)
    draft_total = sum(taken for stage, taken in draft["seconds"].items() if stage not in ("start detector", "load models"))
    table.add("720p, Quality Standard against Draft, time", (detection + others) / draft_total, "times", least=2)


def several_people(table: Table) -> None:
    """What several people cost against one, and tracking against finding."""
    from scripts.bench.several_people import PEOPLE, measure_several_people

    times, share = measure_several_people()
    table.add(f"finding {PEOPLE} people against one, time", times, "times", most=round(0.7 * PEOPLE + 0.3, 1))
    table.add("tracking 8 people, share of the time of finding them", share, "%", most=5)


def write_720p(path: Path, seconds: int) -> None:
    """Write the bundled clip at 720p, played forward and backward repeatedly."""
    from blender_meshrec.backend.footage.video import open_footage
    from blender_meshrec.backend.footage.video_writer import VideoWriter, resize_to_height

    images = [resize_to_height(frame.image, 720) for frame in open_footage(CLIP).read() if frame.image is not None]
    with VideoWriter(path, 30) as writer:
        for index in range(30 * seconds):
            # Forward and backward, so that the person does not jump.
            cycle = index % (2 * len(images) - 2)
            writer.write(images[cycle if cycle < len(images) else 2 * len(images) - 2 - cycle])


def still_camera(table: Table) -> None:
    """Finding that the bundled clip's camera stands still, beside finding the person."""
    from scripts.bench.still_camera import measure_still_camera

    kind, seconds, others = measure_still_camera(str(CLIP))
    table.add(f"finding the camera of a clip, which is {kind}, of detection's", 100 * seconds / others, "% CPU time", most=10)


def dik(table: Table) -> None:
    """DIK of random poses of the open body from their 24 joints."""
    import torch

    from blender_meshrec.bodies.make_body import make_body
    from blender_meshrec.core.files.body_template import load_body
    from blender_meshrec.methods.dik import solve_dik

    body = make_body(load_body())
    torch.manual_seed(0)
    frames = 4096
    with torch.no_grad():
        joints = body.joints(torch.zeros(10), 0.5 * torch.randn(frames, 3), 0.3 * torch.randn(frames, 69))
    rest = body.rest_joints(torch.zeros(1, 10))[0]

    def forward() -> None:
        with torch.no_grad():
            solve_dik(joints, rest)

    def with_gradients() -> None:
        moving = joints.clone().requires_grad_()
        solve_dik(moving, rest)[0].sum().backward()

    table.add("DIK, 24 joints, forward", frames / shortest_time(forward), "frames/s", least=20_000)
    table.add("DIK, 24 joints, with gradients", frames / shortest_time(with_gradients), "frames/s", least=5_000)


def lifting(table: Table) -> None:
    """The lifter and DIK on a clip of 2D keypoints."""
    import torch

    from blender_meshrec.backend.fitting.body_fit import fit_body
    from blender_meshrec.core.cameras import default_intrinsics
    from blender_meshrec.core.files.body_template import load_body
    from blender_meshrec.core.records import Observations
    from blender_meshrec.methods import skeleton2mesh

    keypoints, size = project_truth(3000)
    observations = Observations("h36m17", np.zeros((len(keypoints), 4)), keypoints, np.ones(len(keypoints), bool))
    times, template = np.arange(len(keypoints)) / 30, load_body()

    def lift_and_match() -> None:
        estimate = skeleton2mesh.estimate(observations, default_intrinsics(size), times, torch.device("cpu"))
        fit_body(template, estimate.joints, estimate.confidence, None, times)

    table.add("lifting and body fit (DIK)", len(keypoints) / shortest_time(lift_and_match, 2), "frames/s", least=500)


def silhouettes(table: Table) -> None:
    """The silhouette refinement on 32 rendered silhouettes of a person who was fitted too thin."""
    import torch

    from blender_meshrec.backend.refiners.silhouette_refiner import make_silhouette_crops, refine_shape
    from blender_meshrec.bodies.silhouette_rendering import SurfacePoints, rasterise
    from blender_meshrec.core.cameras import default_intrinsics
    from blender_meshrec.core.files.body_template import load_body
    from blender_meshrec.core.files.motion_npz import read_motion
    from blender_meshrec.core.records import BodyParams
    from blender_meshrec.core.rotations import rotmat_from_rotvec
    from blender_meshrec.core.silhouettes import MASK_SIZE, MAX_SILHOUETTES, Silhouettes

    template, size = load_body(), (1280, 720)
    poses = np.array(read_motion(TRUTH).poses[:MAX_SILHOUETTES])
    poses[:, :3] = [np.pi, 0, 0]
    stout, squares = [0, 1, 0, -1, 0, 0, 0, 0, 0, 0], np.tile([640.0, 360, 700], (MAX_SILHOUETTES, 1))
    body = BodyParams("open", np.zeros(10), poses[:, :3], poses[:, 3:], np.tile([0, 0, 4.0], (MAX_SILHOUETTES, 1)))
    empty_masks = np.zeros((MAX_SILHOUETTES, MASK_SIZE, MASK_SIZE), bool)
    crops = make_silhouette_crops(Silhouettes(np.arange(MAX_SILHOUETTES), squares, empty_masks), default_intrinsics(size), size)
    rotmats = torch.as_tensor(rotmat_from_rotvec(poses.reshape(MAX_SILHOUETTES, -1, 3)), dtype=torch.float32)
    betas = torch.tensor(stout, dtype=torch.float32).expand(MAX_SILHOUETTES, -1)
    points, _joints = SurfacePoints(template).pose(betas, rotmats, torch.tensor([0, 0, 4.0]).expand(MAX_SILHOUETTES, -1))
    drawn = Silhouettes(np.arange(MAX_SILHOUETTES), squares, rasterise(points, crops.windows, MASK_SIZE)[0].numpy())
    times = np.arange(MAX_SILHOUETTES) / 30
    seconds = shortest_time(lambda: refine_shape(template, body, drawn, default_intrinsics(size), size, times), 2)
    table.add(f"refinement from {MAX_SILHOUETTES} silhouettes, a clip", seconds, "s")


def calibration(table: Table) -> None:
    """PC-HMR's calibration of the open body's vertices, compared with the smplx package's forward pass on the same body and frames."""
    import smplx.lbs
    import torch

    from blender_meshrec.backend.fitting.mesh_calibration import MeshCalibrator
    from blender_meshrec.backend.report import peak_memory_bytes
    from blender_meshrec.bodies.make_body import make_body
    from blender_meshrec.core.files.body_template import load_body
    from blender_meshrec.core.files.motion_npz import read_motion

    truth, body = read_motion(TRUTH), make_body(load_body())
    calibrate = MeshCalibrator(body)
    frames = np.arange(1000) % len(truth)
    poses, betas = (torch.as_tensor(np.array(each)) for each in (truth.poses[frames], truth.betas[None]))
    regressor = torch.zeros(len(body.J_template), len(body.v_template))
    pieces = [slice(start, start + 100) for start in range(0, len(frames), 100)]
    assert body.posedirs is not None
    smpl = body.v_template[None], body.shapedirs, body.posedirs.flatten(0, 1).T, regressor, body.tree.parents, body.lbs_weights
    lbs: Any = smplx.lbs.lbs  # its annotations name no torch tensors

    @torch.inference_mode()
    def forward() -> None:
        for rows in pieces:
            lbs(betas.expand(100, -1), poses[rows], *smpl)

    peaks: list[float] = []  # measured first, because the peak of a process never decreases
    for motion in (loop_recovery(truth, 500), loop_recovery(truth, 2000)):
        calibrate(motion, motion)
        peaks.append((peak_memory_bytes() or 0) / 1e6)
    with torch.inference_mode():
        vertices = body(truth.betas, poses[:, :3], poses[:, 3:])[1]
        joints = calibrate.projector.h36m17 @ vertices
        seconds = shortest_time(lambda: calibrate.module(vertices, joints, 1.05 * joints), 3)
        beside = shortest_time(forward, 3)
    table.add(f"calibrating {vertices.shape[1]} vertices x 1,000 frames", seconds, "s", most=4)
    table.add("the smplx package's forward on them, times that", beside / seconds, "times")
    table.add("calibrating 2,000 frames, more memory than 500", peaks[1] - peaks[0], "MB", most=50)


def loop_recovery(recovery: Recovery, count: int) -> Recovery:
    """A Recovery played forward and backward for `count` frames."""
    from dataclasses import fields, replace

    rows = np.abs((np.arange(count) + len(recovery)) % (2 * len(recovery) - 2) - len(recovery) + 1)
    per_frame = [f.name for f in fields(recovery) if np.shape(getattr(recovery, f.name))[:1] == (len(recovery),)]
    changes: dict[str, Any] = {name: getattr(recovery, name)[rows] for name in per_frame}
    changes["timestamps"] = np.arange(count) / 30
    return replace(recovery, **changes)


def long_input(table: Table) -> None:
    """2D keypoints of 2,500 and 10,000 frames, each in its own process."""
    seconds: dict[int, float] = {}
    memory: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for frames in (2500, 10_000):
            keypoints, size = project_truth(frames)
            path = Path(folder) / f"{frames}.npz"
            np.savez(path, keypoints=keypoints, keypoint_set="h36m17", image_size=size, fps=30.0)
            code = (
                "import json, sys, time\n"
                "from blender_meshrec.backend.pipeline import recover\n"
                "from blender_meshrec.bridge.messages import ReconstructRequest\n"
                "begun = time.perf_counter()\n"
                "report = recover(ReconstructRequest(sys.argv[1])).report\n"
                "print(json.dumps([time.perf_counter() - begun, report['peak_memory_mb']]))\n"
            )
            done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, check=True, capture_output=True, text=True)
            seconds[frames], memory[frames] = json.loads(done.stdout.splitlines()[-1])
    table.add("10,000 frames of keypoints, peak memory", memory[10_000], "MB", most=2000)
    table.add("10,000 frames against 2,500, time (4 is linear)", seconds[10_000] / seconds[2500], "times", most=4.4)


def long_video(table: Table) -> None:
    """The backend's memory for 300 and 1,200 frames of 720p: it must not grow with the clip."""
    memory: list[float] = []
    for seconds in (10, 40):
        with tempfile.TemporaryDirectory() as folder:
            clip = Path(folder) / "clip.mp4"
            write_720p(clip, seconds)
            code = (
                "import sys\n"
                "from blender_meshrec.backend.pipeline import recover\n"
                "from blender_meshrec.bridge.messages import ReconstructRequest\n"
                "print(recover(ReconstructRequest(sys.argv[1])).report['peak_memory_mb'])\n"
            )
            done = subprocess.run([sys.executable, "-c", code, str(clip)], cwd=ROOT, check=True, capture_output=True, text=True)
            memory.append(float(done.stdout.splitlines()[-1]))
    table.add("1,200 frames of 720p, peak memory", memory[1], "MB", most=2000)
    # Extrapolated linearly to 10,000 frames.
    table.add("10,000 frames of 720p, peak memory foreseen", memory[1] + max(0.0, memory[1] - memory[0]) / 900 * 8800, "MB", most=2000)


def batch(table: Table) -> None:
    """Clips of 720p in a batch of one worker and of two: decoding and detection are most of the work."""
    from scripts.bench.batch import NUM_CLIPS, SECONDS_PER_CLIP, measure_batches

    with tempfile.TemporaryDirectory() as folder:
        for number in range(NUM_CLIPS):
            write_720p(Path(folder) / f"{number}.mp4", SECONDS_PER_CLIP)
        measured = measure_batches(Path(folder))
    table.add("batch, one worker", measured["one"], "clips/h")
    table.add("batch, two workers", measured["two"], "clips/h")
    table.add("batch, two workers against one", measured["two"] / measured["one"], "times", least=1.5)
    table.add("batch, first clip against the others: start-up", measured["first_clip"] - measured["other_clips"], "s")


def scene(table: Table) -> None:
    """Blender's half, in the Blender module that the demo uses."""
    done = subprocess.run([str(BPY_PYTHON), "-m", "scripts.bench.scene"], cwd=ROOT, check=True, capture_output=True, text=True)
    measured = json.loads(done.stdout.splitlines()[-1])
    table.add(f"scene build, 3,000 frames, Blender {measured['blender']}", measured["seconds"]["scene_build"], "s", most=1)
    for name, seconds in measured["seconds"].items():
        if name.startswith("export"):
            table.add(f"{name.replace('_', ' .')}, 3,000 frames", seconds, "s")


def retargeting(table: Table) -> None:
    """Retargeting of one motion, and the same with Blender's constraints and bake."""
    done = subprocess.run([str(BPY_PYTHON), "-m", "scripts.bench.retarget"], cwd=ROOT, check=True, capture_output=True, text=True)
    measured = json.loads(done.stdout.splitlines()[-1])
    table.add("retarget onto 65 bones, 3,000 frames", measured["retarget_s"], "s", most=1)
    table.add("retarget onto 65 bones, 3,000 frames, memory", measured["retarget_mb"], "MB", most=500)
    table.add("constraints and bake against it, meshes shown", measured["times_faster"], "times", least=50)
    table.add("constraints and bake against it, no mesh at all", measured["times_faster_without_meshes"], "times")
    slides = measured["foot_slide_cm_s"], measured["foot_slide_baked_cm_s"]
    table.add("foot slide, share of the baked one's", slides[0] / slides[1], "", most=0.1)


def skel(table: Table) -> None:
    """SKEL: posing, and conversion of the bundled motion."""
    import torch

    from blender_meshrec.bodies.make_body import make_body
    from blender_meshrec.bodies.skel import Skel
    from blender_meshrec.core.files.body_template import load_body
    from blender_meshrec.core.files.motion_npz import read_motion
    from blender_meshrec.core.skel.template import load_skel
    from blender_meshrec.methods.smpl_to_skel import convert_smpl_to_skel

    body, skel = make_body(load_body()), Skel(load_skel())
    q, betas = 0.1 * np.random.default_rng(0).normal(size=(1000, 46)), np.zeros(10)
    with torch.no_grad():
        table.add("SKEL, joints", 1000 / shortest_time(lambda: skel.joints(q, betas)), "frames/s", least=1000)
        table.add("SKEL, joints and all skin vertices", 100 / shortest_time(lambda: skel(q[:100], betas), 2), "frames/s")
    truth = read_motion(TRUTH)
    rows = np.arange(300) % len(truth)
    begun = time.perf_counter()
    convert_smpl_to_skel(body, skel, truth.poses[rows], truth.betas, truth.trans[rows])
    table.add("SMPL to SKEL, 300 frames", time.perf_counter() - begun, "s", most=60)


def project_truth(frames: int) -> tuple[FloatArray, IntArray]:
    """The joints of the bundled motion in its camera, repeated forward and backward: keypoints (F,17,3) px, and the image size (2,)."""
    from blender_meshrec.core.cameras import project, transform_points
    from blender_meshrec.core.files.motion_npz import read_motion

    truth = read_motion(TRUTH)
    pixels = project(transform_points(truth.camera_from_world, truth.lifted_joints.astype(float)), truth.camera_intrinsics)
    there_and_back = np.concatenate([pixels, pixels[-2:0:-1]])
    pixels = there_and_back[np.arange(frames) % len(there_and_back)]
    return np.concatenate([pixels, np.ones_like(pixels[..., :1])], -1), np.asarray(truth.image_size)


def shortest_time(action: Callable[[], object], repeats: int = 5) -> float:
    """The shortest time of several runs, s, after a warm-up run."""
    action()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        action()
        times.append(time.perf_counter() - begun)
    return min(times)


ROWS = {
    "start_up": start_up,
    "end_to_end": end_to_end,
    "several_people": several_people,
    "still_camera": still_camera,
    "dik": dik,
    "lifting": lifting,
    "silhouettes": silhouettes,
    "scene": scene,
    "retargeting": retargeting,
    "skel": skel,
    "calibration": calibration,
    "long_input": long_input,
    "long_video": long_video,
    "batch": batch,
}

if __name__ == "__main__":
    sys.exit(main())
