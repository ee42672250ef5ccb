"""A backend whose `recover` does what the request's method, or FAKE_BACKEND, names; started by path instead of launch.py."""

import importlib.util
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))
spec = importlib.util.spec_from_file_location("launch", ROOT / "blender_meshrec" / "backend" / "launch.py")
launch = importlib.util.module_from_spec(spec)
spec.loader.exec_module(launch)
launch.import_package()

from blender_meshrec.backend import worker  # noqa: E402
from blender_meshrec.bridge.messages import Progress, Result  # noqa: E402
from blender_meshrec.core import errors  # noqa: E402
from blender_meshrec.core.files.body_template import load_body  # noqa: E402
from blender_meshrec.core.files.point_cache import write_point_cache  # noqa: E402
from tests.support.synthetic_bodies import make_recovery, make_tube_body, with_calibrated_joints  # noqa: E402


def make_result(request, frames=20):
    body = make_tube_body(posedirs=False)
    count = 2 if request.person == "all" else 1
    people = tuple(range(1, count + 1)) if request.person in ("all", "largest") else (int(request.person),)
    recoveries = tuple(make_recovery(body, frames=frames, seed=seed) for seed in range(count))
    return Result(recoveries, people, {"input": request.source, "warnings": ["A warning."], "seconds": {"finding people": 0.1}})


def make_calibrated_result(request):
    """The result of a method that calibrates: joints, and if requested surfaces, every vertex at its person's number."""
    result = make_result(request)
    vertices = len(load_body("open").v_template)
    for number, recovery in zip(result.people, result.recoveries):
        if request.surface:
            surface = np.full((len(recovery), vertices, 3), number, np.float32)
            write_point_cache(f"{request.surface}.person{number}.pc2", vertices, len(recovery), [surface])
    return replace(result, recoveries=tuple(with_calibrated_joints(recovery) for recovery in result.recoveries))


def work(words, request, on_progress):
    for frame in range(2, 101):
        on_progress(Progress("Finding people", frame, 100))
        time.sleep(float(words[1]) / 100)
    on_progress(Progress("Fitting", 1, 1, "people"))


def start_child(words, request, on_progress):
    child = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", "import time; time.sleep(600)"])
    on_progress(Progress(f"child {child}", 1, 1))
    time.sleep(600)


def find_nobody(words, request, on_progress):
    if "nobody" in request.source:
        raise errors.NobodyFoundError("test-error", "Nobody is here.", "Choose other footage.")


def exit_with_code(words, request, on_progress):
    print("the last words", file=sys.stderr, flush=True)
    os._exit(int(words[1]))


def raise_project_error(words, request, on_progress):
    raise getattr(errors, words[1])("test-error", "It is so.", "Do this.")


def raise_python_error(words, request, on_progress):
    raise {"ValueError": ValueError("boom"), "MemoryError": MemoryError(), "ImportError": ImportError("no libGL", name="cv2")}[words[1]]


def exhaust_gpu(words, request, on_progress):
    import torch

    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def print_text(words, request, on_progress):
    print("stray text of Python")
    os.write(1, b"stray text of native code " * 100)
    assert os.read(0, 10) == b""


def flood_stderr(words, request, on_progress):
    for _ in range(200):
        os.write(2, b"x" * 65536)
    os.write(2, b"the end of the flood")
    os.abort()


def write_garbage(words, request, on_progress):
    os.write(PROTOCOL, b"this is not a message, whatever it is")
    time.sleep(600)


def cut_message(words, request, on_progress):
    os.write(PROTOCOL, b"MREC\x01\0\0\0\xff\0\0\0")
    os.kill(os.getpid(), signal.SIGKILL)


# Actions by the first word of a request's method; each returns its own Result, or None for the default one.
ACTIONS = {
    "work": work,
    "long": lambda words, request, _: make_result(request, int(words[1])),
    "calibrate": lambda words, request, _: make_calibrated_result(request),
    "sleep": lambda *_: time.sleep(600),
    "child": start_child,
    "nobody": find_nobody,
    "signal": lambda words, *_: os.kill(os.getpid(), getattr(signal, words[1])),
    "exit": exit_with_code,
    "error": raise_project_error,
    "raise": raise_python_error,
    "gpu": exhaust_gpu,
    "print": print_text,
    "flood": flood_stderr,
    "garbage": write_garbage,
    "cut": cut_message,
}


def recover(request, on_progress):
    words = os.environ.get("FAKE_BACKEND", request.method).split()
    if "FAKE_BACKEND_PID" in os.environ:
        Path(os.environ["FAKE_BACKEND_PID"]).write_text(str(os.getpid()))
    on_progress(Progress("Finding people", 1, 100))
    action = ACTIONS.get(words[0])
    return (action and action(words, request, on_progress)) or make_result(request)


claim = worker.claim_pipes


def claim_and_keep_protocol():
    global PROTOCOL
    pipes = claim()
    PROTOCOL = pipes[1].fileno()
    return pipes


worker.claim_pipes = claim_and_keep_protocol
worker.main(recover)
