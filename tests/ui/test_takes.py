"""A footage that is reconstructed again: nothing of the artist's is lost, and the person's rig gets a new take."""

from dataclasses import replace

import bpy
import numpy as np
import pytest

from blender_meshrec.core.motion import forward_kinematics
from blender_meshrec.scene.motion.keyframes import action_fcurves
from blender_meshrec.scene.takes import new_take
from blender_meshrec.scene.takes.takes import next_take_name, take_action_name, takes_of
from tests.support.blender_poses import pose_in_blender, vertices_in_blender
from tests.support.panel_drawing import draw_panel, operators_drawn
from tests.support.synthetic_bodies import make_recovery, motion_of, skin_recovery

MILLIMETRE = 1e-3


@pytest.fixture
def one(result):
    """The result with one person, of a footage with a path."""
    return replace(result, recoveries=(replace(result.recoveries[0], footage="/clip.mp4"),), people=(1,))


@pytest.fixture
def rig(addon, backend, one, tubes, monkeypatch):
    monkeypatch.setattr(new_take, "load_body", lambda source: tubes)
    addon.source = "/clip.mp4"
    backend([one])
    assert bpy.ops.meshrec.reconstruct() == {"FINISHED"}
    return bpy.data.objects["clip person1"]


def reconstruct(backend, answer):
    backend([answer])
    assert bpy.ops.meshrec.reconstruct() == {"FINISHED"}


def add_hat(rig):
    hat = bpy.data.objects.new("hat", bpy.data.meshes.new("hat"))
    bpy.context.scene.collection.objects.link(hat)
    hat.parent, hat.parent_type, hat.parent_bone = rig, "BONE", "head"
    follower = bpy.data.objects.new("follower", None)
    bpy.context.scene.collection.objects.link(follower)
    constraint = follower.constraints.new("COPY_LOCATION")
    constraint.target, constraint.subtarget = rig, "left_wrist"
    return hat, constraint


def edit_action(rig):
    curve = action_fcurves(rig.animation_data.action, rig)[3]
    curve.keyframe_points[5].co.y += 0.25
    curve.update()
    return curve.keyframe_points[5].co.y


def assert_plays(rig, recovery, tubes, row=11):
    bpy.context.scene.frame_set(1 + row)
    heads, _ = pose_in_blender(rig, tubes.joint_names)
    joints, _ = forward_kinematics(motion_of(recovery, tubes))
    assert np.abs(heads - joints[row]).max() < 0.1 * MILLIMETRE


def skinned(body, recovery, tubes, row):
    return skin_recovery(recovery, tubes, row, pose_shapes=any(key.name.startswith("pose_") for key in body.data.shape_keys.key_blocks))


def test_what_an_artist_has_done_to_a_rig_stays(rig, backend, one):
    first = rig.animation_data.action
    hat, constraint = add_hat(rig)
    edited = edit_action(rig)
    rig.name, rig.data.name = "Hero", "Hero bones"
    rig.location.x = 2.0
    objects = set(bpy.data.objects)
    reconstruct(backend, one)
    assert set(bpy.data.objects) == objects and rig.name == "Hero" and rig.location.x == 2.0
    assert (hat.parent, hat.parent_bone, constraint.target, constraint.subtarget) == (rig, "head", rig, "left_wrist")
    second = rig.animation_data.action
    assert takes_of(rig) == [first, second] and first is not second
    assert action_fcurves_of(first)[3].keyframe_points[5].co.y == edited
    assert (first.name, second.name) == ("clip - person1 (take 1)", "clip - Hero (take 1)")
    assert not any(action.use_fake_user for action in bpy.data.actions)


def action_fcurves_of(action):
    from tests.support.blender_keyframes import fcurves_of_action

    return fcurves_of_action(action)


def test_ten_reconstructions_leave_no_heaps(rig, backend, one):
    counts = {name: len(getattr(bpy.data, name)) for name in ("objects", "meshes", "armatures", "cameras", "materials", "collections")}
    for _ in range(3):
        reconstruct(backend, one)
    assert [take.name for take in takes_of(rig)] == [f"clip - person1 (take {number})" for number in range(1, 5)]
    assert counts == {name: len(getattr(bpy.data, name)) for name in counts}
    kinds = (bpy.data.objects, bpy.data.meshes, bpy.data.actions, bpy.data.texts, bpy.data.collections, bpy.data.movieclips)
    assert not [block.name for kind in kinds for block in kind if ".00" in block.name]


def test_another_shape_moves_the_rig_in_place_and_an_earlier_take_brings_its_shape_back(rig, backend, one, tubes):
    body = next(child for child in rig.children if child.type == "MESH")
    before = one.recoveries[0]
    other = replace(make_recovery(tubes, frames=30, fps=25.0, seed=5), footage="/clip.mp4")
    reconstruct(backend, replace(one, recoveries=(other,)))
    assert_plays(rig, other, tubes)
    assert np.abs(vertices_in_blender(body) - skinned(body, other, tubes, 11)).max() < 0.3 * MILLIMETRE
    np.testing.assert_allclose(rig["betas"], other.betas, atol=1e-6)
    assert bpy.ops.meshrec.show_take(take="clip - person1 (take 1)") == {"FINISHED"}
    assert_plays(rig, before, tubes)
    assert np.abs(vertices_in_blender(body) - skinned(body, before, tubes, 11)).max() < 0.3 * MILLIMETRE


def test_sculpted_vertices_and_added_bones_keep_their_offset(rig, backend, one, tubes):
    body = next(child for child in rig.children if child.type == "MESH")
    body.data.vertices[7].co.z += 0.03
    for key in body.data.shape_keys.key_blocks:
        key.data[7].co.z += 0.03
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    prop = rig.data.edit_bones.new("prop")
    prop.parent = rig.data.edit_bones["right_wrist"]
    prop.head, prop.tail = prop.parent.head, prop.parent.head + prop.parent.vector
    bpy.ops.object.mode_set(mode="OBJECT")
    other = replace(make_recovery(tubes, frames=30, fps=25.0, seed=5), footage="/clip.mp4")
    reconstruct(backend, replace(one, recoveries=(other,)))
    expected = skinned(body, other, tubes, 11)
    bpy.context.scene.frame_set(12)
    off = np.linalg.norm(vertices_in_blender(body) - expected, axis=1)
    assert abs(off[7] - 0.03) < 1e-3 and np.delete(off, 7).max() < 0.3 * MILLIMETRE
    bones = rig.data.bones
    assert (bones["prop"].head_local - bones["right_wrist"].head_local).length < 1e-5


def test_a_camera_that_an_artist_has_moved_stays_theirs(rig, backend, one):
    camera = bpy.context.scene.camera
    camera.location.z += 1.0
    place = camera.location.copy()
    reconstruct(backend, one)
    assert camera.location == place
    assert bpy.context.scene.camera is not camera and bpy.context.scene.camera.name == "clip camera 2"
    reconstruct(backend, one)  # the second camera is untouched
    assert len(bpy.data.cameras) == 2


def test_a_rig_in_another_collection_is_found(rig, backend, one):
    own = bpy.data.collections.new("cast")
    bpy.context.scene.collection.children.link(own)
    for obj in (rig, *rig.children):
        for collection in list(obj.users_collection):
            collection.objects.unlink(obj)
        own.objects.link(obj)
    bpy.data.collections.remove(bpy.data.collections["clip person1"])
    reconstruct(backend, one)
    assert len(takes_of(rig)) == 2 and len([obj for obj in bpy.data.objects if obj.type == "ARMATURE"]) == 1


def test_new_rig_on_request(rig, backend, one, addon):
    addon.rerun = "ADD"
    before = rig.animation_data.action
    reconstruct(backend, one)
    assert rig.animation_data.action is before and len(takes_of(rig)) == 1
    assert {obj.name for obj in bpy.data.objects if obj.type == "ARMATURE"} == {"clip person1", "clip person1 2"}


def test_a_failure_leaves_the_rig_as_it_was(rig, backend, one, tubes, monkeypatch):
    from blender_meshrec.scene import assemble

    monkeypatch.setattr(assemble, "add_footage", lambda *arguments: 1 / 0)
    before, names = rig.animation_data.action, {block.name for block in (*bpy.data.objects, *bpy.data.actions)}
    other = replace(make_recovery(tubes, frames=30, fps=25.0, seed=5), footage="/clip.mp4")
    backend([replace(one, recoveries=(other,))])
    with pytest.raises(RuntimeError, match="Copy Details"):
        bpy.ops.meshrec.reconstruct()
    assert rig.animation_data.action is before and takes_of(rig) == [before]
    assert {block.name for block in (*bpy.data.objects, *bpy.data.actions)} == names
    assert_plays(rig, one.recoveries[0], tubes)


def test_takes_are_played_and_deleted_from_the_list(rig, backend, one):
    from blender_meshrec.ui.result.result_panel import ResultTakesPanel

    assert not ResultTakesPanel.poll(bpy.context)  # of one take there is no list
    reconstruct(backend, one)
    reconstruct(backend, one)
    assert operators_drawn(draw_panel(ResultTakesPanel)).count("meshrec.delete_take") == 3
    assert bpy.ops.meshrec.delete_take(take="clip - person1 (take 3)") == {"FINISHED"}
    assert rig.animation_data.action.name == "clip - person1 (take 2)"
    assert [action.name for action in bpy.data.actions] == ["clip - person1 (take 1)", "clip - person1 (take 2)"]
    assert bpy.ops.meshrec.show_take(take="clip - person1 (take 1)") == {"FINISHED"}
    edit_action(rig)
    assert bpy.ops.meshrec.show_take(take="clip - person1 (take 2)") == {"FINISHED"}
    reconstruct(backend, one)
    bpy.ops.meshrec.delete_other_takes()  # the edited one stays
    assert [take.name for take in takes_of(rig)] == ["clip - person1 (take 1)", "clip - person1 (take 3)"]
    with pytest.raises(RuntimeError, match="no take"):
        bpy.ops.meshrec.show_take(take="gone")


def test_takes_survive_saving_and_appending(rig, backend, one, tmp_path):
    reconstruct(backend, one)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    names = ["clip - person1 (take 1)", "clip - person1 (take 2)"]
    assert [take.name for take in takes_of(bpy.data.objects["clip person1"])] == names
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "a.blend")) as (_, wanted):
        wanted.objects = ["clip person1"]
    assert [take.name for take in takes_of(bpy.data.objects["clip person1"])] == names


def test_a_new_take_is_one_undo_step(rig, backend, one):
    bpy.ops.ed.undo_push(message="before")
    backend([one])
    assert bpy.ops.meshrec.reconstruct("EXEC_DEFAULT", True) == {"FINISHED"}
    bpy.ops.ed.undo()
    assert [take.name for take in takes_of(bpy.data.objects["clip person1"])] == ["clip - person1 (take 1)"]
    bpy.ops.ed.redo()
    assert len(takes_of(bpy.data.objects["clip person1"])) == 2
    assert bpy.data.objects["clip person1"].animation_data.action.name == "clip - person1 (take 2)"


def test_names_are_cut_before_their_number():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    name = take_action_name("c" * 80, "hero", 12)
    assert len(name) <= 63 and name.endswith(" (take 12)")
    for expected in (1, 2):
        made = next_take_name("c" * 80, "hero")
        assert made.endswith(f"(take {expected})") and bpy.data.actions.new(made).name == made


def test_the_takes_of_a_character_are_listed_too(addon):
    from blender_meshrec.scene.takes.takes import add_takes
    from blender_meshrec.ui.result.result_panel import TakesPanel

    hero = bpy.data.objects.new("hero", bpy.data.armatures.new("hero"))
    bpy.context.scene.collection.objects.link(hero)
    bpy.context.view_layer.objects.active = hero
    assert draw_panel(TakesPanel) is None
    idle, walk = (bpy.data.actions.new(name) for name in ("idle", "clip - hero (take 1)"))
    hero.animation_data_create().action = walk
    add_takes(hero, idle, walk)
    assert operators_drawn(draw_panel(TakesPanel)).count("meshrec.show_take") == 2
    assert bpy.ops.meshrec.show_take(take="idle") == {"FINISHED"} and hero.animation_data.action is idle
    bpy.ops.meshrec.delete_other_takes()
    assert takes_of(hero) == [idle, walk]  # whose keys MeshRec has not counted, it does not delete
