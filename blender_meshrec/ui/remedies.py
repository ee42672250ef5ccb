"""The buttons that the panel offers for an error."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..bridge.messages import ReconstructRequest
from ..core.catalog import DEFAULT_REFINERS
from ..core.errors import InputError, ModelError, NobodyFoundError, NotSetUpError
from ..core.quality_levels import AUTO_REFINER
from .jobs.jobs import Job


@dataclass(frozen=True)
class Button:
    """An operator's name, the text and icon of its button, and its properties."""

    operator: str
    text: str
    icon: str
    properties: dict[str, object] = field(default_factory=dict)


ALLOW_ONLINE = Button("meshrec.allow_online", "Allow Online Access", "INTERNET")
INSTALL = Button("meshrec.install_backend", "Install Backend", "IMPORT")
REPAIR = Button("meshrec.install_backend", "Repair Backend", "FILE_REFRESH", {"anew": True})
PREFERENCES = Button("meshrec.open_preferences", "Open Preferences", "PREFERENCES")
OPEN_FOOTAGE = Button("meshrec.open_footage", "Open Footage", "FILEBROWSER")
RETRY = Button("meshrec.reconstruct", "Retry", "FILE_REFRESH")
CHOOSE_BODY = Button("meshrec.choose_model", "Choose Body File", "FILEBROWSER", {"which": "body"})
CHOOSE_SKEL = Button("meshrec.choose_model", "Choose SKEL File", "FILEBROWSER", {"which": "skel_body"})
OPEN_BODY = Button("meshrec.use_open_model", "Use the Open Body", "LOOP_BACK", {"which": "body"})
OPEN_SKELETON = Button("meshrec.use_open_model", "Use the Open Skeleton", "LOOP_BACK", {"which": "skel_body"})


def buttons_for(job: Job, online: bool) -> tuple[Button, ...]:
    """The buttons for a failed job.

    Args:
        job: a Job with an error.
        online: whether Blender may use the internet.
    """
    error, request = job.error, job.request
    if isinstance(error, NotSetUpError):
        return (INSTALL, PREFERENCES) if online else (ALLOW_ONLINE, INSTALL, PREFERENCES)
    if isinstance(error, ModelError) and error.problem.name == "best-model-missing.problem":
        return (_set_enum_button("quality", "STANDARD", "Choose Quality Standard"), RETRY)
    if isinstance(error, ModelError):
        return tuple(_model_buttons(request)) or (REPAIR, PREFERENCES)
    if isinstance(error, NobodyFoundError):
        return (OPEN_FOOTAGE, RETRY)
    if isinstance(error, InputError):
        # If the backend did not even start, the cause is a path in the preferences and not the footage.
        return (OPEN_FOOTAGE, *_setting_buttons(request), RETRY) if job.was_started else (PREFERENCES, RETRY)
    return (RETRY,)


def _model_buttons(request: ReconstructRequest) -> Iterator[Button]:
    """Buttons that replace the user's own model files."""
    if request.body != "open":
        yield from (CHOOSE_BODY, OPEN_BODY)
    if request.skeleton == "skel" and request.skel_body != "open":
        yield from (CHOOSE_SKEL, OPEN_SKELETON)


def _setting_buttons(request: ReconstructRequest) -> Iterator[Button]:
    """Buttons that change settings which do not suit some footage, computers or model files."""
    if request.device not in ("auto", "cpu"):
        yield _set_enum_button("device", "auto", "Choose the Device Automatically")
    if set(request.refine) - {AUTO_REFINER, *DEFAULT_REFINERS} and request.skeleton != "skel":
        yield _set_enum_button("skeleton", "skel", "Use the SKEL Skeleton")
    if request.skeleton == "skel" and (request.body == "open") != (request.skel_body == "open"):  # the two skins differ
        yield OPEN_BODY if request.body != "open" else OPEN_SKELETON


def _set_enum_button(name: str, value: str, text: str) -> Button:
    """A button that sets an enum of the scene's settings by Blender's own operator."""
    return Button("wm.context_set_enum", text, "CHECKMARK", {"data_path": f"scene.meshrec.{name}", "value": value})
