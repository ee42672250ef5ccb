"""The picture of a result at its worst moment."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from blender_meshrec.backend import kept_models, worst_moment
from blender_meshrec.backend.footage.video_writer import VideoWriter
from blender_meshrec.bridge.messages import ReconstructRequest, Result
from blender_meshrec.core.records import Recovery
from tests.support.synthetic_bodies import make_recovery

FRAMES, WIDTH, HEIGHT = 12, 160, 96


@pytest.fixture
def recovery(template, tmp_path):
    """Somebody in footage whose frames become brighter."""
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, 25) as writer:
        for number in range(FRAMES):
            writer.write(np.full((HEIGHT, WIDTH, 3), 20 * number, np.uint8))
    recovery = make_recovery(template, frames=FRAMES, fps=25.0)
    return Recovery(**{**recovery.arrays(), "footage": str(path), "image_size": np.array([WIDTH, HEIGHT]), "first_frame": 0})


def brightness(image):
    return float(np.median(image)) / 20


def test_the_frame_is_that_of_the_worst_moment(recovery):
    for row in (0, 5, 11):
        assert brightness(worst_moment.footage_at(recovery, recovery.timestamps[row], row)) == pytest.approx(row, abs=0.3)
    later = Recovery(**{**recovery.arrays(), "first_frame": 4})
    assert brightness(worst_moment.footage_at(later, recovery.timestamps[3], 3)) == pytest.approx(7, abs=0.3)


def test_without_footage_the_picture_is_grey(recovery):
    gone = Recovery(**{**recovery.arrays(), "footage": "/nowhere/clip.mp4"})
    image = worst_moment.footage_at(gone, 0.0, 0)
    assert image.shape == (HEIGHT, WIDTH, 3) and (image == worst_moment.BACKGROUND).all()


def test_the_worst_moment_is_that_of_the_gravest_verdict(recovery):
    people = [
        {"verdict": "good", "worst_times": [0.1]},
        {"verdict": "bad", "worst_times": [0.3, 0.4]},
        {"verdict": "doubtful", "worst_times": [0.2]},
    ]
    assert worst_moment.worst_time(people, recovery) == 0.3
    seen = np.flatnonzero(recovery.visible)
    assert worst_moment.worst_time([{"verdict": "bad", "worst_times": []}], recovery) == recovery.timestamps[seen[len(seen) // 2]]


def test_the_picture_is_a_jpeg_of_the_footage_beside_the_result(recovery):
    result = Result((recovery,), (1,), {"people": [{"verdict": "bad", "worst_times": [float(recovery.timestamps[6])]}]})
    picture = worst_moment.with_picture(result, ReconstructRequest("clip.mp4")).picture
    image = cv2.imdecode(picture, cv2.IMREAD_COLOR)
    assert image.shape[0] == worst_moment.HEIGHT and image.shape[1] == 2 * round(WIDTH * worst_moment.HEIGHT / HEIGHT / 2) * 2
    assert brightness(image[:, : image.shape[1] // 2]) == pytest.approx(6, abs=0.3)
    assert worst_moment.with_picture(replace(result, recoveries=()), ReconstructRequest("a.mp4")).picture is None


def test_models_are_kept_only_in_the_backends_process(monkeypatch):
    monkeypatch.setattr(kept_models, "_kept", {})
    monkeypatch.setattr(kept_models, "_is_enabled", False)
    assert kept_models.take_model("a", lambda: 1) == 1 and not kept_models.give_back("a", 1)
    assert kept_models.take_model("a", lambda: 2) == 2
    kept_models.keep_models()
    assert kept_models.give_back("a", 3) and kept_models.take_model("a", lambda: 4) == 3 and kept_models.take_model("a", lambda: 5) == 5
