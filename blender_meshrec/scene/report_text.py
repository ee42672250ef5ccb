"""A reconstruction's report in plain words: a few sentences for the panel, everything in a text block."""

import bpy

from ..core.messages import Message, label
from .confidence import joint_confidence, low_confidence_joints

# A median distance in the picture as a share of the person's height; a detector's own points scatter by about 1 %.
GOOD_FIT, FAIR_FIT = 0.02, 0.04
_MAX_NAMES = 4


def quality_sentences(recovery, numbers=None):
    """What to know of one person's result, a few sentences.

    Args:
        recovery: the Recovery. numbers: what the report says of the person, None where there is no report, as for files.
    """
    said = []
    if numbers:
        said += [sentence for sentence in (_fit_sentence(numbers), _foot_slide_sentence(numbers)) if sentence]
    return [*said, _visibility_sentence(recovery), *_low_confidence_sentences(recovery), *_anatomy_sentences(numbers or {})]


def _fit_sentence(numbers):
    share = numbers.get("reprojection_share_of_box")
    if share is None:
        return Message("fit-not-measured", "How well the result lies on the picture was not measured.")
    values = {"share": 100 * share}
    if share <= GOOD_FIT:
        return Message("fit-good", "Match with the picture: joints are {share:.1f} % of the person's height away (good).", **values)
    if share <= FAIR_FIT:
        return Message("fit-fair", "Match with the picture: joints are {share:.1f} % of the person's height away (fair).", **values)
    text = "Match with the picture: joints are {share:.1f} % of the person's height away (poor, compare it with the footage)."
    return Message("fit-poor", text, **values)


def _foot_slide_sentence(numbers):
    before, after = numbers.get("foot_slide_before_cm_s"), numbers.get("foot_slide_after_cm_s")
    if before is None or after is None:
        return Message("feet-without-contact", "Feet: none was found to touch the floor, or Lock Feet is off.")
    text = "Feet slide {after:.1f} cm/s where they touch the floor; {before:.1f} before they were locked."
    return Message("feet-slide", text, after=after, before=before)


def _visibility_sentence(recovery):
    frames, seen = len(recovery), int(recovery.visible.sum())
    if seen == frames:
        if frames > 1:
            return Message("person-in-all-frames", "The person is in all {frames} frames.", frames=frames)
        return Message("person-in-picture", "The person is in the picture.")
    text = "The person is missing from {missing} of {frames} frames: the motion is filled in there."
    return Message("person-missing-from-frames", text, missing=frames - seen, frames=frames)


def _low_confidence_sentences(recovery):
    names = [label(name.replace("_", " ")) for name in low_confidence_joints(joint_confidence(recovery))]
    if not names:
        return []
    more = len(names) - _MAX_NAMES
    if more > 0:
        return [Message("least-sure-of-some", "Least sure of: {names} and {count} more.", names=names[:_MAX_NAMES], count=more)]
    return [Message("least-sure-of", "Least sure of: {names}.", names=names)]


def _anatomy_sentences(numbers):
    line = numbers.get("skel", {}).get("anatomy_line")
    return [line] if line else []


def report_lines(name, people, report, notes):
    """The whole report, line by line.

    Args:
        name: of the clip. people: (what the person is called, quality sentences, the report's numbers or {}) triples.
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
        lines += ["Seconds", *(f"  {stage}: {taken:.1f}" for stage, taken in report["seconds"].items()), ""]
    if report.get("versions"):
        lines += ["Versions", *(f"  {program}: {version}" for program, version in report["versions"].items() if version), ""]
    return lines


def write_report(name, lines):
    """Put lines into a new text block."""
    text = bpy.data.texts.new(f"{name} report")
    text.from_string("\n".join(lines))
    text.cursor_set(0)
    return text
