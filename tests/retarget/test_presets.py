"""Mapping presets: saving and loading, use in place of detection, and errors for damaged files."""

import json

import numpy as np
import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.retarget.mapping.map_bones import fit_mapping, map_bones, missing_slots
from blender_meshrec.retarget.mapping.presets import mapping_to_dict, read_preset, shipped_presets, write_preset
from blender_meshrec.retarget.rig import REQUIRED_SLOTS, BoneMapping, Controls
from tests.support.rig_conventions import OTHER_CONVENTIONS
from tests.support.synthetic_rigs import anonymise_bones, make_humanoid

CONTROLS = Controls(
    fk=(("Hand.L", "ik", 0.0),), ik=(("Hand.L", "ik", 1.0),), ik_targets={"left_hand": "Hand_IK.L"}, poles={"left_arm": "Elbow.L"}
)


@pytest.fixture
def rig():
    rng = np.random.default_rng(0)
    return make_humanoid(OTHER_CONVENTIONS["rokoko"][0], rng).build_rig(rng)


def test_saved_preset_is_loaded_unchanged(rig, tmp_path):
    mapping = BoneMapping(map_bones(rig).slots, controls=CONTROLS)
    write_preset(tmp_path / "mine" / "hero.json", mapping, "My hero")
    again = read_preset(tmp_path / "mine" / "hero.json")
    assert (again.name, again.mapping.slots, again.mapping.controls) == ("My hero", mapping.slots, CONTROLS)
    assert list((tmp_path / "mine").iterdir()) == [tmp_path / "mine" / "hero.json"]


def test_preset_is_used_in_place_of_detection(rig, tmp_path):
    mapping = BoneMapping({**map_bones(rig).slots, "head": ("Neck",), "neck": ()})
    write_preset(tmp_path / "odd.json", mapping)
    used = map_bones(rig, read_preset(tmp_path / "odd.json").mapping)
    assert used.slots == mapping.slots
    assert used.found_by == "preset"
    assert set(used.confidence.values()) == {1.0}


def test_preset_maps_a_rig_that_detection_refuses():
    """A mapping chosen by hand applies to any bones."""
    truth = OTHER_CONVENTIONS["rokoko"][0]
    rng = np.random.default_rng(0)
    build = make_humanoid(truth, rng)
    for bone in build.heads:
        build.heads[bone] = rng.normal(size=3)
    build, truth = anonymise_bones(build, truth, rng)
    scattered_rig = build.build_rig(rng)
    with pytest.raises(InputError):
        map_bones(scattered_rig)
    assert map_bones(scattered_rig, BoneMapping(truth)).slots["hips"] == tuple(truth["hips"])


def test_a_mapping_of_another_rig_loses_the_bones_that_are_absent(rig):
    slots = map_bones(rig).slots
    mapping = BoneMapping(slots, {bone: 0.5 for bones in slots.values() for bone in bones}, "names", "Rokoko")
    assert fit_mapping(rig, mapping) == (mapping, ())
    fitted, (note,) = fit_mapping(rig, BoneMapping({**slots, "left_toes": ("no toe",)}, controls=CONTROLS))
    assert set(fitted.bones) <= set(rig.bones) and "left_toes" not in fitted.slots and fitted.controls is None
    assert all(name in note for name in ('"no toe"', '"Hand.L"', '"Hand_IK.L"', '"Elbow.L"'))
    with pytest.raises(InputError, match="has no bone"):
        fit_mapping(rig, BoneMapping({**slots, "hips": ("no hips",)}))


def test_absent_bones_are_dropped_and_required_ones_reported(rig):
    slots = map_bones(rig).slots
    used = map_bones(rig, BoneMapping({**slots, "left_toes": ("no such toe",)}, controls=CONTROLS))
    assert "left_toes" not in used.slots
    assert used.controls is None, "the rig has none of these controls"
    with pytest.raises(InputError, match=r'the left upper arm would be missing.*"LArm"'):
        map_bones(rig, BoneMapping({**slots, "left_upper_arm": ("LArm",)}))


def test_shipped_presets_are_complete():
    presets = shipped_presets()
    assert {"Rigify controls", "Auto-Rig Pro controls"} <= {preset.name for preset in presets}
    for preset in presets:
        assert not missing_slots(preset.mapping), preset.name
        assert preset.recognised_by
        controls = preset.mapping.controls
        assert set(preset.recognised_by) <= {*preset.mapping.bones, *(switch[0] for switch in controls.fk)}
        assert set(controls.ik_targets) >= {"left_hand", "right_hand", "left_foot", "right_foot"}


def test_auto_rig_pro_maps_to_its_controls():
    """The controls are chosen among the deform bones."""
    rng = np.random.default_rng(0)
    preset = next(preset for preset in shipped_presets() if preset.name == "Auto-Rig Pro controls")
    truth = {slot: list(bones) for slot, bones in preset.mapping.slots.items()}
    build = make_humanoid(truth, rng)
    for bone, head in list(build.heads.items()):
        build.add(bone.replace("c_", "", 1).replace("_fk", "_stretch"), build.parent[bone], head)
    for bone in {*preset.mapping.controls.ik_targets.values(), *preset.mapping.controls.poles.values()}:
        build.add(bone, None, [0, 0, 0])
    mapping = map_bones(build.build_rig(rng))
    assert mapping.slots == preset.mapping.slots
    assert mapping.convention == "Auto-Rig Pro controls" and mapping.found_by == "names" and set(mapping.confidence.values()) == {0.97}
    assert mapping.controls == preset.mapping.controls


def preset_content(**changes):
    content = mapping_to_dict(BoneMapping({slot: (slot,) for slot in REQUIRED_SLOTS}, controls=CONTROLS), "x")
    return {**content, **changes}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[" * 100000, "not valid JSON"),
        ("[]", "not a mapping preset"),
        ('{"slots": {}}', "not a mapping preset"),
        (preset_content(meshrec_mapping=2), "later version"),
        (preset_content(slots={}), "maps no bones"),
        (preset_content(slots=[1]), "maps no bones"),
        (preset_content(slots={"tail": ["x"]}), '"tail", which is no part'),
        (preset_content(slots={"hips": "x"}), '"hips" is no list'),
        (preset_content(slots={"hips": [1]}), '"hips" is no list'),
        (preset_content(slots={"hips": ["x"], "head": ["x"]}), '"x" is both "hips" and "head"'),
        (preset_content(name=3), "name"),
        (preset_content(controls=[]), '"controls" is no table'),
        (preset_content(controls={"fk": [["a", "b"]]}), 'a switch in "fk"'),
        (preset_content(controls={"ik": [["a", "b", "c"]]}), 'a switch in "ik"'),
        (preset_content(controls={"ik": [["a", "b", float("nan")]]}), 'a switch in "ik"'),
        (preset_content(controls={"fk": [["a", "b", float("inf")]]}), 'a switch in "fk"'),
        (preset_content(controls={"fk": [["a", "b", 10**400]]}), 'a switch in "fk"'),
        (preset_content(controls={"fk": [["", "b", 1]]}), 'a switch in "fk"'),
        (preset_content(controls={"ik_targets": {"left_hand": ""}}), '"ik_targets"'),
        (preset_content(controls={"poles": {"tail": "x"}}), '"poles"'),
        (preset_content(controls={"ik_targets": {"left_hand": 3}}), '"ik_targets"'),
        (preset_content(recognised_by="x"), '"recognised_by"'),
        (b"\xff\xfe\x00", "not a mapping preset"),
    ],
    ids=lambda value: value if isinstance(value, str) and value else None,
)
def test_damaged_file_is_refused_with_its_defect(tmp_path, content, message):
    path = tmp_path / "hero.json"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(InputError) as error:
        read_preset(path)
    assert message in error.value.problem
    assert "hero.json" in error.value.problem
    assert error.value.remedy


def test_missing_file_and_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_preset(tmp_path / "none.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_preset(tmp_path)


@pytest.mark.parametrize("size, message", [((1 << 20) + 1, "too large"), (1 << 20, "not valid JSON")])
def test_files_of_more_than_a_megabyte_are_no_presets(tmp_path, size, message):
    (tmp_path / "a.json").write_text(" " * size)
    with pytest.raises(InputError, match=message):
        read_preset(tmp_path / "a.json")
