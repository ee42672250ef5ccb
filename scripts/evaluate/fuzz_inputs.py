"""Run `meshrec` on mutated files of all formats, and list the runs that end as they must not.

    .venv/bin/python -m scripts.evaluate.fuzz_inputs [--files 400] [--seed 0] [--formats motion bvh ...] [--rig CHARACTER ...] [-o FOLDER]

Each run must end with exit code 0, 2, 3, 4 or 5 and a sentence, within SECONDS and MEGABYTES, its child processes included, and never as
"a fault of ours". With --rig, retargeting is tried too: mutated motions and mapping presets on the first character, and mutated characters.
File N of a seed is always the same, so that one run can be repeated: --only N. FOLDER keeps the files of the runs that failed.
"""

import argparse
import json
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

import av
import cv2
import numpy as np
import torch
from av.video.stream import VideoStream

from blender_meshrec.backend.footage.video import open_footage
from blender_meshrec.core.array_types import FloatArray, ImageArray
from blender_meshrec.core.files.motion_npz import read_motion
from blender_meshrec.core.files.pickle_stubs import ALLOWED_GLOBALS
from scripts.evaluate.mutations import mutate, mutate_npz

SECONDS, MEGABYTES = 60.0, 2048.0
ALLOWED_EXIT_CODES = {0, 2, 3, 4, 5}
ROOT = Path(__file__).resolve().parents[2]
CLIP, BODY = ROOT / "scripts" / "demo_clip.mp4", ROOT / "addon_models" / "open_body.npz"
CLIP_FRAMES = 10


@dataclass(frozen=True)
class Format:
    """A kind of file: its name, the content of a sound file, and the command that reads FILE and writes OUT.

    arrays: of an .npz, which is then mutated array by array in half of the files. environment: variables of the command, with FOLDER for
    the folder of the file.
    """

    file_name: str
    original: bytes
    command: tuple[str, ...]
    arrays: Mapping[str, object] | None = None
    environment: Mapping[str, str] | None = None


class Run(NamedTuple):
    """How a command ended.

    exit_code: None if it was ended for taking too long. seconds: by the clock; processor_seconds: of its processes together. megabytes:
    the most of one process. errors: what it wrote to standard error. outputs: names of the files that it left.
    """

    exit_code: int | None
    seconds: float
    processor_seconds: float
    megabytes: float
    errors: str
    outputs: tuple[str, ...]

    def fault(self, seconds: float = SECONDS) -> str | None:
        """What is wrong with it, or None."""
        if self.exit_code is None or self.seconds > seconds:
            return f"took more than {seconds:.0f} s ({self.processor_seconds:.0f} s of processor time)"
        if self.megabytes > MEGABYTES:
            return f"took {self.megabytes:.0f} MB"
        if self.exit_code not in ALLOWED_EXIT_CODES:
            return f"exit code {self.exit_code}"
        if self.exit_code and self.outputs:
            return f"left {' '.join(self.outputs)}"
        if "Traceback" in self.errors or "fault of ours" in self.errors:
            return "a fault of ours"
        return "no sentence" if self.exit_code and "." not in self.errors else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="begin with this file, to go on with a run that was interrupted")
    parser.add_argument("--only", type=int, help="run this file alone")
    parser.add_argument("--formats", nargs="+")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of one run; more on a computer that is busy with other work")
    parser.add_argument("--rig", type=Path, nargs="+", default=[])
    parser.add_argument("-o", "--output", type=Path, help="keep the files of the runs that failed here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="meshrec-fuzz-") as scratch:
        formats = make_formats(Path(scratch), arguments.rig)
        names = arguments.formats or sorted(formats)
        numbers = range(arguments.first, arguments.files) if arguments.only is None else [arguments.only]
        chosen = {name: formats[name] for name in names}
        return fuzz(chosen, numbers, arguments.seed, Path(scratch), arguments.output, arguments.seconds)


def fuzz(formats: Mapping[str, Format], numbers: Sequence[int], seed: int, scratch: Path, keep: Path | None, seconds: float) -> int:
    """Run the numbered files, print those that failed and a summary; returns 1 if any did."""
    names = sorted(formats)
    codes: Counter[tuple[str, int | None]] = Counter()
    runs: list[Run] = []
    failed = 0
    try:
        for number in numbers:
            name = names[number % len(names)]
            folder = scratch / f"file{number}"
            path = write_mutant(formats[name], folder, np.random.default_rng([seed, number]))
            run = run_command(formats[name], path, folder, seconds)
            codes[name, run.exit_code] += 1
            runs.append(run)
            if fault := run.fault(seconds):
                failed += 1
                print(f"{number} {name}: {fault}\n  {' '.join(run.errors.split())[-400:]}", flush=True)
                if keep is not None:
                    shutil.copytree(folder, keep / folder.name, dirs_exist_ok=True)
            shutil.rmtree(folder)
    except KeyboardInterrupt:
        print("Interrupted.")
    for (name, code), count in sorted(codes.items(), key=str):
        print(f"{name:16} exit {code}: {count}")
    if runs:
        most = [max(values) for values in zip(*((run.seconds, run.processor_seconds, run.megabytes) for run in runs))]
        times = "longest {:.1f} s, most processor time {:.1f} s, largest {:.0f} MB".format(*most)
        print(f"{len(runs)} files, {failed} failed; {times}", flush=True)
    return int(failed > 0)


def write_mutant(kind: Format, folder: Path, rng: np.random.Generator) -> Path:
    """Write a mutated file into a new folder."""
    folder.mkdir()
    path = folder / kind.file_name
    use_arrays = kind.arrays is not None and rng.random() < 0.5
    path.write_bytes(mutate_npz(kind.arrays, rng) if use_arrays and kind.arrays is not None else mutate(kind.original, rng))
    return path


def run_command(kind: Format, path: Path, folder: Path, seconds: float) -> Run:
    """Run a format's command on a file; it is ended some time after `seconds`."""
    words = [word.replace("FILE", str(path)).replace("OUT", str(folder / "out")).replace("FOLDER", str(folder)) for word in kind.command]
    variables = {name: value.replace("FOLDER", str(folder)) for name, value in (kind.environment or {}).items()}
    environment = {**os.environ, "MESHREC_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1", **variables}
    begun = time.monotonic()
    with open(folder / "stderr.txt", "w+b") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "blender_meshrec.cli", *words],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
        status, usage = wait_measured(process.pid, begun + seconds + 10)
        errors.seek(0)
        text = errors.read(1 << 20).decode("utf-8", "replace")
    process.returncode = 0  # it has been waited for
    code = None if status is None else os.waitstatus_to_exitcode(status)
    outputs = tuple(sorted(left.name for left in folder.iterdir() if left.name.startswith(("out", ".meshrec-"))))
    return Run(code, time.monotonic() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, text, outputs)


def wait_measured(pid: int, end: float) -> tuple[int | None, resource.struct_rusage]:
    """Wait for a process until `end`, as time.monotonic: its status, None if it was ended, and what it and its children used."""
    while True:
        waited, status, usage = os.wait4(pid, os.WNOHANG)
        if waited:
            return status, usage
        if time.monotonic() > end:
            os.killpg(pid, signal.SIGKILL)
            return None, os.wait4(pid, 0)[2]
        time.sleep(0.02)


def make_formats(scratch: Path, rigs: Sequence[Path]) -> dict[str, Format]:
    """The formats, with sound files made from the first frames of the bundled clip."""
    motion, bvh = scratch / "motion.npz", scratch / "motion.bvh"
    meshrec("reconstruct", CLIP, "--frames", f"0:{CLIP_FRAMES}", "-o", motion)
    meshrec("convert", motion, "-o", bvh)
    recovery = read_motion(motion)
    amass = {"poses": recovery.poses, "trans": recovery.trans, "betas": recovery.betas, "mocap_framerate": 30.0, "gender": "neutral"}
    keypoints = make_keypoints(recovery.lifted_joints)
    stored_keypoints = {"keypoints": keypoints, "keypoint_set": "h36m17", "image_size": np.array([640, 480]), "fps": 30.0}
    with np.load(BODY) as archive:
        body = {name: archive[name] for name in archive.files if name != "posedirs"}
    sound_keypoints, clip = scratch / "keypoints.npz", scratch / "clip.mp4"
    np.savez(sound_keypoints, **stored_keypoints)
    frames = small_frames()
    write_clip(clip, frames)
    reconstruct = ("reconstruct", "FILE", "-o", "OUT.npz", "--progress", "none")
    formats = {
        "keypoints": Format("a.npz", sound_keypoints.read_bytes(), reconstruct, stored_keypoints),
        "openpose": Format(
            "a_keypoints.json", openpose_json(keypoints[0]), ("reconstruct", "FOLDER", "-o", "OUT.npz", "--progress", "none")
        ),
        "video": Format("a.mp4", clip.read_bytes(), reconstruct),
        "picture": Format("a.png", picture_bytes(frames[0], ".png"), reconstruct),
        "photo": Format("a.jpg", picture_bytes(frames[0], ".jpg"), reconstruct),
        "motion": Format("a.npz", motion.read_bytes(), ("convert", "FILE", "-o", "OUT.bvh"), recovery.arrays()),
        "amass": Format("a.npz", npz_bytes(amass, scratch), ("convert", "FILE", "-o", "OUT.bvh"), amass),
        "bvh": Format("a.bvh", bvh.read_bytes(), ("convert", "FILE", "-o", "OUT.npz")),
        "body": Format("a.npz", npz_bytes(body, scratch), ("convert", str(motion), "--body", "FILE", "-o", "OUT.bvh"), body),
        "body pickle": Format("a.pkl", pickle_bytes(), ("convert", str(motion), "--body", "FILE", "-o", "OUT.bvh")),
        "jobs": Format("a.json", jobs_json(sound_keypoints), ("batch", "FILE")),
        "weights list": Format("weights.toml", weights_list(), ("models", "list"), environment={"MESHREC_MODELS": "FOLDER"}),
    }
    formats |= {kind: Format(f"a{kind}", picture_bytes(frames[0], kind), reconstruct) for kind in (".webp", ".tif", ".bmp")}
    for suffix, codec in ((".mkv", "libx264"), (".ts", "libx264"), (".avi", "mpeg4"), (".webm", "libvpx-vp9"), (".gif", "gif")):
        write_clip(scratch / f"clip{suffix}", frames, codec)
        formats[suffix] = Format(f"a{suffix}", (scratch / f"clip{suffix}").read_bytes(), reconstruct)
    convert = ("convert", "FILE", "-o", "OUT.npz")
    formats["smpl pickle"] = Format("a.pkl", pickle.dumps({name: np.asarray(value) for name, value in amass.items()}, 2), convert)
    formats["torch motion"] = Format("a.pt", torch_bytes(amass, scratch), convert)
    added = ("models", "add", "FILE", "--name", "added")
    for name, is_zip in (("checkpoint", True), ("old checkpoint", False)):
        formats[name] = Format("a.ckpt", checkpoint_bytes(scratch, is_zip), added, environment={"XDG_DATA_HOME": "FOLDER"})
    formats["truth"] = Format("a.npz", motion.read_bytes(), ("evaluate", str(motion), "FILE"), recovery.arrays())
    return formats | rig_formats(rigs, motion, bvh) if rigs else formats


def rig_formats(rigs: Sequence[Path], motion: Path, bvh: Path) -> dict[str, Format]:
    """The formats that need a character."""
    onto_rig = ("--rig", str(rigs[0].resolve()), "-o", "OUT.glb")
    found = motion.with_suffix(".json")
    meshrec("map", rigs[0].resolve(), "-o", found)
    preset = json.loads(found.read_text(encoding="utf-8")) | {"controls": {"fk": [["a", "b", 1.0]]}}
    rig_command = ("retarget", str(motion), "--rig", "FILE", "-o", "OUT.glb")
    return {f"rig {rig.name}": Format(f"a{rig.suffix}", rig.read_bytes(), rig_command) for rig in rigs} | {
        "retargeted bvh": Format("a.bvh", bvh.read_bytes(), ("retarget", "FILE", *onto_rig)),
        "mapping": Format("a.json", json.dumps(preset).encode(), ("retarget", str(motion), "--mapping", "FILE", *onto_rig)),
    }


def meshrec(*words: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "blender_meshrec.cli", *map(str, words)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def make_keypoints(lifted_joints: FloatArray) -> FloatArray:
    """Keypoints (F,17,3) px of h36m17 joints (F,17,3) m, seen from the front and far away."""
    pixels = np.array([320.0, 240.0]) + 150.0 * lifted_joints[..., [0, 2]] * [1, -1]
    return np.concatenate([pixels, np.full((*pixels.shape[:-1], 1), 0.9)], -1)


def openpose_json(points: FloatArray) -> bytes:
    padded = np.concatenate([points, np.zeros((25 - len(points), 3))])
    return json.dumps({"version": 1.3, "people": [{"pose_keypoints_2d": padded.round(2).ravel().tolist()}]}).encode()


def jobs_json(source: Path) -> bytes:
    return json.dumps([{"input": str(source), "output": "a.npz", "person": 1, "no-contacts": True}]).encode()


def weights_list() -> bytes:
    return b'[[weights]]\nfile = "a.npz"\nsha256 = "00"\nlicence = "CC0-1.0"\nsource = "nowhere"\n'


def npz_bytes(arrays: Mapping[str, object], scratch: Path) -> bytes:
    path = scratch / "original.npz"
    np.savez_compressed(path, allow_pickle=False, **{name: np.asarray(value) for name, value in arrays.items()})
    return path.read_bytes()


def torch_bytes(amass: Mapping[str, object], scratch: Path) -> bytes:
    """A motion as GVHMR saves it."""
    poses = torch.tensor(np.asarray(amass["poses"]), dtype=torch.float32)
    people = {"global_orient": poses[:, :3], "body_pose": poses[:, 3:66], "transl": torch.tensor(np.asarray(amass["trans"]))}
    torch.save({"smpl_params_global": {**people, "betas": torch.zeros(len(poses), 10)}}, scratch / "a.pt")
    return (scratch / "a.pt").read_bytes()


def checkpoint_bytes(scratch: Path, is_zip: bool) -> bytes:
    """A checkpoint in either of PyTorch's containers, with what training leaves in one; it is of no released network."""
    tensors = {"fc1.weight": torch.zeros(3, 4), "decpose.weight": torch.ones(5).half()}
    extras = {"optimizer": {"state": {0: {"step": 1}}}, "random_state": np.random.RandomState(0), "epoch": 3}
    torch.save({"model": tensors, **extras}, scratch / "a.ckpt", _use_new_zipfile_serialization=is_zip)
    return (scratch / "a.ckpt").read_bytes()


def pickle_bytes() -> bytes:
    """A pickle, protocol 0, that names every global that body files may name; no body, but through most of the reader."""
    lines = [f"c{name.replace(' ', chr(10))}\n0" for name in sorted(ALLOWED_GLOBALS)]
    return ("".join(lines) + "(dp0\nVv_template\n(lp1\nF1.0\naF2.0\nasVf\nI3\ns.").encode()


def small_frames() -> list[ImageArray]:
    """The first frames of the bundled clip, a third as large, (H,W,3) uint8 RGB."""
    frames = [frame.image for frame in open_footage(CLIP, (0, CLIP_FRAMES)).read() if frame.image is not None]
    size = (frames[0].shape[1] // 6 * 2, frames[0].shape[0] // 6 * 2)
    return [np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8) for image in frames]


def write_clip(path: Path, images: Sequence[ImageArray], codec: str = "libx264") -> None:
    """Write images as a video of 30 frames a second."""
    with av.open(str(path), "w") as container:
        stream = cast(VideoStream, container.add_stream(codec, rate=30))
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=stream.pix_fmt)))
        container.mux(stream.encode(None))


def picture_bytes(image: ImageArray, suffix: str) -> bytes:
    return cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


if __name__ == "__main__":
    sys.exit(main())
