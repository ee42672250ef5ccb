"""BVH files of recovered people: with or without joints that move from their parents."""

import pytest

from blender_meshrec.core.files.bvh import write_bvh
from blender_meshrec.core.files.recovery_bvh import write_recovery_bvh
from tests.support.synthetic_bodies import make_recovery, make_tube_body, motion_of, with_calibrated_joints

TEMPLATE = make_tube_body(posedirs=False)


@pytest.mark.parametrize("is_calibrated", [True, False])
@pytest.mark.parametrize("stretch", [True, False])
def test_the_file_is_that_of_the_persons_motion(tmp_path, is_calibrated, stretch):
    recovery = make_recovery(TEMPLATE, frames=3)
    recovery = with_calibrated_joints(recovery) if is_calibrated else recovery
    write_recovery_bvh(tmp_path / "a.bvh", recovery, TEMPLATE, stretch)
    write_bvh(tmp_path / "b.bvh", motion_of(recovery, TEMPLATE))
    content = (tmp_path / "a.bvh").read_bytes()
    assert (content == (tmp_path / "b.bvh").read_bytes()) == (stretch or not is_calibrated)
    assert (content.count(b"CHANNELS 6") > 1) == (stretch and is_calibrated)
