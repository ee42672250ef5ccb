"""The outcome of a task: what was written, or why nothing was. It is plain JSON, because it may come from another computer."""

from typing import Any, TypeAlias

from ...core.errors import ExitCode, MeshRecError
from ...core.messages import describe_exception

# status: "done" or "failed". exit_code, error (its name), problem, remedy: of a failure. outputs: as of `describe_outputs`. report: as of
# `meshrec reconstruct --report`, finite numbers only. picture: a JPEG file in base64, or None. seconds, memory_mb: of the backend now.
Outcome: TypeAlias = dict[str, Any]


def failed(error: Exception) -> Outcome:
    """The Outcome of a task that ended with an error."""
    if isinstance(error, MeshRecError):
        code, name, problem, remedy = int(error.exit_code), error.name, str(error.problem), str(error.remedy)
    else:
        said = f"{type(error).__name__}: {describe_exception(error)}".rstrip(": .")
        code, name, problem = int(ExitCode.FAULT), "fault", f"Something went wrong ({said})."
        remedy = "This is a fault of ours: please report it with what --debug shows."
    return {"status": "failed", "exit_code": code, "error": name, "problem": problem, "remedy": remedy, "outputs": [], "report": None}


def is_done(outcome: Outcome) -> bool:
    """Whether a task has written all its files."""
    return outcome.get("status") == "done"


def people_of(outcome: Outcome) -> list[dict[str, Any]]:
    """The people in an outcome's report; [] if there is none."""
    report = outcome.get("report")
    people = report.get("people") if isinstance(report, dict) else None
    return [person for person in people if isinstance(person, dict)] if isinstance(people, list) else []
