"""The actions of a user in the window, by drags, clicks and keys only."""

import time
from collections.abc import Callable
from typing import Any

from scripts.window.window import MATERIAL_FOLDER, Window, patience

ADDON = "bl_ext.user_default.blender_meshrec"
PREFERENCES = f"bpy.context.preferences.addons[{ADDON!r}].preferences"
_DRAGGED = "/tmp/.dragged"  # the state of drag.tcl
_TO_BUNDLE = 79  # px at the screen's scale of 1, from the button to the field three rows below
_STEP = 9  # px, a third of the height of a heading
_HEADING = 28  # px, from the heading of a closed section to the next
_SECTIONS = [
    f"MESHREC_PT_{name}" for name in ("main", "result", "contacts", "corrections", "result_edits", "clean_up_rig", "retarget", "export")
]


class Artist:
    """A user of a Window."""

    def __init__(self, window: Window) -> None:
        self.window = window

    def close_splash(self) -> None:
        """Close the splash screen of a first start."""
        self.window.move(640, 650)
        self.window.press("Escape", "Escape")
        time.sleep(0.5)

    def drag(self, *files: str, to: tuple[float, float] = (400, 420), drop: bool = True) -> None:
        """Drag files from a file manager's window into Blender's window; drop: and drop them there."""
        window = self.window
        left, top = 560, window.size[1] - 36
        names = " ".join(f"'{MATERIAL_FOLDER}/{name}'" for name in files)
        window.run("sh", "-c", f"rm -f {_DRAGGED}; wish /mnt/tools/drag.tcl {_DRAGGED} {left} {top} {names} >/dev/null 2>&1 &")
        self._wait_for_drag("ready")
        window.move(left + 60, top + 15)
        window.run("xdotool", "mousedown", 1)
        for step in range(1, 13):
            window.move(left + 60 + (to[0] - left - 60) * step / 12, top + 15 + (to[1] - top - 15) * step / 12)
        time.sleep(0.4)
        if drop:
            self.drop()

    def drop(self) -> None:
        """Drop the dragged files."""
        self.window.run("xdotool", "mouseup", 1)
        self._wait_for_drag("over")
        time.sleep(0.8)

    def _wait_for_drag(self, state: str) -> None:
        end = time.monotonic() + 20 * patience()
        while self.window.run("sh", "-c", f"cat {_DRAGGED} 2>/dev/null || true").strip() != state:
            if time.monotonic() > end:
                raise TimeoutError(f"what is dragged is not {state}")
            time.sleep(0.1)

    def install(self, extension: str) -> None:
        """Drop the extension's zip into Blender and confirm."""
        self.drag(extension)
        self._press_until("Return", f"{ADDON!r} in bpy.context.preferences.addons", 60)
        time.sleep(1.0)

    def drop_footage(self, name: str) -> None:
        """Drop footage into the 3D view, and choose MeshRec where Blender asks."""
        self.drag(name)
        self._press_until("f", "bpy.context.scene.meshrec.source", 60)

    def _press_until(self, key: str, expression: str, seconds: float) -> None:
        """Press a key until an expression is true: Blender's menu may appear late, and the key has no effect before."""
        end = time.monotonic() + seconds * patience()
        while not self.window.evaluate(expression):
            if time.monotonic() > end:
                raise TimeoutError(f"{expression} is not true after {seconds} s of pressing {key}")
            self.window.press(key)
            time.sleep(1.0)

    def raise_main_window(self) -> None:
        """Bring Blender's main window to the front."""
        self.window.run("xdotool", "search", "--name", " - Blender ", "windowraise", "windowfocus")
        time.sleep(0.5)

    def install_backend(self, bundle: str, seconds: float = 400, on_begin: Callable[[], object] = lambda: None) -> str:
        """Install the backend from a folder of packages, in Blender's preferences; returns the error, "" if there is none."""
        window = self.window
        window.click_button("meshrec.open_preferences")
        window.wait_until("region_box('PREFERENCES', 'WINDOW')", 30)
        time.sleep(0.8)
        place: dict[str, Any] = {"area": "PREFERENCES", "region": "WINDOW", "columns": (0.6,), "scrolls": 3}
        x, y = window.find_button("meshrec.install_backend", **place)
        # Blender does not report the names of add-on preferences below the pointer.
        window.click(x, y + _TO_BUNDLE, times=2)
        window.press("ctrl+a")
        window.type(f"{MATERIAL_FOLDER}/{bundle}")
        window.press("Return")
        window.wait_until(f"{PREFERENCES}.bundle == {MATERIAL_FOLDER + '/' + bundle!r}", 30)
        window.click_button("meshrec.install_backend", **place)
        self.bind_addon_state()
        on_begin()
        window.wait_until("state.installation is not None and not state.installation.running", seconds, every=0.5)
        return window.evaluate("str(state.installation.error or '')")

    def bind_addon_state(self) -> None:
        """Make the add-on's state available to the observer's expressions."""
        self.window.evaluate(f"import {ADDON}.ui.setup.setup_state as state, {ADDON}.ui.jobs.jobs as jobs")
        self.window.evaluate(f"watch_panels({ADDON!r})")

    def open_panels(self) -> list[str]:
        """The open panels of the sidebar."""
        self.window.evaluate("draw_sidebar()")
        self.window.wait_until("open_panels() is not None", 30, every=0.05)
        return self.window.evaluate("open_panels()")

    def _settled_panels(self) -> list[str]:
        """The open panels once they no longer change: on a busy computer a click may take effect late."""
        before = self.open_panels()
        while (now := self.open_panels()) != before:
            before = now
        return now

    def open_alone(self, panel: str) -> tuple[float, float]:
        """Open a section of the tab and close all others; returns where its heading is. The tab must not be scrolled."""
        window = self.window
        left, top, _, _ = window.screen_region("VIEW_3D", "UI")
        polls = "lambda kind: 'poll' not in vars(kind) or kind.poll(bpy.context)"
        shown = window.evaluate(f"[name for name in {_SECTIONS} if ({polls})(getattr(bpy.types, name))]")
        places = {name: (left + 24, top + _HEADING * (number + 0.5)) for number, name in enumerate(shown)}
        for name, place in places.items():  # from the top: where all above are closed, a heading's place is known
            if name in self._settled_panels():
                window.click(*place)
        window.click(*places[panel])
        if panel not in (opened := self._settled_panels()):
            raise LookupError(f"{panel} was to be opened, and {opened} are open")
        return places[panel]

    def open_section(self, panel: str, below: str | None = None) -> tuple[float, float]:
        """Click the heading of a section, which opens or closes it; returns where it is.

        Blender does not report the positions of headings: every position without a button is tried, and unintended changes are undone.
        below: a button above it (`Window.find_button`), or None.
        """
        window = self.window
        left, top, _, height = window.screen_region("VIEW_3D", "UI")
        first = window.find_button(below)[1] if below else top
        before = self.open_panels()
        for y in range(first + 6, min(top + height, window.size[1]) - 6, _STEP):
            window.move(left + 24, y)
            if window.evaluate("under_pointer('VIEW_3D', 'UI')"):
                continue
            window.click(left + 24, y)
            now = self._settled_panels()
            if (panel in now) != (panel in before):
                time.sleep(0.4)
                return left + 24, y
            for _ in range(3):
                if now == before:
                    break
                window.click(left + 24, y)
                now = self._settled_panels()
            before = now
        raise LookupError(f"there is no heading of {panel}")

    def save_file(self) -> None:
        """Confirm the file browser without changes."""
        self.window.wait_until("region_box('FILE_BROWSER', 'EXECUTE')", 30)
        time.sleep(0.8)
        self.window.click_button("file.execute", "FILE_BROWSER", "EXECUTE", columns=(0.7, 0.8, 0.9))

    def open_tab(self, width: int = 0) -> None:
        """Open the sidebar and its MeshRec tab, and widen it by `width` pixels."""
        window = self.window
        left, top, across, down = window.screen_region("VIEW_3D", "WINDOW")
        window.move(left + 0.4 * across, top + 0.6 * down)
        shown = "next(a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == 'VIEW_3D').spaces[0].show_region_ui"
        if not window.evaluate(shown):
            window.press("n")
            window.wait_until(shown, 30)
            time.sleep(0.5)
        category = "[r.active_panel_category for _, _, r in _regions('VIEW_3D', 'UI')][:1]"
        left, top, across, down = window.screen_region("VIEW_3D", "UI")
        for y in range(top + 20, top + down, 24):
            if window.evaluate(category) == ["MeshRec"]:
                break
            window.click(left + across - 8, y)
        assert window.evaluate(category) == ["MeshRec"], f"there is no tab MeshRec: {window.log()}"
        if width:
            window.move(left + 1, top + 0.8 * down)
            window.run("xdotool", "mousedown", 1)
            for step in range(1, 6):
                window.move(left + 1 - width * step / 5, top + 0.8 * down)
            window.run("xdotool", "mouseup", 1)
        time.sleep(0.4)
