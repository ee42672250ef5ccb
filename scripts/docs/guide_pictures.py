"""Make the pictures of the user guide, docs/pictures/guide_*.jpg, from a real window.

    python3 build.py package --offline --device cpu && python3 -m scripts.prepare_window_blender
    .venv/bin/python -m scripts.docs.guide_pictures

The script follows the guide from a fresh user folder, step by step, with drags, clicks and keys.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from scripts import ROOT
from scripts.window.artist import Artist
from scripts.window.builds import BUNDLE, EXTENSION, newest_build
from scripts.window.window import Window, reason_to_skip

PICTURES = ROOT / "docs" / "pictures"
WINDOW_SIZE = (1280, 800)
_WRIST_ON_SCREEN = """
from bpy_extras.view3d_utils import location_3d_to_region_2d

def wrist_on_screen():
    rig = bpy.context.object
    for window, area, region in _regions("VIEW_3D", "WINDOW"):
        seen = location_3d_to_region_2d(region, area.spaces.active.region_3d, rig.matrix_world @ rig.pose.bones["left_wrist"].head)
        return [region.x + seen.x, region.y + seen.y]
"""


class GuideWalkthrough(Artist):
    """The steps of the guide, in its order."""

    def picture(self, name: str, box: Sequence[float] | None = None) -> None:
        """Save the screen or a part of it; box: left, top, width, height px."""
        time.sleep(0.6)
        self.window.save_screenshot(PICTURES / f"guide_{name}.jpg", box)
        print(f"guide_{name}.jpg", flush=True)

    def sidebar(self, name: str, height: int) -> None:
        """Save the upper part of the sidebar."""
        left, top, width, _ = self.window.screen_region("VIEW_3D", "UI")
        self.picture(name, [left, top - 4, width, height])

    def install_step(self) -> None:
        """Drop the zip and confirm."""
        self.drag("meshrec.zip")
        self.picture("install")
        self.window.press("Return")
        self.window.wait_until("hasattr(bpy.types.Scene, 'meshrec')", 60)
        time.sleep(1)

    def preferences(self) -> None:
        """Save the add-on's preferences during the installation, without the paths of this computer at the bottom."""
        time.sleep(15)
        left, top, width, _ = self.window.screen_region("PREFERENCES", "WINDOW")
        self.picture("backend_installing", [left - 4, top - 4, width + 8, 454])

    def backend_step(self) -> None:
        """Install the backend from the bundle."""
        self.open_tab(90)
        self.window.move(300, 500)
        self.sidebar("backend_missing", 500)
        error = self.install_backend("bundle", on_begin=self.preferences)
        assert not error, error
        self.raise_main_window()

    def footage_step(self, clip: str) -> None:
        """Drop a clip into the 3D view."""
        self.drag(clip)
        self.picture("drop")
        self.window.press("f")
        self.window.wait_until("bpy.context.scene.meshrec.source", 10)
        self.window.move(300, 500)
        time.sleep(1)
        self.sidebar("footage", 500)

    def error_step(self) -> None:
        """Provoke an error by a missing body file, and recover."""
        self.open_section("MESHREC_PT_body", below="meshrec.reconstruct(")
        self.window.fill_text_field(".body", "/home/artist/SMPL_NEUTRAL.npz")
        self.window.click_button("meshrec.reconstruct(")
        self.window.wait_until("jobs.current is not None and jobs.current.error is not None", 90)
        self.window.move(300, 600)
        self.window.press("Escape")
        self.sidebar("error", 620)
        self.window.click_button("meshrec.use_open_model")
        self.open_section("MESHREC_PT_body", below="meshrec.reconstruct(")

    def reconstruct_step(self) -> None:
        """Reconstruct, and take pictures of the progress, the people and the result."""
        window = self.window
        # Delete the default cube, which is where people will be.
        window.click(529, 372)
        window.press("x")
        time.sleep(0.4)
        window.press("Return")
        window.click_button("meshrec.reconstruct(")
        window.wait_until("jobs.current.progress is not None and jobs.current.progress.done > 40", 120)
        window.move(300, 500)
        self.picture("progress")
        window.wait_until("not jobs.current.running", 300)
        time.sleep(2)
        window.click_button("meshrec.dismiss")
        window.move(300, 500)
        self.sidebar("people", 410)
        window.press("KP_0")
        time.sleep(1.5)
        window.evaluate("bpy.context.scene.frame_set(60)")
        time.sleep(1.0)
        self.picture("camera")
        window.press("KP_0")
        window.press("KP_Decimal")
        time.sleep(1)
        self.open_section("MESHREC_PT_main")
        window.move(300, 500)
        self.picture("result")
        self.open_section("MESHREC_PT_result")

    def correct_step(self) -> None:
        """Look through the camera, and drag a wrist; the sections Contacts and Correct are open."""
        window = self.window
        window.evaluate("bpy.context.scene.frame_set(40)")
        window.move(300, 500)
        window.press("KP_0")
        time.sleep(1.5)
        sections = ("MESHREC_PT_contacts", "MESHREC_PT_corrections")
        for section in sections:
            self.open_section(section)
        window.evaluate(_WRIST_ON_SCREEN)
        window.click_button("meshrec.drag_joint")
        time.sleep(0.5)
        x, y = window.evaluate("wrist_on_screen()")
        y = window.size[1] - y
        window.move(x, y)
        window.evaluate("True")
        window.run("xdotool", "mousedown", 1)
        for step in range(1, 6):
            window.evaluate("True")  # Blender takes a button's event to be where the pointer is
            window.move(x + 8 * step, y + 5 * step)
        window.evaluate("True")
        window.run("xdotool", "mouseup", 1)
        time.sleep(1.5)
        self.picture("correct")
        window.press("Return")
        window.evaluate("bpy.ops.meshrec.remove_correction(kind='ALL')")
        for section in sections:
            self.open_section(section)
        window.move(300, 500)
        window.press("KP_0")
        time.sleep(1.0)

    def export_step(self) -> None:
        """Open the export section."""
        self.open_section("MESHREC_PT_export")
        self.window.move(300, 500)
        self.sidebar("export", 400)
        self.open_section("MESHREC_PT_export")

    def retarget_step(self) -> None:
        """Retarget onto a second person, imported from its motion file."""
        window = self.window
        self.open_section("MESHREC_PT_export")
        window.click_button("file_format='.npz'")
        self.save_file()
        window.wait_until("not region_box('FILE_BROWSER', 'EXECUTE')", 60)
        window.run("sh", "-c", "cp /home/artist/*.npz /mnt/material/hero.npz")
        self.open_section("MESHREC_PT_export")
        self.drag("hero.npz")
        window.wait_until("len(bpy.data.armatures) == 2", 30)
        window.evaluate("setattr(bpy.context.object, 'name', 'Hero')")
        self.open_section("MESHREC_PT_retarget")
        window.click_button(".target")
        time.sleep(0.6)
        window.type("Hero")
        window.press("Return")
        window.wait_until("bpy.context.scene.meshrec_retarget.target", 10)
        window.click_button("meshrec.retarget()")
        window.wait_until("bpy.context.scene.meshrec_retarget.result", 60)
        window.move(300, 500)
        self.sidebar("retarget", 520)


def require_build(pattern: str) -> Path:
    """The newest build that matches a pattern; exits if there is none."""
    found = newest_build(pattern)
    if found is None:
        sys.exit(f"There is no {pattern} in dist/. Run `python3 build.py package --offline --device cpu` first.")
    return found


def main() -> int:
    argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0]).parse_args()
    reason = reason_to_skip()
    if reason:
        sys.exit(reason)
    clip = "demo_clip.mp4"
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as material:
        shutil.copy(require_build(EXTENSION), Path(material) / "meshrec.zip")
        shutil.copytree(require_build(BUNDLE), Path(material) / "bundle")
        shutil.copy(ROOT / "scripts" / clip, material)
        with Window(home, material, size=WINDOW_SIZE) as window:
            window.start()
            walk = GuideWalkthrough(window)
            walk.close_splash()
            walk.install_step()
            walk.backend_step()
            walk.bind_addon_state()
            walk.footage_step(clip)
            walk.error_step()
            walk.reconstruct_step()
            walk.correct_step()
            walk.export_step()
            walk.retarget_step()
    return 0


if __name__ == "__main__":
    sys.exit(main())
