"""A backend whose `recover` performs the action named by the request's method or FAKE_BACKEND; started by path instead of launch.py."""

import importlib.util
import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))
spec = importlib.util.spec_from_file_location("launch", ROOT / "blender_meshrec" / "backend" / "launch.py")
launch = importlib.util.module_from_spec(spec)
spec.loader.exec_module(launch)
launch.import_package()

from blender_meshrec.backend import worker  # noqa: E402
from blender_meshrec.bridge.messages import Progress, ReconstructRequest, Result  # noqa: E402
from blender_meshrec.core import errors  # noqa: E402
from blender_meshrec.core.files.body_template import load_body  # noqa: E402
from blender_meshrec.core.files.people_file import people_to_text, read_people  # noqa: E402
from blender_meshrec.core.files.point_cache import write_point_cache  # noqa: E402
from tests.support.people_lists import make_people  # noqa: E402
from tests.support.synthetic_bodies import make_recovery, make_tube_body, with_calibrated_joints  # noqa: E402

OnProgress = Callable[[Progress], None]


def make_result(request: ReconstructRequest, frames: int = 20) -> Result:
    """A result with one person, or two for "all"."""
    body = make_tube_body(posedirs=False)
    count = 2 if request.person == "all" else 1
    people = tuple(range(1, count + 1)) if request.person in ("all", "largest") else (int(request.person),)
    recoveries = tuple(make_recovery(body, frames=frames, seed=seed) for seed in range(count))
    textures = tuple(make_texture(number) for number in people) if request.texture else ()
    report = {"input": request.source, "warnings": ["A warning."], "seconds": {"finding people": 0.1}}
    listed = read_people(request.people_list) if request.people_list and os.path.exists(request.people_list) else make_people()
    if request.only_find:
        recoveries = people = textures = ()
    return Result(recoveries, people, report, textures=textures, people_text=people_to_text(listed))


def make_texture(number: int) -> np.ndarray | None:
    """What stands for the content of a person's texture: a PNG's first bytes and the number; None for a third person and later ones."""
    return np.frombuffer(b"\x89PNG\r\n\x1a\n" + bytes([number]), np.uint8) if number < 3 else None


def make_calibrated_result(request: ReconstructRequest) -> Result:
    """A result with calibrated joints and, if requested, surfaces whose coordinates are the person's number."""
    result = make_result(request)
    vertices = len(load_body("open").v_template)
    for number, recovery in zip(result.people, result.recoveries):
        if request.surface:
            surface = np.full((len(recovery), vertices, 3), number, np.float32)
            write_point_cache(f"{request.surface}.person{number}.pc2", vertices, len(recovery), [surface])
    return replace(result, recoveries=tuple(with_calibrated_joints(recovery) for recovery in result.recoveries))


def work(words: list[str], request: ReconstructRequest, on_progress: OnProgress) -> None:
    """Report progress over a number of seconds."""
    for frame in range(2, 101):
        on_progress(Progress("Finding people", frame, 100))
        time.sleep(float(words[1]) / 100)
    on_progress(Progress("Fitting", 1, 1, "people"))


def start_child(words: list[str], request: ReconstructRequest, on_progress: OnProgress) -> None:
    """Start a child process and wait."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    on_progress(Progress(f"child {child.pid}", 1, 1))
    time.sleep(600)


def start_child_with_the_pipe(words, request, on_progress):
    """A child, for `escape` in a session of its own, that holds the pipe of the messages for half a minute."""
    command = [sys.executable, "-c", "import time; time.sleep(30)"]
    child = subprocess.Popen(command, start_new_session=words[0] == "escape", pass_fds=(PROTOCOL,))
    on_progress(Progress(f"child {child.pid}", 1, 1))
    if words[1:] == ["exit"]:
        os._exit(7)
    time.sleep(600)


def write_impossible_array(words, request, on_progress):
    text = {"kind": "Result", "fields": {"report": {"a": {"$array": 0}}}, "arrays": [["<f8", [2**33, 2**33, 0]]]}
    encoded = json.dumps(text).encode()
    os.write(PROTOCOL, struct.pack("<4sHHIQ", b"MREC", 1, 0, len(encoded), 0) + encoded)
    time.sleep(600)


def flood_progress(words, request, on_progress):
    for number in range(int(words[1])):
        on_progress(Progress(f"stage {number}", 1, 100))


def find_nobody(words: list[str], request: ReconstructRequest, on_progress: OnProgress) -> None:
    """Raise NobodyFoundError for sources named so."""
    if "nobody" in request.source:
        raise errors.NobodyFoundError("test-error", "Nobody is here.", "Choose other footage.")


def exit_with_code(words: list[str], request: ReconstructRequest, on_progress: OnProgress) -> None:
    """End the process with an exit code."""
    print("the last words", file=sys.stderr, flush=True)
    os._exit(int(words[1]))


def raise_project_error(words: list[str], request: ReconstructRequest, on_progress: OnProgress) -> None:
    """Raise an error of the project."""
    raise getattr(errors, words[1])("test-error", "It is so.", "Do this.")


def raise_python_error(words: list[str], request: ReconstructRequest, on_progress: OnProgress) -> None:
    """Raise an unexpected error."""
    raise {"ValueError": ValueError("boom"), "MemoryError": MemoryError(), "ImportError": ImportError("no libGL", name="cv2")}[words[1]]


def exhaust_gpu(words: list[str], request: ReconstructRequest, on_progress: OnProgress) -> None:
    """Raise the error of a full graphics card."""
    import torch

    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def print_text(words: list[str], request: ReconstructRequest, on_progress: OnProgress) -> None:
    """Print to standard output, and check that standard input is empty."""
    print("stray text of Python")
    os.write(1, b"stray text of native code " * 100)
    assert os.read(0, 10) == b""


def flood_stderr(words: list[str], request: ReconstructRequest, on_progress: OnProgress) -> None:
    """Write much to standard error, and abort."""
    for _ in range(200):
        os.write(2, b"x" * 65536)
    os.write(2, b"the end of the flood")
    os.abort()


def write_garbage(words: list[str], request: ReconstructRequest, on_progress: OnProgress) -> None:
    """Write bytes to the protocol that are no message."""
    os.write(PROTOCOL, b"this is not a message, whatever it is")
    time.sleep(600)


def cut_message(words: list[str], request: ReconstructRequest, on_progress: OnProgress) -> None:
    """Write the start of a message, and end."""
    os.write(PROTOCOL, b"MREC\x01\0\0\0\xff\0\0\0")
    os.kill(os.getpid(), signal.SIGKILL)


# Actions by the first word of a request's method; each returns its own Result, or None for the default one.
ACTIONS = {
    "work": work,
    "long": lambda words, request, _: make_result(request, int(words[1])),
    "calibrate": lambda words, request, _: make_calibrated_result(request),
    "sleep": lambda *_: time.sleep(600),
    "child": start_child,
    "escape": start_child_with_the_pipe,
    "hold": start_child_with_the_pipe,
    "impossible": write_impossible_array,
    "progress": flood_progress,
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


def recover(request: ReconstructRequest, on_progress: OnProgress) -> Result:
    """Perform the action."""
    words = os.environ.get("FAKE_BACKEND", request.method).split()
    if "FAKE_BACKEND_PID" in os.environ:
        Path(os.environ["FAKE_BACKEND_PID"]).write_text(str(os.getpid()))
    on_progress(Progress("Finding people", 1, 100))
    action = ACTIONS.get(words[0])
    return (action and action(words, request, on_progress)) or make_result(request)


claim = worker.claim_pipes


def claim_and_keep_protocol() -> Any:
    """Claim the pipes, and remember the protocol pipe."""
    global PROTOCOL
    pipes = claim()
    PROTOCOL = pipes[1].fileno()
    return pipes


worker.claim_pipes = claim_and_keep_protocol
worker.main(recover)
