"""Which axis of a file is up: what the format says, what the body shows, and where the doubt is told."""

from types import SimpleNamespace

import numpy as np
import pytest

from blender_meshrec.retarget.source.smpl_up import WORLD_FROM_FILE, choose_up


def person(trunk, lowest, pelvis, frames=5):
    """Joints (F,24,3) m: the trunk's direction, and by axis the lowest coordinate of all joints and the pelvis's coordinate."""
    joints = np.zeros((frames, 24, 3)) + pelvis
    joints[:, 12] += 0.5 * np.array(trunk, float)
    joints[:, 10] = lowest
    return joints


def choose(stored_up, joints, up="auto"):
    axis, notes = choose_up(SimpleNamespace(up=stored_up), joints, up, "a.npz")
    return axis, [note.name for note in notes]


UPRIGHT_Z, UPRIGHT_Y, UPSIDE_DOWN_Y = (0, 0.1, 1), (0, 1, 0.1), (0, -1, 0.1)
FAR = (-5.0, -5.0, -5.0)  # m, far below any floor


@pytest.mark.parametrize("trunk", [UPRIGHT_Z, UPRIGHT_Y, UPSIDE_DOWN_Y])
@pytest.mark.parametrize("stored_up", ["z", "y", "-y", None])
def test_the_user_decides_first_and_then_a_format_with_another_axis(trunk, stored_up):
    joints = person(trunk, FAR, FAR)
    for up in ("y", "z"):
        assert choose(stored_up, joints, up) == (up, [])
    if stored_up in ("y", "-y"):
        assert choose(stored_up, joints) == (stored_up, [])


@pytest.mark.parametrize("stored_up", ["z", None])
@pytest.mark.parametrize("trunk", [(0, 0.1, 1), (0, 0.1, -1), (0, 0.999, 1), (0, 1, 1), (1, 0, 0)])
def test_a_body_along_z_has_z_up(stored_up, trunk):
    assert choose(stored_up, person(trunk, FAR, FAR)) == ("z", [])


def test_a_median_over_frames_decides():
    joints = np.concatenate([person(UPRIGHT_Z, FAR, FAR, 4), person(UPRIGHT_Y, FAR, FAR, 3)])
    assert choose("z", joints) == ("z", [])
    assert choose(None, joints[1:][::-1]) != choose(None, joints[2:])


def lying(y, z, pelvis_z, trunk=UPRIGHT_Y):
    return person(trunk, (0, y, z), (0, y + 1, pelvis_z))


STANDS_IN_Y = "smpl-up-is-y"
LIES = "smpl-person-lies"


@pytest.mark.parametrize(
    "y, z, pelvis_z, trunk, expected",
    [
        (0, -1, 0.5, UPRIGHT_Y, ("y", [STANDS_IN_Y])),
        (0.19, -1, 0.5, UPRIGHT_Y, ("y", [STANDS_IN_Y])),
        (-0.19, -1, 0.5, UPRIGHT_Y, ("y", [STANDS_IN_Y])),
        (0.21, -1, 0.5, UPRIGHT_Y, ("z", [LIES])),
        (-0.21, -1, 0.5, UPRIGHT_Y, ("z", [LIES])),
        (0, -1, 0.5, UPSIDE_DOWN_Y, ("z", [LIES])),
        # On the plane z = 0, or a little above it, the person may lie.
        (0, -0.09, 0.5, UPRIGHT_Y, ("z", [LIES])),
        (0, -0.11, 0.5, UPRIGHT_Y, ("y", [STANDS_IN_Y])),
        (0, 0.99, 1.5, UPRIGHT_Y, ("z", [LIES])),
        (0, 1.01, 1.5, UPRIGHT_Y, ("y", [STANDS_IN_Y])),
        (0, 0, 0.06, UPRIGHT_Y, ("z", [LIES])),
        (0, 0, 0.04, UPRIGHT_Y, ("y", [STANDS_IN_Y])),
    ],
)
def test_a_body_along_y_in_a_file_whose_format_says_z(y, z, pelvis_z, trunk, expected):
    """It stands only if it stands on the plane y = 0 and would lie off the floor z = 0."""
    assert choose("z", lying(y, z, pelvis_z, trunk)) == expected


@pytest.mark.parametrize(
    "y, z, pelvis_z, trunk, expected",
    [
        (1, 0, 0.1, UPRIGHT_Y, ("z", [])),  # on the floor z = 0, and far from the plane y = 0
        (0, 0, 0.1, UPRIGHT_Y, ("y", ["smpl-up-guessed"])),
        (1, 0.5, 0.6, UPRIGHT_Y, ("y", ["smpl-up-guessed"])),
        (1, -0.15, 0.6, UPRIGHT_Y, ("y", ["smpl-up-guessed"])),
        (1, 0, 0.1, UPSIDE_DOWN_Y, ("z", [])),
        (5, -5, 0.1, UPSIDE_DOWN_Y, ("-y", ["smpl-up-guessed"])),
    ],
)
def test_a_body_along_y_in_a_file_that_says_nothing(y, z, pelvis_z, trunk, expected):
    assert choose(None, lying(y, z, pelvis_z, trunk)) == expected


@pytest.mark.parametrize("axis, up", [("z", (0, 0, 1)), ("y", (0, 1, 0)), ("-y", (0, -1, 0))])
def test_the_axis_becomes_the_worlds_z_without_mirroring(axis, up):
    rotation = WORLD_FROM_FILE[axis]
    assert np.allclose(rotation @ up, [0, 0, 1]) and np.isclose(np.linalg.det(rotation), 1)
