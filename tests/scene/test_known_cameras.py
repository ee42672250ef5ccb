"""An artist's own camera, read from the open scene and from files: it sees what Blender's camera sees."""

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Matrix, Vector

from blender_meshrec.core.cameras import invert_rigid_transform, project, transform_points
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files.camera_file import camera_from_text
from blender_meshrec.scene.cameras.known_cameras import camera_of_file, camera_of_object, likely_rate

POINTS = np.array([[0.2, 0.1, 0.0], [-0.4, 0.3, 1.7], [0.5, -0.6, 0.9]])
FIRST, LAST = 1001, 1012


@pytest.fixture
def camera_object():
    """A camera that flies and zooms on a scaled, turned dolly, with a shifted lens."""
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = FIRST, LAST
    scene.render.fps, scene.render.resolution_x, scene.render.resolution_y = 25, 1280, 720
    dolly = bpy.data.objects.new("dolly", None)
    dolly.matrix_world = Matrix.Translation((0.3, -0.2, 0.1)) @ Matrix.Rotation(0.2, 4, "Z") @ Matrix.Scale(2.0, 4)
    data = bpy.data.cameras.new("lens")
    data.shift_x, data.shift_y = 0.05, -0.03
    made = bpy.data.objects.new("shot", data)
    made.parent = dolly
    for obj in (dolly, made):
        scene.collection.objects.link(obj)
    made.rotation_euler = (1.4, 0.03, 0.1)
    for frame, x, lens in ((FIRST, -0.4, 30.0), (LAST, 0.5, 42.0)):
        made.location, data.lens = (x, -2.2, 0.8), lens
        made.keyframe_insert("location", frame=frame)
        data.keyframe_insert("lens", frame=frame)
    scene.camera = made
    return made


def seen_by_blender(scene, camera_object, frame):
    """POINTS in pixels from the upper left corner, as Blender sees them in a frame."""
    scene.frame_set(frame)
    size = np.array([scene.render.resolution_x, scene.render.resolution_y])
    views = [np.array(world_to_camera_view(scene, camera_object, Vector(point)))[:2] for point in POINTS]
    return (np.array(views) * [1, -1] + [0, 1]) * size


def seen_by(camera, row):
    return project(transform_points(invert_rigid_transform(camera.world_from_camera[row]), POINTS), camera.intrinsics[row])


@pytest.mark.parametrize("fit", ["AUTO", "HORIZONTAL", "VERTICAL"])
@pytest.mark.parametrize("size", [(1280, 720), (720, 1280)])
def test_a_camera_object_sees_what_blender_sees(camera_object, fit, size):
    scene, objects = bpy.context.scene, len(bpy.data.objects)
    camera_object.data.sensor_fit = fit
    scene.render.resolution_x, scene.render.resolution_y = size
    scene.frame_set(FIRST + 3)
    camera = camera_of_object(camera_object, scene)
    assert (scene.frame_current, len(bpy.data.scenes), len(bpy.data.objects)) == (FIRST + 3, 1, objects)
    assert len(camera) == LAST - FIRST + 1 and camera.first_frame == FIRST and camera.source == "shot"
    for row in (0, 5, 11):
        np.testing.assert_allclose(seen_by(camera, row), seen_by_blender(scene, camera_object, FIRST + row), atol=0.02)  # px


def test_units_become_metres_and_pixels_square(camera_object):
    scene = bpy.context.scene
    scene.unit_settings.scale_length = 0.01
    scene.render.pixel_aspect_y = 2.0
    scene.frame_set(FIRST)
    camera = camera_of_object(camera_object, scene, FIRST, FIRST)
    np.testing.assert_allclose(camera.world_from_camera[0, :3, 3], 0.01 * np.array(camera_object.matrix_world)[:3, 3], atol=1e-6)
    assert camera.image_size.tolist() == [1280, 1440]


def test_a_lens_that_blenders_tracker_knows_distorts(camera_object, tmp_path):
    picture = bpy.data.images.new("picture", 64, 36)
    picture.filepath_raw, picture.file_format = str(tmp_path / "a.png"), "PNG"
    picture.save()
    background = camera_object.data.background_images.new()
    background.source = "MOVIE_CLIP"
    background.clip = bpy.data.movieclips.load(str(tmp_path / "a.png"))
    background.clip.tracking.camera.k1, background.clip.tracking.camera.k2 = -0.12, 0.03
    np.testing.assert_allclose(camera_of_object(camera_object, bpy.context.scene).distortion, [-0.12, 0.03, 0], atol=1e-6)


def write(path, camera_object):
    if path.suffix == ".blend":
        bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True)
    elif path.suffix == ".fbx":
        bpy.ops.preferences.addon_enable(module="io_scene_fbx")
        bpy.ops.export_scene.fbx(filepath=str(path), object_types={"CAMERA", "EMPTY"}, bake_anim_simplify_factor=0.0)
    elif path.suffix == ".abc":
        bpy.ops.wm.alembic_export(filepath=str(path), start=FIRST, end=LAST, as_background_job=False)
    else:
        bpy.ops.wm.usd_export(filepath=str(path), export_animation=True)


@pytest.mark.parametrize("suffix", [".blend", ".fbx", ".abc", ".usdc"])
def test_a_camera_comes_out_of_a_file_frame_for_frame(camera_object, suffix, tmp_path):
    scene, path = bpy.context.scene, tmp_path / f"shot{suffix}"
    camera_object.data.shift_x = camera_object.data.shift_y = 0.0  # not all formats hold it
    if suffix == ".abc" or (suffix == ".usdc" and bpy.app.version < (4, 5, 0)):
        camera_object.data.animation_data_clear()  # Blender reads no zoom from archives, and 4.2 none from USD
    truth = [seen_by_blender(scene, camera_object, frame) for frame in range(FIRST, LAST + 1)]
    write(path, camera_object)
    camera = camera_from_text(camera_of_file(path))
    camera = camera.in_picture((1280, 720))
    assert len(camera) == LAST - FIRST + 1
    if suffix in (".blend", ".abc", ".usdc"):
        assert camera.first_frame == FIRST
    for row in (0, 6, 11):
        np.testing.assert_allclose(seen_by(camera, row), truth[row], atol=0.5, err_msg=f"frame {row}")  # px


def test_the_camera_that_is_named_is_read_from_the_frame_that_is_named(camera_object, tmp_path):
    other = bpy.data.objects.new("other", bpy.data.cameras.new("other"))
    other.location = (7, 8, 9)
    bpy.context.scene.collection.objects.link(other)
    path = tmp_path / "two.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True)
    camera = camera_from_text(camera_of_file(path, "other", first=990))
    assert camera.first_frame == 990 and camera.source == "other"
    np.testing.assert_allclose(camera.world_from_camera[0, :3, 3], [7, 8, 9], atol=1e-5)
    assert camera_from_text(camera_of_file(path)).source == "shot"  # the scene's own


def test_what_is_no_camera_is_refused_in_a_sentence(camera_object, tmp_path):
    camera_object.data.type = "ORTHO"
    with pytest.raises(InputError, match="no camera with perspective"):
        camera_of_object(camera_object, bpy.context.scene)
    path = tmp_path / "shot.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True)
    with pytest.raises(InputError, match="no camera missing") as raised:
        camera_of_file(path, "missing")
    assert "shot" in raised.value.remedy
    (tmp_path / "broken.abc").write_bytes(b"not an archive")
    with pytest.raises(InputError):
        camera_of_file(tmp_path / "broken.abc")
    with pytest.raises(InputError, match="no file whose camera"):
        camera_of_file(tmp_path / "a.mp4")


@pytest.mark.parametrize("rate", [24.0, 25.0, 30.0, 24 / 1.001, 60.0])
def test_the_rate_of_an_archive_is_told_by_its_times(rate):
    assert likely_rate(1001 / rate, 1115 / rate) == rate
