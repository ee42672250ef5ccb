"""A batch of clips for the scripted backend."""

import json
from pathlib import Path

import pytest

from blender_meshrec.cli import program


@pytest.fixture
def takes(backend):
    """A folder with five empty clips; the backend answers at once."""
    backend("nobody")
    folder = Path("takes")
    folder.mkdir()
    for name in ("a", "b", "c", "d", "e"):
        (folder / f"{name}.mp4").write_text(name)
    return folder


@pytest.fixture
def run(takes):
    """A function that runs the batch into `out`; returns its exit code."""

    def run_batch(*words):
        return program.main(["batch", "takes", "-o", "out", "--workers", "1", *words])

    return run_batch


@pytest.fixture
def journal():
    """A function that reads the journal's events of a kind."""

    def events(kind, folder="out"):
        lines = Path(folder, "journal.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == kind]

    return events


@pytest.fixture
def summary():
    """A function that reads the summary."""
    return lambda folder="out": json.loads(Path(folder, "summary.json").read_text())
