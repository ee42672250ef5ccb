"""The summary of a batch: summary.json for programs, a table for people, and the lists of clips that somebody has to look at."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...core.verdict import BAD, DOUBTFUL, GOOD
from ...core.version import version
from ..commands.reconstruct import write_report
from .metrics import FAILED, NOT_RUN, ClipRow, clip_row
from .outcome import Outcome
from .plan import Plan

JSON_NAME, CSV_NAME, HTML_NAME, PICTURES_NAME = "summary.json", "summary.csv", "summary.html", "summary.pictures"
_TABLE_NAME_WIDTH = 40  # characters


def clip_rows(plan: Plan, outcomes: dict[str, Outcome]) -> list[ClipRow]:
    """A row for each task, in the order of the plan. outcomes: by key."""
    return [clip_row(task.name, outcomes.get(task.key)) for task in plan.tasks]


def build_summary(
    plan: Plan, rows: Sequence[ClipRow], run_keys: set[str], exit_code: int, started: float, stopped: str | None = None
) -> dict[str, Any]:
    """The content of summary.json.

    Args:
        run_keys: of the tasks that ended in this run, not in an earlier one. started: time.time() of this run. stopped: why it ended
            before its end, or None.
    """
    verdicts = {verdict: [row.name for row in rows if row.verdict == verdict] for verdict in (GOOD, DOUBTFUL, BAD)}
    by_status = {status: [row.name for row in rows if row.status == status] for status in ("done", FAILED, NOT_RUN)}
    counts = {"total": len(rows), **{status.replace(" ", "_"): len(names) for status, names in by_status.items()}}
    return {
        "version": version(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(started)),
        "seconds": round(time.time() - started, 1),
        "exit_code": exit_code,
        "stopped": stopped,
        "counts": {**counts, "in_this_run": len(run_keys), **{verdict: len(names) for verdict, names in verdicts.items()}},
        "bad": verdicts[BAD],
        "doubtful": verdicts[DOUBTFUL],
        "failed": by_status[FAILED],
        "not_run": by_status[NOT_RUN],
        "ignored": [str(path) for path in plan.ignored],
        "clips": [_clip_entry(task, row, task.key in run_keys, plan.folder) for task, row in zip(plan.tasks, rows)],
    }


def _clip_entry(task: Any, row: ClipRow, in_this_run: bool, folder: Path) -> dict[str, Any]:
    outcome = row.outcome
    failure = {name: outcome.get(name) for name in ("exit_code", "problem", "remedy")} if row.status == FAILED else {}
    return {
        "clip": task.name,
        "input": task.source,
        "status": row.status,
        "in_this_run": in_this_run,
        **failure,
        "reason": f"{outcome['problem']} {outcome['remedy']}" if row.status == FAILED else "; ".join(_reasons(row)) or None,
        "outputs": [str(folder / entry["path"]) for entry in outcome.get("outputs", ())],
        "verdict": row.verdict or None,
        "people": [
            {
                "person": person.person,
                "verdict": person.verdict or None,
                "reasons": list(person.reasons),
                "worst_frames": list(person.worst_frames),
                **person.metrics,
            }
            for person in row.people
        ],
        "warnings": [str(warning) for warning in (outcome.get("report") or {}).get("warnings", ())],
        "seconds": outcome.get("seconds"),
        "memory_mb": outcome.get("memory_mb"),
    }


def _reasons(row: ClipRow) -> list[str]:
    return [reason for person in row.people for reason in person.reasons]


def write_summary(path: Path, summary: dict[str, Any]) -> None:
    """Write summary.json, whole or not at all. Raises OutputError."""
    write_report(str(path), summary)


def table_lines(rows: Sequence[ClipRow], summary: dict[str, Any]) -> list[str]:
    """The summary as a table for a terminal: clip, result and reason, and what to look at."""
    width = min(_TABLE_NAME_WIDTH, max((len(row.name) for row in rows), default=4))
    lines = [f"{'clip':<{width}}  result    reason"]
    for row in rows:
        result = row.status if row.status != "done" else row.verdict or "done"
        reason = row.outcome.get("problem", "") if row.status == FAILED else next(iter(_reasons(row)), "")
        lines.append(f"{row.name:<{width}}  {result:<8}  {reason}".rstrip())
    counts = summary["counts"]
    lines.append("")
    lines.append(f"{counts['done']} of {counts['total']} clips done, {counts['failed']} failed, {counts['not_run']} not run.")
    lines += [f"{label}: {', '.join(summary[name])}" for name, label in (("failed", "Failed"), ("bad", "Bad")) if summary[name]]
    if summary["doubtful"]:
        lines.append(f"Doubtful: {', '.join(summary['doubtful'])}")
    return lines
