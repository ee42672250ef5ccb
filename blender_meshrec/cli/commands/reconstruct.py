"""`meshrec reconstruct`: footage in, characters out."""

import json
import os
import time
from pathlib import Path

from ...bridge.backend_process import start_job
from ...bridge.messages import Progress, ReconstructRequest
from ...core.catalog import DEFAULT_REFINERS
from ...core.errors import InputError, MeshRecError
from ...core.files.output_file import atomic_write
from ...core.files.user_folders import cache_folder
from .. import surfaces
from ..outputs import FORMATS, check_outputs, check_report, input_files, outputs_per_person, retarget_target_from_options, write_outputs


def run(options, console):
    """Reconstruct every input; the highest exit code of them all."""
    targets = output_paths(options.inputs, Path(options.output), options.format)
    surfaces.check_reconstruct_options(options, [path for paths in targets.values() for path in paths])
    target = retarget_target_from_options(options)
    outputs, protected = [path for paths in targets.values() for path in paths], input_files(options)
    check_outputs(outputs, options.blender, protected=protected, with_character=target is not None)
    check_report(options.report, protected, outputs)
    several = len(options.inputs) > 1
    codes, reports = [], []
    try:
        for source, paths in targets.items():
            try:
                reports.append(reconstruct(source, paths, options, console))
                codes.append(0)
            except Exception as error:  # noqa: BLE001 - the inputs after this one are to have their turn
                codes.append(console.fail(error, source, is_only_input=not several))
                reports.append({"input": source, "error": _error_report(error, codes[-1])})
    finally:
        if options.report and reports:
            write_report(options.report, reports if several else reports[0])
    return max(codes)


def output_paths(inputs, output, formats):
    """input -> the paths to write: one file, or where `output` is a folder, NAME.format for each format.

    Raises:
        InputError: an input does not exist, is given twice, or several are to become one file.
    """
    for source in inputs:
        if not os.path.exists(source):
            raise InputError("input-not-found", "There is no file or folder {source}.", "Check the path of the input.", source=source)
    if len(set(inputs)) < len(inputs):
        raise InputError("input-given-twice", "An input is given twice.", "Give each input once.")
    is_folder = os.path.isdir(output) or (len(inputs) > 1 and output.suffix.lower() not in FORMATS)
    if not is_folder:
        if len(inputs) > 1:
            raise InputError(
                "inputs-exceed-output",
                "{count} inputs do not fit into the one file {output}.",
                "Give a folder to write them into.",
                count=len(inputs),
                output=output,
            )
        return {inputs[0]: [output]}
    return {source: [output / f"{_output_stem(source)}{suffix}" for suffix in formats] for source in inputs}


def _output_stem(source):
    """What an input's outputs are called: a file's name without its suffix, a folder's whole name."""
    path = Path(os.path.abspath(source))
    return path.name if path.is_dir() else path.stem


def reconstruct(source, paths, options, console):
    """Reconstruct one input and write its outputs; returns its report."""
    with surfaces.scratch_prefix(options) as prefix:
        return _reconstruct(source, paths, options, console, prefix)


def _reconstruct(source, paths, options, console, prefix):
    request = build_request(source, options, prefix)
    job = start_job(request, options.python)
    result = job.wait(lambda progress: console.progress(progress, source))
    begun = time.perf_counter()
    outputs = [output for path in paths for output in outputs_per_person(path, result.people, options.person == "all")]
    console.progress(Progress("Writing", 0, len(outputs), "files"), source)
    name = _output_stem(source)
    settings = {
        "body": options.body,
        "preset": options.preset,
        "blender": options.blender,
        "retarget_target": retarget_target_from_options(options),
    }
    settings.update(skel=options.skel if options.skeleton == "skel" else None, stretch=not options.no_stretch)
    settings["surfaces"] = surfaces.find_written_surfaces(prefix, result.people, result.recoveries)
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


def build_request(source, options, surface=None):
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
    with atomic_write(path) as temporary:
        temporary.write_text(
            json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8", errors="backslashreplace"
        )


def _error_report(error, exit_code):
    if isinstance(error, MeshRecError):
        return {"exit_code": exit_code, "problem": error.problem, "remedy": error.remedy}
    return {"exit_code": exit_code, "problem": str(error), "remedy": ""}
