"""Draw docs/pictures/how_it_works.jpg: the demo clip after each group of passes, for docs/how_it_works.md.

.venv/bin/python -m scripts.docs.how_it_works [CLIP] [--out docs/pictures/how_it_works.jpg] [--moment 0.5]
"""

import argparse
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes

from blender_meshrec.backend.clip import Clip, Person
from blender_meshrec.backend.overlay import draw_frames
from blender_meshrec.backend.pipeline import PASSES, open_clip
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.array_types import FloatArray, ImageArray, IntArray
from blender_meshrec.core.skeletons import H36M17, H36M17_PARENTS, SMPL_JOINTS, SMPL_PARENTS
from scripts import ROOT

matplotlib.use("Agg")
import matplotlib.pyplot as plt

FEET = ("left heel", "left toe", "right heel", "right toe")
SKY, CORAL, INK = "#3b82c4", "#e0683c", "#333333"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("clip", nargs="?", default=str(ROOT / "scripts" / "demo_clip.mp4"))
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures" / "how_it_works.jpg")
    parser.add_argument("--moment", type=float, default=0.5, help="the moment that is drawn, as a fraction of the clip")
    arguments = parser.parse_args()
    clip = run_passes(arguments.clip)
    row = int(arguments.moment * (len(clip.frames) - 1))
    figure, axes = plt.subplots(1, 5, figsize=(17, 5), width_ratios=(1, 0.9, 1, 1.1, 2.2), layout="constrained")
    draw_all(axes, clip, clip.people[0], row)
    figure.savefig(arguments.out, dpi=90, pil_kwargs={"quality": 88})


def run_passes(source: str) -> Clip:
    """The Clip of the largest person after all passes."""
    clip, _ = open_clip(ReconstructRequest(source), lambda progress: None)
    for step in PASSES:
        if step.needed(clip):
            step.run(clip)
    return clip


def draw_all(axes: list[Axes], clip: Clip, person: Person, row: int) -> None:
    """The five panels at one frame."""
    footage, overlay = frame_with_overlay(clip, person, row)
    left, top, right, bottom = crop_around(person.observations.boxes[row], clip.frames.size)
    keypoints = person.observations.keypoints[row]
    axes[0].imshow(footage)
    confident = keypoints[:, 2] > 0.5
    axes[0].scatter(*keypoints[confident, :2].T, s=14, c=CORAL)
    title(axes[0], "1  detect and track", "2D keypoints")
    draw_skeleton(axes[1], person.estimate.joints[row][:, [2, 1]], H36M17, H36M17_PARENTS)
    axes[1].invert_yaxis()
    axes[1].set_aspect("equal")
    title(axes[1], "2  lift", "seen from the side")
    axes[2].imshow(overlay)
    title(axes[2], "3  fit", "betas and rotations")
    draw_world(axes[3], person, row)
    title(axes[3], "4  world", "gravity, floor, locked feet")
    draw_keys(axes[4], clip, person, row)
    title(axes[4], "5  keys", "curves on the armature's bones")
    for ax in (axes[0], axes[2]):
        ax.set_xlim(left, right)
        ax.set_ylim(bottom, top)
    for ax in axes[:3]:
        ax.set_xticks([])
        ax.set_yticks([])


def crop_around(box: FloatArray, size: tuple[int, int], aspect: float = 0.62) -> tuple[float, float, float, float]:
    """An upright crop (left, top, right, bottom) px around a person's box (4,) px, inside the image."""
    centre_x, centre_y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    height = min(1.25 * max(box[3] - box[1], (box[2] - box[0]) / aspect), size[1])
    top = float(np.clip(centre_y - height / 2, 0, size[1] - height))
    return float(centre_x - aspect * height / 2), top, float(centre_x + aspect * height / 2), top + float(height)


def frame_with_overlay(clip: Clip, person: Person, row: int) -> tuple[ImageArray, ImageArray]:
    """One frame of the footage, plain and with the recovered mesh over it."""
    for number, (plain, drawn) in enumerate(draw_frames([person.recovery], clip.body)):
        if number == row:
            return plain, drawn
    raise ValueError(f"the clip has no frame {row}")


def draw_skeleton(ax: Axes, points: FloatArray, names: tuple[str, ...], parents: IntArray, colour: str = INK) -> None:
    """Bones between points (J,2), the left side in blue and the right in red."""
    for joint, parent in enumerate(parents):
        if parent >= 0:
            side = SKY if names[joint].startswith("left") else CORAL if names[joint].startswith("right") else colour
            ax.plot(*points[[parent, joint]].T, color=side, lw=2.5, solid_capstyle="round")


def draw_world(ax: Axes, person: Person, row: int) -> None:
    """The skeleton on the floor, from the front, with the path of the feet."""
    joints = person.recovery.joints
    feet = [SMPL_JOINTS.index("left_foot"), SMPL_JOINTS.index("right_foot")]
    ax.axhline(0, color="#999999", lw=1)
    for foot, colour in zip(feet, (SKY, CORAL)):
        ax.plot(joints[:, foot, 0], joints[:, foot, 2], color=colour, alpha=0.35, lw=1)
    draw_skeleton(ax, joints[row][:, [0, 2]], SMPL_JOINTS, SMPL_PARENTS)
    ax.set_aspect("equal")
    ax.set_ylabel("height, m")


def draw_keys(ax: Axes, clip: Clip, person: Person, row: int) -> None:
    """Knee bend over time, with the spans in which each foot point touches the floor."""
    poses = person.recovery.poses.reshape(len(clip.frames), -1, 3)
    for name, colour in (("left_knee", SKY), ("right_knee", CORAL)):
        bend = np.degrees(np.linalg.norm(poses[:, SMPL_JOINTS.index(name)], axis=1))
        ax.plot(clip.frames.timestamps, bend, color=colour, label=name.replace("_", " "))
    low = -12.0
    for column, name in enumerate(FEET):
        touches = person.contacts[:, column] > 0.5
        ax.fill_between(
            clip.frames.timestamps, low, low + 8, where=touches, color=SKY if name.startswith("left") else CORAL, alpha=0.7, lw=0
        )
        ax.text(clip.frames.timestamps[0], low + 1, name, fontsize=7)
        low -= 11
    ax.axvline(clip.frames.timestamps[row], color="#999999", lw=1)
    ax.set_xlabel("s")
    ax.set_ylabel("knee bend, degrees")
    ax.legend(fontsize=8, frameon=False)


def title(ax: Axes, heading: str, text: str) -> None:
    """A panel's heading and one line below it."""
    ax.set_title(f"{heading}\n{text}", fontsize=11, loc="left")


if __name__ == "__main__":
    main()
