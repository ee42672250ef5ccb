"""`meshrec reconstruct`: from footage to motions and characters."""

import json
import math
import os
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...bridge.backend_process import start_job
from ...bridge.messages import Progress, ReconstructRequest, Result
from ...core.errors import InputError, MeshRecError
from ...core.files.output_file import atomic_write
from ...core.files.user_folders import cache_folder
from ...core.option_choices import OUTPUT_SUFFIXES
from .. import surfaces
from ..arguments import request_values
from ..camera_option import read_camera_text
from ..console import Console
from ..output_checks import check_outputs, check_report, input_files, unused_options
from ..outputs import outputs_per_person, retarget_target_from_options, settings_from_options, write_outputs
from ..people_option import check_people_files, names_of_people, people_file, write_missing_list


def run(options: Namespace, console: Console) -> int:
    """Reconstruct every input; returns the highest exit code."""
    paths_by_input = output_paths(options.inputs, Path(options.output), options.format, are_views=options.cameras is not None)
    outputs, protected = [path for paths in paths_by_input.values() for path in paths], input_files(options)
    surfaces.check_reconstruct_options(options, outputs)
    has_character = retarget_target_from_options(options) is not None
    check_outputs(outputs, options.blender, protected=protected, with_character=has_character)
    check_report(options.report, protected, outputs)
    check_people_files(options.people_list, list(paths_by_input))
    for message in unused_options(options, outputs):
        console.warn(message)
    is_only_input = len(paths_by_input) == 1
    codes: list[int] = []
    reports: list[dict[str, Any]] = []
    try:
        for source, paths in paths_by_input.items():
            try:
                reports.append(reconstruct(source, paths, options, console))
                codes.append(0)
            except Exception as error:  # noqa: BLE001 - the remaining inputs must still be reconstructed
                codes.append(console.fail(error, source, is_only_input))
                reports.append({"input": source, "error": _error_report(error, codes[-1])})
    finally:
        if options.report and reports:
            write_report(options.report, reports[0] if is_only_input else reports)
    return max(codes)


def output_paths(inputs: Sequence[str], output: Path, formats: Sequence[str], are_views: bool = False) -> dict[str, list[Path]]:
    """The paths to write, by input: one file, or where `output` is a folder, NAME.format for each format.

    Several views of one scene (`are_views`) are one input, the first.

    Raises:
        InputError: an input does not exist or is given twice, or several inputs have one output file.
    """
    for source in inputs:
        if not os.path.exists(source):
            raise missing_input_error(source)
    if len(set(inputs)) < len(inputs):
        raise InputError("input-given-twice", "An input is given twice.", "Give each input once.")
    return assign_outputs(inputs[:1] if are_views else inputs, output, formats)


def missing_input_error(source: str) -> InputError:
    """The error of an input that does not exist."""
    return InputError("input-not-found", "There is no file or folder {source}.", "Check the path of the input.", source=source)


def assign_outputs(inputs: Sequence[str], output: Path, formats: Sequence[str]) -> dict[str, list[Path]]:
    """The paths to write, by input, as of `output_paths`. Raises InputError: several inputs have one output file."""
    is_folder = os.path.isdir(output) or (len(inputs) > 1 and output.suffix.lower() not in OUTPUT_SUFFIXES)
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
    return {source: [output / f"{output_stem(source)}{suffix}" for suffix in formats] for source in inputs}


def output_stem(source: str) -> str:
    """The name of an input's outputs: a file's name without its suffix, a folder's whole name."""
    path = Path(os.path.abspath(source))
    return path.name if path.is_dir() else path.stem


def reconstruct(source: str, paths: Sequence[Path], options: Namespace, console: Console) -> dict[str, Any]:
    """Reconstruct one input and write its outputs; returns its report."""
    with surfaces.scratch_prefix(options) as prefix:
        return _reconstruct(source, paths, options, console, prefix)


def _reconstruct(source: str, paths: Sequence[Path], options: Namespace, console: Console, surface_prefix: str | None) -> dict[str, Any]:
    def on_progress(progress: Progress) -> None:
        console.progress(progress, source)

    result = start_job(build_request(source, options, surface_prefix), options.python).wait(on_progress)
    report = write_results(source, paths, options, result, result.report, surface_prefix, on_progress)
    for warning in report["warnings"]:
        console.warn(warning, source)
    console.done(source, report["outputs"])
    return report


def write_results(
    source: str,
    paths: Sequence[Path],
    options: Namespace,
    result: Result,
    report: dict[str, Any],
    surface_prefix: str | None,
    on_progress: Callable[[Progress], None],
) -> dict[str, Any]:
    """Write the outputs of one input; returns the report with them, their notes and the time taken added.

    Args:
        report: of the result, or with the outputs that were written before. surface_prefix: as of `build_request`.

    Raises:
        MeshRecError: an output cannot be made or written.
    """
    start = time.perf_counter()
    people_list = write_missing_list(options, source, result)
    outputs = [output for path in paths for output in outputs_per_person(path, result.people, options.person == "all")]
    on_progress(Progress("Writing", 0, len(outputs), "files"))
    settings = replace(
        settings_from_options(options),
        retarget_target=retarget_target_from_options(options),
        surfaces=surfaces.find_written_surfaces(surface_prefix, result.people, result.recoveries),
        textures=tuple(None if texture is None else texture.tobytes() for texture in result.textures),
        names=names_of_people(result),
    )
    made = write_outputs(result.recoveries, result.people, outputs, output_stem(source), settings)
    written = [str(path) for path in (*(path for path, _people in outputs), *made.surfaces, *made.textures)]
    added: dict[str, Any] = {"outputs": [*report.get("outputs", ()), *written], "warnings": [*report.get("warnings", ()), *made.notes]}
    if people_list is not None:
        added["people_list"] = str(people_list)
    if made.quality:
        added["retarget"] = {**report.get("retarget", {}), **made.quality}
    seconds = report.get("seconds", {})
    taken = seconds.get("write outputs", 0.0) + time.perf_counter() - start
    return {**report, **added, "seconds": {**seconds, "write outputs": round(taken, 4)}}


def build_request(source: str, options: Namespace, surface_prefix: str | None = None) -> ReconstructRequest:
    """The ReconstructRequest of the command's options.

    Args:
        surface_prefix: path prefix of the files that the backend writes exact surfaces to, or None.
    """
    cache = None if options.no_cache else os.path.abspath(options.cache or cache_folder())
    camera_text = read_camera_text(options.camera, options.camera_frame, options.blender)
    views = tuple(map(os.path.abspath, options.inputs[1:])) if options.cameras else ()
    request = ReconstructRequest(
        os.path.abspath(source), cache=cache, surface=surface_prefix, camera_text=camera_text, views=views, **request_values(options)
    )
    return replace(request, people_list=people_file(options.people_list, source))


def write_report(path: str, report: object) -> None:
    """Write a report as JSON, whole or not at all. Numbers that do not exist (nan, infinite) become null."""
    with atomic_write(path) as temporary:
        temporary.write_text(
            json.dumps(finite_or_none(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
            encoding="utf-8",
            errors="backslashreplace",
        )


def finite_or_none(content: Any) -> Any:
    """The content of a report with None for every number that is not finite."""
    if isinstance(content, dict):
        return {key: finite_or_none(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [finite_or_none(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def _error_report(error: Exception, exit_code: int) -> dict[str, Any]:
    if isinstance(error, MeshRecError):
        return {"exit_code": exit_code, "problem": error.problem, "remedy": error.remedy}
    return {"exit_code": exit_code, "problem": str(error), "remedy": ""}
