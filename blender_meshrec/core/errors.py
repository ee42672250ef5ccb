"""Errors that a user can meet: the problem, the remedy, and the exit code that a script receives."""

from enum import IntEnum
from typing import ClassVar

from .messages import Message


class ExitCode(IntEnum):
    """Exit codes of every command; users' scripts depend on them."""

    DONE = 0
    FAULT = 1
    BAD_INPUT = 2
    NOBODY_FOUND = 3
    MODEL_MISSING = 4
    OUTPUT_FAILED = 5
    CANCELLED = 130


class MeshRecError(Exception):
    """A failure that the user can understand and correct.

    Args:
        name: stable identity of the error, in kebab case.
        problem: one sentence that states the problem, as an English template with {placeholders}, or a finished Message.
        remedy: one sentence that states what to do, in the words of the user interface; likewise.
        values: values of the placeholders.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.FAULT

    def __init__(self, name: str, problem: str, remedy: str, /, **values: object) -> None:
        self.name = name
        self.problem = problem if isinstance(problem, Message) else Message(f"{name}.problem", problem, **values)
        self.remedy = remedy if isinstance(remedy, Message) else Message(f"{name}.remedy", remedy, **values)
        super().__init__(f"{self.problem} {self.remedy}")


class InputError(MeshRecError):
    """Wrong usage, or an input that cannot be read."""

    exit_code = ExitCode.BAD_INPUT


class NobodyFoundError(MeshRecError):
    """No person was detected in the footage."""

    exit_code = ExitCode.NOBODY_FOUND


class ModelError(MeshRecError):
    """A model file or a licensed file is missing or damaged."""

    exit_code = ExitCode.MODEL_MISSING


class NotSetUpError(ModelError):
    """Required software is not installed on this computer."""


class OutputError(MeshRecError):
    """The result cannot be written."""

    exit_code = ExitCode.OUTPUT_FAILED


class CancelledError(MeshRecError):
    """The user cancelled the job."""

    exit_code = ExitCode.CANCELLED

    def __init__(
        self, name: str = "cancelled", problem: str = "Cancelled.", remedy: str = "Nothing was changed.", /, **values: object
    ) -> None:
        super().__init__(name, problem, remedy, **values)


def error_from_exit_code(exit_code: int, problem: Message, remedy: Message) -> MeshRecError:
    """Rebuild an error that was sent to another process, as the class with this exit code."""
    name = problem.name.removesuffix(".problem")
    for error_class in (InputError, NobodyFoundError, ModelError, OutputError, CancelledError):
        if error_class.exit_code == exit_code:
            return error_class(name, problem, remedy)
    return MeshRecError(name, problem, remedy)
