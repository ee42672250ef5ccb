"""Footage behind the camera keeps its own speed on a timeline of another rate."""

from dataclasses import replace

import bpy
import numpy as np
import pytest

from blender_meshrec.core.resampling import resample_recovery
from blender_meshrec.scene.assemble import Person, assemble
from blender_meshrec.scene.assembly import AssemblyOptions
from blender_meshrec.scene.cameras.camera_footage import remove_footage
from blender_meshrec.scene.cameras.footage_retiming import footage_rate
from tests.support.synthetic_bodies import make_recovery, make_tube_body

FRAMES, FIRST_NUMBER = 40, 5
TIMES = np.arange(FRAMES) / 30  # s


@pytest.fixture
def folder(tmp_path):
    """A folder of numbered images."""
    image = bpy.data.images.new("picture", 16, 8)
    for number in range(FRAMES):
        image.filepath_raw, image.file_format = str(tmp_path / f"shot_{FIRST_NUMBER + number:04}.png"), "PNG"
        image.save()
    bpy.data.images.remove(image)
    return tmp_path


def camera_of(folder, fps, start=1, first_footage_frame=0, **changes):
    """The camera of a result on a timeline of `fps`, from `start` on; the footage has 30 frames a second."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene, body = bpy.context.scene, make_tube_body(posedirs=False)
    recovery = make_recovery(body, frames=FRAMES - first_footage_frame, fps=30.0, footage=str(folder), first_frame=first_footage_frame)
    recovery = replace(resample_recovery(recovery, fps), **changes)
    assembly = assemble(
        [Person("anna", recovery, body)], "clip", AssemblyOptions(fps, first_frame=start, footage_times=TIMES[first_footage_frame:])
    )
    scene.frame_start, scene.frame_end = start, assembly.last_frame
    return assembly


def shown_number(camera, frame):
    """The number of the image that Blender shows at a frame: the frame since the start, within the duration, and the offset."""
    bpy.context.scene.frame_set(frame)
    user = camera.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.background_images[0].image_user
    return min(frame - user.frame_start + 1, user.frame_duration) + user.frame_offset


@pytest.mark.parametrize("fps", [12.0, 24.0, 60.0])
@pytest.mark.parametrize("start, first", [(1, 0), (1001, 7)])
def test_every_frame_shows_the_picture_of_its_time(folder, fps, start, first):
    assembly = camera_of(folder, fps, start, first)
    assert not any(note.name == "camera-footage-rate-differs" for note in assembly.notes)
    for frame in range(start, assembly.last_frame + 1):
        wanted = FIRST_NUMBER + first + (frame - start) / fps * 30
        assert abs(shown_number(assembly.camera, frame) - wanted) <= 0.5 + 1e-6
    assert shown_number(assembly.camera, start + 10_000) == FIRST_NUMBER + FRAMES - 1  # it stays at its last picture


def test_footage_of_the_same_rate_stays_a_movie_clip(folder):
    (background,) = camera_of(folder, 30.0).camera.data.background_images
    assert background.source == "MOVIE_CLIP" and background.clip.frame_start == 1


def test_another_result_removes_the_driver_and_the_picture(folder):
    camera = camera_of(folder, 24.0).camera
    assert len(camera.data.animation_data.drivers) == 1
    remove_footage(camera)
    assert not camera.data.animation_data.drivers and not bpy.data.images and not bpy.data.movieclips


def test_a_varying_rate_is_none():
    assert footage_rate(TIMES) == pytest.approx(30)
    assert footage_rate(np.concatenate([TIMES, TIMES[-1] + 0.1 * np.arange(1, 30)])) is None
    assert footage_rate(TIMES[:1]) is None
