"""The add-on registered as Blender would, a scene to work in, and a backend that does as it is told."""

import bpy
import pytest

import blender_meshrec
from blender_meshrec.bridge.messages import Result
from blender_meshrec.ui import jobs
from tests.people import recovered, tube_man


class ScriptedClient:
    """A client whose backend has prepared its answers: one list of messages a poll."""

    def __init__(self, polls):
        self.polls = list(polls)
        self.cancelled = False

    def poll(self):
        return self.polls.pop(0) if self.polls else []

    def cancel(self):
        self.cancelled = True


@pytest.fixture
def addon():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    blender_meshrec.register()
    yield bpy.context.scene.meshrec
    blender_meshrec.unregister()


@pytest.fixture
def backend(monkeypatch):
    """A function that prepares what the next job's backend says; `requests` collects what it was asked."""
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
    tubes = tube_man()
    recoveries = tuple(recovered(tubes, frames=30, fps=25.0, seed=seed) for seed in (0, 1))
    return Result(recoveries, (1, 2), {"warnings": ["The clip is cut off."]})


@pytest.fixture
def tubes(monkeypatch):
    """The body of tubes wherever a body file is asked for."""
    from blender_meshrec.ui import operators

    template = tube_man()
    monkeypatch.setattr(operators, "load_body", lambda source: template)
    return template
