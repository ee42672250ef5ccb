"""`--person all` leaves out people who may be nobody, or whose body does not explain the footage, and says so."""

import numpy as np
import pytest

from blender_meshrec.backend.doubtful import unexplained
from blender_meshrec.backend.pipeline import recover
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.verdict import LIMITS
from tests.support.synthetic_keypoints import animate_stick_figure, project_orthographic

RATE, FRAMES = 10, 30


@pytest.fixture(scope="module")
def statue_and_walkers(tmp_path_factory):
    """A file of 2D keypoints: somebody who walks on the spot, a larger statue, and somebody small whose points are noise."""
    times, rng = np.arange(FRAMES) / RATE, np.random.default_rng(0)
    walker = project_orthographic(animate_stick_figure(times, turn=0.5), (400, 350), 180)
    statue = project_orthographic(animate_stick_figure(np.zeros(FRAMES), turn=-0.4), (800, 350), 200)
    noise = project_orthographic(animate_stick_figure(times), (1100, 350), 90)
    noise[..., :2] += rng.normal(0, 15, noise[..., :2].shape)
    path = tmp_path_factory.mktemp("statue") / "people.npz"
    keypoints = np.stack([walker, statue, noise], 1)
    np.savez(path, keypoints=keypoints, keypoint_set="blazepose33", image_size=(1280, 720), fps=RATE)
    return path


def recover_all(path, **options):
    return recover(ReconstructRequest(str(path), person="all", quality="draft", **options))


def test_doubtful_people_are_left_out_of_all_and_the_report_says_why(statue_and_walkers):
    result = recover_all(statue_and_walkers)
    walker = next(entry["person"] for entry in result.report["people"])
    assert result.people == (walker,) and len(result.recoveries) == 1
    assert result.report["people_found"] == 3
    left_out = {entry["person"]: [reason.name for reason in entry["reasons"]] for entry in result.report["left_out"]}
    assert left_out.keys() | {walker} == {1, 2, 3} and len(left_out) == 2
    assert ["doubt-still"] in left_out.values()
    warned = {warning.values["person"] for warning in result.report["warnings"] if getattr(warning, "name", "") == "person-left-out"}
    assert warned == set(left_out)


def test_doubtful_people_are_included_when_asked_for(statue_and_walkers):
    result = recover_all(statue_and_walkers, include_doubtful=True)
    assert sorted(result.people) == [1, 2, 3] and result.report["left_out"] == []


def test_a_single_person_by_number_is_never_left_out(statue_and_walkers):
    statue = next(e["person"] for e in recover_all(statue_and_walkers).report["left_out"] if e["reasons"][0].name == "doubt-still")
    result = recover(ReconstructRequest(str(statue_and_walkers), person=str(statue), quality="draft"))
    assert result.people == (statue,) and result.report["left_out"] == []


def test_a_body_is_unexplained_from_the_limit_on_at_which_it_is_bad():
    bad = {limit.name: limit.bad for limit in LIMITS}
    assert unexplained({"off_picture": 0.99 * bad["off_picture"], "unseen": 100.0, "feet_unseen": 100.0, "odd_shape": None}) == ()
    reasons = unexplained({"off_picture": 1.1 * bad["off_picture"], "jumps": 3 * bad["jumps"]})
    assert [reason.name for reason in reasons] == ["verdict-jumps", "verdict-off-picture"]
