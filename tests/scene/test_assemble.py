"""Scenes of recovered people: what Blender evaluates is compared with forward kinematics, skinning and projection in numpy."""

import time

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

from blender_meshrec.core.cameras import project, rigid_transform, transform_points
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.motion import forward_kinematics
from blender_meshrec.core.rotations import angle_between_rotmats
from blender_meshrec.core.skeletons import SMPL_JOINTS
from blender_meshrec.scene.assemble import Person, assemble, match_scene
from blender_meshrec.scene.assembly import AssemblyOptions
from tests.support.blender_keyframes import keys_of
from tests.support.blender_poses import pose_in_blender, vertices_in_blender
from tests.support.synthetic_bodies import make_recovery, make_tube_body, motion_of, skin_recovery
from tests.support.synthetic_template import synthetic_template

MILLIMETRE = 1e-3
ROWS = (0, 7, 23, 41, 59)


def test_bones_match_forward_kinematics(template, recovery):
    made = assemble([Person("anna", recovery, template)], "clip")
    joints, rotations = forward_kinematics(motion_of(recovery, template))
    for row in ROWS:
        bpy.context.scene.frame_set(1 + row)
        heads, turned = pose_in_blender(made.armatures[0], template.joint_names)
        assert np.abs(heads - joints[row]).max() < 0.05 * MILLIMETRE
        assert np.abs(heads[:24] - recovery.joints[row]).max() < 0.2 * MILLIMETRE
        assert np.degrees(angle_between_rotmats(turned, rotations[row])).max() < 0.01


def test_the_evaluated_mesh_matches_the_skinned_body(template, recovery):
    made = assemble([Person("anna", recovery, template)], "clip")
    for row in ROWS:
        bpy.context.scene.frame_set(1 + row)
        assert np.abs(vertices_in_blender(made.meshes[0]) - skin_recovery(recovery, template, row)).max() < 0.2 * MILLIMETRE


@pytest.mark.parametrize("joints", [24, 52, 55])
def test_bodies_with_fingers_and_faces_match_too(joints):
    template = synthetic_template(joints=joints)
    recovery = make_recovery(template)
    made = assemble([Person("anna", recovery, template)], "clip")
    positions, rotations = forward_kinematics(motion_of(recovery, template))
    for row in ROWS:
        bpy.context.scene.frame_set(1 + row)
        heads, turned = pose_in_blender(made.armatures[0], template.joint_names)
        assert np.abs(heads - positions[row]).max() < 0.05 * MILLIMETRE
        assert np.abs(heads[template.smpl_joint_indices] - recovery.joints[row]).max() < 0.2 * MILLIMETRE
        assert np.degrees(angle_between_rotmats(turned, rotations[row])).max() < 0.01
        assert np.abs(vertices_in_blender(made.meshes[0]) - skin_recovery(recovery, template, row)).max() < 0.2 * MILLIMETRE


def test_a_motion_of_another_body_is_refused_and_leaves_nothing(tubes):
    with pytest.raises(InputError, match="24 joints"):
        assemble([Person("anna", make_recovery(tubes), synthetic_template(joints=52))], "clip")
    assert not bpy.data.objects and not bpy.data.collections


def test_the_rest_pose_has_the_betas_and_beta_keys_add(template, recovery):
    made = assemble([Person("anna", recovery, template)], "clip")
    rig, body = made.armatures[0], made.meshes[0]
    rig.data.pose_position = "REST"
    joints = template.rest_joints(recovery.betas)
    heads = np.array([rig.data.bones[name].head_local for name in template.joint_names])
    assert np.abs(heads - joints @ [[1, 0, 0], [0, 0, 1], [0, -1, 0]]).max() < 0.01 * MILLIMETRE
    assert heads[SMPL_JOINTS.index("head"), 2] > heads[SMPL_JOINTS.index("left_foot"), 2] + 1  # upright
    assert heads[SMPL_JOINTS.index("left_foot"), 1] < heads[SMPL_JOINTS.index("left_ankle"), 1]  # facing -y
    assert heads[SMPL_JOINTS.index("left_hip"), 0] > 0
    bpy.context.scene.frame_set(1)
    keys = body.data.shape_keys.key_blocks
    added = np.zeros(10)
    added[[0, 4]] = 0.7, -1.2
    for index in (0, 4):
        keys[f"beta_{index}"].value = added[index]
    wider = template.rest_vertices(recovery.betas + added)
    for key in keys:
        if key.name.startswith("pose_"):
            key.mute = True
    assert np.abs(vertices_in_blender(body) - wider @ [[1, 0, 0], [0, 0, 1], [0, -1, 0]]).max() < 0.02 * MILLIMETRE


def test_objects_are_at_the_origin_with_scale_one(tubes):
    made = assemble([Person("anna", make_recovery(tubes), tubes)], "clip")
    for obj in (*made.armatures, *made.meshes):
        assert np.allclose(obj.matrix_world, np.eye(4), atol=1e-7)
        assert tuple(obj.scale) == (1.0, 1.0, 1.0)


def test_positive_x_bends_knees_and_elbows(tubes):
    rig = assemble([Person("anna", make_recovery(tubes), tubes)], "clip").armatures[0]
    rig.animation_data_clear()
    for side in ("left", "right"):
        for joint, end, direction in (("knee", "ankle", Vector((0, 1, 0))), ("elbow", "wrist", Vector((0, -1, 0)))):
            for bone in rig.pose.bones:
                bone.matrix_basis.identity()
            bpy.context.view_layer.update()
            before = rig.pose.bones[f"{side}_{end}"].head.copy()
            rig.pose.bones[f"{side}_{joint}"].rotation_quaternion = (np.cos(0.5), np.sin(0.5), 0, 0)
            bpy.context.view_layer.update()
            assert (rig.pose.bones[f"{side}_{end}"].head - before).dot(direction) > 0.1


def test_quaternion_keys_follow_the_short_arc(tubes):
    rig = assemble([Person("anna", make_recovery(tubes, frames=120), tubes)], "clip").armatures[0]
    for name in tubes.joint_names:
        quat = np.stack([keys_of(rig, f'pose.bones["{name}"].rotation_quaternion', index)[:, 1] for index in range(4)], -1)
        assert ((quat[1:] * quat[:-1]).sum(1) > 0.9).all()


@pytest.mark.parametrize(
    "fps, pair", [(24.0, (24, 1.0)), (24 / 1.001, (24, 1.001)), (5.0, (5, 1.0)), (60 / 1.001, (60, 1.001)), (12.5, (12, 0.96))]
)
def test_the_timeline_matches_the_clip(tubes, fps, pair):
    recovery = make_recovery(tubes, frames=50, fps=fps)
    scene = bpy.context.scene
    made = assemble([Person("anna", recovery, tubes)], "clip")
    match_scene(scene, made, recovery.camera)
    assert (scene.render.fps, round(scene.render.fps_base, 6)) == pair
    assert scene.render.fps / scene.render.fps_base == pytest.approx(fps, rel=1e-6)
    assert (scene.frame_start, scene.frame_end) == (1, 50)
    keys = keys_of(made.armatures[0], '["visible"]')[:, 0]
    assert keys.tolist() == list(range(1, 51))


def test_variable_frame_rates_keep_their_times(tubes):
    times = np.cumsum(np.random.default_rng(3).uniform(0.01, 0.08, 40))
    recovery = make_recovery(tubes, timestamps=times - times[0], fps=25.0)
    made = assemble([Person("anna", recovery, tubes)], "clip")
    match_scene(bpy.context.scene, made, recovery.camera)
    keys = keys_of(made.armatures[0], '["visible"]')[:, 0]
    assert np.abs(keys - (1 + recovery.timestamps * 25)).max() < 1e-3
    assert bpy.context.scene.frame_end >= keys[-1] > bpy.context.scene.frame_end - 1
    joints = forward_kinematics(motion_of(recovery, tubes))[0]
    for row in (0, 11, 39):
        bpy.context.scene.frame_set(int(keys[row]), subframe=float(keys[row] % 1))
        heads, _ = pose_in_blender(made.armatures[0], tubes.joint_names)
        assert np.abs(heads - joints[row]).max() < 0.5 * MILLIMETRE


def test_another_timeline_rate_keeps_the_real_speed(tubes):
    recovery = make_recovery(tubes, frames=50, fps=25.0)
    rig = assemble([Person("anna", recovery, tubes)], "clip", AssemblyOptions(fps=50)).armatures[0]
    keys = keys_of(rig, '["visible"]')[:, 0]
    assert keys.tolist() == list(range(1, 100, 2))


def test_contacts_and_visibility_are_keyed(tubes):
    recovery = make_recovery(tubes)
    rig = assemble([Person("anna", recovery, tubes)], "clip").armatures[0]
    for row in (0, 3, 30):
        bpy.context.scene.frame_set(1 + row)
        found = [rig[name] for name in ("contact_left_heel", "contact_left_toe", "contact_right_heel", "contact_right_toe")]
        assert found == (recovery.contacts[row] > 0.5).tolist()
        assert rig["visible"] == float(recovery.visible[row])


def moving_camera(frames):
    """camera_from_world (F,4,4) of a camera that pans and moves."""
    angle = np.linspace(0, 1.0, frames)
    turn = np.array([[[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]] for a in angle])
    return rigid_transform(turn @ [[1.0, 0, 0], [0, 0, -1], [0, 1, 0]], np.stack([0.1 * angle, 0 * angle + 1, 4 + angle], -1))


@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("size, square", [((1280, 720), True), ((720, 1280), True), ((720, 576), False)])
def test_the_camera_projects_joints_like_the_footage(tubes, moving, size, square):
    intrinsics = [[930.0, 0, size[0] * 0.53], [0, 930.0 if square else 850.0, size[1] * 0.44], [0, 0, 1]]
    changes = {"camera_from_world": moving_camera(60)} if moving else {}
    recovery = make_recovery(tubes, image_size=size, camera_intrinsics=intrinsics, **changes)
    made = assemble([Person("anna", recovery, tubes)], "clip")
    scene = bpy.context.scene
    match_scene(scene, made, recovery.camera)
    assert (made.camera.animation_data is not None) == moving
    for row in ROWS:
        scene.frame_set(1 + row)
        bpy.context.view_layer.update()
        views = [world_to_camera_view(scene, made.camera, Vector(joint)) for joint in recovery.joints[row]]
        pixels = np.array([(x * size[0], (1 - y) * size[1]) for x, y, _ in views])
        expected = project(transform_points(recovery.camera_from_world[row], recovery.joints[row]), recovery.camera_intrinsics)
        assert np.abs(pixels - expected).max() < 0.1  # px


def test_assemble_changes_nothing_else_of_the_scene(tubes):
    scene = bpy.context.scene
    bystander = bpy.data.objects.new("bystander", bpy.data.meshes.new("bystander"))
    scene.collection.objects.link(bystander)
    bpy.context.view_layer.objects.active = bystander
    bystander.select_set(True)

    def state():
        render = scene.render
        timeline = (scene.frame_start, scene.frame_end, scene.frame_current, render.fps, render.fps_base, render.resolution_x)
        return (
            timeline,
            scene.camera,
            bpy.context.view_layer.objects.active,
            list(bpy.context.selected_objects),
            list(scene.collection.objects),
        )

    before = state()
    people = [Person("anna", make_recovery(tubes), tubes), Person("ben", make_recovery(tubes, seed=1), tubes)]
    made = assemble(people, "clip")
    assert state() == before
    assert list(scene.collection.children) == [made.collection]
    assert [child.name for child in made.collection.children] == ["anna", "ben"]
    assert [sorted(obj.name for obj in child.objects) for child in made.collection.children] == [
        ["anna", "anna body"],
        ["ben", "ben body"],
    ]
    assert list(made.collection.objects) == [made.camera]


def test_left_out_pose_shapes_are_noted(tubes):
    made = assemble([Person("anna", make_recovery(tubes), tubes)], "clip", AssemblyOptions(pose_shapes=False))
    assert [key.name for key in made.meshes[0].data.shape_keys.key_blocks] == ["Basis", *(f"beta_{i}" for i in range(10))]
    assert any("pose blend shapes" in note for note in made.notes)
    plain = make_tube_body(posedirs=False)
    assert not any("pose blend" in note for note in assemble([Person("ben", make_recovery(plain), plain)], "clip").notes)


def test_pose_shape_drivers_need_no_python_and_skip_zero_shapes(tubes):
    body = assemble([Person("anna", make_recovery(tubes), tubes)], "clip").meshes[0]
    drivers = body.data.shape_keys.animation_data.drivers
    assert len(drivers) == 81  # nine joints of the tube man have any
    assert all(curve.driver.is_simple_expression and curve.is_valid for curve in drivers)


def test_no_vertex_has_more_than_four_bones(template, recovery):
    body = assemble([Person("anna", recovery, template)], "clip").meshes[0]
    assert max(len(vertex.groups) for vertex in body.data.vertices) <= 4
    assert all(abs(sum(group.weight for group in vertex.groups) - 1) < 1e-5 for vertex in body.data.vertices)


def test_three_thousand_frames_are_built_within_a_second(template):
    long = make_recovery(template, frames=3000)
    seconds = []
    for _ in range(3):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        start = time.process_time()
        assemble([Person("anna", long, template)], "clip")
        seconds.append(time.process_time() - start)
    assert min(seconds) < 1.0
