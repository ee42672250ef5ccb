"""What there is to do of a task: nothing, if its clip, its options and its files are as an earlier run left them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from ...core.errors import MeshRecError
from ...core.messages import Message
from .. import surfaces
from ..commands.reconstruct import missing_input_error
from ..output_checks import check_outputs, input_files, unused_options
from ..outputs import retarget_target_from_options
from ..people_option import check_people_files
from .fingerprint import changed_outputs, task_fingerprint
from .outcome import Outcome, is_done
from .plan import Plan
from .task import Task

DONE, NEW, CHANGED, MISSING, FAILED, INTERRUPTED, AGAIN = "done", "new", "changed", "missing", "failed", "interrupted", "again"


@dataclass(frozen=True)
class TaskState:
    """A task, what there is to do of it, and its fingerprint. state: "done", or why it is to be run."""

    task: Task
    state: str
    fingerprint: str
    earlier: Outcome | None = None

    @property
    def is_done(self) -> bool:
        return self.state == DONE


def task_states(plan: Plan, ended: dict[str, Outcome], interrupted: set[str], again: bool = False) -> list[TaskState]:
    """What there is to do.

    Args:
        ended: the last "end" event of each task, by key. interrupted: keys of tasks that began and never ended. again: do all.
    """
    found: list[TaskState] = []
    for task in plan.tasks:
        earlier, fingerprint = ended.get(task.key), task_fingerprint(task)
        if again:
            state = AGAIN
        elif task.key in interrupted:
            state = INTERRUPTED
        elif earlier is None:
            state = NEW
        elif not is_done(earlier):
            state = FAILED
        elif earlier.get("fingerprint") != fingerprint:
            state = CHANGED
        else:
            state = MISSING if changed_outputs(earlier["outputs"], plan.folder) else DONE
        found.append(TaskState(task, state, fingerprint, earlier))
    return found


def find_problem(task: Task) -> MeshRecError | None:
    """Why a task cannot be run: its clip or another file is missing, or its files cannot be written; None if it can."""
    try:
        for source in (task.source, *task.views):
            if not os.path.exists(source):
                raise missing_input_error(source)
        check_people_files(getattr(task.options, "people_list", None), [task.source])
        for target in task.targets:
            surfaces.check_reconstruct_options(target.options, target.paths)
            has_character = retarget_target_from_options(target.options) is not None
            check_outputs(target.paths, target.options.blender, protected=[*input_files(target.options)], with_character=has_character)
    except MeshRecError as error:
        return error
    return None


def notes_on_options(tasks: Sequence[Task]) -> list[Message]:
    """Messages about options that do nothing, each once."""
    found = [message for task in tasks for target in task.targets for message in unused_options(target.options, target.paths)]
    return list(dict.fromkeys(found))
