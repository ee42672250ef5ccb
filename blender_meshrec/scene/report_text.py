"""The report of a reconstruction: a few sentences for the panel, and everything in a text block."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import bpy

from ..core.messages import Message, label
from ..core.records import Recovery
from ..core.verdict import BAD
from .free_names import free_name
from .person.confidence import joint_confidence, low_confidence_joints

# Median reprojection error as a fraction of the person's height. A detector's keypoints scatter by about 1 %.
GOOD_FIT, FAIR_FIT = 0.02, 0.04
SMOOTH_JITTER = 8.0  # 10 m/s^3; what recordings of marker-based motion capture have
_MAX_NAMES = 4


def quality_sentences(
    recovery: Recovery,
    numbers: Mapping[str, Any] | None = None,
    lens: Mapping[str, Any] | None = None,
    worst_frames: Sequence[int] | None = None,
) -> list[str]:
    """A few sentences about the quality of one person's result.

    Args:
        numbers: the person's entry of the report, None if there is no report, as for motion files. lens: the report's entry of the lens.
        worst_frames: of the timeline; by default as on one that begins at frame 1 and has the motion's rate.
    """
    sentences = [_fit_sentence(numbers), _foot_slide_sentence(numbers), *_jitter_sentences(numbers)] if numbers else []
    if worst_frames is None:
        worst_frames = [1 + round(time * recovery.mocap_framerate) for time in (numbers or {}).get("worst_times", ())]
    sentences = [*_verdict_sentences(numbers or {}, worst_frames), *sentences]
    sentences += [_visibility_sentence(recovery), *_low_confidence_sentences(recovery), *_anatomy_sentences(numbers or {})]
    return [*sentences, _lens_sentence(lens)] if lens else sentences


def _verdict_sentences(numbers: Mapping[str, Any], frames: Sequence[int]) -> list[str]:
    """The verdict with the worst frames of the timeline, and its reasons; nothing if the person was not judged."""
    verdict, reasons = numbers.get("verdict"), numbers.get("reasons", ())
    if verdict is None:
        return []
    if not reasons:
        return [Message("verdict-good", "Verdict: good.")]
    frames = list(frames)
    if verdict == BAD:
        return [Message("verdict-bad", "Verdict: bad. The worst frames: {frames}.", frames=frames), *reasons]
    return [Message("verdict-doubtful", "Verdict: doubtful. The worst frames: {frames}.", frames=frames), *reasons]


def _fit_sentence(numbers: Mapping[str, Any]) -> Message:
    error = numbers.get("reprojection_share_of_box")
    if error is None:
        return Message("fit-not-measured", "How well the result lies on the picture was not measured.")
    values = {"share": 100 * error}
    if error <= GOOD_FIT:
        text = "Match with the picture: joints lie {share:.1f} % of the person's height from where they were seen (good)."
        return Message("fit-good", text, **values)
    if error <= FAIR_FIT:
        text = "Match with the picture: joints lie {share:.1f} % of the person's height from where they were seen (fair)."
        return Message("fit-fair", text, **values)
    text = (
        "Match with the picture: joints lie {share:.1f} % of the person's height from where they were seen "
        "(poor, compare it with the footage)."
    )
    return Message("fit-poor", text, **values)


def _lens_sentence(lens: Mapping[str, Any]) -> Message:
    focal = lens["focal_35mm"]
    if lens["source"] == "given":
        return Message("lens-given", "Lens: {focal:.1f} mm in 35 mm equivalents, as given.", focal=focal)
    if lens["source"] == "metadata":
        return Message("lens-of-metadata", "Lens: {focal:.1f} mm in 35 mm equivalents, by what the footage's file says.", focal=focal)
    if lens["source"] == "camera":
        return Message("lens-of-camera", "Lens: {focal:.1f} mm in 35 mm equivalents, by how the camera turned.", focal=focal)
    if lens["source"] == "edges":
        text = "Lens: {focal:.0f} mm in 35 mm equivalents, by edges of the room or the houses behind."
        return Message("lens-of-edges", text, focal=focal)
    text = "Lens: {focal:.0f} mm in 35 mm equivalents, found by the solve; give the Focal Length if you know it."
    return Message("lens-solved", text, focal=focal)


def _foot_slide_sentence(numbers: Mapping[str, Any]) -> Message:
    before, after = numbers.get("foot_slide_before_cm_s"), numbers.get("foot_slide_after_cm_s")
    if before is None or after is None:
        return Message("feet-without-contact", "Feet: none was found to touch the floor, or Lock Feet is off.")
    text = "Feet slide {after:.1f} cm/s where they touch the floor; {before:.1f} before they were locked."
    return Message("feet-slide", text, after=after, before=before)


def _jitter_sentences(numbers: Mapping[str, Any]) -> list[Message]:
    jitter = numbers.get("jitter")
    if jitter is None:
        return []
    if jitter <= SMOOTH_JITTER:
        return [Message("jitter-low", "Smoothness: as motion capture (jitter {jitter:.1f}; up to 8 is usual).", jitter=jitter)]
    text = "Smoothness: the motion trembles (jitter {jitter:.1f}; up to 8 is usual). Raise Smoothing, or smooth the result."
    return [Message("jitter-high", text, jitter=jitter)]


def _visibility_sentence(recovery: Recovery) -> Message:
    num_frames, num_visible = len(recovery), int(recovery.visible.sum())
    if num_visible == num_frames:
        if num_frames > 1:
            return Message("person-in-all-frames", "The person is in all {frames} frames.", frames=num_frames)
        return Message("person-in-picture", "The person is in the picture.")
    text = "The person is missing from {missing} of {frames} frames: the motion is filled in there."
    return Message("person-missing-from-frames", text, missing=num_frames - num_visible, frames=num_frames)


def _low_confidence_sentences(recovery: Recovery) -> list[Message]:
    names = [label(name.replace("_", " ")) for name in low_confidence_joints(joint_confidence(recovery))]
    if not names:
        return []
    more = len(names) - _MAX_NAMES
    if more > 0:
        return [Message("least-sure-of-some", "Least sure of: {names} and {count} more.", names=names[:_MAX_NAMES], count=more)]
    return [Message("least-sure-of", "Least sure of: {names}.", names=names)]


def _anatomy_sentences(numbers: Mapping[str, Any]) -> list[str]:
    line = numbers.get("skel", {}).get("anatomy_line")
    return [line] if line else []


def report_lines(
    name: str,
    people: Iterable[tuple[str, Sequence[str], Mapping[str, Any]]],
    report: Mapping[str, Any],
    notes: Iterable[str],
) -> list[str]:
    """The whole report, line by line.

    Args:
        name: of the clip. people: (name, quality sentences, the person's entry of the report or {}) triples.
        report: of the Result. notes: sentences about the scene.
    """
    lines = [f"MeshRec: {name}", ""]
    if report.get("input"):
        lines += [f"Footage: {report['input']}", f"Frames: {report.get('frames_read')}, people found: {report.get('people_found')}", ""]
    for person, sentences, numbers in people:
        lines += [person, *(f"  {sentence}" for sentence in sentences)]
        if numbers.get("jitter") is not None:
            lines.append(f"  Jitter: {numbers['jitter']:.1f} x 10 m/s^3 (motion capture stays below 8).")
        lines.append("")
    remarks = [*report.get("warnings", ()), *notes]
    if remarks:
        lines += ["To know", *(f"  {remark}" for remark in remarks), ""]
    if report.get("seconds"):
        lines += ["Seconds", *(f"  {stage}: {duration:.1f}" for stage, duration in report["seconds"].items()), ""]
    if report.get("versions"):
        lines += ["Versions", *(f"  {program}: {version}" for program, version in report["versions"].items() if version), ""]
    return lines


def write_report(name: str, lines: Sequence[str]) -> bpy.types.Text:
    """Write lines to a new text block."""
    text = bpy.data.texts.new(free_name(f"{name} report", bpy.data.texts))
    text.from_string("\n".join(lines))
    text.cursor_set(0)
    return text
