"""Images and videos of a result: meshes are drawn where the camera sees them."""

from dataclasses import replace

import av
import cv2
import numpy as np
import pytest

from blender_meshrec.backend.footage.video_writer import VideoWriter, resize_to_height
from blender_meshrec.backend.overlay import PERSON_COLOURS, draw_frames, draw_mesh, draw_people
from blender_meshrec.bodies.make_body import make_body
from tests.support.synthetic_bodies import make_recovery, make_tube_body

INTRINSICS = np.array([[500.0, 0, 160], [0, 500, 120], [0, 0, 1]])
SQUARE = np.array([[-0.5, -0.5, 5], [0.5, -0.5, 5], [0.5, 0.5, 5], [-0.5, 0.5, 5.0]])
TOWARDS, AWAY = np.array([[0, 2, 1], [0, 3, 2]]), np.array([[0, 1, 2], [0, 2, 3]])


def grey():
    return np.full((240, 320, 3), 128, np.uint8)


def test_a_square_covers_the_pixels_it_projects_to():
    drawn = draw_mesh(grey(), SQUARE, TOWARDS, INTRINSICS, (255, 0, 0))
    rows, columns = np.nonzero((drawn != 128).any(-1))
    # 0.5 m at 5 m with 500 px is 50 px on either side of the centre.
    assert abs(rows.min() - 70) <= 1 and abs(rows.max() - 169) <= 1
    assert abs(columns.min() - 110) <= 1 and abs(columns.max() - 209) <= 1
    assert drawn[120, 160, 0] > drawn[120, 160, 1]


@pytest.mark.parametrize("vertices, faces", [(SQUARE, AWAY), (SQUARE * [1, 1, -1], TOWARDS), (SQUARE * [1, 1, 0], TOWARDS)])
def test_faces_turned_away_or_behind_the_camera_are_not_drawn(vertices, faces):
    np.testing.assert_array_equal(draw_mesh(grey(), vertices, faces, INTRINSICS, (255, 0, 0)), grey())


def test_the_nearer_person_is_drawn_over_the_farther():
    class Person:
        visible = np.array([True])
        camera_from_world = np.eye(4)[None]
        frame_intrinsics = INTRINSICS[None]

    near, far = (Person(), lambda row: SQUARE * 0.8), (Person(), lambda row: SQUARE)
    for people in ([near, far], [far, near]):
        middle = draw_people(grey(), 0, people, TOWARDS)[120, 160].astype(float)
        colours = np.array([PERSON_COLOURS[people.index(near)], PERSON_COLOURS[people.index(far)]], float)
        # The hue is closer to the nearer person's.
        hue = (middle - middle.mean()) @ (colours - colours.mean(1, keepdims=True)).T / np.linalg.norm(colours, axis=1)
        assert hue[0] > hue[1]


def test_a_camera_that_zooms_draws_a_person_larger():
    recovery = make_recovery(make_tube_body(posedirs=False), frames=2, fps=30, visible=np.ones(2, bool))
    still = np.tile(np.eye(4), (2, 1, 1))
    zoomed = replace(recovery, camera_intrinsics=INTRINSICS, camera_from_world=still, camera_zoom=np.array([1.0, 1.5]))
    widths = [
        np.ptp(np.nonzero((draw_people(grey(), row, [(zoomed, lambda row: SQUARE)], TOWARDS) != 128).any((0, 2)))) + 1 for row in (0, 1)
    ]
    assert widths == pytest.approx([100, 150], abs=2)  # px


def test_an_unreadable_image_is_drawn_black(tmp_path):
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), grey())
    (tmp_path / "1.png").write_bytes(b"broken")
    body = make_tube_body(posedirs=False)
    pairs = list(draw_frames([make_recovery(body, frames=3, fps=30, footage=str(tmp_path))], make_body(body)))
    assert [plain.mean() for plain, _ in pairs] == [128, 0, 128] and {drawn.shape for _, drawn in pairs} == {grey().shape}


def test_a_written_video_has_its_frames_and_rate(tmp_path):
    images = [np.full((90, 160, 3), 10 * k, np.uint8) for k in range(12)]
    with VideoWriter(tmp_path / "v.mp4", 24 / 1.001) as writer:
        for image in images:
            writer.write(image)
    with av.open(str(tmp_path / "v.mp4")) as container:
        stream = container.streams.video[0]
        assert float(stream.average_rate) == pytest.approx(24 / 1.001, rel=1e-6)
        means = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(stream)]
    np.testing.assert_allclose(means, [image.mean() for image in images], atol=3)


@pytest.mark.parametrize("height", [50, 200])
def test_resized_images_have_even_widths(height):
    image = resize_to_height(np.zeros((101, 77, 3), np.uint8), height)
    assert image.shape[0] == height and image.shape[1] % 2 == 0
