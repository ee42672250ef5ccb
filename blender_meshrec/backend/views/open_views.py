"""Open the further views of a request, and the calibration of its cameras."""

from collections.abc import Callable

from ...bridge.messages import Progress, ReconstructRequest
from ...core.camera_calibration import CalibratedCamera
from ...core.errors import InputError
from ...core.files.calibrations.read_calibration import read_calibration
from ..tracking.detect_and_track import TrackingResult
from .footage_views import AUTO, open_views
from .join_views import JoinedViews


def read_cameras(request: ReconstructRequest) -> tuple[CalibratedCamera, ...]:
    """The cameras of a request's calibration, read before its footage; empty without one. Raises InputError."""
    if request.cameras is not None and request.camera is not None:
        problem, remedy = "--camera is for one view, and --cameras joins several.", "Put the camera into the calibration, or leave one out."
        raise InputError("cameras-with-camera", problem, remedy)
    if request.cameras is None or request.cameras == AUTO:
        return ()
    if not request.views:
        raise one_view_error()
    return read_calibration(request.cameras)


def one_view_error() -> InputError:
    """The error of a request to join a single view."""
    return InputError(
        "cameras-of-one-view",
        "--cameras joins several views, and there is one input.",
        "Give the files of all cameras, or leave --cameras out.",
    )


def open_joined_views(
    request: ReconstructRequest,
    tracked: TrackingResult,
    cameras: tuple[CalibratedCamera, ...],
    warnings: list[str],
    on_progress: Callable[[Progress], None],
) -> JoinedViews | None:
    """All views of a request, the first of which is tracked already; None of a request for one.

    Adds to `warnings`. Raises InputError.
    """
    if request.cameras is None:
        return None
    if not request.views:
        raise one_view_error()
    views, more = open_views(request, tracked, cameras, on_progress)
    warnings += more
    return JoinedViews(views, is_given=bool(cameras))
