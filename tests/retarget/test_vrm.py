"""The mapping of VRM files: read from both versions, used in preference to names, and ignored in damaged files."""

import json
import struct
from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.retarget.mapping.map_bones import map_bones
from blender_meshrec.retarget.mapping.map_from_vrm import map_from_vrm
from blender_meshrec.retarget.mapping.vrm import read_vrm_humanoid
from blender_meshrec.retarget.rig import SIDES
from tests.support.synthetic_rigs import anonymise_bones, make_humanoid

PARTS = {"clavicle": "Shoulder", "upper_arm": "UpperArm", "lower_arm": "LowerArm", "hand": "Hand"}
PARTS |= {"upper_leg": "UpperLeg", "lower_leg": "LowerLeg", "foot": "Foot", "toes": "Toes"}
TRUTH = {"hips": ["hips"], "spine": ["spine", "chest", "upperChest"], "neck": ["neck"], "head": ["head"]}
TRUTH |= {f"{side}_{part}": [f"{side}{name}"] for side in SIDES for part, name in PARTS.items()}
TRUTH |= {f"{side}_thumb": [f"{side}Thumb{joint}" for joint in ("Metacarpal", "Proximal", "Distal")] for side in SIDES}
TRUTH |= {f"{side}_index": [f"{side}Index{joint}" for joint in ("Proximal", "Intermediate", "Distal")] for side in SIDES}
VRM0_FROM_VRM1 = {"ThumbMetacarpal": "ThumbProximal", "ThumbProximal": "ThumbIntermediate"}


def make_character(seed=0):
    """A Rig with meaningless names, its truth, and VRM's part -> bone."""
    rng = np.random.default_rng(seed)
    build, truth = anonymise_bones(make_humanoid(TRUTH, rng), TRUTH, rng)
    humanoid = {part: bone for slot, parts in TRUTH.items() for part, bone in zip(parts, truth[slot], strict=True)}
    return build.build_rig(rng), truth, humanoid


def make_gltf(humanoid, version):
    nodes = [{"name": "scene"}, *({"name": bone} for bone in humanoid.values()), {}]
    number = {part: 1 + place for place, part in enumerate(humanoid)}
    if version == 1:
        bones = {part: {"node": node} for part, node in number.items()}
        return {"nodes": nodes, "extensions": {"VRMC_vrm": {"specVersion": "1.0", "humanoid": {"humanBones": bones}}}}
    rows = []
    for part, node in number.items():
        side = next((side for side in SIDES if part.startswith(side)), "")
        rows.append({"bone": side + VRM0_FROM_VRM1.get(part[len(side) :], part[len(side) :]), "node": node, "useDefaultValues": True})
    return {"nodes": nodes, "extensions": {"VRM": {"humanoid": {"humanBones": rows}}}}


def make_glb(content):
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<IIIII", 0x46546C67, 2, 20 + len(text), len(text), 0x4E4F534A) + text


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("suffix", [".vrm", ".glb", ".gltf"])
def test_both_versions_give_the_same_mapping(tmp_path, version, suffix):
    _, _, humanoid = make_character()
    path = tmp_path / f"character{suffix}"
    content = make_gltf(humanoid, version)
    path.write_bytes(json.dumps(content).encode() if suffix == ".gltf" else make_glb(content))
    assert read_vrm_humanoid(path) == humanoid


@pytest.mark.parametrize("seed", range(3))
def test_vrm_mapping_is_used_for_meaningless_names(seed):
    rig, truth, humanoid = make_character(seed)
    mapping = map_bones(replace(rig, humanoid=humanoid))
    assert {slot: list(bones) for slot, bones in mapping.slots.items()} == truth
    assert mapping.found_by == "vrm"
    assert set(mapping.confidence.values()) == {1.0}


def test_incomplete_and_disconnected_vrm_mappings_are_ignored():
    rig, truth, humanoid = make_character()
    for broken in (
        {part: bone for part, bone in humanoid.items() if part != "leftLowerLeg"},
        {**humanoid, "hips": "gone"},
        {**humanoid, "leftUpperArm": humanoid["leftHand"], "leftHand": humanoid["leftUpperArm"]},
    ):
        mapping = map_bones(replace(rig, humanoid=broken))
        assert mapping.found_by == "geometry"
        assert list(mapping.slots["hips"]) == truth["hips"]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"glTF", b"glTF" + b"\xff" * 40, b"{}", b"[]", b"null", make_glb([]), make_glb({}),
        make_glb({"nodes": 3, "extensions": {"VRM": 1}}),
        make_glb({"nodes": [], "extensions": {"VRMC_vrm": {"humanoid": {"humanBones": [1, 2]}}}}),
        make_glb({"nodes": [{"name": "a"}], "extensions": {"VRMC_vrm": {"humanoid": {"humanBones": {"hips": {"node": 9}}}}}}),
        make_glb({"nodes": [{"name": "a"}], "extensions": {"VRMC_vrm": {"humanoid": {"humanBones": {"head": {"node": True}}}}}}),
        make_glb({"nodes": [{"name": "a"}], "extensions": {"VRM": {"humanoid": {"humanBones": [3, {"bone": 4, "node": 0}, {"node": 0}]}}}}),
        make_glb({"nodes": ["a"], "extensions": {"VRM": {"humanoid": {"humanBones": [{"bone": "hips", "node": 0}]}}}}),
        make_glb({"nodes": [], "extensions": {}})[:-3], struct.pack("<IIIII", 0x46546C67, 2, 20, 0xFFFFFFFF, 0x4E4F534A) + b"{}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".glb", ".gltf"])
def test_damaged_files_have_no_mapping(tmp_path, content, suffix):
    path = tmp_path / f"character{suffix}"
    path.write_bytes(content)
    assert read_vrm_humanoid(path) == {}


def test_missing_file_has_no_mapping(tmp_path):
    assert read_vrm_humanoid(tmp_path / "none.glb") == {}
    assert read_vrm_humanoid(tmp_path) == {}


def test_a_root_below_the_hips_is_mapped_and_other_parts_are_left_out():
    rng = np.random.default_rng(0)
    build, truth = anonymise_bones(make_humanoid({"root": ["root"], **TRUTH}, rng), {"root": ["root"], **TRUTH}, rng)
    rig = build.build_rig(rng)
    humanoid = {part: bone for slot, parts in TRUTH.items() for part, bone in zip(parts, truth[slot], strict=True)}
    others = {"jaw": rig.bones[3], "leftEye": rig.bones[4], "leftThumbTip": rig.bones[5], "leftThumb": rig.bones[6], "tail": rig.bones[7]}
    mapping = map_bones(replace(rig, humanoid={**others, **humanoid}))
    assert {slot: list(bones) for slot, bones in mapping.slots.items()} == truth
    assert mapping.convention == "VRM" and set(mapping.confidence) == {bone for bones in truth.values() for bone in bones}
    taken = map_bones(replace(rig, humanoid={**humanoid, "spine": truth["root"][0]}))
    assert "root" not in taken.slots, "a bone has one slot"


def test_limbs_on_separate_roots_are_no_body():
    rng = np.random.default_rng(0)
    build, truth = anonymise_bones(make_humanoid(TRUTH, rng), TRUTH, rng)
    build.parent |= {truth[f"{side}_upper_leg"][0]: None for side in SIDES}
    humanoid = {part: bone for slot, parts in TRUTH.items() for part, bone in zip(parts, truth[slot], strict=True)}
    assert map_from_vrm(replace(build.build_rig(rng), humanoid=humanoid)) is None


@pytest.mark.parametrize("seed", range(2))
def test_bones_of_a_slot_are_in_vrms_order_whatever_the_files(seed):
    rig, truth, humanoid = make_character(seed)
    parts = list(humanoid)[::-1]
    mapping = map_bones(replace(rig, humanoid={part: humanoid[part] for part in parts}))
    assert {slot: list(bones) for slot, bones in mapping.slots.items()} == truth
