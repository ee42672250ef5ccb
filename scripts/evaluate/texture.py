"""How near the texture painted from footage is to the true one: a body with a known texture turns in front of a still camera.

    .venv/bin/python -m scripts.evaluate.texture FOLDER [--frames N] [--size S] [--write]

The open body, in clothes of stripes and checks in strong colours, turns around once while its arms move; the camera's exposure wanders.
FOLDER gets the pictures, which a second run uses again, and the textures. The texture is painted twice: with the true pose, from evenly
spread frames, and from the pose that the product finds. Printed are the mean difference of the colours of texels that were seen,
of 255, and of all texels; with --write, docs/texture.md has them. The true texture has a smooth light on it, or none at all (flat).
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

PAGE = Path(__file__).resolve().parents[2] / "docs" / "texture.md"
BEGIN, END = "<!-- measured by scripts.evaluate.texture -->", "<!-- end -->"
PICTURE, FOCAL, DISTANCE = (640, 720), 900.0, 2.75  # px, px, m
FILM_SCALE = 2  # pixels of a picture are means of this many a side
TRUE_SIZE = 2048
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

    pose: str
    seen: float
    every: float
    share: float
    seconds: float


def true_texture(surface: Surface, template: BodyTemplate) -> ImageArray:
    """Clothes of stripes and checks as a texture (S,S,3), alike wherever the UV map is cut."""
    texels = surface.texels(TRUE_SIZE)
    at_rest = texels.interpolate(surface.vertices)
    parts = np.zeros(len(surface.vertices), np.int64)
    if template.face_parts is not None:
        parts[surface.faces.ravel()] = np.repeat(np.asarray(template.face_parts), 3)
    part = parts[texels.vertices[np.arange(len(texels)), texels.weights.argmax(1)]]
    stripe = (at_rest[:, 1] // 0.05).astype(int) % 2
    check = ((at_rest // 0.09).astype(int).sum(1)) % 2
    pairs = {
        "skin": ((205, 160, 135), (196, 148, 122)), "hair": ((58, 40, 30), (82, 58, 40)), "shirt": ((235, 230, 220), (30, 60, 140)),
        "trousers": ((160, 40, 36), (46, 44, 52)), "shoes": ((240, 240, 240), (20, 20, 20)),
    }  # fmt: skip
    colours = np.zeros((len(texels), 3))
    for number, name in enumerate(template.part_names):
        first, second = (np.array(colour) for colour in pairs[name])
        chosen = (stripe if name == "shirt" else check)[part == number, None]
        colours[part == number] = np.where(chosen == 0, first, second)
    picture = np.full((TRUE_SIZE * TRUE_SIZE, 3), 128, np.uint8)
    picture[texels.index] = colours
    return picture.reshape(TRUE_SIZE, TRUE_SIZE, 3)


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
    betas = np.zeros(template.shapedirs.shape[-1])
    betas[: len(BETAS)] = BETAS
    root = template.rest_joints(betas)[0]
    transl = np.array([0.0, 0.05, DISTANCE]) - root + np.stack([0.05 * np.sin(turn), 0 * turn, 0.1 * np.cos(turn)], 1)
    _joints, vertices = make_body(template)(betas, orient, pose[:, 1:].reshape(frames, -1), transl)
    gains = EXPOSURE * np.sqrt(2) * np.sin(turn + 1)
    return Performance(vertices.detach().numpy().astype(float), np.exp(gains - gains.mean()))


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


def measure(pose: str, texture: ImageArray, truth: ImageArray, painted: Painted, seconds: float) -> Row:
    """How far a texture is from the truth at the texels that the true pose shows."""
    true_colours = cv2.resize(truth, texture.shape[:2], interpolation=cv2.INTER_AREA).reshape(-1, 3)[painted.index].astype(float)
    error = np.abs(texture.reshape(-1, 3)[painted.index] - true_colours).mean(1)
    return Row(pose, float(error[painted.seen > 0.5].mean()), float(error.mean()), painted.share, seconds)


def measure_clip(folder: Path, frames: int, size: int, light: bool) -> list[Row]:
    """Film, paint and measure one clip."""
    template = load_body()
    surface = surface_of_body(template)
    if surface is None:
        raise SystemExit("The open body has no UV map: run `python3 build.py setup`.")
    truth = true_texture(surface, template)
    performance = perform(template, frames)
    files = film_to_folder(folder / "pictures", performance, truth, surface, light)
    began = time.process_time()
    painted = paint_from_true_pose(files, performance, surface, size)
    rows = [measure("true", painted.texture, truth, painted, time.process_time() - began)]
    began = time.process_time()
    solved = paint_from_solved_pose(folder / "pictures", size)
    rows.append(measure("solved", solved, truth, painted, time.process_time() - began))
    for name, picture in (("truth", truth), ("true_pose", painted.texture), ("solved_pose", solved)):
        cv2.imwrite(str(folder / f"{name}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return rows


def table(rows: Sequence[tuple[str, Row]]) -> list[str]:
    """The measurements as lines of a page."""
    lines = ["| light | pose | error of seen texels, of 255 | of all texels | skin seen |", "|---|---|---:|---:|---:|"]
    return lines + [f"| {name} | {row.pose} | {row.seen:.1f} | {row.every:.1f} | {100 * row.share:.0f} % |" for name, row in rows]


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--light", choices=("flat", "smooth", "both"), default="both")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    settings = parser.parse_args()
    rows: list[tuple[str, Row]] = []
    for name in ("flat", "smooth") if settings.light == "both" else (settings.light,):
        rows += [(name, row) for row in measure_clip(settings.folder / name, settings.frames, settings.size, name == "smooth")]
        print("\n".join(table(rows)), flush=True)
    if settings.write:
        before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
        PAGE.write_text("\n".join([before + BEGIN, "", *table(rows), "", END + rest.split(END)[1]]), encoding="utf-8")


if __name__ == "__main__":
    main()
