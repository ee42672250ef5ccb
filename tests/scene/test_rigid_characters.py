"""Robots and toys whose parts are parented to bones, and files that importers read wrong or not at all."""

import bpy
import numpy as np
import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.retarget.mapping.map_bones import map_bones
from blender_meshrec.retarget.rig import SIDES, RetargetedMotion
from blender_meshrec.retarget.source.files import read_performance
from blender_meshrec.scene.character import rig_import
from blender_meshrec.scene.character.rig_file import load_character
from blender_meshrec.scene.character.rig_reader import read_rig
from blender_meshrec.scene.character.skin_floor import read_foot_skins, skin_floor_height
from blender_meshrec.scene.retargeting.map_rig import map_file
from blender_meshrec.scene.retargeting.mapping_notes import feet_notes
from blender_meshrec.scene.retargeting.retarget import plan_retarget, retarget_armature
from tests.conftest import ROOT
from tests.support.blender_characters import make_character

MILLIMETRE = 1e-3


@pytest.fixture(scope="module")
def performance():
    """The person of the bundled clip, who walks, turns and bends."""
    return read_performance(ROOT / "scripts" / "demo_clip_truth.npz")


def make_rigid(armature, body):
    """Replace a skin by one mesh for each of its bones, parented to it; returns bone -> object."""
    parts = {}
    for bone in armature.data.bones:
        group = body.vertex_groups[bone.name].index
        rows = [vertex.index for vertex in body.data.vertices if vertex.groups[0].group == group]
        mesh = bpy.data.meshes.new(f"{bone.name} part")
        faces = [face.vertices for face in body.data.polygons if face.vertices[0] in rows]
        mesh.from_pydata([body.data.vertices[row].co for row in rows], [], [[rows.index(v) for v in face] for face in faces])
        part = parts[bone.name] = bpy.data.objects.new(mesh.name, mesh)
        bpy.context.scene.collection.objects.link(part)
        part.parent, part.parent_type, part.parent_bone = armature, "BONE", bone.name
        bpy.context.view_layer.update()
        part.matrix_world = armature.matrix_world
    bpy.data.objects.remove(body)
    bpy.context.view_layer.update()
    return parts


def lowest_of_feet(parts, frames):
    """The height, m, of the lowest point of the foot parts over frames."""
    lowest = np.inf
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        graph = bpy.context.evaluated_depsgraph_get()
        for name in ("LeftFoot", "LeftToeBase", "RightFoot", "RightToeBase"):
            world = parts[name].evaluated_get(graph).matrix_world
            lowest = min(lowest, *((world @ vertex.co).z for vertex in parts[name].data.vertices))
    return lowest


@pytest.mark.parametrize("posed", [False, True])
def test_parts_on_bones_are_skin(posed):
    """The skin of feet that are meshes on bones is that of the same feet with weights, within 0.01 mm, in whatever pose."""
    armature, body = make_character()
    rig = read_rig(armature)
    mapping = map_bones(rig)
    weighted = read_foot_skins(armature, rig, mapping)
    make_rigid(armature, body)
    if posed:
        armature.pose.bones["LeftUpLeg"].rotation_mode = "XYZ"
        armature.pose.bones["LeftUpLeg"].rotation_euler = (0.7, 0.1, 0.2)
        bpy.context.view_layer.update()
    rigid = read_foot_skins(armature, rig, mapping)
    for side in SIDES:
        order = [np.lexsort(skin.points.round(5).T) for skin in (weighted[side], rigid[side])]
        np.testing.assert_allclose(rigid[side].points[order[1]], weighted[side].points[order[0]], atol=1e-5)
        np.testing.assert_allclose(rigid[side].toe_weights[order[1]], weighted[side].toe_weights[order[0]], atol=1e-6)
    assert skin_floor_height(rigid) == pytest.approx(skin_floor_height(weighted), abs=1e-5)


def test_parts_on_bones_stay_above_the_floor(performance):
    """Big rigid shoes: at most 6 mm in the floor, measured on the evaluated parts."""
    armature, body = make_character()
    parts = make_rigid(armature, body)
    for name in ("LeftFoot", "RightFoot"):
        for vertex in parts[name].data.vertices:
            vertex.co.y += 0.15 if vertex.co.y > -0.05 else -0.15
    result = retarget_armature(armature, performance)
    assert lowest_of_feet(parts, range(1, result.last_frame + 1, 2)) > -6 * MILLIMETRE
    assert result.quality["floor_penetration_after"] < 6


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_parts_of_a_gltf_robot_are_where_the_file_has_them(tmp_path, scale):
    """Blender's importer misplaces what is parented to the bones of scaled armatures."""
    armature, body = make_character(scale=1 / scale)
    armature.scale = (scale,) * 3
    bpy.context.view_layer.update()
    parts = make_rigid(armature, body)
    places = {part.name: np.array(part.matrix_world @ part.data.vertices[0].co) for part in parts.values()}
    bpy.ops.export_scene.gltf(filepath=str(tmp_path / "robot.glb"), export_rest_position_armature=True)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    character = load_character(tmp_path / "robot.glb")
    for part in character.meshes:
        corners = np.array([part.matrix_world @ vertex.co for vertex in part.data.vertices])
        assert np.linalg.norm(corners - places[part.name], axis=1).min() < 0.01 * MILLIMETRE
    assert len(character.meshes) == len(places)


def weight_feet_to_shins(body):
    for side in ("Left", "Right"):
        for bone in ("Foot", "ToeBase"):
            group = body.vertex_groups[f"{side}{bone}"]
            rows = [vertex.index for vertex in body.data.vertices if vertex.groups[0].group == group.index]
            group.remove(rows)
            body.vertex_groups[f"{side}Leg"].add(rows, 1.0, "REPLACE")


def test_legs_without_feet_stand_on_their_skin(performance):
    """The floor is under the skin that the shins carry, and the hips are as high as with feet, within 2 cm."""
    armature, body = make_character()
    hips = [plan_retarget(armature, performance).keys.heads[:, 0, 2]]
    weight_feet_to_shins(body)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for side in ("Left", "Right"):
        for bone in ("ToeBase", "Foot"):
            armature.data.edit_bones.remove(armature.data.edit_bones[f"{side}{bone}"])
    bpy.ops.object.mode_set(mode="OBJECT")
    rig = read_rig(armature)
    assert skin_floor_height(read_foot_skins(armature, rig, map_bones(rig))) == pytest.approx(0, abs=1e-6)
    plan = plan_retarget(armature, performance)
    hips.append(plan.keys.heads[:, plan.rig.index("Hips"), 2])
    assert abs(np.median(hips[1] - hips[0])) < 0.02


def test_the_skin_of_low_ankles_is_not_cut_off():
    """Feet that are bones of IK begin at the sole: their skin up to a fifth of the knee's height is read."""
    armature, _ = make_character()
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for side in ("Left", "Right"):
        foot = armature.data.edit_bones[f"{side}Foot"]
        foot.head.z, foot.tail.z, armature.data.edit_bones[f"{side}ToeBase"].head.z = 0.01, 0.01, 0.01
    bpy.ops.object.mode_set(mode="OBJECT")
    rig = read_rig(armature)
    skins = read_foot_skins(armature, rig, map_bones(rig))
    assert all(skin.points[:, 2].max() > 0.09 for skin in skins.values())


def test_soles_that_follow_the_shins_are_said(performance):
    armature, body = make_character()
    weight_feet_to_shins(body)
    assert "soles-follow-shins" in [note.name for note in plan_retarget(armature, performance).notes]


def blend_feet(body):
    """Weight the feet as packs of round toys do: half on the foot, the rest on the bones above it, up to the hips."""
    rows = {}
    for side in ("Left", "Right"):
        shares = {"Foot": 0.5, "Leg": 0.3, "UpLeg": 0.13, "": 0.07}
        groups = [body.vertex_groups[f"{side}{bone}"].index for bone in ("Foot", "ToeBase")]
        rows[side] = [vertex.index for vertex in body.data.vertices if vertex.groups[0].group in groups]
        for bone in ("Foot", "ToeBase"):
            body.vertex_groups[f"{side}{bone}"].remove(rows[side])
        for bone, weight in shares.items():
            body.vertex_groups[f"{side}{bone}" if bone else "Hips"].add(rows[side], weight, "REPLACE")
    return rows


def test_soles_that_follow_the_whole_leg_are_held_where_blender_shows_them(performance):
    """In contact the lowest skin is within 6 mm of the floor, in swing at most 6 mm in it; the skin moves as the bones that carry it."""
    armature, body = make_character()
    rows = blend_feet(body)
    contacts = plan_retarget(armature, performance).keys.contacts
    retarget_armature(armature, performance)
    touches = np.stack([contacts[:, k : k + 2].max(1) > 0.5 for k in (0, 2)], 1)
    lowest = np.empty(touches.shape)
    for frame in range(len(lowest)):
        bpy.context.scene.frame_set(frame + 1)
        evaluated = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
        heights = [(evaluated.matrix_world @ vertex.co).z for vertex in evaluated.data.vertices]
        lowest[frame] = [min(heights[row] for row in rows[side]) for side in ("Left", "Right")]
    assert np.abs(lowest[touches]).max() < 6 * MILLIMETRE and lowest.min() > -6 * MILLIMETRE


def test_the_skin_of_a_foot_is_as_high_as_it_follows_the_foot():
    """Bulges far above a low ankle, which touch the floor where a foot tips over; what is on the shin there is left out."""
    armature, body = make_character()
    group = body.vertex_groups["LeftFoot"]
    rows = [vertex.index for vertex in body.data.vertices if vertex.groups[0].group == group.index]
    for vertex in (body.data.vertices[row] for row in rows):
        vertex.co.z = 0.3 if vertex.co.z > 0.05 else vertex.co.z
    rig = read_rig(armature)
    assert read_foot_skins(armature, rig, map_bones(rig))["left"].points[:, 2].max() == pytest.approx(0.3, abs=1e-6)
    group.remove(rows)
    body.vertex_groups["LeftLeg"].add(rows, 1.0, "REPLACE")
    assert read_foot_skins(armature, rig, map_bones(rig))["left"].points[:, 2].max() < 0.29


def test_sides_are_exchanged_where_the_feet_point_backward(performance, tmp_path):
    """A character that names its sides as a viewer sees them faces where it does with the right names, and `meshrec map` says so."""
    heads = []
    for exchanged in (False, True):
        armature, _ = make_character("exchanged" if exchanged else "character")
        if exchanged:
            for bone in [bone for bone in armature.data.bones if bone.name.startswith(("Left", "Right"))]:
                bone.name = f"x{bone.name}"
            for bone in [bone for bone in armature.data.bones if bone.name.startswith("x")]:
                side, other = ("Left", "Right") if bone.name.startswith("xLeft") else ("Right", "Left")
                bone.name = bone.name.replace(f"x{side}", other)
            bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "exchanged.blend"), copy=True)
        plan = plan_retarget(armature, performance)
        assert ("sides-exchanged" in [note.name for note in plan.notes]) == exchanged
        heads.append(plan.keys.heads)
    np.testing.assert_allclose(heads[1], heads[0], atol=MILLIMETRE)
    assert map_file(str(tmp_path / "exchanged.blend#exchanged"))["bones"]["left_foot"] == ["RightFoot"]


def test_the_armature_of_a_person_is_chosen(tmp_path):
    """Beside an armature of a hat with its own skin; two people are asked for."""
    make_character("anna")
    make_character("hat", only=("Hips", "Spine", "Head"))
    path = tmp_path / "two.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    character = load_character(path)
    assert character.armature.name == "anna"
    assert [note.name for note in character.notes] == ["other-armatures-unmoved"]
    bpy.data.objects["hat"].parent = character.armature
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    assert load_character(path).notes == ()
    make_character("bob")
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    with pytest.raises(InputError, match="3 armatures"):
        load_character(path)


def test_a_skeleton_that_an_importer_has_torn_apart_is_refused(performance):
    """Legs of 4 cm that hang 60 cm apart."""
    armature, _ = make_character()
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for side, sign in (("Left", 1), ("Right", -1)):
        for number, part in enumerate(("UpLeg", "Leg", "Foot", "ToeBase")):
            bone = armature.data.edit_bones[f"{side}{part}"]
            bone.head = (0.3 * sign, -0.01 if part == "ToeBase" else 0, 0.97 - 0.02 * number)
            bone.tail = (0.3 * sign, 0, 0.96 - 0.02 * number)
    bpy.ops.object.mode_set(mode="OBJECT")
    with pytest.raises(InputError) as error:
        plan_retarget(armature, performance)
    assert error.value.name == "rig-proportions-impossible"


@pytest.mark.parametrize(
    "reason, method",
    [
        ("OSError: /blender/lib/libextern_draco.so: cannot open shared object file", "Draco"),
        ("Extension EXT_meshopt_compression is not available on this addon version", "Meshopt"),
    ],
)
def test_compressed_files_that_blender_cannot_unpack_are_explained(tmp_path, monkeypatch, reason, method):
    make_character()
    bpy.ops.export_scene.gltf(filepath=str(tmp_path / "a.glb"))

    def fail(path):
        raise RuntimeError(reason)

    monkeypatch.setattr(rig_import, "_run_gltf_importer", fail)
    with pytest.raises(InputError, match=f"compressed by {method}") as error:
        load_character(tmp_path / "a.glb")
    assert "libextern" not in str(error.value) and "without compression" in str(error.value)


@pytest.mark.parametrize(
    "size, slide, depth, names",
    [
        (1.0, 1.9, 19.0, []),
        (1.0, 2.1, 21.0, ["feet-slide-on-character", "feet-in-floor"]),
        (3.0, 5.0, 50.0, []),
        (0.5, 2.1, 0.0, ["feet-slide-on-character"]),
        (1.0, float("nan"), float("nan"), []),
    ],
)
def test_feet_that_are_not_held_are_said(size, slide, depth, names):
    quality = {"hip_scale": size, "foot_slide_after": slide, "floor_penetration_after": depth}
    empty = np.empty((1, 0, 4)), {}, np.empty((1, 0, 3, 3)), np.empty((1, 0, 3)), np.zeros(1)
    motion = RetargetedMotion((), *empty, fps=30.0, quality=quality)
    assert [note.name for note in feet_notes(motion)] == names
