"""`meshrec batch`: many clips in one run, from a list in JSON or a folder; cli/batch/ has the parts, docs/batches.md the formats."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from ...core.errors import InputError
from ..batch.engine import Engine
from ..batch.job_list import JobTable, read_job_list
from ..batch.journal import Journal, read_ended
from ..batch.local_engine import LocalEngine
from ..batch.mistakes import JobListError
from ..batch.names import check_template
from ..batch.plan import Plan, make_plan
from ..batch.run_batch import BatchRun
from ..batch.task import Task
from ..batch.task_state import TaskState, find_problem, task_states
from ..batch.worker_count import count_workers, graphics_cards
from ..console import Console

# Options of `reconstruct` on the command line of a batch that are the batch's own.
_OF_BATCH = ("inputs", "output", "report", "progress", "debug")


def run(options: Namespace, console: Console) -> int:
    """Run a batch; returns the highest exit code."""
    try:
        if options.name is not None:
            check_template(options.name)
        plan = make_plan(options.jobs, options.output, options.name, given_options(options))
    except JobListError as error:
        return max(console.fail(mistake) for mistake in error.mistakes)
    for path in plan.ignored:
        console.warn(f"{path} is left out: it is no footage.")
    if options.dry_run:
        return _print_plan(plan, task_states(plan, read_ended(plan.folder), set(), options.again), console)
    with Journal(plan.folder) as journal:
        if not journal.has_lock:
            console.warn("The disk of the outputs has no locks: see to it that no second batch writes there.")
        states = task_states(plan, journal.ended, journal.interrupted, options.again)

        def make_engine(tasks: Sequence[Task]) -> Engine:
            return _make_engine(options, plan, tasks)

        return BatchRun(plan, states, journal, console, make_engine).run()


def given_options(options: Namespace) -> Namespace:
    """The options of `reconstruct` that were given on the command line."""
    from ..program import build_reconstruct_parser

    known = {action.dest for action in build_reconstruct_parser()._actions} - set(_OF_BATCH)
    return Namespace(**{name: value for name, value in vars(options).items() if name in known})


def read_jobs(path: str | Path) -> list[list[str]]:
    """The jobs of a list as words of the command line; [] of a table of clips, options and targets.

    Raises:
        InputError: the file cannot be read or has mistakes.
    """
    content = read_job_list(path)
    return [] if isinstance(content, JobTable) else [job.words for job in content]


def _make_engine(options: Namespace, plan: Plan, tasks: Sequence[Task]) -> Engine:
    if options.engine == "ray":
        from ..batch.ray_engine import RayEngine

        return RayEngine(plan.folder, options.address, options.cpus, options.gpus, options.workers)
    if options.address is not None:
        raise InputError("batch-address-unused", "--address does nothing without --engine ray.", "Add it, or leave the address out.")
    uses_graphics = any(task.options.device not in ("cpu", "mps") for task in tasks)
    workers = options.workers or count_workers(len(tasks), uses_graphics)
    cards = graphics_cards() if uses_graphics and workers > 1 else {}
    return LocalEngine(min(workers, len(tasks)), plan.folder, tuple(cards))


def _print_plan(plan: Plan, states: Sequence[TaskState], console: Console) -> int:
    """Print what would be made, and why; writes nothing."""
    width = max(len(state.task.name) for state in states)
    for state in states:
        problem = None if state.is_done else find_problem(state.task)
        about = f"  {problem.problem}" if problem else ""
        for index, path in enumerate(state.task.paths):
            console.print_result(f"{state.task.name if not index else '':<{width}}  {state.state if not index else '':<11}  {path}{about}")
        paths = [str(path) for path in state.task.paths]
        told = {"problem": str(problem.problem)} if problem else {}
        console.event("planned", clip=state.task.name, input=state.task.source, state=state.state, outputs=paths, **told)
    to_run = sum(not state.is_done for state in states)
    console.print_result(f"{to_run} of {len(states)} clips to do. Nothing was written.")
    return 0
