"""Every weight of the whole-clip solve has its place in the table that newcomers read."""

import re

import numpy as np

from blender_meshrec.backend.fitting.clip_solve import weights
from tests.conftest import ROOT


def test_the_table_of_residuals_names_every_sigma():
    """docs/how_it_works.md names the sigmas of weights.py, and no others."""
    text = (ROOT / "docs" / "how_it_works.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z_]*SIGMAS?)`", text))
    assert named == {name for name in vars(weights) if re.search("SIGMAS?$", name)}


def test_sigmas_are_positive():
    for name, value in vars(weights).items():
        if re.search("SIGMAS?$", name):
            values = list(value.values()) if isinstance(value, dict) else np.atleast_1d(value)
            assert (np.asarray(values, float) > 0).all(), name
