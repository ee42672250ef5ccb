"""The reconstruction job of the session: operators start and update it, panels show it. At most one runs at a time."""

from typing import TYPE_CHECKING

from ...bridge.messages import Failure, Progress, ReconstructRequest, Result
from ...core.errors import InputError, MeshRecError, error_from_exit_code
from ..setup import setup_state
from ..translation import translate, translate_message
from .overall_progress import OverallProgress

if TYPE_CHECKING:
    from ...bridge.backend_process import BackendJob

# The running or last job; None before the first and after `dismiss`.
current: "Job | None" = None


class Job:
    """A reconstruction in the backend process.

    client: the bridge's BackendJob, None if the backend could not be started. progress: the latest Progress, None before the first.
    overall: the fraction and the time left of the whole. result: the Result, once the job succeeded. error: the MeshRecError, once it
    failed; details: a log for a bug report. cancelled: whether the user has stopped it. notes: sentences shown with the result.
    """

    def __init__(self, client: "BackendJob | None", request: ReconstructRequest) -> None:
        self.request = request
        self.progress: Progress | None = None
        self.overall = OverallProgress()
        self.cancelled = False
        self.result: Result | None = None
        self.error: MeshRecError | None = None
        self.details = ""
        self.notes: tuple[str, ...] = ()
        self._client = client
        self._ended = False

    @property
    def running(self) -> bool:
        return not self._ended

    @property
    def was_started(self) -> bool:
        """Whether a backend process was started for this job."""
        return self._client is not None

    @property
    def fraction(self) -> float:
        """Completed fraction of the whole job, 0..1, which never goes back."""
        return self.overall.fraction

    @property
    def text(self) -> str:
        """The line in the progress bar."""
        if self.progress is None:
            return translate("Starting")
        stage, unit = translate_message(self.progress.stage), translate(self.progress.unit)
        done, total = self.progress.done, self.progress.total
        if not (done or total):
            return stage
        template = "{stage}: {done} of {total} {unit}" if total else "{stage}: {done} {unit}"
        return translate(template, stage=stage, done=done, total=total, unit=unit)

    @property
    def rate_text(self) -> str:
        """The line below the progress bar."""
        return self.overall.text

    def update(self) -> bool:
        """Process the backend's new messages; True if there were any."""
        messages = self._client.poll() if self._client is not None and self.running else []
        for message in messages:
            if isinstance(message, Progress):
                self.progress = message
                self.overall.update(message)
            elif isinstance(message, Result):
                self.result, self._ended = message, True
            elif isinstance(message, Failure):
                self.fail(error_from_exit_code(message.exit_code, message.problem, message.remedy), message.details)
        return bool(messages)

    def fail(self, error: MeshRecError, details: str = "") -> None:
        """End with an error."""
        self.error, self.details, self._ended = error, details, True

    def cancel(self) -> None:
        """End the backend process immediately; the job ends without a result and without an error."""
        if self.running:
            self._ended = self.cancelled = True
            if self._client is not None:
                self._client.cancel()


def is_running() -> bool:
    """Whether a reconstruction is running."""
    return current is not None and current.running


def busy_message() -> str:
    """The running task that prevents the start of another, as a translated sentence; "" if none is running."""
    if is_running():
        return translate("A reconstruction is running")
    return translate("The backend is being installed") if setup_state.is_installing() else ""


def start(request: ReconstructRequest, python: str | None = None) -> Job:
    """Start the backend with a request and make it the current Job.

    Raises:
        InputError: a job is running already.
        MeshRecError: the backend cannot be started; the current Job has the same error.
    """
    global current
    if is_running():
        raise InputError("reconstruction-running", "A reconstruction is running already.", "Wait for it, or cancel it first.")
    try:
        current = Job(start_client(request, python), request)
    except MeshRecError as error:
        current = Job(None, request)
        current.fail(error)
        raise
    return current


def dismiss() -> None:
    """Forget a job that has ended; the panel no longer shows its message."""
    global current
    if current is not None and not current.running:
        current = None


def start_client(request: ReconstructRequest, python: str | None) -> "BackendJob":
    """Start the backend process with a request."""
    from ...bridge.backend_process import start_job  # imported late: no job, no import

    return start_job(request, python=python, low_priority=True)


def stop() -> None:
    """Cancel the current job if it runs, and forget it."""
    global current
    if current is not None:
        current.cancel()
    current = None
