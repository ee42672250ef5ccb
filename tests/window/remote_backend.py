"""The real backend for a Blender in the window: it runs in the test's own process, and the two exchange files of a folder of both."""

import json
import os
from dataclasses import replace
from pathlib import Path

from blender_meshrec.backend.pipeline import recover
from blender_meshrec.bridge.messages import ReconstructRequest, request_from_text
from blender_meshrec.core.files.motion_npz import write_motion
from scripts.window.window import MATERIAL_FOLDER, Window

_PATHS = ("source", "corrections")
# Blender's side: a request is written to a file, and the answer's file is waited for.
CLIENT = f"""
import json, sys, tempfile
from pathlib import Path
sys.path.insert(0, {MATERIAL_FOLDER!r})
import blender_meshrec
blender_meshrec.register()
import blender_meshrec.ui.jobs.jobs as jobs
from blender_meshrec.bridge.messages import Progress, Result, request_to_text
from blender_meshrec.core.files.motion_npz import read_motion
folder = Path({MATERIAL_FOLDER!r})
tempfile.tempdir = str(folder)  # the files of corrections, which the backend reads

class Client:
    def __init__(self, request):
        (folder / "answer.json").unlink(missing_ok=True)
        (folder / "request.part").write_text(request_to_text(request))
        (folder / "request.part").rename(folder / "request.json")

    def poll(self):
        if not (folder / "answer.json").exists():
            return []
        answer = json.loads((folder / "answer.json").read_text())
        recoveries = tuple(read_motion(folder / name) for name in answer["motions"])
        return [Result(recoveries, tuple(answer["people"]), answer["report"])]

    def cancel(self):
        pass

jobs.start_client = lambda request, python: Client(request)
watch_panels("blender_meshrec")
"""


class RemoteBackend:
    """Answers the requests of a Window whose material lies in a folder."""

    def __init__(self, window: Window, material: Path) -> None:
        self._window, self._material = window, material

    def answer(self, seconds: float = 60) -> None:
        """Do the job that a click has begun, and wait until Blender has made its scene."""
        self._window.wait_until("jobs.is_running()", seconds)
        file = self._material / "request.json"
        request = self._outside(request_from_text(file.read_text()))
        file.unlink()
        result = recover(request)
        names = [f"answer{number}.npz" for number in result.people]
        for name, recovery in zip(names, result.recoveries, strict=True):
            write_motion(self._material / name, replace(recovery, footage=self._inside(recovery.footage)))
        answer = {"motions": names, "people": list(result.people), "report": result.report}
        part = self._material / "answer.part"
        part.write_text(json.dumps(answer, default=str))
        os.replace(part, self._material / "answer.json")
        self._window.wait_until("not jobs.is_running()", seconds)
        assert self._window.evaluate("str(jobs.current.error or '')") == "", self._window.log()

    def _outside(self, request: ReconstructRequest) -> ReconstructRequest:
        """A request with the paths as they are outside of the window."""
        paths = {name: value.replace(MATERIAL_FOLDER, str(self._material)) for name in _PATHS if (value := getattr(request, name))}
        betas = tuple(path.replace(MATERIAL_FOLDER, str(self._material)) for path in request.betas)
        return replace(request, betas=betas, cache=None, **paths)

    def _inside(self, path: str) -> str:
        return path.replace(str(self._material), MATERIAL_FOLDER)
