"""The Ray engine on a local cluster of two nodes, each a process: all clips are done, also if a worker is killed. Skipped without Ray."""

import contextlib
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from blender_meshrec.cli import program
from blender_meshrec.core.files.motion_npz import read_motion

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


def test_without_ray_the_command_says_how_to_get_it(takes, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert program.main(["batch", "takes", "-o", "out", "--engine", "ray"]) == 4
    assert "pip install ray" in capsys.readouterr().err


def test_an_address_without_ray_is_refused(takes, capsys):
    assert program.main(["batch", "takes", "-o", "out", "--address", "10.0.0.1:6379"]) == 2
    assert "--engine ray" in capsys.readouterr().err


@pytest.fixture
def cluster(backend):
    """A cluster of two nodes of one core each; FAKE_BACKEND is what it was when the cluster started."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    backend("work 2")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()


def kill_the_worker_of_the_first_clip(folder, killed):
    """Kill the process of the worker that began the first clip, as soon as it has."""
    end = time.monotonic() + 120
    while time.monotonic() < end and not killed:
        with contextlib.suppress(OSError, ValueError):
            begun = [json.loads(line) for line in Path(folder, "journal.jsonl").read_text().splitlines()]
            if any(event["event"] == "begin" for event in begun):
                time.sleep(0.7)
                pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
                for pid in pids:
                    words = Path(f"/proc/{pid}/cmdline").read_bytes()
                    if words.startswith(b"ray::NodeWorker"):
                        os.kill(pid, signal.SIGKILL)
                        killed.append(pid)
                        break
        time.sleep(0.05)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the worker's process in /proc")
def test_all_clips_are_done_although_a_worker_is_killed(cluster, takes, journal, summary, capsys):
    killed = []
    thread = threading.Thread(target=kill_the_worker_of_the_first_clip, args=("out", killed), daemon=True)
    thread.start()
    words = ["--engine", "ray", "--address", cluster.address, "--progress", "json"]
    assert program.main(["batch", "takes", "-o", "out", *words]) == 0
    thread.join(10)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    workers = [event for event in events if event["event"] == "worker"]
    assert killed and len(workers) >= 3  # two, and the one that replaced the killed one
    assert len(journal("retry")) == 1 and len({event["clip"] for event in journal("end")}) == len(journal("end")) == 5
    assert summary()["counts"]["done"] == 5 and next(event for event in events if event["event"] == "batch")["workers"] == 2
    assert all(np.array_equal(read_motion("out/a.npz").poses, read_motion(f"out/{name}.npz").poses) for name in "bcde")
    assert program.main(["batch", "takes", "-o", "out"]) == 0 and len(journal("end")) == 5  # the local engine reads the same journal
