"""Fixtures: the registered add-on with an empty scene, a scripted backend, a result, and a synthetic body."""

import bpy
import numpy as np
import pytest

import blender_meshrec
from blender_meshrec.bridge.interpreters import Device, Interpreter
from blender_meshrec.bridge.messages import Result
from blender_meshrec.ui.jobs import jobs
from blender_meshrec.ui.setup import setup_state
from tests.support.synthetic_bodies import make_recovery, make_tube_body


class ScriptedClient:
    """A backend client with prepared messages: one list for each poll."""

    def __init__(self, polls):
        self.polls = list(polls)
        self.cancelled = False

    def poll(self):
        return self.polls.pop(0) if self.polls else []

    def cancel(self):
        self.cancelled = True


class FinishedProbe:
    """An EnvironmentProbe that has ended, with the given attributes."""

    running = False

    def __init__(self, **attributes):
        self.backend, self.stamp, self.is_current, self.is_partial, self.error = None, {}, True, False, None
        self.interpreter = Interpreter("/usr/bin/python3.11", (3, 11, 7), "linux-x86_64")
        self.device = Device("cpu", "processor", "")
        vars(self).update(attributes)


INSTALLED = {"backend": "/home/env/bin/python", "stamp": {"python": "3.11.7", "device": "cpu", "packages": 34}}


@pytest.fixture
def addon(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))  # where corrections of unsaved files lie
    bpy.ops.wm.read_factory_settings(use_empty=True)
    blender_meshrec.register()
    setup_state.environment_probe = FinishedProbe(**INSTALLED)
    yield bpy.context.scene.meshrec
    blender_meshrec.unregister()


@pytest.fixture
def backend(monkeypatch):
    """A function that prepares the messages of the next job's backend, one list for each poll; `requests` collects the requests."""
    requests = []

    def prepare(*polls):
        client = ScriptedClient(polls)

        def start(request, python):
            requests.append(request)
            return client

        monkeypatch.setattr(jobs, "start_client", start)
        return client

    prepare.requests = requests
    return prepare


@pytest.fixture(scope="session")
def result():
    tubes = make_tube_body()
    recoveries = tuple(make_recovery(tubes, frames=30, fps=25.0, seed=seed) for seed in (0, 1))
    people = [
        {
            "person": number,
            "frames_with_person": int(recovery.visible.sum()),
            "reprojection_px": 4.2,
            "reprojection_share_of_box": 0.013 * number,
            "jitter": 4.7,
            "foot_slide_before_cm_s": 5.13,
            "foot_slide_after_cm_s": 0.42,
        }
        for number, recovery in enumerate(recoveries, 1)
    ]
    report = {
        "input": "/clip.mp4",
        "people_found": 3,
        "found": [{"person": number, "frames_with_person": 30} for number in (1, 2, 3)],
        "frames_read": 30,
        "people": people,
        "seconds": {"find people": 1.25},
        "warnings": ["The clip is cut off."],
        "versions": {"meshrec": "1.0", "cv2": None},
    }
    portraits = (np.full((64, 64, 3), (200, 100, 50), np.uint8), None, np.zeros((64, 64, 3), np.uint8))
    return Result(recoveries, (1, 2), report, portraits)


@pytest.fixture
def tubes(monkeypatch):
    """The synthetic body of tubes, which replaces every body file."""
    from blender_meshrec.ui.jobs import scene_making

    template = make_tube_body()
    monkeypatch.setattr(scene_making, "load_body", lambda source: template)
    return template
