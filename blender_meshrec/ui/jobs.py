"""The one job that runs at a time: the operators drive it, the panel shows it."""

from ..bridge.messages import Failure, Progress, Result
from ..core.errors import InputError, MeshRecError, error_from_exit_code
from .progress_rate import ProgressRate
from .translation import translate

# The job that runs or has run last; None until there was one.
current = None


class Job:
    """A reconstruction under way in the backend.

    client: the bridge's, None where the backend could not be started. progress: the last Progress, or None. progress_rate: the stage's
    ProgressRate. result: a Result once it is done. error: a MeshRecError once it has failed, and details for a bug report. notes:
    sentences to show with the result.
    """

    def __init__(self, client, request):
        self.request = request
        self.progress = None
        self.progress_rate = ProgressRate()
        self.result = None
        self.error = None
        self.details = ""
        self.notes = ()
        self._client = client
        self._ended = False

    @property
    def running(self):
        return not self._ended

    @property
    def was_started(self):
        """Whether the backend ever was at work on it."""
        return self._client is not None

    @property
    def fraction(self):
        """How far the stage has come, 0..1; 0 where its length is not known."""
        return min(1.0, self.progress.done / self.progress.total) if self.progress and self.progress.total else 0.0

    @property
    def text(self):
        """One line for the progress bar."""
        if self.progress is None:
            return translate("Starting")
        stage, unit, done, total = translate(self.progress.stage), translate(self.progress.unit), self.progress.done, self.progress.total
        if not (done or total):
            return stage
        return translate(
            "{stage}: {done} of {total} {unit}" if total else "{stage}: {done} {unit}", stage=stage, done=done, total=total, unit=unit
        )

    @property
    def rate_text(self):
        """One line below the progress bar."""
        return self.progress_rate.text(self.progress.unit if self.progress else "frames")

    def update(self):
        """Take in what the backend has said since; True where that changed anything."""
        messages = self._client.poll() if self.running else []
        for message in messages:
            if isinstance(message, Progress):
                self.progress = message
                self.progress_rate.update(message)
            elif isinstance(message, Result):
                self.result, self._ended = message, True
            elif isinstance(message, Failure):
                self.fail(error_from_exit_code(message.exit_code, message.problem, message.remedy), message.details)
        return bool(messages)

    def fail(self, error, details=""):
        """End with an error."""
        self.error, self.details, self._ended = error, details, True

    def cancel(self):
        """End the backend's process at once; the job ends without a result and without an error."""
        if self.running:
            self._ended = True
            self._client.cancel()


def is_running():
    """Whether a reconstruction goes on."""
    return current is not None and current.running


def start(request, python=None):
    """Start the backend on a ReconstructRequest and make it the current Job.

    Raises:
        InputError: a job is running already. MeshRecError: the backend cannot be started; the current Job tells why, too.
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


def dismiss():
    """Forget a job that has ended: its message is read."""
    global current
    if current is not None and not current.running:
        current = None


def start_client(request, python):
    """The bridge's client at work on a request; imported late, it is needed only once a job is started."""
    from ..bridge.backend_process import start_job

    return start_job(request, python=python, low_priority=True)


def stop():
    """End the current job, if one runs, and forget it."""
    global current
    if current is not None:
        current.cancel()
    current = None
