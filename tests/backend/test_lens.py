"""The lens: whose focal length counts, what a right and a wrong one do to the depth, and what the report says."""

import json
from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend import pipeline
from blender_meshrec.backend.fitting.clip_solve import weights
from blender_meshrec.backend.lens import choose_lens
from blender_meshrec.backend.tracking.detect_and_track import detect_and_track
from blender_meshrec.backend.tracking.observation_cache import ObservationLog
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.cameras import default_intrinsics, transform_points
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.records import FootageInfo
from tests.support import synthetic_gait
from tests.support.room_edges import room_edges

TIMES = np.arange(40) / 30
VIEW = synthetic_gait.make_view(distance=5, pitch=0.15)
FOCAL = VIEW.intrinsics[0, 0]
WRONG = (0.7, 1.3)  # times the right focal length
FRAMES = FootageInfo("a.mp4", np.zeros(1), 30.0, (1280, 720))


def request(**options):
    return ReconstructRequest("a.mp4", **options)


def test_the_given_lens_counts_before_the_metadata_and_that_before_the_assumed_one():
    stated = replace(FRAMES, focal=1000.0, focal_sigma=0.15)
    given = choose_lens(request(focal="1200px"), stated)
    assert (given.intrinsics[0, 0], given.sigma, given.source) == (1200, 0, "given")
    metadata = choose_lens(request(), stated)
    assert (metadata.intrinsics[0, 0], metadata.sigma, metadata.source) == (1000, 0.15, "metadata")
    solved = choose_lens(request(sensor=36.0), FRAMES)
    assert (solved.sigma, solved.source) == (weights.LENS_SIGMA, "solved")
    np.testing.assert_allclose(solved.intrinsics, default_intrinsics(FRAMES.size))
    assert choose_lens(request(focal="18", sensor=24.0), FRAMES).intrinsics[0, 0] == pytest.approx(18 / 24 * 1280)


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """Somebody who walks towards the camera, as a file of exact keypoints, and their truth."""
    truth = synthetic_gait.walk(TIMES)
    return synthetic_gait.write_keypoints(tmp_path_factory.mktemp("keypoints") / "walk.npz", truth, VIEW), truth


@pytest.fixture(scope="module")
def results(walk):
    """The walk reconstructed with the right focal length, and with wrong ones: {factor: Result}."""
    return {factor: pipeline.recover(ReconstructRequest(str(walk[0]), focal=f"{factor * FOCAL:.3f}px")) for factor in (1.0, *WRONG)}


def pelvis_depth(result):
    """(F,) m, before the camera."""
    recovery = result.recoveries[0]
    return transform_points(recovery.camera_from_world, recovery.joints)[:, 0, 2]


def test_with_the_right_focal_length_the_depth_is_right(results, walk):
    assert np.median(pelvis_depth(results[1.0]) / VIEW.joints(walk[1].pelvis[:, None])[:, 0, 2]) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("factor", WRONG)
def test_with_a_wrong_focal_length_the_depth_errs_as_much(results, factor):
    """A person of known size whose picture has a given size is as far away as the focal length is long; the picture still fits."""
    wrong, right = results[factor], results[1.0]
    np.testing.assert_allclose(pelvis_depth(wrong) / pelvis_depth(right), factor, rtol=0.05)
    walked = [np.ptp(pelvis_depth(result)) for result in (wrong, right)]
    assert (walked[0] / walked[1] - 1) / (factor - 1) == pytest.approx(1, abs=0.6)  # contacts of the feet hold the path back
    stature = [np.ptp(result.recoveries[0].joints[0, :, 2]) for result in (wrong, right)]
    assert stature[0] / stature[1] == pytest.approx(1, abs=0.05)
    assert wrong.report["people"][0]["reprojection_share_of_box"] < 0.01


@pytest.mark.parametrize("factor", (1.0, *WRONG))
def test_a_given_focal_length_is_kept_and_reported(results, factor):
    result = results[factor]
    assert result.recoveries[0].camera_intrinsics[0, 0] == pytest.approx(factor * FOCAL, abs=0.001)
    expected = {
        "focal_px": round(factor * FOCAL, 1),
        "focal_35mm": pytest.approx(factor * 43.27, abs=0.01),
        "source": "given",
        "sigma": 0.0,
    }
    assert json.loads(json.dumps(result.report["lens"])) == expected


def test_metadata_is_near_the_result_and_a_solved_lens_is_said_to_be(walk, monkeypatch):
    """The same keypoints, as if their file stated a lens 30 % too long, that surely."""
    stated = ReconstructRequest(str(walk[0]))
    monkeypatch.setattr(
        pipeline, "choose_lens", lambda request, frames: choose_lens(request, replace(frames, focal=1.3 * FOCAL, focal_sigma=0.01))
    )
    result = pipeline.recover(stated)
    assert result.report["lens"]["source"] == "metadata" and result.report["lens"]["sigma"] == 0.01
    assert result.report["lens"]["focal_px"] == pytest.approx(1.3 * FOCAL, rel=0.04)
    assert result.recoveries[0].camera_intrinsics[0, 0] == pytest.approx(result.report["lens"]["focal_px"], abs=0.1)
    monkeypatch.undo()
    solved = pipeline.recover(stated).report["lens"]
    assert (solved["source"], solved["sigma"]) == ("solved", None)  # that before the solve is not that of its result
    assert solved["focal_35mm"] == pytest.approx(solved["focal_px"] / FOCAL * 43.27, abs=0.05)


@pytest.mark.parametrize("focal", ["2mm", "9000mm", "10px", "wide"])
def test_a_lens_that_does_not_exist_is_refused_before_the_work(walk, focal, monkeypatch):
    monkeypatch.setattr(ObservationLog, "for_footage", lambda *arguments: pytest.fail("the work has begun"))
    with pytest.raises(InputError):
        detect_and_track(ReconstructRequest(str(walk[0]), focal=focal))


def test_a_lens_that_nobody_gives_is_that_of_the_edges_of_a_room(walk, monkeypatch):
    """The camera stands askew to the room; from the assumed lens, 1.5 times as long, the depth would be, too. A given lens stays."""
    tracked = pipeline.detect_and_track
    lines = room_edges(VIEW.intrinsics, (np.degrees(0.15), 0.0), each=20)
    monkeypatch.setattr(pipeline, "detect_and_track", lambda *arguments: replace(tracked(*arguments), lines=lines))
    found = pipeline.recover(ReconstructRequest(str(walk[0])))
    lens = found.report["lens"]
    assert lens["source"] == "edges" and lens["focal_px"] == pytest.approx(FOCAL, rel=0.05) and 0 < lens["sigma"] < 0.12
    assert np.median(pelvis_depth(found) / VIEW.joints(walk[1].pelvis[:, None])[:, 0, 2]) == pytest.approx(1, abs=0.1)
    given = pipeline.recover(ReconstructRequest(str(walk[0]), focal="1200px"))
    assert given.report["lens"]["source"] == "given" and given.report["lens"]["focal_px"] == 1200
