"""Retarget motions onto characters and measure the skin of their feet, frame by frame; run it with a Python that has bpy.

    .venvs/bpy-4.5/bin/python -m scripts.evaluate.characters --motion walk.bvh --motion squat.bvh CHARACTER...

Prints a row of docs/characters_tried.md for each character: what told the bones, its size, and for each motion the slide in cm/s while
feet are flat and while they touch at all; the largest of these at a person's size, for characters that are larger; then the deepest skin
in swing and in contact, mm, and the largest angle off the plan, degrees, of the first motion. Characters that are refused are printed with
the reason. Modifiers other than the armature's are left out.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from blender_meshrec.core.array_types import BoolArray, FloatArray, IntArray
from blender_meshrec.core.errors import MeshRecError
from blender_meshrec.core.rotations import angle_between_rotmats
from blender_meshrec.retarget.rig import SIDES, Performance
from blender_meshrec.retarget.source.files import read_performance
from blender_meshrec.scene.character.rig_file import load_character, unhide_character
from blender_meshrec.scene.character.rigid_meshes import bone_of_rigid_mesh
from blender_meshrec.scene.character.skin_floor import skin_bones
from blender_meshrec.scene.context import active_scene, mesh_data, pose_bones
from blender_meshrec.scene.motion.armature_performance import orthonormal_rotations
from blender_meshrec.scene.motion.keyframes import set_timeline, snapped_key_frames
from blender_meshrec.scene.outputs import open_empty_file
from blender_meshrec.scene.retargeting.retarget import RetargetPlan, plan_retarget, write_plan

NEAR = 0.01  # m; skin up to this height is on the floor
SHIN_HEIGHT = 0.1  # skin of the shins up to this height over the lowest, as a fraction of the hips' height, can touch the floor


@dataclass(frozen=True)
class SkinMeasures:
    """What a motion does on a character: slides, cm/s, depths, mm, the angle off the plan, degrees, and the reason of a refusal."""

    found_by: str
    size: float
    flat_slide: float
    touching_slide: float
    swing_depth: float
    contact_depth: float
    off_plan: float
    refusal: str


def measure_character(path: Path, performance: Performance) -> SkinMeasures:
    """Retarget a performance to the character of a file and evaluate every frame.

    Raises:
        MeshRecError: the character is refused.
    """
    open_empty_file()
    character = load_character(path)
    unhide_character(character)
    armature = character.armature
    plan = plan_retarget(armature, performance, humanoid=character.humanoid)
    result = write_plan(armature, plan, path.stem)
    set_timeline(active_scene(), result.fps, result.last_frame)
    rows = foot_vertices(plan, armature, character.meshes)
    skins: dict[str, list[FloatArray]] = {side: [] for side in SIDES}
    off_plan = 0.0
    for row, frame in enumerate(snapped_key_frames(plan.keys.timestamps, plan.keys.fps, 1)):
        show_frame(float(frame))
        for side in SIDES:
            parts = [evaluated_vertices(mesh)[chosen[side]] for mesh, chosen in rows.items() if len(chosen[side])]
            skins[side].append(np.concatenate(parts) if parts else np.empty((0, 3)))
        off_plan = max(off_plan, angle_off_plan(armature, plan, row))
    contacts = np.zeros((len(plan.keys.timestamps), 4)) if plan.keys.contacts is None else plan.keys.contacts
    points = {side: np.stack(frames) for side, frames in skins.items()}
    slides_and_depths = measure_skin(points, contacts > 0.5, plan.keys.timestamps)
    refusal = "" if result.obstacle is None else str(result.obstacle)
    return SkinMeasures(plan.mapping.found_by, plan.skeleton_motion.quality["hip_scale"], *slides_and_depths, off_plan, refusal)


def measure_skin(points: Mapping[str, FloatArray], contacts: BoolArray, timestamps: FloatArray) -> tuple[float, float, float, float]:
    """Flat slide and touching slide, cm/s, and depth in swing and in contact, mm, of points side -> (F,N,3) m with contacts (F,4)."""
    flat_speeds, lowest_speeds, swing, contact = ([np.empty(0)] for _ in range(4))
    intervals = np.diff(timestamps)
    for number, side in enumerate(SIDES):
        skin, touching = points[side], contacts[:, 2 * number : 2 * number + 2]
        if not skin.shape[1]:
            continue
        heights, touches, is_flat = skin[..., 2], np.any(touching, axis=1), np.all(touching, axis=1)
        speeds = 100 * np.linalg.norm(np.diff(skin[..., :2], axis=0), axis=-1) / intervals[:, None]
        near = (heights[:-1] < NEAR) & (heights[1:] < NEAR)
        counted = is_flat[1:] & is_flat[:-1] & near.any(1)
        flat_speeds.append((speeds * near).sum(1)[counted] / near.sum(1)[counted])
        lowest = speeds[np.arange(len(speeds)), heights[:-1].argmin(1)]
        lowest_speeds.append(lowest[touches[1:] & touches[:-1]])
        swing.append(-1000 * heights.min(1)[~touches])
        contact.append(-1000 * heights.min(1)[touches])
    means = [float(np.concatenate(values).mean()) if sum(map(len, values)) else float("nan") for values in (flat_speeds, lowest_speeds)]
    depths = [float(np.concatenate(values).max(initial=0.0)) for values in (swing, contact)]
    return means[0], means[1], depths[0], depths[1]


def foot_vertices(
    plan: RetargetPlan, armature: bpy.types.Object, meshes: Sequence[bpy.types.Object]
) -> dict[bpy.types.Object, dict[str, IntArray]]:
    """The rows of the vertices of each mesh that follow each foot, or the lower end of its shin."""
    rig, scene = plan.rig, active_scene()
    parts = {
        bone: (side, part)
        for side in SIDES
        for part in ("lower_leg", "foot", "toes")
        for bone in skin_bones(rig, plan.mapping, plan.mapping.slots.get(f"{side}_{part}", ()))
    }
    expected = (mesh for mesh in meshes if mesh.type == "MESH" and mesh_data(mesh).vertices and not mesh.hide_render)
    data = armature.data
    assert isinstance(data, bpy.types.Armature)
    data.pose_position = "REST"
    show_frame(float(scene.frame_start))
    found: dict[bpy.types.Object, dict[str, IntArray]] = {}
    heights: dict[bpy.types.Object, FloatArray] = {}
    shins: dict[bpy.types.Object, dict[str, IntArray]] = {}
    for mesh in expected:
        for modifier in mesh.modifiers:
            modifier.show_viewport = modifier.type == "ARMATURE"
        owners = vertex_owners(mesh, armature, parts)
        heights[mesh] = evaluated_vertices(mesh)[:, 2]
        found[mesh] = {side: np.array([row for row, owner in owners.items() if owner == (side, True)], int) for side in SIDES}
        shins[mesh] = {side: np.array([row for row, owner in owners.items() if owner == (side, False)], int) for side in SIDES}
    lowest = min(
        (float(heights[mesh][rows].min()) for mesh in found for rows in (*found[mesh].values(), *shins[mesh].values()) if len(rows)),
        default=0.0,
    )
    limit = lowest + SHIN_HEIGHT * plan.skeleton_motion.quality["hip_scale"]
    data.pose_position = "POSE"
    return {
        mesh: {side: np.concatenate([rows[side], shins[mesh][side][heights[mesh][shins[mesh][side]] < limit]]) for side in SIDES}
        for mesh, rows in found.items()
    }


def vertex_owners(mesh: bpy.types.Object, armature: bpy.types.Object, parts: Mapping[str, tuple[str, str]]) -> dict[int, tuple[str, bool]]:
    """Vertex -> the side that most of its weight is on, and whether that is on the foot rather than the shin; others are left out."""
    rigid = bone_of_rigid_mesh(mesh, armature)
    if rigid is not None:
        side, part = parts.get(rigid, ("", ""))
        return dict.fromkeys(range(len(mesh_data(mesh).vertices)), (side, part != "lower_leg")) if side else {}
    names = {group.index: group.name for group in mesh.vertex_groups}
    owners: dict[int, tuple[str, bool]] = {}
    for vertex in mesh_data(mesh).vertices:
        weights = {(side, on_foot): 0.0 for side in SIDES for on_foot in (True, False)}
        total = 0.0
        for group in vertex.groups:
            total += group.weight
            side, part = parts.get(names.get(group.group, ""), ("", ""))
            if side:
                weights[side, part != "lower_leg"] += group.weight
        side = max(SIDES, key=lambda each: weights[each, True] + weights[each, False])
        if total > 0 and weights[side, True] + weights[side, False] >= total / 2:
            owners[vertex.index] = (side, weights[side, True] >= weights[side, False])
    return owners


def show_frame(frame: float) -> None:
    """Go to a frame, which may be between two."""
    active_scene().frame_set(int(frame // 1), subframe=frame % 1)


def evaluated_vertices(mesh: bpy.types.Object) -> FloatArray:
    """The vertices (N,3) m of a mesh in the current frame, in the world."""
    evaluated = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
    vertices = mesh_data(evaluated).vertices
    flat = np.empty(3 * len(vertices), np.float32)
    vertices.foreach_get("co", flat)
    matrix = np.array(evaluated.matrix_world)
    return flat.reshape(-1, 3).astype(float) @ matrix[:3, :3].T + matrix[:3, 3]


def angle_off_plan(armature: bpy.types.Object, plan: RetargetPlan, row: int) -> float:
    """The largest angle, degrees, in the current frame between a mapped bone and its plan in row `row`; 0 for control rigs."""
    if plan.mapping.controls is not None:
        return 0.0
    bones = pose_bones(armature.evaluated_get(bpy.context.evaluated_depsgraph_get()))
    matrices = np.array([bones[name].matrix for name in plan.mapping.bones])[:, :3, :3]
    planned = plan.skeleton_motion.rotmats[row, [plan.skeleton.index(name) for name in plan.mapping.bones]]
    return float(np.degrees(angle_between_rotmats(orthonormal_rotations(matrices), planned).max()))


def table_row(path: Path, performances: Sequence[Performance]) -> str:
    """A row of docs/characters_tried.md."""
    measures: list[SkinMeasures] = []
    try:
        measures = [measure_character(path, performance) for performance in performances]
    except MeshRecError as error:
        return f"| {path.name} | refused: {error} |"
    first = measures[0]
    slides = ["refused" if each.refusal else f"{each.flat_slide:.1f} / {each.touching_slide:.1f}" for each in measures]
    kept = [slide for each in measures if not each.refusal for slide in (each.flat_slide, each.touching_slide)]
    largest = np.nanmax(kept, initial=0.0) / max(first.size, 1.0)
    cells = [path.name, first.found_by, f"{first.size:.1f}", *slides, f"{largest:.1f}"]
    cells += [f"{first.swing_depth:.0f}", f"{first.contact_depth:.0f}"]
    return f"| {' | '.join(cells)} | {first.off_plan:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("characters", nargs="+", type=Path, metavar="CHARACTER", help="a .blend, .fbx, .glb, .gltf or .vrm file")
    parser.add_argument(
        "--motion", action="append", required=True, type=Path, help="a motion that `meshrec retarget` reads; several in turn"
    )
    arguments = parser.parse_args()
    performances = [read_performance(motion) for motion in arguments.motion]
    for path in arguments.characters:
        print(table_row(path, performances), flush=True)


if __name__ == "__main__":
    main()
