"""A reconstruction's report in plain words: a few sentences for the panel, everything in a text block."""

import bpy

from .confidence import joint_confidence, unsure_joints

# A median distance in the picture as a share of the person's height; a detector's own points scatter by about 1 %.
GOOD_FIT, FAIR_FIT = 0.02, 0.04
_MOST_NAMES = 4


def quality_sentences(recovery, numbers=None):
    """What to know of one person's result, a few sentences.

    Args:
        recovery: the Recovery. numbers: what the report says of the person, None where there is no report, as for files.
    """
    said = []
    if numbers:
        said += [sentence for sentence in (_fit(numbers), _feet(numbers)) if sentence]
    return [*said, _presence(recovery), *_unsure(recovery), *_anatomy(numbers or {})]


def _fit(numbers):
    share = numbers.get("reprojection_share_of_box")
    if share is None:
        return "How well the result lies on the picture was not measured."
    grade = "good" if share <= GOOD_FIT else "fair" if share <= FAIR_FIT else "poor, compare it with the footage"
    return f"Match with the picture: joints are {100 * share:.1f} % of the person's height away ({grade})."


def _feet(numbers):
    before, after = numbers.get("foot_slide_before_cm_s"), numbers.get("foot_slide_after_cm_s")
    if before is None or after is None:
        return "Feet: none was found to touch the floor, or Lock Feet is off."
    return f"Feet slide {after:.1f} cm/s where they touch the floor; {before:.1f} before they were locked."


def _presence(recovery):
    frames, seen = len(recovery), int(recovery.visible.sum())
    if seen == frames:
        return f"The person is in all {frames} frames." if frames > 1 else "The person is in the picture."
    return f"The person is missing from {frames - seen} of {frames} frames: the motion is filled in there."


def _unsure(recovery):
    names = [name.replace("_", " ") for name in unsure_joints(joint_confidence(recovery))]
    if not names:
        return []
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return [f"Least sure of: {', '.join(names[:_MOST_NAMES])}{more}."]


def _anatomy(numbers):
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
