"""A new reconstruction takes over what was corrected of the earlier results of its clip."""

import contextlib
from dataclasses import replace

import bpy

from ...bridge.messages import ReconstructRequest, is_calibrated_method
from ...core.errors import MeshRecError
from ...core.files.corrections import read_corrections
from ...scene.corrections.corrections import save_corrections, stored_corrections_file
from ...scene.takes.earlier_results import is_result


def with_saved_corrections(request: ReconstructRequest, footage: str) -> ReconstructRequest:
    """A request with the file of the corrections of its clip, if there is one; edits on the scene's people are saved to it first."""
    if not footage:
        return request
    for person in [obj for obj in bpy.data.objects if is_result(obj) and obj.get("footage") == footage]:
        # Its action may be another one, or the file cannot be written; then what was saved before counts.
        with contextlib.suppress(MeshRecError):
            save_corrections([person])
    path = stored_corrections_file(footage)
    if path is None or is_calibrated_method(request.method):
        return request
    try:
        has_any = any(read_corrections(path).people)
    except MeshRecError:
        return request
    return replace(request, corrections=str(path)) if has_any else request
