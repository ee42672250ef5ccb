"""Inside the Blender with a window: runs what it is asked between two events, and measures. It presses nothing itself."""

import contextlib
import json
import sys
import threading
import time
import traceback
from queue import Empty, SimpleQueue

import bpy

MARK = "\x1f"
_requests = SimpleQueue()
_waiting = []
_INTERVAL = 0.01  # s


def _listen():
    for line in sys.stdin:
        _requests.put(json.loads(line))


def _say(kind, value):
    sys.stdout.write(f"{MARK}{json.dumps([kind, value], default=str)}\n")
    sys.stdout.flush()


def _serve():
    # What was clicked before a question has been handled when it is answered: a turn of Blender's lies between.
    if not _waiting:
        with contextlib.suppress(Empty):
            _waiting.append(_requests.get_nowait())
        return _INTERVAL
    code = _waiting.pop()
    try:
        try:
            work = compile(code, "asked", "eval")
        except SyntaxError:
            exec(compile(code, "asked", "exec"), globals())
            _say("ok", None)
        else:
            _say("ok", eval(work, globals()))
    except Exception:  # noqa: BLE001 - told to the one who asked
        _say("error", traceback.format_exc())
    return _INTERVAL


def windows():
    """Every window: [left, bottom, width, height, [area type, ...]], pixels."""
    found = []
    for window in bpy.context.window_manager.windows:
        found.append([window.x, window.y, window.width, window.height, [area.type for area in window.screen.areas]])
    return found


def _regions(area_type, region_type):
    for window in reversed(bpy.context.window_manager.windows):
        for area in window.screen.areas:
            for region in area.regions:
                if area.type == area_type and region.type == region_type and region.width > 1 and region.height > 1:
                    yield window, area, region


def region_box(area_type, region_type):
    """The newest such region: left, bottom, width and height in pixels of its window, and the window's left and bottom."""
    for window, _, region in _regions(area_type, region_type):
        return [region.x, region.y, region.width, region.height, window.x, window.y]
    return None


def under_pointer(area_type, region_type):
    """What the button below the pointer does: the Python of its operator, or the path of its property; None for neither."""
    for window, area, region in _regions(area_type, region_type):
        with bpy.context.temp_override(window=window, area=area, region=region):
            manager = bpy.context.window_manager
            if bpy.ops.ui.copy_python_command_button.poll():
                bpy.ops.ui.copy_python_command_button()
                return manager.clipboard
            if bpy.ops.ui.copy_data_path_button.poll():
                bpy.ops.ui.copy_data_path_button(full_path=True)
                return manager.clipboard
        return None
    return None


def blocks():
    """How many data blocks of each kind there are."""
    kinds = ("objects", "meshes", "armatures", "actions", "collections", "materials", "images", "movieclips", "texts", "cameras")
    return {kind: len(getattr(bpy.data, kind)) for kind in kinds}


_drawn_panels = set()  # since the sidebar was asked to be drawn anew
_sidebars = []


def watch_panels(module):
    """Note from now on which panels of an add-on are drawn; a closed one is not."""
    for kind in bpy.types.Panel.__subclasses__():
        if kind.__module__.startswith(module) and hasattr(kind, "bl_category") and kind.draw.__name__ != "noting":
            kind.draw = _noting(kind)
    if not _sidebars:
        bpy.types.SpaceView3D.draw_handler_add(lambda: _sidebars.append(True), (), "UI", "POST_PIXEL")


def _noting(kind):
    draw = kind.draw

    def noting(self, context):  # Blender looks at how many arguments it takes
        _drawn_panels.add(kind.bl_idname)
        return draw(self, context)

    return noting


def draw_sidebar():
    """Have the sidebar drawn anew."""
    _drawn_panels.clear()
    _sidebars.clear()
    for _, _, region in _regions("VIEW_3D", "UI"):
        region.tag_redraw()


def open_panels():
    """The panels that were drawn since, once the sidebar was; None before."""
    return sorted(_drawn_panels) if _sidebars else None


class Texts:
    """Stands for a panel's layout, and keeps the texts that it would show, as Blender translates them."""

    def __init__(self, said):
        self.__dict__["_said"] = said

    def __getattr__(self, kind):
        def put(*arguments, **options):
            text = options.get("text")
            if text is None and kind == "operator":
                area, name = arguments[0].split(".")
                text = getattr(getattr(bpy.ops, area), name).get_rna_type().name
            elif text is None and kind == "prop":
                text = arguments[0].bl_rna.properties[arguments[1]].name
            context = "Operator" if kind == "operator" else "*"
            if text:
                self._said.append(bpy.app.translations.pgettext_iface(text, context) if options.get("translate", True) else text)
            return Texts(self._said)

        return put

    def __setattr__(self, name, value):
        pass


def texts_of(panel):
    """What a panel of the sidebar shows."""
    kind, said = getattr(bpy.types, panel), []
    for window, area, region in _regions("VIEW_3D", "UI"):
        with bpy.context.temp_override(window=window, area=area, region=region):
            kind.draw(type("Panel", (), {"layout": Texts(said)}), bpy.context)
        return [bpy.app.translations.pgettext_iface(kind.bl_label), *said]
    return said


class Measure:
    """Notes every tick of a timer that is always due, and, while it keeps the 3D view redrawing, every redraw."""

    def __init__(self, redrawing):
        self.draws, self.ticks, self._redrawing = [], [], redrawing
        self._handle = bpy.types.SpaceView3D.draw_handler_add(lambda: self.draws.append(time.perf_counter()), (), "WINDOW", "POST_PIXEL")
        bpy.app.timers.register(self._tick)

    def _tick(self):
        if self._handle is None:
            return None
        self.ticks.append(time.perf_counter())
        if self._redrawing:
            for _, area, _ in _regions("VIEW_3D", "WINDOW"):
                area.tag_redraw()
        return 0.0

    def end(self):
        """Redraws a second; the number of gaps between ticks, their 99th percentile and the longest, s."""
        bpy.types.SpaceView3D.draw_handler_remove(self._handle, "WINDOW")
        self._handle = None
        gaps = sorted(late - early for early, late in zip(self.ticks, self.ticks[1:]))
        rate = (len(self.draws) - 1) / (self.draws[-1] - self.draws[0]) if len(self.draws) > 1 else 0.0
        return {"rate": rate, "gaps": len(gaps), "p99": gaps[int(0.99 * (len(gaps) - 1))], "longest": gaps[-1]}


drawn = []  # filled once the 3D view has been drawn
_first = bpy.types.SpaceView3D.draw_handler_add(lambda: drawn or drawn.append(True), (), "WINDOW", "POST_PIXEL")
threading.Thread(target=_listen, daemon=True).start()
bpy.app.timers.register(_serve, persistent=True)
_say("ok", bpy.app.version_string)
