"""Time retargeting of a long clip, and the same with Blender's constraints and bake; run it with a Python that has bpy.

    .venvs/bpy-4.5/bin/python -m scripts.bench.retarget [--frames 3000]

The true motion of the bundled clip, played forward and backward, is retargeted onto a character with 65 bones and 10,400 vertices in a
T-pose. The source person is in the scene with its body, as the add-on makes it. The constraints get the easiest conditions: the source is
scaled to the character's hip height and has a helper bone in the character's rest pose for each bone, so that COPY_ROTATION needs no
offsets. Then `nla.bake` runs once with both meshes visible, as is usual, and once without any mesh in the scene. Both results are measured
in the same way, in the evaluated scene. Prints one line of JSON.
"""

import argparse
import json
import os
import resource
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import bpy
import numpy as np
from mathutils import Matrix, Vector

from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.files.body_template import BodyTemplate, load_body
from blender_meshrec.core.files.motion_npz import read_motion
from blender_meshrec.core.motion import motion_on_body
from blender_meshrec.core.records import Recovery
from blender_meshrec.retarget.mapping.map_bones import map_bones
from blender_meshrec.retarget.rig import BoneMapping
from blender_meshrec.retarget.source.motion import performance_from_motion
from blender_meshrec.scene.assemble import Person, assemble
from blender_meshrec.scene.assembly import AssemblyOptions
from blender_meshrec.scene.character.rig_reader import read_rig
from blender_meshrec.scene.context import active_scene, active_view_layer, armature_data, expect_type, pose_bones
from blender_meshrec.scene.motion.keyframes import set_timeline
from blender_meshrec.scene.retargeting.retarget import retarget_armature
from scripts import ROOT

TRUTH = ROOT / "scripts" / "demo_clip_truth.npz"
REPEATS = 3

Position: TypeAlias = tuple[float, float, float]
RestBone: TypeAlias = tuple[str | None, Position, Position]  # parent, head, tail

# A character: bones by name, metres, z up, facing -y; the right side mirrors the left.
_TRUNK: dict[str, RestBone] = {
    "Hips": (None, (0, 0, 1.0), (0, 0, 1.1)),
    "Spine": ("Hips", (0, 0, 1.1), (0, 0, 1.22)),
    "Spine1": ("Spine", (0, 0, 1.22), (0, 0, 1.35)),
    "Spine2": ("Spine1", (0, 0, 1.35), (0, 0, 1.5)),
    "Neck": ("Spine2", (0, 0, 1.5), (0, 0, 1.6)),
    "Head": ("Neck", (0, 0, 1.6), (0, 0, 1.8)),
    "HeadTop_End": ("Head", (0, 0, 1.8), (0, 0, 1.85)),
}
_SIDE: dict[str, RestBone] = {
    "Shoulder": ("Spine2", (0.05, 0, 1.45), (0.17, 0, 1.45)),
    "Arm": ("Shoulder", (0.17, 0, 1.45), (0.44, 0, 1.45)),
    "ForeArm": ("Arm", (0.44, 0, 1.45), (0.70, 0, 1.45)),
    "Hand": ("ForeArm", (0.70, 0, 1.45), (0.78, 0, 1.45)),
    "UpLeg": ("Hips", (0.1, 0, 0.97), (0.1, -0.01, 0.53)),
    "Leg": ("UpLeg", (0.1, -0.01, 0.53), (0.1, 0.01, 0.1)),
    "Foot": ("Leg", (0.1, 0.01, 0.1), (0.1, -0.13, 0.02)),
    "ToeBase": ("Foot", (0.1, -0.13, 0.02), (0.1, -0.2, 0.02)),
    "Toe_End": ("ToeBase", (0.1, -0.2, 0.02), (0.1, -0.23, 0.02)),
}
_FINGERS = {"Thumb": -0.04, "Index": -0.025, "Middle": 0.0, "Ring": 0.02, "Pinky": 0.04}  # m across the hand


def character_bones() -> dict[str, RestBone]:
    """The character's 65 bones by name."""
    bones = dict(_TRUNK)
    for side, sign in (("Left", 1), ("Right", -1)):
        mine = dict(_SIDE)
        for finger, across in _FINGERS.items():
            parent = "Hand"
            for joint in range(1, 5):
                start = 0.78 + 0.03 * (joint - 1) - (0.05 if finger == "Thumb" else 0)
                mine[f"Hand{finger}{joint}"] = (parent, (start, across, 1.45), (start + 0.03, across, 1.45))
                parent = f"Hand{finger}{joint}"
        for name, (parent, head, tail) in mine.items():
            full_parent = f"{side}{parent}" if parent in mine else parent
            bones[f"{side}{name}"] = (full_parent, (sign * head[0], *head[1:]), (sign * tail[0], *tail[1:]))
    return bones


def build_character(name: str) -> bpy.types.Object:
    """Add the character's armature to the scene."""
    armature = bpy.data.armatures.new(name)
    rig = bpy.data.objects.new(name, armature)
    active_scene().collection.objects.link(rig)
    make_active(rig)
    bpy.ops.object.mode_set(mode="EDIT")
    for bone, (parent, head, tail) in character_bones().items():
        edit_bone = armature.edit_bones.new(bone)
        edit_bone.head, edit_bone.tail = head, tail
        if parent:
            edit_bone.parent = armature.edit_bones[parent]
    bpy.ops.object.mode_set(mode="OBJECT")
    return rig


def build_skin(rig: bpy.types.Object) -> bpy.types.Object:
    """Add a skinned mesh to an armature: a tube of 160 vertices around each bone."""
    rings, corners = 10, 16
    angles = 2 * np.pi * np.arange(corners) / corners
    circle = np.stack([0.03 * np.cos(angles), np.zeros(corners), 0.03 * np.sin(angles)], -1)
    vertices: list[FloatArray] = []
    faces: list[tuple[int, ...]] = []
    for bone in armature_data(rig).bones:
        matrix, first = np.array(bone.matrix_local), len(vertices) * rings * corners
        tube = np.concatenate([circle + [0, bone.length * ring / (rings - 1), 0] for ring in range(rings)])
        vertices.append(tube @ matrix[:3, :3].T + matrix[:3, 3])
        for ring in range(rings - 1):
            for corner in range(corners):
                a, b = first + ring * corners + corner, first + ring * corners + (corner + 1) % corners
                faces.append((a, b, b + corners, a + corners))
    mesh = bpy.data.meshes.new(rig.name)
    mesh.from_pydata(np.concatenate(vertices).tolist(), [], faces)
    skin = bpy.data.objects.new(f"{rig.name} skin", mesh)
    active_scene().collection.objects.link(skin)
    skin.parent = rig
    for number, bone in enumerate(armature_data(rig).bones):
        tube_vertices = range(number * rings * corners, (number + 1) * rings * corners)
        skin.vertex_groups.new(name=bone.name).add(list(tube_vertices), 1.0, "REPLACE")
    expect_type(skin.modifiers.new("Armature", "ARMATURE"), bpy.types.ArmatureModifier).object = rig
    return skin


def make_active(item: bpy.types.Object) -> None:
    """Select an object alone and make it the active one."""
    objects = active_view_layer().objects
    for other in objects:
        other.select_set(other is item)
    objects.active = item


def loop_motion(frames: int) -> Recovery:
    """The bundled motion, played forward and backward, as a Recovery of `frames` frames."""
    truth = read_motion(TRUTH)
    cycle = np.concatenate([np.arange(len(truth)), np.arange(len(truth) - 2, 0, -1)])
    rows = cycle[np.arange(frames) % len(cycle)]
    per_frame = ("poses", "trans", "visible", "joints", "confidence", "lifted_joints", "contacts", "camera_from_world")
    again = {name: getattr(truth, name)[rows] for name in per_frame}
    return replace(truth, **again, timestamps=np.arange(frames) / truth.mocap_framerate)


def make_source(recovery: Recovery, template: BodyTemplate, frames: int) -> bpy.types.Object:
    """Add the person as the add-on makes it; returns the armature."""
    assembly = assemble([Person("source", recovery, template)], "clip", AssemblyOptions(footage=False))
    set_timeline(active_scene(), recovery.mocap_framerate, frames)
    return assembly.armatures[0]


def hip_height(rig: bpy.types.Object, mapping: BoneMapping) -> float:
    """The height of the hips above the toes at rest, m."""
    hips, toes = (armature_data(rig).bones[mapping.slots[slot][0]].head_local.z for slot in ("hips", "left_toes"))
    return hips - toes


def constrain_and_bake(
    rig: bpy.types.Object, mapping: BoneMapping, source: bpy.types.Object, source_mapping: BoneMapping, frames: int
) -> None:
    """Retarget as artists do manually: COPY_ROTATION from aligned helper bones, COPY_LOCATION at the hips, `nla.bake`."""
    source.scale = (hip_height(rig, mapping) / hip_height(source, source_mapping),) * 3
    helpers = add_helper_bones(rig, mapping, source, source_mapping)
    for name, helper in helpers.items():
        add_copy_constraint(pose_bones(rig)[name], "COPY_ROTATION", source, helper)
    add_copy_constraint(pose_bones(rig)[mapping.slots["hips"][0]], "COPY_LOCATION", source, source_mapping.slots["hips"][0])
    make_active(rig)
    bpy.ops.object.mode_set(mode="POSE")
    for bone in pose_bones(rig):
        selectable: Any = bone if hasattr(bone, "select") else bone.bone
        selectable.select = True
    bake: Any = bpy.ops.nla.bake
    bake(
        frame_start=1,
        frame_end=frames,
        bake_types={"POSE"},
        only_selected=True,
        visual_keying=True,
        clear_constraints=True,
        use_current_action=True,
    )
    bpy.ops.object.mode_set(mode="OBJECT")


def add_helper_bones(rig: bpy.types.Object, mapping: BoneMapping, source: bpy.types.Object, source_mapping: BoneMapping) -> dict[str, str]:
    """Add a helper bone to the source for each mapped bone of the character, with its rest orientation; returns helpers by bone."""
    make_active(source)
    bpy.ops.object.mode_set(mode="EDIT")
    edit_bones = armature_data(source).edit_bones
    helpers: dict[str, str] = {}
    for slot, bones in mapping.slots.items():
        source_bones = source_mapping.slots.get(slot, ())
        for index, bone in enumerate(bones if source_bones else ()):
            parent = edit_bones[source_bones[min(index, len(source_bones) - 1)]]
            helper = edit_bones.new(f"helper {bone}")
            helper.head, helper.tail = parent.head, parent.head + Vector((0, 0.05, 0))
            rest = armature_data(rig).bones[bone].matrix_local
            helper.matrix = Matrix.Translation(parent.head) @ rest.to_3x3().to_4x4()
            helper.parent = parent
            helpers[bone] = helper.name
    bpy.ops.object.mode_set(mode="OBJECT")
    return helpers


def add_copy_constraint(
    bone: bpy.types.PoseBone, kind: Literal["COPY_ROTATION", "COPY_LOCATION"], target: bpy.types.Object, target_bone: str
) -> None:
    """Add a constraint that copies a transform channel of another armature's bone."""
    constraint: Any = bone.constraints.new(kind)
    constraint.target, constraint.subtarget = target, target_bone


def foot_slide(rig: bpy.types.Object, mapping: BoneMapping, contacts: FloatArray, frames: int, fps: float) -> float:
    """The mean horizontal speed of the toes during the source's contacts (F,4), cm/s."""
    toes = [mapping.slots[f"{side}_toes"][0] for side in ("left", "right")]
    positions = np.empty((frames, 2, 2))
    for row in range(frames):
        active_scene().frame_set(row + 1)
        positions[row] = [(rig.matrix_world @ pose_bones(rig)[toe].head)[:2] for toe in toes]
    speed = 100 * fps * np.linalg.norm(np.diff(positions, axis=0), axis=-1)
    touching = np.asarray(contacts)[:, [1, 3]] > 0.5
    return float(speed[touching[1:] & touching[:-1]].mean())


def peak_python_memory(work: Callable[[], object]) -> float:
    """The peak of Python's and numpy's memory during `work`, MB."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--frames", type=int, default=3000)
    frames = parser.parse_args().frames
    bpy.ops.wm.read_factory_settings(use_empty=True)
    template, recovery = load_body(), loop_motion(frames)
    motion = motion_on_body(recovery, template)
    source, ours = make_source(recovery, template, frames), build_character("ours")
    build_skin(ours)
    active_view_layer().update()
    mapping, source_mapping = map_bones(read_rig(ours)), map_bones(read_rig(source))

    contacts = np.asarray(motion.contacts)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds: list[float] = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        retarget_armature(ours, performance_from_motion(motion))
        seconds.append(time.perf_counter() - begun)
    # The peak of a process never decreases, so earlier allocations can hide those of retargeting. Python's own count has no such limit.
    memory = max(
        (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
        peak_python_memory(lambda: retarget_armature(ours, performance_from_motion(motion))),
    )
    report: dict[str, Any] = {
        "blender": bpy.app.version_string,
        "frames": frames,
        "bones": len(armature_data(ours).bones),
        "retarget_s": min(seconds),
        "retarget_mb": memory,
        "foot_slide_cm_s": foot_slide(ours, mapping, contacts, frames, motion.fps),
    }
    for name, bare in (("", False), ("_without_meshes", True)):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        source, theirs = make_source(recovery, template, frames), build_character("theirs")
        build_skin(theirs)
        if bare:
            for item in [item for item in bpy.data.objects if item.type == "MESH"]:
                bpy.data.objects.remove(item)
        active_view_layer().update()
        begun = time.perf_counter()
        constrain_and_bake(theirs, mapping, source, source_mapping, frames)
        report[f"constrain_and_bake_s{name}"] = time.perf_counter() - begun
        report[f"times_faster{name}"] = report[f"constrain_and_bake_s{name}"] / min(seconds)
    report["foot_slide_baked_cm_s"] = foot_slide(theirs, mapping, contacts, frames, motion.fps)
    print(f"\n{json.dumps({name: round(value, 4) if isinstance(value, float) else value for name, value in report.items()})}")
    sys.stdout.flush()
    os._exit(0)  # some Blender modules hang while Python tears them down


if __name__ == "__main__":
    main()
