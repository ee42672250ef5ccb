"""The errors a user can meet: what is wrong, what to do about it, and the exit code a script sees."""

from enum import IntEnum

from .messages import Message


class ExitCode(IntEnum):
    """Exit codes of every command; users' scripts hold on to them."""

    DONE = 0
    FAULT = 1
    BAD_INPUT = 2
    NOBODY_FOUND = 3
    MODEL_MISSING = 4
    OUTPUT_FAILED = 5
    CANCELLED = 130


class MeshRecError(Exception):
    """Something the user can understand and mend.

    Args:
        name: stable identity of the error, in kebab case.
        problem: one sentence saying what is wrong, as an English template with {placeholders}, or a Message.
        remedy: one sentence saying what to do, in the interface's words; likewise.
        values: what stands for the placeholders.
    """

    exit_code = ExitCode.FAULT

    def __init__(self, name, problem, remedy, /, **values):
        self.name = name
        self.problem = problem if isinstance(problem, Message) else Message(f"{name}.problem", problem, **values)
        self.remedy = remedy if isinstance(remedy, Message) else Message(f"{name}.remedy", remedy, **values)
        super().__init__(f"{self.problem} {self.remedy}")


class InputError(MeshRecError):
    """Bad usage, or an input that cannot be read."""

    exit_code = ExitCode.BAD_INPUT


class NobodyFoundError(MeshRecError):
    """The footage was read and shows no person."""

    exit_code = ExitCode.NOBODY_FOUND


class ModelError(MeshRecError):
    """A model or licensed file is missing or damaged."""

    exit_code = ExitCode.MODEL_MISSING


class NotSetUpError(ModelError):
    """What the software needs is not installed on this computer."""


class OutputError(MeshRecError):
    """The result cannot be written."""

    exit_code = ExitCode.OUTPUT_FAILED


class CancelledError(MeshRecError):
    """The user stopped the job."""

    exit_code = ExitCode.CANCELLED

    def __init__(self, name="cancelled", problem="Cancelled.", remedy="Nothing was changed.", /, **values):
        super().__init__(name, problem, remedy, **values)


def error_from_exit_code(exit_code, problem, remedy):
    """The error of the class that carries `exit_code`, of two Messages: how an error crosses the wire."""
    name = problem.name.removesuffix(".problem")
    for kind in (InputError, NobodyFoundError, ModelError, OutputError, CancelledError):
        if kind.exit_code == exit_code:
            return kind(name, problem, remedy)
    return MeshRecError(name, problem, remedy)
