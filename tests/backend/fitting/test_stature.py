"""How odd a body's proportions are: a child's are not, whose betas are far from an adult's."""

import numpy as np
import pytest

from blender_meshrec.backend.fitting.stature import betas_of_stature, oddness, stature


def test_a_child_has_no_odd_proportions(template):
    child = betas_of_stature(template, np.zeros(10), 1.1)
    assert np.abs(child).max() > 5 and oddness(template, child) < 0.5
    assert stature(template, child) == pytest.approx(1.1, abs=1e-3)


@pytest.mark.parametrize("height", [1.1, 1.7, 2.3])
def test_odd_proportions_are_odd_at_any_size(height, template):
    """A girth of six standard deviations; and somebody of 2.3 m is odd in any case."""
    odd = betas_of_stature(template, np.eye(10)[3] * 6, height)
    assert oddness(template, odd) > 5
    assert height < 2 or oddness(template, betas_of_stature(template, np.zeros(10), height)) > 5
