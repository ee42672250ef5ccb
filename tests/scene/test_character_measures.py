"""`scripts.evaluate.characters`: the slide and the depth of the skin of feet."""

import numpy as np
import pytest

from blender_meshrec.retarget.source.files import read_performance
from blender_meshrec.scene.context import mesh_data
from blender_meshrec.scene.retargeting.retarget import plan_retarget
from scripts.evaluate.characters import foot_vertices, measure_skin
from tests.conftest import ROOT
from tests.support.blender_characters import make_character

FRAMES = 40
TIMES = np.arange(FRAMES) / 20


def test_slides_and_depths_are_those_of_skin_that_touches():
    """A foot that drifts at 10 cm/s and is 3 mm deep, with a tip 5 cm up that is twice as fast; in swing it is 12 mm deep and faster."""
    left, right = np.zeros((FRAMES, 2, 3)), np.zeros((FRAMES, 2, 3))
    touching = np.arange(FRAMES) < 30
    left[..., 0] = np.outer(np.where(touching, 0.1, 1.0), [1, 2]) * TIMES[:, None]
    left[:, :, 2] = np.where(touching[:, None], [-0.003, 0.05], [-0.012, 0.05])
    contacts = np.zeros((FRAMES, 4), bool)
    contacts[:30, :2] = True
    flat, lowest, swing, contact = measure_skin({"left": left, "right": right}, contacts, TIMES)
    assert flat == pytest.approx(10) and lowest == pytest.approx(10)
    assert swing == pytest.approx(12) and contact == pytest.approx(3)
    contacts[:, 1] = False  # on its heel alone the foot is not flat
    flat, lowest, *_ = measure_skin({"left": left, "right": right}, contacts, TIMES)
    assert np.isnan(flat) and lowest == pytest.approx(10)


def test_the_skin_of_feet_is_found_by_its_weights():
    """The lowest vertices of either side, and none above the shins' lower ends."""
    armature, body = make_character()
    plan = plan_retarget(armature, read_performance(ROOT / "scripts" / "demo_clip_truth.npz"))
    rows = foot_vertices(plan, armature, [body])[body]
    heights = np.array([vertex.co.z for vertex in mesh_data(body).vertices])
    for side, sign in (("left", 1), ("right", -1)):
        assert heights[rows[side]].min() == pytest.approx(heights.min(), abs=0.01)
        assert heights[rows[side]].max() < 0.25
        assert all(sign * body.data.vertices[row].co.x > 0 for row in rows[side])
