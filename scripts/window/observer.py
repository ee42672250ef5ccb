"""Runs in the Blender with a window: evaluates code between two events, and measures. It does not generate input events."""

import contextlib
import json
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any

import bpy

MARK = "\x1f"
_requests: "SimpleQueue[str]" = SimpleQueue()
_waiting: list[str] = []
_INTERVAL = 0.01  # s


def _listen() -> None:
    """Queue the requests from standard input."""
    for line in sys.stdin:
        _requests.put(json.loads(line))


def _answer(kind: str, value: object) -> None:
    """Print an answer: ["ok", value] or ["error", text]."""
    sys.stdout.write(f"{MARK}{json.dumps([kind, value], default=str)}\n")
    sys.stdout.flush()


def _serve() -> float:
    """A timer that evaluates the queued requests; returns the time until its next call, s."""
    # A request waits for one timer call, so that Blender handles the clicks before it first.
    if not _waiting:
        with contextlib.suppress(Empty):
            _waiting.append(_requests.get_nowait())
        return _INTERVAL
    code = _waiting.pop()
    try:
        try:
            expression = compile(code, "request", "eval")
        except SyntaxError:
            exec(compile(code, "request", "exec"), globals())
            _answer("ok", None)
        else:
            _answer("ok", eval(expression, globals()))
    except Exception:  # noqa: BLE001 - reported to the caller
        _answer("error", traceback.format_exc())
    return _INTERVAL


def windows() -> list[list[Any]]:
    """Every window: [left, bottom, width, height, [area type, ...]], pixels."""
    found: list[list[Any]] = []
    for window in _window_manager().windows:
        found.append([window.x, window.y, window.width, window.height, [area.type for area in window.screen.areas]])
    return found


def _window_manager() -> Any:
    return bpy.context.window_manager


def _regions(area_type: str, region_type: str) -> Iterator[tuple[bpy.types.Window, bpy.types.Area, bpy.types.Region]]:
    """The regions of a type in areas of a type, those of the newest window first."""
    for window in reversed(_window_manager().windows):
        for area in window.screen.areas:
            for region in area.regions:
                if area.type == area_type and region.type == region_type and region.width > 1 and region.height > 1:
                    yield window, area, region


def region_box(area_type: str, region_type: str) -> list[int] | None:
    """The first of these regions: left, bottom, width and height in pixels of its window, and the window's left and bottom."""
    for window, _, region in _regions(area_type, region_type):
        return [region.x, region.y, region.width, region.height, window.x, window.y]
    return None


def under_pointer(area_type: str, region_type: str) -> str | None:
    """The button below the pointer: the Python call of its operator, or the data path of its property; None for no button."""
    buttons: Any = bpy.ops.ui
    for window, area, region in _regions(area_type, region_type):
        with bpy.context.temp_override(window=window, area=area, region=region):
            if buttons.copy_python_command_button.poll():
                buttons.copy_python_command_button()
                return _window_manager().clipboard
            if buttons.copy_data_path_button.poll():
                buttons.copy_data_path_button(full_path=True)
                return _window_manager().clipboard
        return None
    return None


def blocks() -> dict[str, int]:
    """The number of data blocks of each kind."""
    kinds = ("objects", "meshes", "armatures", "actions", "collections", "materials", "images", "movieclips", "texts", "cameras")
    return {kind: len(getattr(bpy.data, kind)) for kind in kinds}


_drawn_panels: set[str] = set()  # since the last call of draw_sidebar
_sidebars: list[bool] = []  # filled once the sidebar has been drawn


def watch_panels(module: str) -> None:
    """Record from now on which panels of an add-on are drawn; closed panels are not."""
    for kind in bpy.types.Panel.__subclasses__():
        if kind.__module__.startswith(module) and hasattr(kind, "bl_category") and kind.draw.__name__ != "recording_draw":
            panel: Any = kind
            panel.draw = _recording_draw(kind)
    if not _sidebars:
        bpy.types.SpaceView3D.draw_handler_add(lambda: _sidebars.append(True), (), "UI", "POST_PIXEL")


def _recording_draw(kind: type[bpy.types.Panel]) -> Callable[[Any, Any], Any]:
    """A panel's draw function that records the panel."""
    draw = kind.draw

    def recording_draw(self: Any, context: Any) -> Any:  # Blender checks the number of arguments
        _drawn_panels.add(kind.bl_idname)
        return draw(self, context)

    return recording_draw


def draw_sidebar() -> None:
    """Redraw the sidebar."""
    _drawn_panels.clear()
    _sidebars.clear()
    for _, _, region in _regions("VIEW_3D", "UI"):
        region.tag_redraw()


def open_panels() -> list[str] | None:
    """The panels drawn since `draw_sidebar`; None until the sidebar has been drawn."""
    return sorted(_drawn_panels) if _sidebars else None


class Texts:
    """A fake layout of a panel that collects the translated texts it would show."""

    _texts: list[str]

    def __init__(self, texts: list[str]) -> None:
        self.__dict__["_texts"] = texts

    def __getattr__(self, kind: str) -> Callable[..., "Texts"]:
        def put(*arguments: Any, **options: Any) -> "Texts":
            text = options.get("text")
            if text is None and kind == "operator":
                area, name = arguments[0].split(".")
                text = getattr(getattr(bpy.ops, area), name).get_rna_type().name
            elif text is None and kind == "prop":
                text = arguments[0].bl_rna.properties[arguments[1]].name
            context = "Operator" if kind == "operator" else "*"
            if text:
                self._texts.append(str(bpy.app.translations.pgettext_iface(text, context)) if options.get("translate", True) else text)
            return Texts(self._texts)

        return put

    def __setattr__(self, name: str, value: object) -> None:
        pass


def texts_of(panel: str) -> list[str]:
    """The texts that a panel of the sidebar shows."""
    kind = getattr(bpy.types, panel)
    texts: list[str] = []
    for window, area, region in _regions("VIEW_3D", "UI"):
        with bpy.context.temp_override(window=window, area=area, region=region):
            kind.draw(type("Panel", (), {"layout": Texts(texts)}), bpy.context)
        return [str(bpy.app.translations.pgettext_iface(kind.bl_label)), *texts]
    return texts


class Measure:
    """Records the calls of a timer with interval 0, and the redraws of the 3D view; redrawing: the timer causes redraws."""

    def __init__(self, redrawing: bool) -> None:
        self.draws: list[float] = []
        self.ticks: list[float] = []
        self._redrawing = redrawing
        self._handle: Any = bpy.types.SpaceView3D.draw_handler_add(
            lambda: self.draws.append(time.perf_counter()), (), "WINDOW", "POST_PIXEL"
        )
        bpy.app.timers.register(self._tick)

    def _tick(self) -> float | None:
        if self._handle is None:
            return None
        self.ticks.append(time.perf_counter())
        if self._redrawing:
            for _, area, _ in _regions("VIEW_3D", "WINDOW"):
                area.tag_redraw()
        return 0.0

    def end(self) -> dict[str, float]:
        """Stop; returns redraws per second, and the number, 99th percentile and maximum, s, of the intervals between timer calls."""
        bpy.types.SpaceView3D.draw_handler_remove(self._handle, "WINDOW")
        self._handle = None
        gaps = sorted(late - early for early, late in zip(self.ticks, self.ticks[1:]))
        rate = (len(self.draws) - 1) / (self.draws[-1] - self.draws[0]) if len(self.draws) > 1 else 0.0
        return {"rate": rate, "gaps": len(gaps), "p99": gaps[int(0.99 * (len(gaps) - 1))], "longest": gaps[-1]}


drawn: list[bool] = []  # filled once the 3D view has been drawn
_first = bpy.types.SpaceView3D.draw_handler_add(lambda: drawn or drawn.append(True), (), "WINDOW", "POST_PIXEL")
threading.Thread(target=_listen, daemon=True).start()
bpy.app.timers.register(_serve, persistent=True)
_answer("ok", bpy.app.version_string)
