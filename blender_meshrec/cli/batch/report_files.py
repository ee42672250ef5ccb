"""The supervisor's report over all clips, the worst first: a page with pictures in one file, and a table for spreadsheets."""

import base64
import csv
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...core.files.output_file import atomic_write
from .metrics import FAILED, METRICS, ClipRow, PersonRow, worst_first

_NO_NUMBER = "\u2013"
_FORMULA_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")
_CSV_HEAD = ("clip", "input", "status", "person", "verdict", "reasons", "worst_frames", *(metric.name for metric in METRICS), "outputs")
_STYLE = """
:root { color-scheme: light dark; }
body { font: 14px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 82rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; } p.counts { font-size: 1rem; }
article { display: flex; gap: 1rem; padding: .9rem 0; border-top: 1px solid #8886; align-items: flex-start; }
article img { width: 26rem; max-width: 45vw; height: auto; border-radius: 4px; background: #8883; }
article .none { width: 26rem; max-width: 45vw; height: 4rem; border-radius: 4px; background: #8882; flex: none; }
h2 { font-size: 1.05rem; margin: 0 0 .3rem; overflow-wrap: anywhere; } .input { color: #888; font-size: .85em; overflow-wrap: anywhere; }
.mark { border-radius: 3px; padding: .05rem .45rem; color: #fff; font-size: .85em; margin-left: .4rem; }
.good { background: #2e7d4f; } .doubtful { background: #a86a00; } .bad, .failed { background: #b3261e; } .other { background: #666; }
table { border-collapse: collapse; margin: .4rem 0; } th, td { text-align: right; padding: .1rem .7rem .1rem 0; font-weight: normal; }
th { color: #888; font-size: .85em; } th:first-child, td:first-child { text-align: left; } ul { margin: .2rem 0; padding-left: 1.2rem; }
"""


def csv_text(rows: Sequence[ClipRow], inputs: Mapping[int, str]) -> str:
    """One line a person, and one for a clip without any; the worst clips first. inputs: by id of the row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_CSV_HEAD)
    for row in worst_first(rows):
        reason = f"{row.outcome.get('problem')} {row.outcome.get('remedy')}" if row.status == FAILED else ""
        outputs = " ".join(entry["path"] for entry in row.outcome.get("outputs", ()))
        for person in row.people or (PersonRow(None, "", (reason,) if reason else (), ()),):
            numbers = [_shown(person.metrics.get(metric.name), metric.digits) for metric in METRICS]
            frames = " ".join(map(str, person.worst_frames))
            cells = [row.name, inputs[id(row)], row.status, _shown(person.person, 0), person.verdict, "; ".join(person.reasons), frames]
            writer.writerow([*map(_plain_cell, cells), *numbers, _plain_cell(outputs)])
    return text.getvalue()


def _plain_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA_BEGINNINGS) else text


def _shown(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def html_text(rows: Sequence[ClipRow], inputs: Mapping[int, str], pictures: Mapping[int, bytes], summary: Mapping[str, Any]) -> str:
    """The page; pictures: JPEG files by id of the row."""
    counts = summary["counts"]
    said = f"{counts['done']} of {counts['total']} clips done, {counts['failed']} failed, {counts['not_run']} not run; "
    said += ", ".join(f"{counts[verdict]} {verdict}" for verdict in ("good", "doubtful", "bad"))
    articles = "\n".join(_article(row, inputs[id(row)], pictures.get(id(row))) for row in worst_first(rows))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">\n'
        f"<title>MeshRec: {counts['total']} clips</title><style>{_STYLE}</style></head><body>\n"
        f'<h1>MeshRec, {html.escape(summary["started"])}</h1>\n<p class="counts">{html.escape(said)}. The worst first.</p>\n'
        f"{articles}\n</body></html>\n"
    )


def _article(row: ClipRow, source: str, picture: bytes | None) -> str:
    result = row.status if row.status != "done" else row.verdict or "done"
    kind = result if result in ("good", "doubtful", "bad", "failed") else "other"
    image = '<div class="none"></div>'
    if picture is not None:
        name = html.escape(row.name, quote=True)
        image = f'<img alt="{name} at its worst moment" src="data:image/jpeg;base64,{base64.b64encode(picture).decode("ascii")}">'
    parts = [f'<h2>{html.escape(row.name)}<span class="mark {kind}">{html.escape(result)}</span></h2>']
    parts.append(f'<div class="input">{html.escape(source)}</div>')
    if row.status == FAILED:
        parts.append(f"<p>{html.escape(str(row.outcome.get('problem')))} {html.escape(str(row.outcome.get('remedy')))}</p>")
    if row.people:
        parts.append(_people_table(row.people))
    reasons = [(person, reason) for person in row.people for reason in person.reasons]
    items = "".join(
        f"<li>{f'Person {person.person}: ' if len(row.people) > 1 else ''}{html.escape(reason)}</li>" for person, reason in reasons
    )
    parts.append(f"<ul>{items}</ul>" if items else "")
    return f"<article>{image}<div>{''.join(parts)}</div></article>"


def _people_table(people: Sequence[PersonRow]) -> str:
    head = "".join(f"<th>{html.escape(metric.title)}<br>{html.escape(metric.unit)}</th>" for metric in METRICS)
    lines = []
    for person in people:
        cells = "".join(f"<td>{_shown(person.metrics.get(metric.name), metric.digits) or _NO_NUMBER}</td>" for metric in METRICS)
        frames = ", ".join(map(str, person.worst_frames))
        lines.append(f"<tr><td>{person.person}</td><td>{html.escape(person.verdict)}</td>{cells}<td>{frames}</td></tr>")
    return f"<table><tr><th>Person</th><th>Verdict</th>{head}<th>Worst<br>frames</th></tr>{''.join(lines)}</table>"


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all. Raises OutputError."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
