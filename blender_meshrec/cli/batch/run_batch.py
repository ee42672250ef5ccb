"""Running a plan: what is to be done goes to an engine, every outcome into the journal, and at the end there is a summary."""

import base64
import binascii
import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...core.errors import CancelledError, ExitCode, MeshRecError, OutputError
from ...core.files.output_file import atomic_write
from ..commands.reconstruct import write_report
from ..console import Console
from .display import BatchDisplay
from .engine import Engine, Event
from .fingerprint import task_fingerprint
from .journal import Journal
from .outcome import Outcome, failed, is_done
from .plan import Plan, ReportFile
from .report_files import csv_text, html_text, write_text
from .summary import CSV_NAME, HTML_NAME, JSON_NAME, PICTURES_NAME, build_summary, clip_rows, table_lines, write_summary
from .task import Task
from .task_state import TaskState, find_problem, notes_on_options

# After these no other task can be written either.
_FULL_DISK = ("output-disk-full", "temporary-folder-full")
MakeEngine = Callable[[Sequence[Task]], Engine]


class BatchRun:
    """One run of a plan.

    Args:
        states: of the plan's tasks. make_engine: the engine for the tasks that are run.
    """

    def __init__(self, plan: Plan, states: Sequence[TaskState], journal: Journal, console: Console, make_engine: MakeEngine) -> None:
        self._plan, self._journal, self._console, self._make_engine = plan, journal, console, make_engine
        self._states = {state.task.key: state for state in states}
        self._to_run = [state.task for state in states if not state.is_done]
        self._display = BatchDisplay(console, self._to_run, len(states) - len(self._to_run))
        self._run_keys: set[str] = set()
        self._stopped: MeshRecError | None = None
        self._started = time.time()

    def run(self) -> int:
        """Run what is to be done; returns the exit code."""
        for message in notes_on_options(self._to_run):
            self._console.warn(message)
        for state in self._states.values():
            if state.is_done and state.earlier is not None:
                outputs = [str(self._plan.folder / entry["path"]) for entry in state.earlier["outputs"]]
                self._console.event("skipped", clip=state.task.name, input=state.task.source, outputs=outputs)
        try:
            self._run_tasks()
        except KeyboardInterrupt:
            remedy = "What was written before stays; run the same command again to go on."
            self._stopped = CancelledError("batch-cancelled", "Cancelled.", remedy)
        except MeshRecError as error:
            self._stopped = error
        self._display.finish()
        if self._stopped is not None:
            with contextlib.suppress(OutputError):
                self._journal.append("stop", reason=str(self._stopped.problem))
        return self._finish()

    def _run_tasks(self) -> None:
        problems = {task.key: find_problem(task) for task in self._to_run}
        ready = [task for task in self._to_run if problems[task.key] is None]
        engine = self._make_engine(ready) if ready else None
        facts: dict[str, Any] = {"tasks": len(self._plan.tasks), "to_run": len(self._to_run)}
        facts |= {"engine": engine.name, "workers": engine.num_workers} if engine else {}
        with engine or contextlib.nullcontext():
            self._journal.append("run", **facts)
            self._console.event("batch", **facts, folder=str(self._plan.folder))
            for task in self._to_run:
                if (problem := problems[task.key]) is not None:
                    self._end(0, task, failed(problem))
                    self._stop_on_full_disk(problem.name, str(problem.problem))
            for event in engine.run(ready) if engine else ():
                self._handle(event)

    def _handle(self, event: Event) -> None:
        task = event.task
        if task is None:
            self._display.worker(event.worker, event.facts)
        elif event.kind == "begin":
            self._journal.append("begin", key=task.key, clip=task.name, worker=event.worker)
            self._display.begin(event.worker, task)
        elif event.kind == "progress" and event.progress is not None:
            self._display.progress(event.worker, task, event.progress)
        elif event.kind == "retry":
            self._journal.append("retry", key=task.key, clip=task.name, reason=event.facts["reason"])
            self._display.retry(event.worker, task, event.facts["reason"])
        elif event.outcome is not None:
            self._end(event.worker, task, event.outcome)
            self._stop_on_full_disk(event.outcome.get("error", ""), event.outcome.get("problem", ""))

    @staticmethod
    def _stop_on_full_disk(error: str, problem: str) -> None:
        """Raise OutputError where no other task can be written either."""
        if error in _FULL_DISK:
            remedy = "Free some space and run the same command again: what was written stays."
            raise OutputError("batch-disk-full", "{problem}", remedy, problem=problem)

    def _end(self, worker: int, task: Task, outcome: Outcome) -> None:
        """A task has ended: note it, whole, before anything else."""
        outcome = dict(outcome)
        self._keep_picture(task, outcome.pop("picture", None))
        details = outcome.pop("details", None)
        writes_list = getattr(task.options, "people_list", None) is not None  # which may be there now, and was not before
        fingerprint = task_fingerprint(task) if writes_list else self._states[task.key].fingerprint
        self._journal.append("end", key=task.key, clip=task.name, fingerprint=fingerprint, worker=worker, **outcome)
        self._run_keys.add(task.key)
        self._display.end(worker, task, {**outcome, "details": details})

    def _keep_picture(self, task: Task, picture: str | None) -> None:
        """Write a task's picture for the report; one that cannot be written is left out."""
        path = self._picture_path(task)
        with contextlib.suppress(OutputError, binascii.Error):
            if picture is None:
                path.unlink(missing_ok=True)
                return
            with atomic_write(path) as temporary:
                temporary.write_bytes(base64.b64decode(picture))

    def _picture_path(self, task: Task) -> Path:
        return self._plan.folder / PICTURES_NAME / f"{task.key}.jpg"

    # --- the end ------------------------------------------------------------------------------------------------------

    def _finish(self) -> int:
        """Write the reports and the summary, print the table; returns the exit code."""
        outcomes = self._final_outcomes()
        code = max([int(outcome.get("exit_code", 0)) for outcome in outcomes.values()], default=0)
        if self._stopped is not None:
            code = max(code, int(self._stopped.exit_code))
        rows = clip_rows(self._plan, outcomes)
        stopped = None if self._stopped is None else str(self._stopped.problem)
        summary = build_summary(self._plan, rows, self._run_keys, code, self._started, stopped)
        try:
            self._write_files(outcomes, rows, summary)
        except OutputError as error:
            self._stopped = self._stopped or error
            code = max(code, int(ExitCode.OUTPUT_FAILED))
        for line in table_lines(rows, summary):
            self._console.print_result(line)
        folder = self._plan.folder
        files = {"summary": str(folder / JSON_NAME), "report": str(folder / HTML_NAME), "table": str(folder / CSV_NAME)}
        self._console.event("summary", exit_code=code, **summary["counts"], **files)
        if self._stopped is not None:
            self._console.fail(self._stopped)
        else:
            self._console.print_result(f"Report: {files['report']}")
        return code

    def _final_outcomes(self) -> dict[str, Outcome]:
        """The outcome of each task: of this run, or of an earlier one whose files are still as it left them."""
        return {
            key: self._journal.ended[key]
            for key, state in self._states.items()
            if key in self._journal.ended and (state.is_done or key in self._run_keys)
        }

    def _write_files(self, outcomes: dict[str, Outcome], rows: Sequence[Any], summary: dict[str, Any]) -> None:
        """Write the reports that jobs asked for, and the summary. Raises OutputError."""
        folder = self._plan.folder
        for report in self._plan.reports:
            if any(key in self._run_keys for key in report.keys) or not report.path.exists():
                self._write_job_report(report, outcomes)
        write_summary(folder / JSON_NAME, summary)
        inputs = {id(row): task.source for row, task in zip(rows, self._plan.tasks)}
        write_text(folder / CSV_NAME, csv_text(rows, inputs))
        pictures: dict[int, bytes] = {}
        for row, task in zip(rows, self._plan.tasks):
            with contextlib.suppress(OSError):
                pictures[id(row)] = self._picture_path(task).read_bytes()
        write_text(folder / HTML_NAME, html_text(rows, inputs, pictures, summary))

    def _write_job_report(self, report: ReportFile, outcomes: dict[str, Outcome]) -> None:
        """Write the report of a job: a list where it has several inputs. Raises OutputError."""
        contents: list[dict[str, Any]] = []
        for key in report.keys:
            if (outcome := outcomes.get(key)) is not None:
                error = {name: outcome.get(name) for name in ("exit_code", "problem", "remedy")}
                contents.append(outcome["report"] if is_done(outcome) else {"input": self._states[key].task.source, "error": error})
        if contents:
            write_report(str(report.path), contents if report.is_list else contents[0])
