"""Quality Draft end to end: every frame has a motion, feet stand still in it, and the report says what was looked at."""

import numpy as np
import pytest

from blender_meshrec.backend.pipeline import recover
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.conventions import standard_fps
from blender_meshrec.core.corrections import BadRange, Corrections, PersonCorrections
from blender_meshrec.core.files.corrections import write_corrections
from blender_meshrec.core.files.motion_npz import read_motion, write_motion
from blender_meshrec.core.metrics import jitter
from tests.conftest import ROOT

CLIP, TRUTH = ROOT / "scripts" / "demo_clip.mp4", ROOT / "scripts" / "demo_clip_truth.npz"
FRAMES = (0, 61)


@pytest.fixture(scope="module")
def results():
    return {quality: recover(ReconstructRequest(str(CLIP), frames=FRAMES, quality=quality)) for quality in ("draft", "standard")}


def test_a_draft_has_every_frame(results):
    (draft,), (standard,) = (results[quality].recoveries for quality in ("draft", "standard"))
    assert len(draft) == len(standard) == 61 and draft.mocap_framerate == standard_fps(standard.mocap_framerate)
    np.testing.assert_allclose(draft.timestamps, standard.timestamps, atol=1e-6)
    assert draft.visible.all() and np.isfinite(draft.poses).all() and np.isfinite(draft.joints).all()


def test_the_report_says_what_was_looked_at(results):
    draft, standard = (results[quality].report for quality in ("draft", "standard"))
    assert draft["quality"] == {"name": "draft", "refiners": [], "frames_looked_at": 31} and draft["frames_read"] == 61
    assert standard["quality"] == {"name": "standard", "refiners": ["dik-network", "silhouettes"], "frames_looked_at": 61}
    assert [warning.name for warning in draft["warnings"] if "Draft" in warning] == ["draft-frames-interpolated"]
    assert not [warning for warning in standard["warnings"] if "Draft" in warning]
    for report in (draft, standard):
        assert report["people"][0]["frames_with_person"] == 61 and report["people"][0]["reprojection_share_of_box"] < 0.02
    assert set(draft["people"][0]["worst_frames"]) <= set(range(0, 61, 2))


def test_the_frames_between_are_as_good_as_those_looked_at(results):
    (draft,) = results["draft"].recoveries
    truth = np.asarray(read_motion(TRUTH).joints[:61], float)
    joints = np.asarray(draft.joints, float)
    errors = np.linalg.norm((joints - joints[:, :1]) - (truth - truth[:, :1]), axis=-1).mean(-1)
    assert errors[1::2].mean() < errors[::2].mean() + 0.003  # m
    assert jitter(draft.joints, draft.timestamps) < 25  # 10 m/s^3; linear interpolation makes it far jerkier


def test_feet_in_contact_stand_still_in_every_frame(results):
    from blender_meshrec.core.metrics import foot_slide
    from blender_meshrec.core.skeletons import SMPL_JOINTS

    (draft,) = results["draft"].recoveries
    toes = draft.joints[:, [SMPL_JOINTS.index(f"{side}_{part}") for side in ("left", "right") for part in ("foot", "foot")]]
    assert (draft.contacts > 0.5).any()
    assert foot_slide(np.asarray(toes, float), np.where(draft.contacts > 0.5, 1.0, 0.0) * [0, 1, 0, 1], draft.timestamps) < 1.5  # cm/s


def test_a_draft_at_another_rate_has_even_times():
    (slow,) = recover(ReconstructRequest(str(CLIP), frames=(0, 21), quality="draft", fps=10.0)).recoveries
    np.testing.assert_allclose(slow.timestamps, np.arange(len(slow)) / 10)
    assert len(slow) == 9 and slow.mocap_framerate == 10


def test_frames_that_no_correction_concerns_stay_as_they_are(results, tmp_path):
    (earlier,) = results["draft"].recoveries
    write_motion(tmp_path / "earlier.npz", earlier)
    person = PersonCorrections(1, (BadRange(30, 34, "left_arm"),), (), (), str(tmp_path / "earlier.npz"))
    write_corrections(tmp_path / "corrections.json", Corrections(CLIP.name, (person,)))
    request = ReconstructRequest(str(CLIP), frames=FRAMES, quality="draft", corrections=str(tmp_path / "corrections.json"))
    (corrected,) = recover(request).recoveries
    moved = np.abs(corrected.joints - earlier.joints).max((1, 2))
    assert not moved[:10].any() and not moved[55:].any() and moved[30:35].max() > 0.001  # frames looked at and those between
    assert np.array_equal(corrected.poses[:10], earlier.poses[:10]) and np.array_equal(corrected.trans[55:], earlier.trans[55:])
