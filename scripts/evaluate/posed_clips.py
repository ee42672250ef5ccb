"""Measure reconstructions of motions whose contacts are known exactly: sitting, lying, push-ups, a handstand, jumps, a swing and others.

    .venv/bin/python -m scripts.evaluate.posed_clips make FOLDER [--mocap MOCAP] [--clips CLIP ...]
    .venv/bin/python -m scripts.evaluate.posed_clips measure FOLDER [--clips CLIP ...] [--views front oblique] [--sets h36m17 ...]
                                                       [--noise exact noisy] [--write TABLE.json] [--compact]
    .venvs/bpy-4.5/bin/python -m scripts.evaluate.posed_clips render FOLDER --clips CLIP ... [--views ...] [--seconds S]   images
    .venv/bin/python -m scripts.evaluate.posed_clips encode FOLDER --clips CLIP ... [--views ...]      FOLDER/CLIP.VIEW.mp4
    .venv/bin/python -m scripts.evaluate.posed_clips measure FOLDER --videos                           the videos, with the detector
    .venv/bin/python -m scripts.evaluate.posed_clips summary TABLE.json                                what measure wrote, a line a clip

`make` writes CLIP.truth.npz, the cameras CLIP.VIEW.camera.npz and CLIP.VIEW.SET.NOISE.npz, which `meshrec reconstruct` reads. Motions are
posed by hand (posed/motions.py) or captured (posed/captured.py, with --mocap), and settled on their supports (posed/settle.py).
`measure` prints one row a clip, the worst of its views, sets and noise, then how many files keep each limit; all measures, or with
`--compact` those that have a limit, where * is beyond it.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from blender_meshrec.core.files.body_template import load_body

NOISE = ("exact", "noisy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("make", "measure", "render", "encode", "summary"))
    parser.add_argument("folder", type=Path, help="the clips' folder; of summary, the file that measure wrote")
    parser.add_argument("--mocap", type=Path, help="make captured motions too")
    parser.add_argument("--clips", nargs="+", default=())
    parser.add_argument("--views", nargs="+", default=("front", "oblique"))
    parser.add_argument("--sets", nargs="+", default=("h36m17", "openpose25"))
    parser.add_argument("--noise", nargs="+", default=NOISE, choices=NOISE)
    parser.add_argument("--videos", action="store_true", help="measure the videos, not the keypoints")
    parser.add_argument("--compact", action="store_true", help="print only the measures that have a limit")
    parser.add_argument("--seconds", type=float, default=np.inf, help="render the beginning of each clip (all of it)")
    parser.add_argument("--write", type=Path, help="all numbers of every file, as .json")
    settings = parser.parse_args()
    if settings.step == "summary":
        from scripts.evaluate.posed.summary import summary

        print(summary(json.loads(settings.folder.read_text(encoding="utf-8"))))
        return
    settings.folder.mkdir(parents=True, exist_ok=True)
    if settings.step == "make":
        make(settings.folder, settings.mocap, settings.clips)
    elif settings.step == "measure":
        from scripts.evaluate.posed.summary import summary, table

        sources = videos(settings) if settings.videos else keypoint_files(settings)
        rows = dict(measure_files(settings.folder, sources))
        print(summary(rows) if settings.compact else table(rows))
        if settings.write:
            settings.write.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    else:
        from scripts.evaluate.posed.rendering import encode, render

        for name in chosen_clips(settings.folder, settings.clips):
            for view in settings.views:
                if settings.step == "render":
                    render(settings.folder, name, view, settings.seconds)
                else:
                    encode(settings.folder, name, view)


def make(folder: Path, mocap: Path | None, names: Sequence[str]) -> None:
    """Write the truth, the cameras and the keypoints of every clip that the folder lacks."""
    from scripts.evaluate.posed.captured import clip_of_capture, read_captures
    from scripts.evaluate.posed.clips import clip_of_motion
    from scripts.evaluate.posed.motions import all_motions
    from scripts.evaluate.posed.truth import load_clip

    template = load_body("open")

    def finish(name: str, path: Path, begun: float) -> None:
        write_views(folder, name)
        clip = load_clip(path)
        print(f"{name}: {len(clip)} frames, {time.perf_counter() - begun:.0f} s", flush=True)

    for motion in all_motions():
        path, begun = folder / f"{motion.name}.truth.npz", time.perf_counter()
        if not names or motion.name in names:
            if not path.exists():
                clip_of_motion(template, motion).save(path)
            finish(motion.name, path, begun)
    for capture in read_captures(mocap, names) if mocap else ():
        path, begun = folder / f"{capture.name}.truth.npz", time.perf_counter()
        if not path.exists():
            clip_of_capture(template, capture).save(path)
        finish(capture.name, path, begun)


def write_views(folder: Path, name: str) -> None:
    """Film a clip and write its cameras and keypoints files."""
    from scripts.evaluate.posed.filming import KEYPOINT_SETS_WRITTEN, film, views_of, write_keypoints
    from scripts.evaluate.posed.truth import load_clip

    template, clip = load_body("open"), load_clip(folder / f"{name}.truth.npz")
    for view in views_of(clip):
        np.savez(folder / f"{name}.{view.name}.camera.npz", intrinsics=view.intrinsics, world_from_camera=view.world_from_camera)
        for keypoint_set in KEYPOINT_SETS_WRITTEN:
            for noise in NOISE:
                keypoints = film(template, clip, view, keypoint_set, noise == "noisy")
                write_keypoints(folder / f"{name}.{view.name}.{keypoint_set}.{noise}.npz", keypoints, keypoint_set)


def chosen_clips(folder: Path, names: Sequence[str]) -> list[str]:
    """The clips of a folder, or those of them that are named."""
    found = sorted(path.name.split(".")[0] for path in folder.glob("*.truth.npz"))
    return [name for name in found if not names or name in names]


def keypoint_files(settings: argparse.Namespace) -> list[Path]:
    """The keypoints files to measure."""
    paths = [
        settings.folder / f"{name}.{view}.{keypoint_set}.{noise}.npz"
        for name in chosen_clips(settings.folder, settings.clips)
        for view in settings.views
        for keypoint_set in settings.sets
        for noise in settings.noise
    ]
    return [path for path in paths if path.exists()]


def videos(settings: argparse.Namespace) -> list[Path]:
    """The videos to measure."""
    paths = [settings.folder / f"{name}.{view}.mp4" for name in chosen_clips(settings.folder, settings.clips) for view in settings.views]
    return [path for path in paths if path.exists()]


def measure_files(folder: Path, sources: Sequence[Path]) -> Iterator[tuple[str, dict[str, float | str]]]:
    """Reconstruct files; yields the name of each without its suffix, and its numbers, verdict and seconds, or the error."""
    from blender_meshrec.backend.pipeline import recover
    from blender_meshrec.backend.tracking.detect_and_track import detect_and_track
    from blender_meshrec.bodies.make_body import make_body
    from blender_meshrec.bridge.messages import ReconstructRequest
    from blender_meshrec.core.errors import MeshRecError
    from scripts.evaluate.posed.filming import View
    from scripts.evaluate.posed.measures import measure
    from scripts.evaluate.posed.truth import load_clip

    body = make_body(load_body("open"))
    for source in sources:
        name, view_name = source.name.split(".")[:2]
        clip = load_clip(folder / f"{name}.truth.npz")
        with np.load(folder / f"{name}.{view_name}.camera.npz") as camera:
            view = View(view_name, camera["intrinsics"], camera["world_from_camera"])
        request = ReconstructRequest(source=str(source), device="cpu", cache=str(folder / "cache") if source.suffix == ".mp4" else None)
        begun = time.perf_counter()
        try:
            result = recover(request)
        except MeshRecError as error:
            print(f"{source.stem}: {error}", flush=True)
            yield source.stem, {"error": str(error)}
            continue
        seconds = time.perf_counter() - begun
        tracked = detect_and_track(request)
        seen = tracked.looked_at.observed(tracked.people[result.people[0] - 1])
        numbers = measure(body, clip, view, result.recoveries[0], np.asarray(seen.keypoints, float), seen.keypoint_set)
        verdict = str(result.report["people"][0].get("verdict", ""))
        print(source.stem, verdict, " ".join(f"{key} {value:.3g}" for key, value in numbers.items()), f"{seconds:.0f} s", flush=True)
        yield source.stem, {**numbers, "verdict": verdict, "seconds": seconds}


if __name__ == "__main__":
    main()
