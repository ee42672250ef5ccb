"""`meshrec reconstruct`: footage in, characters out."""

import json
import os
import time
from pathlib import Path

from ...bridge.backend_process import start_job
from ...bridge.messages import Progress, ReconstructRequest
from ...core.catalog import DEFAULT_REFINERS
from ...core.errors import InputError, MeshRecError
from ...core.files.output_file import whole_file
from ...core.files.user_folders import cache_folder
from .. import surfaces
from ..outputs import FORMATS, casting_of, check_outputs, check_report, files_read, people_in, write_outputs


def run(options, console):
    """Reconstruct every input; the highest exit code of them all."""
    targets = targets_of(options.inputs, Path(options.output), options.format)
    surfaces.check_reconstruct(options, [path for paths in targets.values() for path in paths])
    casting = casting_of(options)
    outputs, kept = [path for paths in targets.values() for path in paths], files_read(options)
    check_outputs(outputs, options.blender, keep=kept, cast=casting is not None)
    check_report(options.report, kept, outputs)
    several = len(options.inputs) > 1
    codes, reports = [], []
    try:
        for source, paths in targets.items():
            try:
                reports.append(reconstruct(source, paths, options, console))
                codes.append(0)
            except Exception as error:  # noqa: BLE001 - the inputs after this one are to have their turn
                codes.append(console.fail(error, source, alone=not several))
                reports.append({"input": source, "error": _facts(error, codes[-1])})
    finally:
        if options.report and reports:
            write_report(options.report, reports if several else reports[0])
    return max(codes)


def targets_of(inputs, output, formats):
    """input -> the paths to write: one file, or where `output` is a folder, NAME.format for each format.

    Raises:
        InputError: an input does not exist, is given twice, or several are to become one file.
    """
    for source in inputs:
        if not os.path.exists(source):
            raise InputError(f"There is no file or folder {source}.", "Check the path of the input.")
    if len(set(inputs)) < len(inputs):
        raise InputError("An input is given twice.", "Give each input once.")
    is_folder = os.path.isdir(output) or (len(inputs) > 1 and output.suffix.lower() not in FORMATS)
    if not is_folder:
        if len(inputs) > 1:
            raise InputError(f"{len(inputs)} inputs do not fit into the one file {output}.", "Give a folder to write them into.")
        return {inputs[0]: [output]}
    return {source: [output / f"{_name_of(source)}{suffix}" for suffix in formats] for source in inputs}


def _name_of(source):
    """What an input's outputs are called: a file's name without its suffix, a folder's whole name."""
    path = Path(os.path.abspath(source))
    return path.name if path.is_dir() else path.stem


def reconstruct(source, paths, options, console):
    """Reconstruct one input and write its outputs; returns its report."""
    with surfaces.scratch_prefix(options) as prefix:
        return _reconstruct(source, paths, options, console, prefix)


def _reconstruct(source, paths, options, console, prefix):
    request = request_of(source, options, prefix)
    job = start_job(request, options.python)
    result = job.wait(lambda progress: console.progress(progress, source))
    begun = time.perf_counter()
    outputs = [output for path in paths for output in people_in(path, result.people, options.person == "all")]
    console.progress(Progress("Writing", 0, len(outputs), "files"), source)
    name = _name_of(source)
    settings = {"body": options.body, "preset": options.preset, "blender": options.blender, "casting": casting_of(options)}
    settings.update(skel=options.skel if options.skeleton == "skel" else None, stretch=not options.no_stretch)
    settings["surfaces"] = surfaces.written(prefix, result.people, result.recoveries)
    made = write_outputs(result.recoveries, result.people, outputs, name, **settings)
    written = [str(path) for path in (*(path for path, _people in outputs), *made.surfaces)]
    report = {**result.report, "outputs": written, "warnings": [*result.report.get("warnings", ()), *made.notes]}
    if made.quality:
        report["retarget"] = made.quality
    report["seconds"] = {**result.report.get("seconds", {}), "write outputs": round(time.perf_counter() - begun, 4)}
    for warning in report["warnings"]:
        console.warn(warning, source)
    console.done(source, written)
    return report


def request_of(source, options, surface=None):
    """The ReconstructRequest that the options come down to; paths are made absolute, so that the results keep them.

    surface: the prefix of the files that exact surfaces are to be written to.
    """
    body = options.body if options.body == "open" else os.path.abspath(options.body)
    return ReconstructRequest(
        source=os.path.abspath(source),
        person=options.person,
        frames=options.frames,
        fps=options.fps,
        body=body,
        skeleton=options.skeleton,
        skel_body=options.skel if options.skel == "open" else os.path.abspath(options.skel),
        detector=options.detector,
        method=options.method,
        refine=DEFAULT_REFINERS if options.refine is None else tuple(name for name in options.refine if name != "none"),
        device=options.device,
        smoothing=options.smoothing,
        contacts=not options.no_contacts,
        upright=not options.no_upright,
        cache=None if options.no_cache else os.path.abspath(options.cache or cache_folder()),
        surface=surface,
    )


def write_report(path, report):
    """Write a report as JSON, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(
            json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8", errors="backslashreplace"
        )


def _facts(error, exit_code):
    if isinstance(error, MeshRecError):
        return {"exit_code": exit_code, "problem": error.problem, "remedy": error.remedy}
    return {"exit_code": exit_code, "problem": str(error), "remedy": ""}
