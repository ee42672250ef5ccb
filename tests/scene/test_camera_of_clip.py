"""The camera of a clip in Blender: keys of its lens, undistorted footage, the scene's frames, and files of other programs that have it."""

import bpy
import numpy as np
import pytest

from blender_meshrec.core.cameras import invert_rigid_transform, rigid_transform
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.scene.assemble import Person, assemble
from blender_meshrec.scene.assembly import AssemblyOptions
from blender_meshrec.scene.cameras.camera import camera_intrinsics, is_view_untouched, set_camera_view
from blender_meshrec.scene.export.scene_export import export_characters
from blender_meshrec.scene.outputs import Output, write_outputs
from tests.support.blender_imports import import_file, imported_objects
from tests.support.blender_keyframes import keys_of
from tests.support.synthetic_bodies import make_recovery

FRAMES, FPS = 12, 24.0


def zooming(tubes, **changes):
    """A person before a camera that flies past and zooms in by half."""
    still = make_recovery(tubes, frames=FRAMES, fps=FPS).camera_from_world
    turn = rotmat_from_rotvec(np.linspace(0, 0.3, FRAMES)[:, None] * [0, 1, 0])
    path = rigid_transform(turn, np.linspace(0, 1, FRAMES)[:, None] * [0.4, 0, 0.2]) @ still
    return make_recovery(
        tubes, frames=FRAMES, fps=FPS, camera_from_world=path, camera_zoom=np.linspace(1, 1.5, FRAMES), scene_frame=1001, **changes
    )


def test_a_zoom_is_keyed_on_the_lens(tubes):
    recovery = zooming(tubes)
    assembly = assemble([Person("clip person1", recovery, tubes)], "clip", AssemblyOptions(first_frame=recovery.scene_frame))
    keys = keys_of(assembly.camera.data, "lens")
    np.testing.assert_allclose(keys[:, 0], 1001 + np.arange(FRAMES))
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 1280, 720
    for row in (0, 5, 11):
        scene.frame_set(1001 + row)
        found = camera_intrinsics(assembly.camera.data, scene.render)
        assert found[0, 0] == pytest.approx(900 * recovery.camera_zoom[row], rel=1e-5)
    assert is_view_untouched(assembly.camera)
    fixed = make_recovery(tubes, frames=FRAMES, fps=FPS)
    set_camera_view(assembly.camera, fixed.camera, np.arange(1001, 1001 + FRAMES))
    assert assembly.camera.data.animation_data is None and assembly.camera.data.lens == pytest.approx(36 * 900 / 1280)


def test_footage_is_undistorted_by_blender(tubes, tmp_path):
    for number in range(FRAMES):
        picture = bpy.data.images.new("picture", 128, 72)
        picture.filepath_raw, picture.file_format = str(tmp_path / f"{number:04d}.png"), "PNG"
        picture.save()
    recovery = zooming(tubes, footage=str(tmp_path), camera_distortion=np.array([-0.2, 0.05, 0.01]))
    assembly = assemble([Person("clip person1", recovery, tubes)], "clip", AssemblyOptions(first_frame=recovery.scene_frame))
    (background,) = assembly.camera.data.background_images
    lens = background.clip.tracking.camera
    np.testing.assert_allclose([lens.k1, lens.k2, lens.k3], [-0.2, 0.05, 0.01], atol=1e-6)
    assert lens.distortion_model == "POLYNOMIAL" and lens.focal_length_pixels == pytest.approx(900)
    assert background.clip_user.use_render_undistorted and background.clip.frame_start == 1001
    straight = assemble([Person("clip person1", zooming(tubes, footage=str(tmp_path)), tubes)], "clip")
    assert not straight.camera.data.background_images[0].clip_user.use_render_undistorted


def place_of(camera):
    return np.array(camera.matrix_world)[:3, 3]


@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".usdc"])
def test_files_of_other_programs_have_the_camera_if_asked(tubes, suffix, tmp_path):
    recovery = zooming(tubes)
    people = [Person("clip person1", recovery, tubes)]
    with_it, without = tmp_path / f"with{suffix}", tmp_path / f"without{suffix}"
    write_outputs(people, [Output(with_it, (0,))], "clip", with_camera=True)
    write_outputs(people, [Output(without, (0,))], "clip")
    import_file(without, FPS)
    assert not imported_objects("CAMERA") and imported_objects("ARMATURE")
    import_file(with_it, FPS)
    (camera,) = imported_objects("CAMERA")
    truth = invert_rigid_transform(recovery.camera_from_world)[:, :3, 3]
    first = {".fbx": 1, ".glb": 1, ".usdc": 1001}[suffix]
    scene = bpy.context.scene
    found = []
    for row in (0, FRAMES - 1):
        scene.frame_set(first + row)
        found.append(place_of(camera))
    np.testing.assert_allclose(found, truth[[0, -1]], atol=2e-3)  # m


def test_characters_of_a_scene_are_exported_with_their_camera(tubes, tmp_path):
    assembly = assemble([Person("clip person1", zooming(tubes), tubes)], "clip")
    export_characters(tmp_path / "a.glb", assembly.armatures, with_camera=True)
    import_file(tmp_path / "a.glb", FPS)
    assert len(imported_objects("CAMERA")) == 1


def test_an_artists_own_camera_stays_as_it_is(tubes):
    own = bpy.data.objects.new("own", bpy.data.cameras.new("own"))
    bpy.context.scene.collection.objects.link(own)
    before = (own.data.lens, tuple(own.location), own.animation_data)
    assembly = assemble([Person("clip person1", zooming(tubes), tubes)], "clip", AssemblyOptions(own_camera=own))
    assert assembly.camera is own and (own.data.lens, tuple(own.location), own.animation_data) == before
    assert [obj for obj in bpy.data.objects if obj.type == "CAMERA"] == [own] and own.name not in assembly.collection.all_objects
