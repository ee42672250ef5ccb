"""Fixtures every test may use. Material from outside the repository is optional: tests that want it skip without it."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the backend is launched: its matrices are small

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


def _folder_or_skip(name):
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"no shared {name} beside this checkout")
    return folder


@pytest.fixture(scope="session")
def template():
    """The open body at rest."""
    from blender_meshrec.core.files.body_template import load_body

    return load_body("open")


@pytest.fixture(scope="session")
def body(template):
    """The open body in torch."""
    from blender_meshrec.bodies.make_body import make_body

    return make_body(template)


@pytest.fixture(scope="session")
def surface(template):
    """Points on the open body's skin."""
    from blender_meshrec.bodies.silhouette_rendering import SurfacePoints

    return SurfacePoints(template)


@pytest.fixture(scope="session")
def skel():
    """The open SKEL body in torch."""
    from blender_meshrec.bodies.skel import Skel
    from blender_meshrec.core.skel.template import load_skel

    return Skel(load_skel("open"))


@pytest.fixture(scope="session")
def shared_media():
    """Real footage beside the checkout."""
    return _folder_or_skip("media")


@pytest.fixture(scope="session")
def shared_mocap():
    """Motion capture beside the checkout."""
    return _folder_or_skip("mocap")


@pytest.fixture(scope="session")
def recordings(shared_mocap):
    """Its Recordings, read as training reads them."""
    from scripts.train.data.recordings import read_recordings

    return read_recordings(shared_mocap)


@pytest.fixture(scope="session")
def recorded_joints(recordings):
    """Joints (F,17,3) m h36m17 of each of the Recordings, y up, by their number, as training takes them."""
    from scripts.train.data.motion_clips import clip_from_recording

    return lambda number: clip_from_recording(recordings[number]).points()[:, :17].astype(float)


@pytest.fixture(scope="session")
def shared_vectors():
    """Small files with known answers beside the checkout."""
    return _folder_or_skip("facts/vectors")


@pytest.fixture(scope="session")
def shared_rigs():
    """Character rigs beside the checkout."""
    return _folder_or_skip("rigs")


@pytest.fixture(scope="session")
def shared_cases():
    """Small inputs that failed in the field, beside the checkout."""
    return _folder_or_skip("cases")


@pytest.fixture(scope="session")
def shared_facts():
    """Tables of facts beside the checkout."""
    return _folder_or_skip("facts")
