"""Footage that was converted to a faster rate: every fifth frame repeats the picture before it, and people move as evenly as before."""

import av
import numpy as np
import pytest

from blender_meshrec.backend.pipeline import recover
from blender_meshrec.backend.tracking import detect_and_track
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.metrics import jitter
from blender_meshrec.core.quality_levels import QualityLevel
from tests.conftest import ROOT
from tests.support.footage_files import write_video

CLIP, COUNT, RATE = ROOT / "scripts" / "demo_clip.mp4", 60, 25


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The demo clip as it was filmed, at a rate faster by a quarter, and the latter with its frames taken as they come."""
    folder = tmp_path_factory.mktemp("repeated")
    with av.open(str(CLIP)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame, _row in zip(container.decode(video=0), range(COUNT))]
    rows = [int(0.8 * frame) for frame in range(COUNT * 5 // 4)]
    converted = write_video(folder / "converted.mp4", [pictures[row] for row in rows], fps=1.25 * RATE)
    filmed = write_video(folder / "filmed.mp4", pictures, fps=RATE)
    with pytest.MonkeyPatch.context() as patch:
        # In every frame: one of two frames of the converted clip is not one of two pictures, and what is interpolated trembles less.
        patch.setattr(QualityLevel, "second_look_step", lambda level, rate: 1)
        found = [recover(ReconstructRequest(str(path))) for path in (filmed, converted)]
        patch.setattr(detect_and_track, "rows_of_new_pictures", lambda matches, timestamps: np.arange(len(timestamps)))
        return [*found, recover(ReconstructRequest(str(converted)))]


def test_repeated_frames_are_counted_and_told(results):
    filmed, converted, _as_they_come = (result.report for result in results)
    assert filmed["frames_repeated"] <= 1 and not filmed["warnings"]
    assert converted["frames_read"] == converted["quality"]["frames_looked_at"] == 75
    assert 12 <= converted["frames_repeated"] <= 15
    (warning,) = [warning for warning in converted["warnings"] if warning.name == "frames-repeated"]
    assert "converted.mp4 only repeat" in warning
    assert warning.values["share"] == pytest.approx(100 * converted["frames_repeated"] / 75)


def test_every_frame_has_a_motion_and_nobody_halts(results):
    filmed, converted, as_they_come = (result.recoveries[0] for result in results)
    assert len(converted) == 75 and converted.visible.all()
    np.testing.assert_allclose(np.diff(converted.timestamps), 1 / (1.25 * RATE), atol=1e-3)
    before, behind, halting = (jitter(recovery.joints, recovery.timestamps) for recovery in (filmed, converted, as_they_come))
    assert behind < 1.15 * before and behind < 0.8 * halting


def test_the_motion_is_the_same(results):
    filmed, converted, _as_they_come = (result.recoveries[0] for result in results)
    relative = [recovery.joints.astype(float) - recovery.joints[:, :1] for recovery in (filmed, converted)]
    rows = np.arange(0, 72, 5)  # frames that show pictures 0, 4, 8, ... in both
    apart = np.linalg.norm(relative[1][rows] - relative[0][rows * 4 // 5], axis=-1)
    assert apart.mean() < 0.02  # m
