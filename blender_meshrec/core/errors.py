"""The errors a user can meet: what is wrong, what to do about it, and the exit code a script sees."""

from enum import IntEnum


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
        problem: one sentence saying what is wrong.
        remedy: one sentence saying what to do, in the interface's words.
    """

    exit_code = ExitCode.FAULT

    def __init__(self, problem, remedy):
        super().__init__(f"{problem} {remedy}")
        self.problem = problem
        self.remedy = remedy


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

    def __init__(self, problem="Cancelled.", remedy="Nothing was changed."):
        super().__init__(problem, remedy)


def error_from_exit_code(exit_code, problem, remedy):
    """The error of the class that carries `exit_code`: how an error crosses the wire."""
    for kind in (InputError, NobodyFoundError, ModelError, OutputError, CancelledError):
        if kind.exit_code == exit_code:
            return kind(problem, remedy)
    return MeshRecError(problem, remedy)
