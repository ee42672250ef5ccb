"""Which buttons mend an error."""

from dataclasses import dataclass, field

from ..core.catalog import DEFAULT_REFINERS
from ..core.errors import InputError, ModelError, NobodyFoundError, NotSetUpError


@dataclass(frozen=True)
class Button:
    """An operator, what its button says, its icon and its properties."""

    operator: str
    text: str
    icon: str
    properties: dict = field(default_factory=dict)


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


def _set_enum_button(name, value, text):
    """Blender's own operator that chooses an item of a menu."""
    return Button("wm.context_set_enum", text, "CHECKMARK", {"data_path": f"scene.meshrec.{name}", "value": value})


def buttons_for(job, online):
    """The Buttons for a job that has failed.

    Args:
        job: a Job with an error. online: whether Blender may use the internet.
    """
    error, request = job.error, job.request
    if isinstance(error, NotSetUpError):
        return (() if online else (ALLOW_ONLINE,)) + (INSTALL, PREFERENCES)
    if isinstance(error, ModelError):
        chosen = []
        if request.body != "open":
            chosen += [CHOOSE_BODY, OPEN_BODY]
        if request.skeleton == "skel" and request.skel_body != "open":
            chosen += [CHOOSE_SKEL, OPEN_SKELETON]
        return tuple(chosen) or (REPAIR, PREFERENCES)
    if isinstance(error, NobodyFoundError):
        return (OPEN_FOOTAGE, RETRY)
    if isinstance(error, InputError):
        # What could not even be started is not the footage's fault, but that of a path in the preferences.
        return (OPEN_FOOTAGE, *_setting_buttons(request), RETRY) if job.was_started else (PREFERENCES, RETRY)
    return (RETRY,)


def _setting_buttons(request):
    """Buttons for settings that some input, or some computer, does not go with."""
    if request.device not in ("auto", "cpu"):
        yield _set_enum_button("device", "auto", "Choose the Device Automatically")
    if set(request.refine) - set(DEFAULT_REFINERS) and request.skeleton != "skel":
        yield _set_enum_button("skeleton", "skel", "Use the SKEL Skeleton")
    if request.skeleton == "skel" and (request.body == "open") != (request.skel_body == "open"):  # their skins differ
        yield OPEN_BODY if request.body != "open" else OPEN_SKELETON
