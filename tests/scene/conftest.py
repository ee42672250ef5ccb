"""Every scene test starts from an empty file."""

import bpy
import pytest

from blender_meshrec.core.errors import ModelError
from blender_meshrec.core.files.body_template import load_body
from tests.support.synthetic_bodies import make_recovery, make_tube_body


@pytest.fixture(autouse=True)
def empty_file():
    bpy.ops.wm.read_factory_settings(use_empty=True)


@pytest.fixture(scope="session", params=["tube man", "open body"])
def template(request):
    """A synthetic body of tubes, and the body that ships with the add-on, if its file is there."""
    if request.param == "tube man":
        return make_tube_body()
    try:
        return load_body("open")
    except ModelError as error:
        pytest.skip(error.problem)


@pytest.fixture(scope="session")
def tubes():
    return make_tube_body()


@pytest.fixture(scope="session")
def recovery(template):
    return make_recovery(template)
