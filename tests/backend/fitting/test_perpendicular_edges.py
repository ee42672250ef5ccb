"""Edges of a room that the test makes, as a camera of known lens and tilt sees them."""

import numpy as np
import pytest

from blender_meshrec.backend.fitting.perpendicular_edges import find_perpendicular_edges, zoomed
from blender_meshrec.backend.fitting.tilt_from_lines import (
    LEVEL_CHANCE,
    LEVEL_STEP,
    LEVEL_TEMPER,
    PITCHES,
    ROLLS,
    contradicts,
    edge_evidence,
    tilt_likelihood,
    up_of_tilt,
)
from blender_meshrec.core.cameras import intrinsics_of_focal_length
from tests.support.room_edges import room_edges

SIZE = (1088, 1920)
INTRINSICS = intrinsics_of_focal_length(1680.0, SIZE)
PITCH, ROLL = 22.0, 26.0  # degrees


def edges(**options):
    return room_edges(INTRINSICS, (PITCH, ROLL), **options)


@pytest.mark.parametrize("wrong", [0.75, 1.31])
def test_a_room_tells_the_lens(wrong):
    """A third of its edges point anywhere; from a wrong lens the right one is found within 4 %."""
    found = find_perpendicular_edges(edges(askew=15), zoomed(INTRINSICS, np.log(wrong)), None, 0.2)
    assert found.zoom == pytest.approx(-np.log(wrong), abs=0.04) and found.zoom_sigma < 0.08


def test_the_tilt_of_a_camera_that_is_far_from_level_is_told():
    """Where level edges speak for a tilt, vertical ones are not needed; a level camera is then out of the question."""
    lines = edges(directions=(0, 2), each=25)
    found = find_perpendicular_edges(lines, INTRINSICS, None, 0.0)
    pitch, roll = np.unravel_index(found.level.argmax(), found.level.shape)
    assert np.degrees(PITCHES[LEVEL_STEP * pitch]) == pytest.approx(PITCH, abs=3.1)
    assert np.degrees(ROLLS[LEVEL_STEP * roll]) == pytest.approx(ROLL, abs=3.1)
    up, level = (up_of_tilt(*np.radians(angles)) for angles in ([PITCH, ROLL], [PITCH, 0.0]))
    alone, both = (edge_evidence(lines, INTRINSICS, None, 0.0, perpendicular) for perpendicular in (None, found))
    assert contradicts(both, up, level) and not contradicts(alone, up, level)


def test_other_edges_do_not_speak_of_the_lens():
    """Edges that point anywhere leave it open, and so does one direction alone."""
    for lines in (edges(askew=60, each=0), edges(directions=(1,), each=150)):
        found = find_perpendicular_edges(lines, INTRINSICS, None, 0.2)
        assert found is None or found.zoom_sigma > 0.15


def test_level_edges_count_between_the_tilts_that_were_tried():
    lines = edges(each=20)
    found = find_perpendicular_edges(lines, INTRINSICS, None, 0.0)
    with_level, without = (tilt_likelihood(edge_evidence(lines, INTRINSICS, None, 0.0, level), PITCHES, ROLLS) for level in (found, None))
    gain = with_level - without
    np.testing.assert_allclose(gain[::LEVEL_STEP, ::LEVEL_STEP], np.logaddexp(LEVEL_TEMPER * found.level - LEVEL_CHANCE, 0), atol=1e-9)
    best = np.unravel_index(with_level.argmax(), gain.shape)
    assert np.degrees(PITCHES[best[0]]) == pytest.approx(PITCH, abs=1.1) and np.degrees(ROLLS[best[1]]) == pytest.approx(ROLL, abs=1.1)


def test_few_edges_say_nothing():
    assert find_perpendicular_edges(edges(each=7), INTRINSICS, None, 0.2) is None
