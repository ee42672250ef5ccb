"""The records of retargeting: defaults, order and names that are checked when they are made."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.retarget.mapping.presets import Preset, read_preset, write_preset
from blender_meshrec.retarget.rig import REQUIRED_SLOTS, SIDES, SLOTS, BoneMapping, Controls, Performance, Rig
from blender_meshrec.retarget.solve.detached_bones import attach_detached_bones, detached_names
from tests.support.retargeting import make_slots
from tests.support.synthetic_rigs import detach_bones, make_humanoid


def chain(count: int = 3, **fields: object) -> Rig:
    """Bones a, b, c ..., each the child of the one before."""
    return Rig("rig", tuple("abcdef"[:count]), np.arange(count) - 1, np.tile(np.eye(4), (count, 1, 1)), np.ones(count), **fields)


def test_flags_that_are_not_given_are_blenders_defaults():
    rig = chain()
    assert rig.deform.tolist() == rig.inherit_rotation.tolist() == rig.local_location.tolist() == [True] * 3
    assert rig.connected.tolist() == [False] * 3 and rig.rotation_modes == ("QUATERNION",) * 3
    assert rig.lock_location.shape == rig.lock_rotation.shape == (3, 3) and not rig.lock_location.any() and not rig.lock_rotation.any()
    np.testing.assert_array_equal(rig.world, np.eye(4))
    assert len(rig) == 3 and rig.humanoid == {}


@pytest.mark.parametrize("flag", ["deform", "inherit_rotation", "local_location", "connected"])
@pytest.mark.parametrize("value", [True, False])
def test_flags_that_are_given_are_kept(flag: str, value: bool):
    assert getattr(chain(**{flag: [value, not value, value]}), flag).tolist() == [value, not value, value]


def test_shapes_that_do_not_fit_the_bones_are_refused():
    for fields in ({"lengths": np.ones(2)}, {"parents": np.array([-1, 0])}, {"rest": np.zeros((3, 3, 3))}, {"world": np.eye(3)},
                   {"deform": [True]}, {"lock_rotation": np.zeros((3, 2), bool)}, {"connected": [True] * 4}):  # fmt: skip
        with pytest.raises(ValueError):
            replace(chain(), **fields)


@pytest.mark.parametrize("parents", [[-1, 2, 0], [0, -1, -1], [-1, 1, 0]])
def test_parents_come_before_their_children(parents: list[int]):
    with pytest.raises(ValueError, match="parents before their children"):
        replace(chain(), parents=np.array(parents))


def test_bones_are_found_by_name():
    assert [chain().index(bone) for bone in "abc"] == [0, 1, 2]
    with pytest.raises(KeyError, match="nobody"):
        chain().index("nobody")


def test_mappings_know_their_slots_and_drop_empty_ones():
    with pytest.raises(ValueError, match="There is no slot tail"):
        BoneMapping({"hips": ("a",), "tail": ("b",)})
    mapping = BoneMapping({"head": ["c"], "neck": [], "hips": ["a", "b"], "spine": ["b"]})
    assert mapping.slots == {"head": ("c",), "hips": ("a", "b"), "spine": ("b",)}
    assert mapping.bones == ("a", "b", "c"), "once each, in the order of the slots"
    assert len(set(SLOTS)) == len(SLOTS) and set(REQUIRED_SLOTS) < set(SLOTS)


def test_performances_have_as_many_frames_as_timestamps():
    fields = {"rotations": np.zeros((4, 3, 3, 3)), "heads": np.zeros((4, 3, 3)), "contacts": np.zeros((4, 4)), "soles": np.zeros((4, 4, 3))}
    performance = Performance(chain(), BoneMapping({}), fps=30.0, timestamps=np.arange(4.0), **fields)
    assert len(performance) == 4
    for name, values in fields.items():
        with pytest.raises(ValueError):
            replace(performance, **{name: values[:3]})
        with pytest.raises(ValueError):
            replace(performance, **{name: values[:, :2]})


def test_feet_of_control_rigs_are_never_taken_for_detached():
    """Their switches set the hierarchy. Feet that are connected to their parent's tail are attached, too."""
    truth = {"root": ["root"], **make_slots()}
    build = make_humanoid(truth, np.random.default_rng(0))
    feet = [f"{side}_foot" for side in SIDES]
    rig = detach_bones(build, feet, "root").build_rig(np.random.default_rng(0))
    mapping = BoneMapping(truth)
    assert sorted(detached_names(rig, mapping)) == feet
    assert detached_names(rig, replace(mapping, controls=Controls())) == []
    connected = np.array([bone == "left_foot" for bone in rig.bones])
    assert detached_names(replace(rig, connected=connected), mapping) == ["right_foot"]
    handless = replace(rig, parents=np.where([bone in feet for bone in rig.bones], -1, rig.parents))
    assert sorted(detached_names(handless, mapping)) == feet


@pytest.mark.parametrize("flag, value", [("inherit_rotation", False), ("lock_rotation", True), ("lock_location", True), ("deform", False)])
def test_detached_bones_keep_their_flags_in_any_order(flag: str, value: bool):
    """The attached rig is the keyed one but for parents and inheritance; every row goes back to its bone."""
    truth = {"root": ["root"], **make_slots()}
    build = detach_bones(make_humanoid(truth, np.random.default_rng(0)), ["left_foot", "right_hand"], "root")
    rig = build.build_rig(np.random.default_rng(0), order="breadth")
    flags = np.array(getattr(rig, flag))
    flags[rig.index("left_foot")] = flags[rig.index("head")] = value
    rig = replace(rig, **{flag: flags}, rotation_modes=tuple("XYZ" if bone == "head" else "QUATERNION" for bone in rig.bones))
    solving = attach_detached_bones(rig, BoneMapping(truth))
    keyed, attached = solving.keyed, solving.attached
    assert keyed.bones == attached.bones and [keyed.bones[row] for row in solving.rows] == list(rig.bones)
    assert sorted(keyed.bones[row] for row in solving.detached) == ["left_foot", "right_hand"]
    for row, bone in enumerate(keyed.bones):
        before = rig.index(bone)
        names = [rig.bones[parent] if parent >= 0 else None for parent in (rig.parents[before],)]
        assert (keyed.bones[keyed.parents[row]] if keyed.parents[row] >= 0 else None) == names[0]
        expected = {"left_foot": "left_lower_leg", "right_hand": "right_lower_arm"}.get(bone, names[0])
        assert (attached.bones[attached.parents[row]] if attached.parents[row] >= 0 else None) == expected
        assert keyed.rotation_modes[row] == rig.rotation_modes[before]
        np.testing.assert_array_equal(getattr(keyed, flag)[row], getattr(rig, flag)[before])
        np.testing.assert_array_equal(keyed.rest[row], rig.rest[before])
        assert attached.inherit_rotation[row] == (rig.inherit_rotation[before] or row in solving.detached)


def test_presets_are_named_after_their_file_unless_they_have_a_name(tmp_path):
    mapping = BoneMapping({slot: (slot,) for slot in REQUIRED_SLOTS})
    for name, expected in ((None, "mine"), ("Other", "Other")):
        write_preset(tmp_path / "mine.json", mapping, name)
        preset = read_preset(tmp_path / "mine.json")
        assert isinstance(preset, Preset) and preset.name == expected and preset.mapping.slots == mapping.slots
