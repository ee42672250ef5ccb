"""Time retargeting of a long clip, and the same done with Blender's own constraints and bake; run it with a Python that has bpy.

    .venvs/bpy-4.5/bin/python -m scripts.bench.retarget [--frames 3000]

The bundled clip's true motion, played there and back, moves a character of 65 bones and 10,400 vertices in a T-pose; the person
it comes from stands in the scene with their body, as the add-on makes them. What the constraints get is made as easy as it can
be: the source scaled to the character's hip height, with a helper bone in the character's own rest pose for each of its bones,
so that COPY_ROTATION needs no offsets; then `nla.bake`, once with both meshes shown, as artists have them, and once with every
mesh out of the scene. Both results are measured alike, in the evaluated scene. Prints one line of JSON.
"""

import argparse
import json
import os
import resource
import sys
import time
import tracemalloc
from dataclasses import replace

import bpy
import numpy as np
from mathutils import Matrix, Vector

from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.motion_npz import read_motion
from blender_meshrec.core.motion import motion_from_recovery
from blender_meshrec.retarget.mapping.map_bones import map_bones
from blender_meshrec.retarget.source.motion import performance_from_motion
from blender_meshrec.scene.assemble import Person, assemble
from blender_meshrec.scene.keyframes import set_timeline
from blender_meshrec.scene.retarget import retarget_armature
from blender_meshrec.scene.rig_reader import read_rig
from scripts import ROOT

TRUTH = ROOT / "scripts" / "demo_clip_truth.npz"
REPEATS = 3

# A character: bone -> (parent, head, tail), metres, z up, facing -y; the right side mirrors the left.
_TRUNK = {
    "Hips": (None, (0, 0, 1.0), (0, 0, 1.1)),
    "Spine": ("Hips", (0, 0, 1.1), (0, 0, 1.22)),
    "Spine1": ("Spine", (0, 0, 1.22), (0, 0, 1.35)),
    "Spine2": ("Spine1", (0, 0, 1.35), (0, 0, 1.5)),
    "Neck": ("Spine2", (0, 0, 1.5), (0, 0, 1.6)),
    "Head": ("Neck", (0, 0, 1.6), (0, 0, 1.8)),
    "HeadTop_End": ("Head", (0, 0, 1.8), (0, 0, 1.85)),
}
_SIDE = {
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
_FINGERS = {"Thumb": -0.04, "Index": -0.025, "Middle": 0.0, "Ring": 0.02, "Pinky": 0.04}  # where across the hand, m


def character_bones():
    """Names to (parent, head, tail) of 65 bones."""
    bones = dict(_TRUNK)
    for side, sign in (("Left", 1), ("Right", -1)):
        mine = {name: (parent, head, tail) for name, (parent, head, tail) in _SIDE.items()}
        for finger, across in _FINGERS.items():
            parent = "Hand"
            for joint in range(1, 5):
                start = 0.78 + 0.03 * (joint - 1) - (0.05 if finger == "Thumb" else 0)
                mine[f"Hand{finger}{joint}"] = (parent, (start, across, 1.45), (start + 0.03, across, 1.45))
                parent = f"Hand{finger}{joint}"
        for name, (parent, head, tail) in mine.items():
            above = f"{side}{parent}" if parent in mine else parent
            bones[f"{side}{name}"] = (above, (sign * head[0], *head[1:]), (sign * tail[0], *tail[1:]))
    return bones


def build_character(name):
    """The character's armature in the scene."""
    armature = bpy.data.armatures.new(name)
    rig = bpy.data.objects.new(name, armature)
    bpy.context.scene.collection.objects.link(rig)
    make_active(rig)
    bpy.ops.object.mode_set(mode="EDIT")
    for bone, (parent, head, tail) in character_bones().items():
        made = armature.edit_bones.new(bone)
        made.head, made.tail = head, tail
        if parent:
            made.parent = armature.edit_bones[parent]
    bpy.ops.object.mode_set(mode="OBJECT")
    return rig


def build_skin(rig):
    """A tube around each bone of an armature at rest: 160 vertices a bone, skinned."""
    rings, corners = 10, 16
    angles = 2 * np.pi * np.arange(corners) / corners
    circle = np.stack([0.03 * np.cos(angles), np.zeros(corners), 0.03 * np.sin(angles)], -1)
    vertices, faces = [], []
    for bone in rig.data.bones:
        matrix, first = np.array(bone.matrix_local), len(vertices) * rings * corners
        tube = np.concatenate([circle + [0, bone.length * ring / (rings - 1), 0] for ring in range(rings)])
        vertices.append(tube @ matrix[:3, :3].T + matrix[:3, 3])
        for ring in range(rings - 1):
            for corner in range(corners):
                a, b = first + ring * corners + corner, first + ring * corners + (corner + 1) % corners
                faces.append((a, b, b + corners, a + corners))
    mesh = bpy.data.meshes.new(rig.name)
    mesh.from_pydata(np.concatenate(vertices), [], faces)
    skin = bpy.data.objects.new(f"{rig.name} skin", mesh)
    bpy.context.scene.collection.objects.link(skin)
    skin.parent = rig
    for number, bone in enumerate(rig.data.bones):
        each = range(number * rings * corners, (number + 1) * rings * corners)
        skin.vertex_groups.new(name=bone.name).add(list(each), 1.0, "REPLACE")
    skin.modifiers.new("Armature", "ARMATURE").object = rig
    return skin


def make_active(thing):
    for other in bpy.context.view_layer.objects:
        other.select_set(other is thing)
    bpy.context.view_layer.objects.active = thing


def loop_motion(frames):
    """The bundled motion, there and back, as a Recovery of so many frames."""
    truth = read_motion(TRUTH)
    cycle = np.concatenate([np.arange(len(truth)), np.arange(len(truth) - 2, 0, -1)])
    rows = cycle[np.arange(frames) % len(cycle)]
    per_frame = ("poses", "trans", "visible", "joints", "confidence", "lifted_joints", "contacts", "camera_from_world")
    again = {name: getattr(truth, name)[rows] for name in per_frame}
    return replace(truth, **again, timestamps=np.arange(frames) / truth.mocap_framerate)


def make_source(recovery, template, frames):
    """The person as the add-on makes them; gives the armature."""
    made = assemble([Person("source", recovery, template)], "clip", footage=False)
    set_timeline(bpy.context.scene, recovery.mocap_framerate, frames)
    return made.armatures[0]


def hip_height(rig, mapping):
    """How high the hips are above the toes at rest, m."""
    hips, toes = (rig.data.bones[mapping.slots[slot][0]].head_local.z for slot in ("hips", "left_toes"))
    return hips - toes


def constrain_and_bake(rig, mapping, source, source_mapping, frames):
    """Retarget as artists do by hand: COPY_ROTATION from aligned helpers, COPY_LOCATION at the hips, `nla.bake`."""
    source.scale = (hip_height(rig, mapping) / hip_height(source, source_mapping),) * 3
    make_active(source)
    bpy.ops.object.mode_set(mode="EDIT")
    followed = {}
    for slot, bones in mapping.slots.items():
        givers = source_mapping.slots.get(slot)
        for index, bone in enumerate(bones if givers else ()):
            rest = rig.data.bones[bone]
            helper = source.data.edit_bones.new(f"helper {bone}")
            giver = source.data.edit_bones[givers[min(index, len(givers) - 1)]]
            helper.head, helper.tail = giver.head, giver.head + Vector((0, 0.05, 0))
            helper.matrix = Matrix.Translation(giver.head) @ rest.matrix_local.to_3x3().to_4x4()
            helper.parent = giver
            followed[bone] = helper.name
    bpy.ops.object.mode_set(mode="OBJECT")
    for bone, helper in followed.items():
        constraint = rig.pose.bones[bone].constraints.new("COPY_ROTATION")
        constraint.target, constraint.subtarget = source, helper
    hips = rig.pose.bones[mapping.slots["hips"][0]].constraints.new("COPY_LOCATION")
    hips.target, hips.subtarget = source, source_mapping.slots["hips"][0]
    make_active(rig)
    bpy.ops.object.mode_set(mode="POSE")
    for bone in rig.pose.bones:
        select = bone if hasattr(bone, "select") else bone.bone
        select.select = True
    how = {"only_selected": True, "visual_keying": True, "clear_constraints": True, "use_current_action": True}
    bpy.ops.nla.bake(frame_start=1, frame_end=frames, bake_types={"POSE"}, **how)
    bpy.ops.object.mode_set(mode="OBJECT")


def foot_slide(rig, mapping, contacts, frames, fps):
    """How fast the toes move over the floor while the source's touch it, cm/s, the mean; `contacts` (F,4)."""
    toes = [mapping.slots[f"{side}_toes"][0] for side in ("left", "right")]
    places = np.empty((frames, 2, 2))
    for row in range(frames):
        bpy.context.scene.frame_set(row + 1)
        places[row] = [(rig.matrix_world @ rig.pose.bones[toe].head)[:2] for toe in toes]
    speed = 100 * fps * np.linalg.norm(np.diff(places, axis=0), axis=-1)
    touching = np.asarray(contacts)[:, [1, 3]] > 0.5
    return float(speed[touching[1:] & touching[:-1]].mean())


def peak_python_memory(work):
    """The most that `work` holds of Python's and numpy's memory, MB."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--frames", type=int, default=3000)
    frames = parser.parse_args().frames
    bpy.ops.wm.read_factory_settings(use_empty=True)
    template, recovery = load_body(), loop_motion(frames)
    motion = motion_from_recovery(recovery, template.rest_joints(recovery.betas), template.joint_names, template.parents)
    source, ours = make_source(recovery, template, frames), build_character("ours")
    build_skin(ours)
    bpy.context.view_layer.update()
    mapping, source_mapping = map_bones(read_rig(ours)), map_bones(read_rig(source))

    before, seconds = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        retarget_armature(ours, performance_from_motion(motion))
        seconds.append(time.perf_counter() - begun)
    # A process's peak never falls: what the scene took before may hide what retargeting takes. Python's own count does not.
    memory = max(
        (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
        peak_python_memory(lambda: retarget_armature(ours, performance_from_motion(motion))),
    )
    report = {
        "blender": bpy.app.version_string,
        "frames": frames,
        "bones": len(ours.data.bones),
        "retarget_s": min(seconds),
        "retarget_mb": memory,
        "foot_slide_cm_s": foot_slide(ours, mapping, motion.contacts, frames, motion.fps),
    }
    for name, bare in (("", False), ("_without_meshes", True)):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        source, theirs = make_source(recovery, template, frames), build_character("theirs")
        build_skin(theirs)
        if bare:
            for thing in [thing for thing in bpy.data.objects if thing.type == "MESH"]:
                bpy.data.objects.remove(thing)
        bpy.context.view_layer.update()
        begun = time.perf_counter()
        constrain_and_bake(theirs, mapping, source, source_mapping, frames)
        report[f"constrain_and_bake_s{name}"] = time.perf_counter() - begun
        report[f"times_faster{name}"] = report[f"constrain_and_bake_s{name}"] / min(seconds)
    report["foot_slide_baked_cm_s"] = foot_slide(theirs, mapping, motion.contacts, frames, motion.fps)
    print(f"\n{json.dumps({name: round(value, 4) if isinstance(value, float) else value for name, value in report.items()})}")
    sys.stdout.flush()
    os._exit(0)  # some Blender modules hang while Python tears them down


if __name__ == "__main__":
    main()
