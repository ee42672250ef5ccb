"""One pass over footage with a synthetic detector: progress, resuming after an interruption, and footage without people."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend import registry
from blender_meshrec.backend.detection.detections import Detection
from blender_meshrec.backend.detection.detector import Detector
from blender_meshrec.backend.tracking.detect_and_track import detect_and_track
from blender_meshrec.bridge.messages import Progress, ReconstructRequest
from blender_meshrec.core.errors import CancelledError, InputError, NobodyFoundError
from tests.support.footage_files import make_frame, read_frame_number, write_video
from tests.support.synthetic_keypoints import animate_stick_figure, clothing_colours, project_orthographic

COUNT = 260


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    images = [make_frame(i % 32) for i in range(COUNT)]
    return str(write_video(tmp_path_factory.mktemp("film") / "film.mp4", images, options={"preset": "ultrafast", "crf": "20"}))


class FrameNumberDetector(Detector):
    """Detects one person, whose position is the number that the frame shows; records its calls."""

    calls, closed, finds_nobody = [], 0, False

    def __init__(self, request):
        pass

    def identity(self):
        return "frame numbers"

    def detect(self, frame, expected):
        self.calls.append((frame.row, len(expected)))
        if self.finds_nobody:
            return []
        keypoints = project_orthographic(animate_stick_figure([frame.time]), (40 + read_frame_number(frame.image) * 0.1, 30), 20)[0]
        return [Detection(keypoints, animate_stick_figure([frame.time])[0], 0.9, clothing_colours(1))]

    def close(self):
        type(self).closed += 1


@pytest.fixture
def detector(monkeypatch):
    fresh = type("Fresh", (FrameNumberDetector,), {"calls": [], "closed": 0})
    monkeypatch.setitem(registry.DETECTORS.implementations, "bars", fresh)
    return fresh


def request(film, **changes):
    return replace(ReconstructRequest(film, detector="bars"), **changes)


def test_every_frame_is_detected_once_and_reported(film, detector):
    reports = []
    tracked = detect_and_track(request(film), reports.append)
    assert [row for row, _ in detector.calls] == list(range(COUNT))
    assert [expected for _, expected in detector.calls[:3]] == [0, 1, 1]
    assert reports == [Progress("Finding people", i + 1, COUNT) for i in range(COUNT)]
    assert len(tracked.frames) == COUNT and tracked.frames.fps == 30 and tracked.frames.size == (96, 64)
    (person,) = tracked.people
    assert person.visible.all() and person.keypoints_3d is not None
    assert np.allclose(person.keypoints[7, 23:25, 0].mean(), 40.7, atol=0.05)
    assert detector.closed == 1 and set(tracked.seconds) == {"start detector", "find people"}


def test_a_second_run_reads_the_cache(film, detector, tmp_path):
    first = detect_and_track(request(film, cache=str(tmp_path)))
    detector.calls.clear()
    second = detect_and_track(request(film, cache=str(tmp_path)))
    assert detector.calls == []
    assert first.people[0].portrait is not None and np.array_equal(first.people[0].portrait, second.people[0].portrait)
    assert np.array_equal(first.people[0].keypoints, second.people[0].keypoints)
    assert first.lines is not None and np.array_equal(first.lines.ends, second.lines.ends) and len(first.lines.rows)
    assert np.array_equal(first.frames.timestamps, second.frames.timestamps) and first.frames.fps == second.frames.fps
    part = detect_and_track(request(film, cache=str(tmp_path), frames=(5, 20)))
    assert detector.calls == []  # the cache of the whole clip has it
    assert np.array_equal(part.people[0].keypoints, first.people[0].keypoints[5:20])


def test_a_clip_that_is_solved_again_says_when_it_had_to_be_detected_again(film, detector, tmp_path):
    again = request(film, cache=str(tmp_path), frames=(0, 20), known_contacts=("edited.npz",))
    gone, stored = detect_and_track(again), detect_and_track(again)
    assert [warning.name for warning in gone.warnings] == ["observations-gone"]
    assert stored.warnings == () and len(detector.calls) == 20
    assert detect_and_track(replace(again, known_contacts=(), frames=(0, 10))).warnings == ()


def test_a_run_resumes_after_an_interruption(film, detector, tmp_path):
    whole = detect_and_track(request(film)).people[0]
    detector.calls.clear()

    def cancel(progress):
        if progress.done == 150:
            raise CancelledError

    with pytest.raises(CancelledError):
        detect_and_track(request(film, cache=str(tmp_path)), cancel)
    assert detector.closed == 2
    assert len(detector.calls) == 150
    detector.calls.clear()
    resumed = detect_and_track(request(film, cache=str(tmp_path)))
    assert [row for row, _ in detector.calls] == list(range(150, COUNT))
    assert detector.calls[0][1] == 1  # the person is still tracked
    assert np.array_equal(resumed.people[0].keypoints, whole.keypoints)
    assert len(resumed.frames) == COUNT
    # The first of the new frames has none before it, of which the background could be known.
    assert resumed.background is not None and resumed.background.shape == (COUNT, 3) and np.isnan(resumed.background[150]).all()


def test_footage_without_people_is_an_error(film, detector):
    detector.finds_nobody = True
    with pytest.raises(NobodyFoundError, match="no person was found in its 30 frames") as caught:
        detect_and_track(request(film, frames=(0, 30)))
    assert caught.value.remedy and caught.value.exit_code == 3


def test_an_unknown_detector_is_refused_with_the_choices(film):
    with pytest.raises(InputError, match="keypoints, mediapipe, rtmlib"):
        detect_and_track(request(film, detector="magic"))


def test_draft_looks_at_every_second_frame_and_keeps_all_times(film, detector, tmp_path):
    draft = request(film, quality="draft", frames=(0, 31), cache=str(tmp_path))
    first = detect_and_track(draft)
    assert [row for row, _ in detector.calls] == list(range(16)) and first.looked_at.step == 2
    np.testing.assert_allclose(first.frames.timestamps, np.arange(16) / 15, atol=1e-6)
    np.testing.assert_allclose(first.looked_at.all_times, np.arange(31) / 30, atol=1e-6)
    assert first.frames.fps == 30 and len(first.people[0]) == 16
    again = detect_and_track(draft)
    assert len(detector.calls) == 16 and np.array_equal(again.looked_at.all_times, first.looked_at.all_times)
    standard = detect_and_track(replace(draft, quality="standard"))  # not from the cache of the draft
    assert len(detector.calls) == 16 + 31 and standard.looked_at.is_every
    assert np.array_equal(standard.people[0].keypoints[::2], first.people[0].keypoints)


def test_an_interrupted_draft_goes_on_with_all_times(film, detector, tmp_path):
    def stop(progress):
        if progress.done == 120:
            raise CancelledError("test-error", "", "")

    draft = request(film, quality="draft", cache=str(tmp_path))
    with pytest.raises(CancelledError):
        detect_and_track(draft, stop)
    resumed = detect_and_track(draft)
    assert [row for row, _ in detector.calls] == list(range(130))
    np.testing.assert_allclose(resumed.looked_at.all_times, np.arange(COUNT) / 30, atol=1e-6)
    assert np.array_equal(resumed.people[0].keypoints, detect_and_track(replace(draft, cache=None)).people[0].keypoints)
