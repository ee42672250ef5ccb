"""How near the texture painted from footage is to the true one: a body with a known texture turns in front of a still camera.

    .venv/bin/python -m scripts.evaluate.texture FOLDER [--look NAME] [--light flat|smooth] [--frames N] [--size S] [--write]

The open body turns around once while its arms move; the camera's exposure wanders. It wears outfits as people do, and one of stripes and
checks in strong colours all over (`texture_clothes.py`). FOLDER gets the pictures, which a second run uses again, the textures, and maps of
the error, brighter where it is greater. The texture is painted twice: with the true pose, from evenly spread frames, and from the pose that
the product finds. Printed are the mean difference of the colours of texels that were seen, of 255, and of all texels; with --write,
docs/texture.md has them. The true texture has a smooth light on it, or none at all (flat).
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from blender_meshrec.backend.pipeline import recover
from blender_meshrec.backend.texture.filmed_view import Lens, Shot
from blender_meshrec.backend.texture.paint import Painted, Painter
from blender_meshrec.backend.texture.rasterise import rasterise
from blender_meshrec.backend.texture.sampling import sample
from blender_meshrec.backend.texture.surface import Surface, surface_of_body
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.array_types import FloatArray, ImageArray
from blender_meshrec.core.files.body_template import BodyTemplate, load_body
from blender_meshrec.core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from blender_meshrec.core.skeletons import SMPL_JOINTS
from scripts.evaluate.texture_clothes import FOLDERS, LOOKS, STRIPES, TRUE_SIZE, true_texture

PAGE = Path(__file__).resolve().parents[2] / "docs" / "texture.md"
BEGIN, END = "<!-- measured by scripts.evaluate.texture -->", "<!-- end -->"
PICTURE, FOCAL, DISTANCE = (640, 720), 900.0, 2.75  # px, px, m
FILM_SCALE = 2  # pixels of a picture are means of this many a side
USED_FRAMES = 32
EXPOSURE = 0.06  # standard deviation of the logarithm of a frame's gain, which wanders slowly
BETAS = (0.6, -0.8, 0.4)


@dataclass(frozen=True)
class Performance:
    """vertices: (F,V,3) m in camera axes. gains: (F,), of the exposure, whose mean logarithm is zero."""

    vertices: FloatArray
    gains: FloatArray


@dataclass(frozen=True)
class Row:
    """One measurement: what was painted from which pose, and how far it is from the truth, of 255."""

    look: str
    light: str
    pose: str
    seen: float
    every: float
    share: float
    seconds: float


def perform(template: BodyTemplate, frames: int) -> Performance:
    """Turn around once, with moving arms, in front of the camera."""
    turn = np.linspace(0, 2 * np.pi, frames, endpoint=False)
    pose = np.zeros((frames, 24, 3))
    swing = np.sin(2 * turn)
    for side, sign in (("left", 1), ("right", -1)):
        pose[:, SMPL_JOINTS.index(f"{side}_shoulder"), 2] = -sign * (np.radians(48) + 0.25 * swing)
        pose[:, SMPL_JOINTS.index(f"{side}_elbow"), 1] = -sign * (0.3 + 0.2 * swing)
        pose[:, SMPL_JOINTS.index(f"{side}_hip"), 2] = sign * 0.1
    upright = rotmat_from_rotvec(np.array([np.pi, 0.0, 0.0]))  # of the body, y up, in the camera's axes
    about = np.stack([rotmat_from_rotvec(np.array([0.0, angle, 0.0])) for angle in turn])
    orient = rotvec_from_rotmat(upright @ about)
    betas = shape_of(template)
    root = template.rest_joints(betas)[0]
    transl = np.array([0.0, 0.05, DISTANCE]) - root + np.stack([0.05 * np.sin(turn), 0 * turn, 0.1 * np.cos(turn)], 1)
    _joints, vertices = make_body(template)(betas, orient, pose[:, 1:].reshape(frames, -1), transl)
    gains = EXPOSURE * np.sqrt(2) * np.sin(turn + 1)
    return Performance(vertices.detach().numpy().astype(float), np.exp(gains - gains.mean()))


def shape_of(template: BodyTemplate) -> FloatArray:
    """The betas (B,) of the performer."""
    betas = np.zeros(template.shapedirs.shape[-1])
    betas[: len(BETAS)] = BETAS
    return betas


def film(performance: Performance, texture: ImageArray, surface: Surface, light: bool) -> Iterator[ImageArray]:
    """The pictures (H,W,3) of a performance, each as it is asked for."""
    width, height = PICTURE[0] * FILM_SCALE, PICTURE[1] * FILM_SCALE
    rng = np.random.default_rng(4)
    background = cv2.resize(rng.uniform(60, 190, (9, 8, 3)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    lens = Lens(intrinsics() * np.array([[FILM_SCALE], [FILM_SCALE], [1.0]]))
    for vertices, gain in zip(performance.vertices, performance.gains, strict=True):
        normals = surface.normals(vertices)
        corners, nearness = lens.pixels(vertices)[surface.faces], 1 / vertices[surface.faces, 2]
        (ax, ay), (bx, by) = (corners[:, 1] - corners[:, 0]).T, (corners[:, 2] - corners[:, 0]).T
        facing = ax * by - ay * bx < 0
        shown = rasterise(corners, (width, height), np.where(facing[:, None], nearness, 0.0))
        covered = shown.triangles >= 0
        triangles = shown.triangles[covered]
        weights = shown.weights[covered] * nearness[triangles]
        weights /= np.maximum(weights.sum(-1, keepdims=True), 1e-12)
        texcoords = np.einsum("nk,nkc->nc", weights, surface.vt[surface.ft[triangles]])
        painted = sample(texture, texcoords * [TRUE_SIZE, -TRUE_SIZE] + [0, TRUE_SIZE]).astype(np.float32)
        if light:
            toward = np.array([0.4, -0.7, -0.6]) / np.linalg.norm([0.4, -0.7, -0.6])
            painted *= (0.85 + 0.15 * (weights * (normals @ toward)[surface.faces[triangles]]).sum(1))[:, None]
        picture = background.copy()
        picture[covered] = painted
        small = cv2.resize(picture, PICTURE, interpolation=cv2.INTER_AREA) * gain
        yield (small + rng.normal(0, 2, small.shape)).round().clip(0, 255).astype(np.uint8)


def intrinsics() -> FloatArray:
    """(3,3) px of the camera."""
    return np.array([[FOCAL, 0, PICTURE[0] / 2], [0, FOCAL, PICTURE[1] / 2], [0, 0, 1.0]])


def film_to_folder(folder: Path, performance: Performance, texture: ImageArray, surface: Surface, light: bool) -> list[Path]:
    """The pictures as numbered files, which are kept if they exist."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{number:04d}.png" for number in range(1, len(performance.vertices) + 1)]
    if not all(file.exists() for file in files):
        for file, picture in zip(files, film(performance, texture, surface, light), strict=True):
            cv2.imwrite(str(file), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return files


def paint_from_true_pose(files: Sequence[Path], performance: Performance, surface: Surface, size: int) -> Painted:
    """The texture from evenly spread pictures and the vertices that were filmed."""
    painter = Painter(surface, size)
    for number in np.unique(np.linspace(0, len(files) - 1, min(USED_FRAMES, len(files))).round().astype(int)):
        picture = np.asarray(cv2.imread(str(files[number])), np.uint8)[..., ::-1]
        painter.add(Shot(np.ascontiguousarray(picture), Lens(intrinsics()), performance.vertices[number]))
    painted = painter.paint()
    if painted is None:
        raise SystemExit("Nobody is in the pictures.")
    return painted


def paint_from_solved_pose(folder: Path, size: int) -> ImageArray:
    """The texture that a reconstruction of the pictures paints."""
    request = ReconstructRequest(str(folder), fps=30.0, focal=f"{FOCAL:.0f}px", texture=True, texture_size=str(size))
    (content,) = recover(request).textures
    if content is None:
        raise SystemExit("No texture was painted.")
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]


def errors(texture: ImageArray, truth: ImageArray, painted: Painted) -> FloatArray:
    """How far (N,) the colours of the texels that are painted are from the truth, of 255."""
    true_colours = cv2.resize(truth, texture.shape[:2], interpolation=cv2.INTER_AREA).reshape(-1, 3)[painted.index].astype(float)
    return np.abs(texture.reshape(-1, 3)[painted.index] - true_colours).mean(1)


def write_error_map(path: Path, error: FloatArray, painted: Painted) -> None:
    """A picture of the errors (N,) of seen texels; 64 of 255 and more are white."""
    picture = np.zeros(painted.texture.shape[:2], np.uint8)
    picture.ravel()[painted.index] = (4 * error * (painted.seen > 0.5)).clip(0, 255)
    cv2.imwrite(str(path), picture)


def measure_clip(folder: Path, look: str, light: str, frames: int, size: int) -> list[Row]:
    """Film, paint and measure one clip; seen are the texels that the true pose shows."""
    template = load_body()
    surface = surface_of_body(template)
    if surface is None:
        raise SystemExit("The open body has no UV map: run `python3 build.py setup`.")
    truth = true_texture(look, surface, template, shape_of(template))
    performance = perform(template, frames)
    files = film_to_folder(folder / "pictures", performance, truth, surface, light == "smooth")
    cv2.imwrite(str(folder / "truth.png"), cv2.cvtColor(truth, cv2.COLOR_RGB2BGR))
    began = time.process_time()
    painted = paint_from_true_pose(files, performance, surface, size)
    between = time.process_time()
    textures = {"true": painted.texture, "solved": paint_from_solved_pose(folder / "pictures", size)}
    seconds = {"true": between - began, "solved": time.process_time() - between}
    rows: list[Row] = []
    for pose, texture in textures.items():
        error = errors(texture, truth, painted)
        rows.append(Row(look, light, pose, float(error[painted.seen > 0.5].mean()), float(error.mean()), painted.share, seconds[pose]))
        cv2.imwrite(str(folder / f"{pose}_pose.png"), cv2.cvtColor(texture, cv2.COLOR_RGB2BGR))
        write_error_map(folder / f"{pose}_pose_error.png", error, painted)
    return rows


def table(rows: Sequence[Row]) -> list[str]:
    """The measurements as lines of a page."""
    lines = ["| clothes | light | pose | error of seen texels, of 255 | of all texels | skin seen |", "|---|---|---|---:|---:|---:|"]
    return lines + [f"| {r.look} | {r.light} | {r.pose} | {r.seen:.1f} | {r.every:.1f} | {100 * r.share:.0f} % |" for r in rows]


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--look", choices=LOOKS, help="one outfit; without it all of them")
    parser.add_argument("--light", choices=("flat", "smooth"), help="without it flat light, and smooth light on the hardest texture too")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    settings = parser.parse_args()
    looks = (settings.look,) if settings.look else LOOKS
    lights = [(look, light) for look in looks for light in ("flat", "smooth") if light == (settings.light or light)]
    if settings.light is None:
        lights = [(look, light) for look, light in lights if light == "flat" or look == STRIPES]
    rows: list[Row] = []
    for look, light in lights:
        rows += measure_clip(settings.folder / f"{FOLDERS[look]}_{light}", look, light, settings.frames, settings.size)
        print("\n".join(table(rows)), flush=True)
    if settings.write:
        before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
        PAGE.write_text("\n".join([before + BEGIN, "", *table(rows), "", END + rest.split(END)[1]]), encoding="utf-8")


if __name__ == "__main__":
    main()
