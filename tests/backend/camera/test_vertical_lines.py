"""Vertical edges of the background: found in pictures that the test draws, stored, and read as the tilt of a camera."""

import cv2
import numpy as np
import pytest

from blender_meshrec.backend.camera.vertical_lines import (
    FIRST_STEP,
    MAX_EDGES,
    LineFinder,
    VerticalLines,
    find_all_edges,
    find_edges,
    join_edges,
    pack_edges,
    unpack_edges,
)
from blender_meshrec.backend.fitting.tilt_from_lines import (
    contradicts,
    count_telling_edges,
    edge_evidence,
    level_by_edges,
    tilt_likelihood,
    tilt_of_up,
    up_of_tilt,
)
from blender_meshrec.backend.fitting.tilt_posterior import Balance, TiltEvidence, most_probable_tilt
from blender_meshrec.core.cameras import intrinsics_of_focal_length, project
from blender_meshrec.core.rotations import rotmat_from_rotvec

SIZE = (640, 360)
INTRINSICS = intrinsics_of_focal_length(700.0, SIZE)


def picture(*lines, size=SIZE, grey=140):
    image = np.full((size[1], size[0], 3), grey, np.uint8)
    for start, end in lines:
        cv2.line(image, start, end, (20, 20, 20), 5, cv2.LINE_AA)
    return image


def camera_from_level(pitch, roll, heading=0.0):
    level_from_camera = rotmat_from_rotvec([-pitch, 0, 0]) @ rotmat_from_rotvec([0, 0, roll])
    return level_from_camera.T @ rotmat_from_rotvec([0, heading, 0])


def seen(points, rotation):
    """Segments (E,2,3) m about the camera, y down, as the edges that it sees in frame 0; the upper end first."""
    pixels = project(np.asarray(points, float) @ rotation.T, INTRINSICS).reshape(-1, 4)
    pixels = np.where((pixels[:, 1] > pixels[:, 3])[:, None], pixels[:, [2, 3, 0, 1]], pixels)
    return VerticalLines(np.zeros(len(pixels), int), pixels, 1.0)


def poles(count, seed=0, lean=0.0):
    """Vertical segments (E,2,3) ahead of the camera, above and below it; lean: rad, standard deviation."""
    generator = np.random.default_rng(seed)
    place = np.stack([generator.uniform(-2.2, 2.2, count), np.zeros(count), generator.uniform(4, 7, count)], -1)
    lower, upper = (generator.uniform(*limits, count)[:, None] for limits in ((0.2, 1.2), (-1.4, -0.6)))
    slant = np.tan(generator.normal(0, lean, (count, 2))) if lean else np.zeros((count, 2))
    return np.stack([place + height * np.column_stack([-slant[:, 0], np.ones(count), -slant[:, 1]]) for height in (lower, upper)], 1)


def lanes(count=12):
    """Lines on a floor 1.3 m below the camera that run away from it (E,2,3)."""
    across = np.linspace(-2, 2, count)
    return np.stack([np.column_stack([across, np.full(count, 1.3), np.full(count, depth)]) for depth in (3.0, 12.0)], 1)


def tilt(lines, balances=(), view=None):
    return most_probable_tilt(TiltEvidence(list(balances), [], edge_evidence(lines, INTRINSICS, view)))


def degrees_off(found, pitch, roll):
    return np.abs(np.degrees(found.tilt - [pitch, roll]))


# --- what is found in a picture ---------------------------------------------------------------------------------------


def test_upright_edges_of_the_background_are_found():
    """Both sides of a pole, to a pixel; no line that lies, none on a person, none that is short."""
    image = picture(((200, 60), (210, 300)), ((40, 330), (600, 340)), ((450, 100), (450, 250)), ((300, 40), (300, 50)))
    edges = find_edges(image, [np.array([420.0, 60.0, 480.0, 340.0])]) / 32
    assert len(edges) == 2
    assert np.abs(edges[:, [0, 2]] - [200, 210]).max() < 4 and np.abs(edges[:, [1, 3]] - [60, 300]).max() < 6
    assert (edges[:, 1] < edges[:, 3]).all()


def test_large_pictures_are_looked_at_small_and_give_their_own_pixels():
    image = cv2.resize(picture(((200, 60), (200, 300))), (2560, 1440), interpolation=cv2.INTER_CUBIC)
    lines = join_edges([None, find_edges(image, [])], (2560, 1440))
    assert lines.pixel == 4 and set(lines.rows) == {1}
    assert np.abs(lines.ends[:, [0, 2]] - 802).max() < 16
    assert np.abs(lines.ends[:, [1, 3]] - [240, 1200]).max() < 24


def test_the_sides_of_the_picture_are_no_edges():
    """A picture between bars, as of upright footage in a wide frame."""
    image = picture(((300, 60), (300, 300)))
    image[:, :100] = image[:, 500:] = 0
    assert np.abs(find_edges(image, [])[:, 0] / 32 - 300).max() < 6


def test_pictures_without_edges_give_none():
    assert find_edges(picture(), []).shape == (0, 4)
    assert find_edges(np.zeros((1, 1, 3), np.uint8), []).shape == (0, 4)
    noise = np.random.default_rng(0).integers(0, 255, (360, 640, 3)).astype(np.uint8)
    assert len(find_edges(noise, [])) <= MAX_EDGES


# --- when it is looked for, and how it is stored ----------------------------------------------------------------------


def test_each_shot_is_looked_at_from_its_first_frame_on_and_ever_less_often():
    finder, image = LineFinder(), picture(((200, 60), (200, 300)))
    looks = [row for row in range(2000) if finder.update(image, row in (0, 1000), []) is not None]
    before, after = ([row for row in looks if (row >= 1000) == is_after] for is_after in (False, True))
    assert before[:2] == [0, FIRST_STEP] and after[0] == 1000 and after[1] == 1000 + FIRST_STEP
    assert len(before) < 22 and (np.diff(np.diff(before)) >= 0).all()


def test_a_frame_that_cannot_be_read_is_looked_at_later():
    finder, image = LineFinder(), picture(((200, 60), (200, 300)))
    assert finder.update(None, True, []) is None
    assert finder.update(image, False, []) is not None


def test_edges_are_stored_and_read_back():
    kept = [np.arange(8, dtype=np.int16).reshape(2, 4), None, np.zeros((0, 4), np.int16), None, np.full((1, 4), -7, np.int16)]
    again = unpack_edges(pack_edges(kept), 5)
    assert [edges is None for edges in again] == [edges is None for edges in kept]
    assert all(np.array_equal(a, b) for a, b in zip(again, kept) if a is not None)
    assert unpack_edges({}, 3) == [None] * 3  # of an earlier version
    assert join_edges([None] * 3, SIZE) is None
    lines = join_edges(kept, SIZE)
    assert list(lines.rows) == [0, 0, 4] and list(lines.within(1, 5).rows) == [4]


@pytest.mark.parametrize("broken", [{"edge_counts": np.array([1, 2])}, {"edge_counts": np.array([-2, 4])}, {"edge_ends": np.zeros((1, 4))}])
def test_edges_that_are_not_of_these_frames_are_refused(broken):
    whole = pack_edges([np.zeros((2, 4), np.int16), None])
    with pytest.raises(ValueError, match="edges"):
        unpack_edges({**whole, **broken}, 2)


# --- the tilt ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pitch", "roll"), [(0.0, 0.0), (0.2, 0.05), (-0.15, -0.1), (0.6, 0.0)])
def test_vertical_edges_tell_pitch_and_roll(pitch, roll):
    """Degrees."""
    found = tilt(seen(poles(16), camera_from_level(pitch, roll)))
    assert degrees_off(found, pitch, roll)[0] < 0.6 and degrees_off(found, pitch, roll)[1] < 0.2
    assert (np.degrees(found.sigma) < [4.0, 1.2]).all()


def test_up_and_tilt_are_inverse():
    up = up_of_tilt(np.array(0.3), np.array(-0.2))
    np.testing.assert_allclose(camera_from_level(0.3, -0.2) @ [0, -1, 0], up, atol=1e-12)
    np.testing.assert_allclose(tilt_of_up(up), [0.3, -0.2], atol=1e-12)


def test_lines_that_run_away_over_the_floor_do_not_mislead():
    """Alone they tell nothing; beside a few poles these count. Degrees."""
    rotation = camera_from_level(0.2, 0.04)
    alone = tilt(seen(lanes(), rotation))
    assert (np.degrees(alone.sigma) > [12, 3]).all() and abs(np.degrees(alone.tilt[0])) < 15
    both = tilt(seen(np.concatenate([lanes(), poles(10)]), rotation))
    assert degrees_off(both, 0.2, 0.04)[0] < 2 and degrees_off(both, 0.2, 0.04)[1] < 0.5


def test_a_few_edges_are_not_trusted():
    few, many = (tilt(seen(poles(count), camera_from_level(0.2, 0.05))).sigma for count in (2, 20))
    assert few[0] > 3 * many[0] and few[1] > 2 * many[1]


def test_edges_that_lean_are_known_less_well():
    """Forests: the errors are about as large as their standard deviations, which are larger than those of a house."""
    house = tilt(seen(poles(25), camera_from_level(0.1, 0.0))).sigma
    forests = [tilt(seen(poles(25, seed, lean=np.radians(4)), camera_from_level(0.1, 0.0))) for seed in range(10)]
    assert np.median([forest.sigma for forest in forests], 0)[1] > 1.5 * house[1]
    assert np.sqrt(np.mean([((forest.tilt - [0.1, 0]) / forest.sigma) ** 2 for forest in forests])) < 2


def test_two_modes_are_as_unsure_as_they_are_far_apart():
    """Half of the edges are upright at a tilt of 0.2 rad, and as many at -0.2."""
    ends = [seen(poles(10, seed), camera_from_level(pitch, 0.0)).ends for seed, pitch in ((1, 0.2), (2, -0.2))]
    both = tilt(VerticalLines(np.zeros(20, int), np.concatenate(ends), 1.0))
    one = tilt(VerticalLines(np.zeros(10, int), ends[0], 1.0))
    assert both.sigma[0] > 2 * one.sigma[0]


def test_the_same_edge_in_many_frames_counts_once():
    lines = seen(poles(6), camera_from_level(0.2, 0.05))
    again = VerticalLines(np.repeat(np.arange(8), 6), np.tile(lines.ends, (8, 1)), 1.0)
    np.testing.assert_allclose(tilt(again).sigma, tilt(lines).sigma, rtol=1e-9)


def test_edges_of_a_turning_camera_are_turned_into_the_view():
    """Frame 1 is turned by 20 degrees and tipped by 5 against the view, whose tilt is asked for."""
    view, turned = camera_from_level(0.2, 0.0), camera_from_level(0.29, 0.02, heading=0.35)
    lines = seen(poles(16), turned)
    lines = VerticalLines(lines.rows + 1, lines.ends, 1.0)
    found = tilt(lines, view=np.stack([np.eye(3), turned @ view.T]))
    assert degrees_off(found, 0.2, 0.0)[0] < 0.6 and degrees_off(found, 0.2, 0.0)[1] < 0.3


def test_a_lens_that_is_assumed_wrongly_makes_the_tilt_unsure():
    """Focal lengths 25 % too long: the pitch is found within its standard deviation, which is larger than that of a lens that is known."""
    lines = seen(poles(16), camera_from_level(0.35, 0.0))
    longer = INTRINSICS * [[1.25, 1, 1], [1, 1.25, 1], [1, 1, 1]]
    known, assumed = (
        most_probable_tilt(TiltEvidence([], [], edge_evidence(lines, intrinsics, lens_sigma=sigma)))
        for intrinsics, sigma in ((INTRINSICS, 0.0), (longer, 0.2))
    )
    assert assumed.sigma[0] > 1.3 * known.sigma[0]
    assert degrees_off(assumed, 0.35, 0.0)[0] < np.degrees(assumed.sigma[0])


def test_edges_outweigh_people_who_lean():
    """Somebody leans by 19 degrees in the picture; the edges say that the camera is level. Degrees."""
    leaning = Balance(np.radians([6.0, 19.0]), np.radians([4.0, 2.4]))
    without, with_edges = (tilt(seen(poles(count), np.eye(3)), [leaning]) for count in (0, 16))
    assert degrees_off(with_edges, 0, 0)[1] < 0.5 and degrees_off(with_edges, 0, 0)[0] < 2
    assert abs(np.degrees(without.tilt[1])) < 8  # cameras seldom roll that far, people often lean
    assert without.sigma[1] > 2 * with_edges.sigma[1]


def test_people_average_what_is_their_own_of_their_balance():
    """Errors that all people share stay; strides are each one's own, and two people halve their variance. Degrees."""
    nothing, angles = seen(poles(0), np.eye(3)), np.radians([4.0, 0.0])
    shared = Balance(angles, np.radians([3.0, 1.8]))
    striding = Balance(angles, np.radians([1e-3, 1.8]), np.radians([3.0, 0.0]))
    one, two = ([tilt(nothing, [balance] * count).sigma[0] for balance in (shared, striding)] for count in (1, 2))
    np.testing.assert_allclose(one[0], one[1], rtol=1e-3)
    assert two[0] == pytest.approx(one[0]) and two[1] == pytest.approx(one[1] / np.sqrt(2), rel=0.1)


def test_vertical_edges_level_a_floor_that_slopes():
    true, floor = (up_of_tilt(np.array(pitch), np.array(0.0)) for pitch in (0.1, 0.16))
    up, sigma = level_by_edges(edge_evidence(seen(poles(16), camera_from_level(0.1, 0.0)), INTRINSICS), floor, 0.05)
    assert np.arccos(up @ true) < 0.02 and 0.005 < sigma < 0.04
    nothing = edge_evidence(seen(poles(0), camera_from_level(0.1, 0.0)), INTRINSICS)
    same, sigma = level_by_edges(nothing, floor, 0.05)
    assert np.arccos(min(same @ floor, 1.0)) < 0.01 and sigma == pytest.approx(0.05, rel=0.05)


def test_edges_say_what_up_is_not():
    evidence = edge_evidence(seen(poles(16), camera_from_level(0.5, 0.0)), INTRINSICS)
    up, level = up_of_tilt(np.array(0.5), np.array(0.0)), np.array([0.0, -1.0, 0.0])
    assert contradicts(evidence, up, level) and not contradicts(evidence, level, up) and not contradicts(evidence, up, up)
    assert count_telling_edges(evidence, up) == len(evidence.planes[0]) > 10 and count_telling_edges(evidence, level) < 8
    nothing = edge_evidence(seen(np.zeros((0, 2, 3)), np.eye(3)), INTRINSICS)
    assert not contradicts(nothing, up, level) and count_telling_edges(nothing, up) == 0
    assert not tilt_likelihood(nothing, np.array([0, 0.1]), np.zeros(3)).std()


def test_edges_that_lie_come_after_those_that_may_be_vertical():
    """But not those of bars above and below a picture, nor those of its own rim."""
    image = picture(((60, 200), (580, 240)), ((300, 100), (300, 300)))
    image[:60] = image[300:] = 0
    found = find_all_edges(image, []) / 32
    upright = np.abs(found[:, 2] - found[:, 0]) < found[:, 3] - found[:, 1]
    assert upright.any() and (~upright).any() and not upright[upright.argmin() :].any()
    assert (np.abs(found[~upright][:, [1, 3]] - 220) < 26).all()
    lines = join_edges([find_all_edges(image, [])], SIZE)
    assert len(lines.upright.rows) == upright.sum() and (find_edges(image, []) == find_all_edges(image, [])[upright]).all()
