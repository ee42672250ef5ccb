"""Rigs whose own settings, constraints or drivers win over a new action: they move as planned, or what wins is said."""

import bpy
import numpy as np
import pytest

from blender_meshrec.cli import program
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.rotations import angle_between_rotmats
from blender_meshrec.retarget.mapping.map_bones import map_bones
from blender_meshrec.retarget.rig import BoneMapping, RetargetOptions
from blender_meshrec.retarget.source.files import read_performance
from blender_meshrec.scene.character.rig_reader import read_rig
from blender_meshrec.scene.motion.action_settings import check_rest_position
from blender_meshrec.scene.motion.armature_performance import performance_from_armature
from blender_meshrec.scene.outputs import Output
from blender_meshrec.scene.retargeting.retarget import retarget_armature
from blender_meshrec.scene.retargeting.retarget_outputs import write_retargeted
from tests.conftest import ROOT
from tests.support.blender_characters import add_bone, add_controls, make_character
from tests.support.blender_imports import import_file
from tests.support.blender_poses import poses_at
from tests.support.scene_dump import dump_scene

TRUTH = ROOT / "scripts" / "demo_clip_truth.npz"
FRAMES = (1, 40, 90, 130)
MILLIMETRE = 1e-3


@pytest.fixture(scope="module")
def performance():
    return read_performance(TRUTH)


def max_deviation(poses_a, poses_b):
    """The largest distance, m, and angle, degrees, between the bones of two lists of poses."""
    distances = [np.abs(heads - others).max() for (heads, _), (others, _) in zip(poses_a, poses_b)]
    angles = [angle_between_rotmats(rotations, others).max() for (_, rotations), (_, others) in zip(poses_a, poses_b)]
    return max(distances), np.degrees(max(angles))


@pytest.fixture
def plain(performance):
    """The bones of the synthetic character and their poses when it performs; the file is empty again."""
    armature, _ = make_character()
    names = [bone.name for bone in armature.data.bones if bone.name != "Prop"]
    retarget_armature(armature, performance)
    found = poses_at(armature, names, FRAMES)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return names, found


def in_rest_position(armature):
    armature.data.pose_position = "REST"


def with_nla_track(armature):
    """An NLA track that moves two bones of the spine: by channels that are keyed, and by others."""
    action = bpy.data.actions.new("idle")
    armature.animation_data_create().action = action
    spine, arm = armature.pose.bones["Spine1"], armature.pose.bones["LeftArm"]
    for frame, height in ((1, 0.0), (60, 0.3)):
        spine.location = (0.0, height, 0.0)
        arm.rotation_quaternion = (0.8, 0.6 * height, 0.5, 0.0)
        spine.keyframe_insert("location", frame=frame)
        arm.keyframe_insert("rotation_quaternion", frame=frame)
    track = armature.animation_data.nla_tracks.new()
    track.strips.new("idle", 1, action)
    armature.animation_data.action = None
    spine.location, arm.rotation_quaternion = (0, 0, 0), (1, 0, 0, 0)
    bpy.context.view_layer.update()
    return track


def with_solo_track(armature):
    with_nla_track(armature).is_solo = True


def with_added_action(armature):
    with_nla_track(armature)
    armature.animation_data.action_blend_type = "ADD"


def with_half_an_action(armature):
    with_nla_track(armature)
    armature.animation_data.action_influence = 0.5


@pytest.mark.parametrize("spoil", [in_rest_position, with_nla_track, with_solo_track, with_added_action, with_half_an_action])
def test_settings_that_keep_an_action_from_playing_are_changed_and_said(performance, plain, spoil):
    armature, _ = make_character()
    spoil(armature)
    result = retarget_armature(armature, performance)
    assert result.obstacle is None and result.notes
    distance, angle = max_deviation(poses_at(armature, plain[0], FRAMES), plain[1])
    assert distance < 0.1 * MILLIMETRE and angle < 0.05


@pytest.mark.parametrize("suffix", [".blend", ".fbx", ".glb"])
@pytest.mark.parametrize("name", ["05_rig_rest_position.blend", "05_rig_nla_solo.blend"])
def test_characters_of_the_field_move_in_every_format(shared_cases, performance, tmp_path, name, suffix):
    write_retargeted([("walk", performance)], [Output(tmp_path / "plain.glb", (0,))], str(shared_cases / "00_rig_plain.blend"))
    write_retargeted([("walk", performance)], [Output(tmp_path / f"out{suffix}", (0,))], str(shared_cases / name))
    found = []
    for path in (tmp_path / "plain.glb", tmp_path / f"out{suffix}"):
        import_file(path, performance.fps)
        (rig,) = (obj for obj in bpy.data.objects if obj.type == "ARMATURE")
        found.append(poses_at(rig, sorted(bone.name for bone in rig.data.bones), FRAMES))
    distances = [np.abs(heads - others).max() for (heads, _), (others, _) in zip(*found)]
    assert max(distances) < 0.1 * MILLIMETRE
    assert np.abs(found[0][0][0] - found[0][2][0]).max() > 0.1  # m; the character does move


def test_a_linked_armature_in_rest_position_is_refused(performance, tmp_path):
    armature, _ = make_character()
    armature.data.pose_position = "REST"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (_, wanted):
        wanted.armatures = ["character"]
    linked = bpy.data.objects.new("local", wanted.armatures[0])
    with pytest.raises(InputError, match="Rest Position"):
        check_rest_position(linked)


def test_a_source_in_rest_position_plays(performance):
    armature, _ = make_character()
    retarget_armature(armature, performance)
    bpy.context.scene.render.fps = round(performance.fps)
    moving = performance_from_armature(armature, 1, 20)
    armature.data.pose_position = "REST"
    assert np.array_equal(performance_from_armature(armature, 1, 20).heads, moving.heads)
    assert armature.data.pose_position == "REST"


# --- constraints and drivers ---------------------------------------------------------------------------------------------


def driven(armature, script=False):
    """A driver on a channel that is keyed; `script` is Python that Blender does not run unasked."""
    driver = armature.pose.bones["LeftArm"].driver_add("rotation_quaternion", 1).driver
    driver.expression = "[0.4 for _ in range(1)][0]" if script else "0.4"
    return "Drivers", "LeftArm"


def scripted(armature):
    return driven(armature, script=True)


def copied_from_elsewhere(armature):
    constraint = armature.pose.bones["LeftForeArm"].constraints.new("COPY_ROTATION")
    constraint.target, constraint.subtarget = armature, "RightForeArm"
    return "Constraints", "LeftForeArm"


def limited(armature):
    constraint = armature.pose.bones["LeftUpLeg"].constraints.new("LIMIT_ROTATION")
    constraint.use_limit_x = constraint.use_limit_y = constraint.use_limit_z = True
    constraint.owner_space = "LOCAL"
    return "Constraints", "LeftUpLeg"


def held_in_place(armature):
    constraint = armature.pose.bones["Hips"].constraints.new("LIMIT_LOCATION")
    constraint.use_max_x = constraint.use_min_x = constraint.use_max_y = constraint.use_min_y = True
    constraint.owner_space = "WORLD"
    return "Constraints", "Hips"


def on_ik(armature):
    """IK of a bone that is not keyed: it moves the legs from below."""
    add_bone(armature, "goal", None, (0.1, 0.1, 0.1))
    constraint = armature.pose.bones["LeftLeg"].constraints.new("IK")
    constraint.target, constraint.subtarget, constraint.chain_count = armature, "goal", 2
    return "Constraints", "LeftLeg"


@pytest.mark.parametrize("spoil", [driven, scripted, copied_from_elsewhere, limited, held_in_place, on_ik])
def test_what_wins_over_the_keys_is_named(performance, spoil):
    armature, _ = make_character()
    what, bone = spoil(armature)
    bpy.context.view_layer.update()
    obstacle = retarget_armature(armature, performance).obstacle
    assert obstacle is not None and what in obstacle.problem and bone in obstacle.problem and "--force" in obstacle.remedy


def test_muted_constraints_and_drivers_are_no_obstacle(performance):
    armature, _ = make_character()
    for spoil in (driven, copied_from_elsewhere, limited, held_in_place):
        spoil(armature)
    for bone in armature.pose.bones:
        for constraint in bone.constraints:
            constraint.mute = True
    armature.animation_data.drivers[0].mute = True
    result = retarget_armature(armature, performance)
    assert result.obstacle is None and result.notes == ()


def test_the_check_of_the_motion_changes_nothing(performance):
    armature, _ = make_character()
    armature.hide_viewport = True
    before = dump_scene()
    result = retarget_armature(armature, performance)
    assert result.obstacle is None
    after = dump_scene(leave_out=[result.action])
    assert {key for key in before if before[key] != after.get(key)} == set()


def test_the_command_refuses_what_does_not_move_unless_told_to_go_on(tmp_path, capsys):
    armature, _ = make_character()
    limited(armature)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "artist.blend"))
    command = ["retarget", str(TRUTH), "--rig", str(tmp_path / "artist.blend"), "-o"]
    assert program.main([*command, str(tmp_path / "out.glb")]) == 2
    message = capsys.readouterr().err
    assert "LeftUpLeg" in message and "--force" in message
    assert not (tmp_path / "out.glb").exists()
    assert program.main([*command, str(tmp_path / "out.bvh")]) == 0  # the plan itself
    assert program.main([*command, str(tmp_path / "out.glb"), "--force"]) == 0
    assert "LeftUpLeg" in capsys.readouterr().err
    assert (tmp_path / "out.glb").is_file()


# --- hand-made control rigs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["COPY_TRANSFORMS", "COPY_ROTATION", "ARMATURE"])
def test_controls_are_keyed_where_bones_copy_them(performance, plain, kind):
    armature, _ = make_character()
    slots = map_bones(read_rig(armature)).slots
    add_controls(armature, kind)
    mapping = BoneMapping({slot: tuple(f"DEF-{bone}" for bone in bones) for slot, bones in slots.items()})
    result = retarget_armature(armature, performance, mapping if kind == "ARMATURE" else None)
    assert result.obstacle is None
    assert all(bone.startswith("CTRL-") for bone in result.mapping.bones)
    assert "DEF-Hips" in result.notes[0]
    distance, angle = max_deviation(poses_at(armature, [f"DEF-{name}" for name in plain[0]], FRAMES), plain[1])
    assert distance < 0.1 * MILLIMETRE and angle < 0.05


def test_a_control_rig_that_is_not_understood_is_refused(performance):
    """Bones that follow controls elsewhere, and so do not take their rotations."""
    armature, _ = make_character()
    add_controls(armature, "COPY_ROTATION", offset=0.1)
    obstacle = retarget_armature(armature, performance).obstacle
    assert obstacle is not None and "mapping" in obstacle.remedy and "DEF-Hips" in obstacle.problem


# --- what the rig lacks, and the scene's timeline ------------------------------------------------------------------------


def test_a_missing_root_bone_is_said(performance):
    armature, _ = make_character()
    assert not retarget_armature(armature, performance).notes
    notes = retarget_armature(armature, performance, options=RetargetOptions(root="root")).notes
    assert any("no root bone" in note for note in notes)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    armature, _ = make_character()
    add_bone(armature, "root", None, (0, 0, 0))
    bpy.ops.object.mode_set(mode="EDIT")
    armature.data.edit_bones["Hips"].parent = armature.data.edit_bones["root"]
    bpy.ops.object.mode_set(mode="OBJECT")
    result = retarget_armature(armature, performance, options=RetargetOptions(root="root"))
    assert "root" in result.mapping.slots and not result.notes


def test_keys_begin_at_a_chosen_frame(performance):
    armature, _ = make_character()
    result = retarget_armature(armature, performance, first_frame=1001)
    assert tuple(result.action.frame_range) == (1001, 1000 + len(performance)) and result.last_frame == 1000 + len(performance)
    assert result.obstacle is None


def test_the_timeline_of_an_artists_scene_is_kept_or_its_change_is_said(performance, tmp_path):
    make_character()
    scene = bpy.context.scene
    scene.render.fps, scene.frame_start, scene.frame_end = 24, 1001, 1200
    rig, out = tmp_path / "artist.blend", tmp_path / "out.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(rig))
    _, notes = write_retargeted([("walk", performance)], [Output(out, (0,))], str(rig))
    assert any("24 frames per second" in note and "1001-1200" in note for note in notes)
    kept = RetargetOptions(keep_timeline=True)
    _, notes = write_retargeted([("walk", performance)], [Output(out, (0,))], str(rig), options=kept)
    assert not notes
    bpy.ops.wm.open_mainfile(filepath=str(out))
    scene = bpy.context.scene
    assert (scene.render.fps, scene.render.fps_base, scene.frame_start, scene.frame_end) == (24, 1.0, 1001, 1200)
    (action,) = bpy.data.actions
    seconds = performance.timestamps[-1] - performance.timestamps[0]
    assert action.frame_range[0] == 1001 and action.frame_range[1] == pytest.approx(1001 + 24 * seconds, abs=1.0)


def test_what_moves_a_bone_for_a_tenth_of_the_clip_is_noticed(performance):
    """A constraint whose target turns by 20 degrees in 16 frames alone, between a quarter and a third of the clip."""
    armature, _ = make_character()
    target = bpy.data.objects.new("target", None)
    bpy.context.scene.collection.objects.link(target)
    first = round(0.2 * len(performance))
    for frame, angle in ((first, 0.0), (first + 4, 0.35), (first + 12, 0.35), (first + 16, 0.0)):
        target.rotation_euler.x = angle
        target.keyframe_insert("rotation_euler", frame=frame)
    constraint = armature.pose.bones["LeftLeg"].constraints.new("COPY_ROTATION")
    constraint.target, constraint.mix_mode = target, "AFTER"
    obstacle = retarget_armature(armature, performance).obstacle
    assert obstacle is not None and "LeftLeg" in str(obstacle)
