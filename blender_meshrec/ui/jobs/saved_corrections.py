"""A new reconstruction takes over what was corrected of the earlier results of its clip."""

from dataclasses import replace

import bpy

from ...bridge.messages import ReconstructRequest, is_calibrated_method
from ...core.errors import MeshRecError
from ...core.files.corrections import read_corrections
from ...scene.corrections.corrections import save_corrections, stored_corrections_file


def with_saved_corrections(request: ReconstructRequest, footage: str) -> ReconstructRequest:
    """A request with the file of the corrections of its clip, if there is one; edits on the scene's people are saved to it first."""
    people = [obj for obj in bpy.data.objects if obj.type == "ARMATURE" and footage and obj.get("footage") == footage and "quality" in obj]
    for person in people:
        try:
            save_corrections([person])
        except (MeshRecError, OSError):
            continue  # its action is another one, or the file cannot be written; what was saved before counts
    path = stored_corrections_file(footage) if footage else None
    if path is None or is_calibrated_method(request.method):
        return request
    try:
        has_any = any(read_corrections(path).people)
    except MeshRecError:
        return request
    return replace(request, corrections=str(path)) if has_any else request
