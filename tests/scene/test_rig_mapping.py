"""Bone mapping of real character files and of generated Rigify characters, against mappings written by hand."""

import time
from dataclasses import replace

import bpy
import numpy as np
import pytest
from mathutils import Matrix, Quaternion

from blender_meshrec.core.errors import InputError
from blender_meshrec.retarget.mapping.map_bones import map_bones
from blender_meshrec.retarget.rig import SIDES
from blender_meshrec.scene.character.rig_reader import read_rig
from tests.support.blender_rigs import generate_rigify, import_rig
from tests.support.synthetic_rigs import body_slots


def mapping_by_hand(sides, **parts):
    """slot -> bones; "{}" is the letter of the side, commas separate several bones of a slot."""
    truth = {}
    for slot, names in parts.items():
        names = names.split(",")
        for side, form in zip(SIDES, sides, strict=True) if "{}" in names[0] else (("", ""),):
            truth[f"{side}_{slot}" if side else slot] = [name.format(form) for name in names]
    return truth


def unreal(root, neck="neck_01"):
    return mapping_by_hand("lr", root=root, hips="pelvis", spine="spine_01,spine_02,spine_03", neck=neck, head="head",
        clavicle="clavicle_{}", upper_arm="upperarm_{}", lower_arm="lowerarm_{}", hand="hand_{}", upper_leg="thigh_{}", lower_leg="calf_{}",
        foot="foot_{}", toes="ball_{}", **{part: f"{name}_01_{{}},{name}_02_{{}},{name}_03_{{}}" for part, name in (("thumb", "thumb"),
        ("index", "index"), ("middle", "middle"), ("ring", "ring"), ("little", "pinky"))})  # fmt: skip


MIXAMO = mapping_by_hand(("Left", "Right"), hips="Hips", spine="Spine,Spine1,Spine2", neck="Neck", head="Head",
    clavicle="{}Shoulder", upper_arm="{}Arm", lower_arm="{}ForeArm", hand="{}Hand", upper_leg="{}UpLeg", lower_leg="{}Leg",
    foot="{}Foot", toes="{}ToeBase",
    **{part: f"{{}}Hand{name}1,{{}}Hand{name}2,{{}}Hand{name}3" for part, name in (("thumb", "Thumb"), ("index", "Index"),
    ("middle", "Middle"), ("ring", "Ring"), ("little", "Pinky"))})  # fmt: skip
MIXAMO = {slot: [f"mixamorig:{bone}" for bone in bones] for slot, bones in MIXAMO.items()}
EXPECTED = {
    "mpfb_mixamo.glb": MIXAMO,
    "mpfb_mixamo.fbx": MIXAMO,
    "mpfb_game_engine.fbx": unreal("Root"),
    "m2m_human_male.glb": unreal("root"),
    "mpfb_cmu_mb.blend": mapping_by_hand(("Left", "Right"), hips="Hips", spine="LowerBack,Spine,Spine1", neck="Neck,Neck1", head="Head",
        clavicle="{}Shoulder", upper_arm="{}Arm", lower_arm="{}ForeArm", hand="{}Hand", upper_leg="{}UpLeg", lower_leg="{}Leg",
        foot="{}Foot", toes="{}ToeBase") | {"left_thumb": ["LThumb"], "right_thumb": ["RThumb"]},
    "kaykit_Knight.glb": mapping_by_hand("lr", root="root", hips="hips", spine="spine,chest", head="head", upper_arm="upperarm.{}",
        lower_arm="lowerarm.{}", hand="wrist.{},hand.{}", upper_leg="upperleg.{}", lower_leg="lowerleg.{}", foot="foot.{}", toes="toes.{}"),
    "kenney_human.glb": mapping_by_hand(("Left", "Right"), hips="Hips", spine="Spine,Chest,UpperChest", neck="Neck", head="Head",
        clavicle="{}Shoulder", upper_arm="{}Arm", lower_arm="{}ForeArm", hand="{}Hand", upper_leg="{}UpLeg", lower_leg="{}Leg",
        foot="{}Foot", toes="{}Toes", thumb="{}HandThumb1,{}HandThumb2", index="{}HandIndex1,{}HandIndex2,{}HandIndex3"),
}  # fmt: skip
RIGIFY = mapping_by_hand("LR", hips="torso", spine="spine_fk.002,spine_fk.003", neck="neck", head="head", clavicle="shoulder.{}",
    upper_arm="upper_arm_fk.{}", lower_arm="forearm_fk.{}", hand="hand_fk.{}", upper_leg="thigh_fk.{}", lower_leg="shin_fk.{}",
    foot="foot_fk.{}", toes="toe_fk.{}")  # fmt: skip
RIGIFY_FINGERS = mapping_by_hand("LR", thumb="thumb.01.{},thumb.02.{},thumb.03.{}",
    **{part: f"f_{name}.01.{{}},f_{name}.02.{{}},f_{name}.03.{{}}" for part, name in (("index", "index"), ("middle", "middle"),
    ("ring", "ring"), ("little", "pinky"))})  # fmt: skip
METARIG = mapping_by_hand("LR", hips="spine", spine="spine.001,spine.002,spine.003", neck="spine.004,spine.005", head="spine.006",
    clavicle="shoulder.{}", upper_arm="upper_arm.{}", lower_arm="forearm.{}", hand="hand.{}", upper_leg="thigh.{}", lower_leg="shin.{}",
    foot="foot.{}", toes="toe.{}")  # fmt: skip


def load(folder, name):
    if name.endswith(".blend") and bpy.app.version < (5, 0):
        pytest.skip("the file was saved by a later Blender")
    return read_rig(import_rig(folder / name))


def as_lists(slots):
    return {slot: list(bones) for slot, bones in slots.items()}


@pytest.mark.parametrize("name", EXPECTED)
def test_real_characters_are_mapped_by_name(shared_rigs, name):
    mapping = map_bones(load(shared_rigs, name))
    assert as_lists(mapping.slots) == EXPECTED[name]
    assert mapping.found_by == "names"
    assert min(mapping.confidence.values()) > 0.7


@pytest.mark.parametrize("name", EXPECTED)
def test_real_characters_are_mapped_by_shape(shared_rigs, name):
    """Without bone names, the mapping is the same."""
    rig = load(shared_rigs, name)
    numbers = np.random.default_rng(0).permutation(len(rig))
    was = {f"bone.{number:03d}": bone for number, bone in zip(numbers, rig.bones, strict=True)}
    mapping = map_bones(replace(rig, bones=tuple(was)))
    assert mapping.found_by == "geometry"
    truth = {bone: slot for slot, bones in body_slots(EXPECTED[name]).items() for bone in bones}
    got = {was[bone]: slot for slot, bones in body_slots(mapping.slots).items() for bone in bones}
    assert {bone: slot for bone, slot in got.items() if truth.get(bone) != slot} == {}, "bones mapped to a wrong slot"
    # The shape of the Knight's hand beyond its wrist is ambiguous.
    assert set(truth) - set(got) <= {"hand.l", "hand.r"}


def test_feet_of_the_astronaut_are_found_though_they_hang_from_the_root(shared_rigs):
    expected = mapping_by_hand("LR", root="Root", hips="Body", spine="Hips,Abdomen,Torso", neck="Neck", head="Head", clavicle="Shoulder.{}",
        upper_arm="UpperArm.{}", lower_arm="LowerArm.{}", upper_leg="UpperLeg.{}", lower_leg="LowerLeg.{}", foot="Foot.{}")  # fmt: skip
    assert as_lists(map_bones(load(shared_rigs, "quat_astronaut.glb")).slots) == expected


def test_numbered_limbs_of_cesium_man_are_divided_by_shape(shared_rigs):
    slots = as_lists(map_bones(load(shared_rigs, "CesiumMan.glb")).slots)
    arms = {"left": ("L__4_", "L__3_", "L__2_"), "right": ("R", "R__2_", "R__3_")}
    for side in SIDES:
        arm = [slots[f"{side}_{part}"] for part in ("upper_arm", "lower_arm", "hand")]
        leg = [slots[f"{side}_{part}"] for part in ("upper_leg", "lower_leg", "foot", "toes")]
        assert arm == [[f"Skeleton_arm_joint_{name}"] for name in arms[side]]
        assert leg == [[f"leg_joint_{side[0].upper()}_{number}"] for number in (1, 2, 3, 5)]
    assert slots["spine"] == ["Skeleton_torso_joint_2", "torso_joint_3"]
    assert (slots["neck"], slots["head"]) == (["Skeleton_neck_joint_1"], ["Skeleton_neck_joint_2"])


def test_separate_roots_are_refused(shared_rigs):
    with pytest.raises(InputError, match="3 separate roots") as refused:
        map_bones(load(shared_rigs, "mpfb_openpose.glb"))
    assert "by hand" in refused.value.remedy and "preset" in refused.value.remedy


@pytest.mark.parametrize("basic", [True, False], ids=["basic", "full"])
def test_rigify_maps_to_controls_and_its_metarig_to_bones(basic):
    metarig, rig_object = generate_rigify(basic)
    metarig, rig = read_rig(metarig), read_rig(rig_object)
    begun = time.perf_counter()
    mapping = map_bones(rig)
    assert time.perf_counter() - begun < 0.3
    slots = as_lists(mapping.slots)
    assert slots.pop("root", ["root"]) == ["root"]
    assert slots == RIGIFY | ({} if basic else RIGIFY_FINGERS)
    have = rig_object.pose.bones
    assert all(bone in have and property in have[bone] for bone, property, _ in (*mapping.controls.fk, *mapping.controls.ik))
    assert {*mapping.controls.ik_targets} >= {"left_hand", "right_hand", "left_foot", "right_foot"}
    assert {*mapping.controls.poles} == {"left_arm", "right_arm", "left_leg", "right_leg"}
    assert {*mapping.controls.ik_targets.values(), *mapping.controls.poles.values()} <= set(rig.bones)
    assert body_slots(as_lists(map_bones(metarig).slots)) == {slot: tuple(bones) for slot, bones in METARIG.items()}


@pytest.mark.parametrize("kind", ["quadruped", "cat", "horse", "wolf", "bird", "shark"])
def test_rigify_animals_are_refused(kind):
    bpy.ops.preferences.addon_enable(module="rigify")
    name = f"armature_{'basic_quadruped' if kind == 'quadruped' else kind}_metarig_add"
    getattr(bpy.ops.object, name)()
    with pytest.raises(InputError):
        map_bones(read_rig(bpy.context.object))


def transform_from_rest(rig_object, bone):
    """A bone's transform from rest to pose, in the armature's space."""
    bpy.context.view_layer.update()
    evaluated = rig_object.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return evaluated.pose.bones[bone].matrix @ rig_object.data.bones[bone].matrix_local.inverted()


def expected_parents(slots):
    """(bone, its expected parent) pairs of a whole body, from the hips outward."""
    chains = [(None, ("hips", "spine", "neck", "head"))]
    for side in SIDES:
        chains.append(("spine", [f"{side}_{part}" for part in ("clavicle", "upper_arm", "lower_arm", "hand")]))
        chains.append(("hips", [f"{side}_{part}" for part in ("upper_leg", "lower_leg", "foot", "toes")]))
    for start, parts in chains:
        above = slots[start][-1] if start else None
        for part in parts:
            for bone in slots[part]:
                yield bone, above
                above = bone


def set_switches(rig_object, switches):
    for bone, name, value in switches:
        rig_object.pose.bones[bone][name] = value
    rig_object.update_tag()


def test_rigifys_fk_controls_follow_a_plain_skeleton():
    """A hierarchy of the controls by body parts predicts the evaluated controls and deforming bones."""
    _, rig_object = generate_rigify()
    rig = read_rig(rig_object)
    mapping = map_bones(rig)
    set_switches(rig_object, mapping.controls.fk)
    rng = np.random.default_rng(0)
    basis = {}
    body = [bone for bone in mapping.bones if bone != "root"]
    for bone in body:
        basis[bone] = Quaternion((1.0, *rng.uniform(-0.3, 0.3, 3))).normalized()
        posed = rig_object.pose.bones[bone]
        posed.rotation_mode = "QUATERNION"
        posed.rotation_quaternion = basis[bone]
    moved = {None: Matrix()}
    for bone, above in expected_parents(mapping.slots):
        rest = rig_object.data.bones[bone].matrix_local
        moved[bone] = moved[above] @ rest @ basis[bone].to_matrix().to_4x4() @ rest.inverted()
    for bone in body:
        assert np.abs(np.array(transform_from_rest(rig_object, bone)) - np.array(moved[bone])).max() < 1e-3, bone
    deforming = {"torso": "DEF-spine", "spine_fk.003": "DEF-spine.003", "head": "DEF-spine.006"}
    for side in "LR":
        deforming |= {f"{part}_fk.{side}": f"DEF-{part}.{side}" for part in ("forearm", "hand", "shin", "foot", "toe")}
    for control, bone in deforming.items():
        rest = rig_object.data.bones[bone].matrix_local
        evaluated, expected = transform_from_rest(rig_object, bone) @ rest, moved[control] @ rest
        assert evaluated.col[1].to_3d().angle(expected.col[1].to_3d()) < 0.02, f"{bone} does not point where {control} does"
        assert (evaluated.translation - expected.translation).length < 0.01, f"{bone} is not at {control}"


@pytest.mark.parametrize("side", ["L", "R"])
def test_rigifys_ik_feet_follow_targets_and_knees_poles(side):
    _, rig_object = generate_rigify()
    mapping = map_bones(read_rig(rig_object))
    set_switches(rig_object, mapping.controls.ik)
    which = SIDES["LR".index(side)]
    poses = rig_object.pose.bones

    def evaluated_head(bone):
        bpy.context.view_layer.update()
        return rig_object.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones[bone].head.copy()

    target = poses[mapping.controls.ik_targets[f"{which}_foot"]]
    target.matrix = Matrix.Translation((0, -0.1, 0.25)) @ rig_object.data.bones[target.name].matrix_local
    assert (evaluated_head(f"DEF-foot.{side}") - evaluated_head(target.name)).length < 1e-3  # m
    knee = evaluated_head(f"DEF-shin.{side}")
    pole = poses[mapping.controls.poles[f"{which}_leg"]]
    pole_position = evaluated_head(pole.name)
    poses["torso"].location = (0, 0, -0.05)
    assert (evaluated_head(pole.name) - pole_position).length < 1e-4, "poles do not follow the torso"
    pole.matrix = Matrix.Translation((0.5, 0, 0)) @ rig_object.data.bones[pole.name].matrix_local
    assert evaluated_head(f"DEF-shin.{side}").x > knee.x + 0.05
