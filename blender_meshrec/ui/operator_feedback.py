"""What operators tell the user: errors and notes as reports, and the reason why a button is greyed out."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import TypeVar

import bpy

from ..core.errors import MeshRecError
from .blender_types import OperatorResult
from .translation import translate_error, translate_message

Self = TypeVar("Self", bound=bpy.types.Operator)


def report_error(operator: bpy.types.Operator, error: MeshRecError) -> OperatorResult:
    """Report an error with its remedy; returns the result of the cancelled operator."""
    operator.report({"ERROR"}, translate_error(error))
    return {"CANCELLED"}


def reports_errors(
    execute: Callable[[Self, bpy.types.Context], OperatorResult],
) -> Callable[[Self, bpy.types.Context], OperatorResult]:
    """Decorate an operator's `execute`: a MeshRecError is reported, and the operator is cancelled."""

    @wraps(execute)
    def run(operator: Self, context: bpy.types.Context) -> OperatorResult:
        try:
            return execute(operator, context)
        except MeshRecError as error:
            return report_error(operator, error)

    return run


def report_notes(operator: bpy.types.Operator, notes: Iterable[str]) -> None:
    """Report each note as a warning."""
    for note in notes:
        operator.report({"WARNING"}, translate_message(note))


def poll_unless(operator: type[bpy.types.Operator], reason: str) -> bool:
    """The result of a `poll`: True if `reason` is empty; otherwise False, and the tooltip gives the reason, already translated."""
    if reason:
        operator.poll_message_set(reason)
    return not reason
