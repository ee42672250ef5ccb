"""Make the pictures of the user guide, docs/pictures/guide_*.jpg, from a real window.

    python3 build.py package --offline --device cpu && python3 -m scripts.prepare_window_blender
    .venv/bin/python -m scripts.docs.guide_pictures

The script follows the guide from a fresh user folder, step by step, with drags, clicks and keys. It takes some minutes.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from scripts import ROOT
from scripts.docs.two_people_clip import write_two_people
from scripts.window.artist import Artist
from scripts.window.builds import BUNDLE, EXTENSION, newest_build
from scripts.window.window import MATERIAL_FOLDER, Window, patience, reason_to_skip

PICTURES = ROOT / "docs" / "pictures"
WINDOW_SIZE = (1280, 900)
CLIP, TWO_PEOPLE, VIEWS = "demo_clip.mp4", "two_people.mp4", ("left.mp4", "right.mp4")
CONTROL = "upper_arm_fk.L"  # of the clean-up rig, whose curves are shown
FAILURE = Path(tempfile.gettempdir()) / "guide_pictures_failure.png"
_JOB_ENDS = "jobs.current is not None and not jobs.current.running"
_SHOW_CONTROLS = """
hidden = [thing for thing in bpy.context.scene.objects if thing.type in {"CAMERA", "LIGHT"}]
hidden.append(bpy.context.object["meshrec_person_rig"])
for thing in hidden:
    thing.hide_set(True)
for window, area, region in _regions("VIEW_3D", "WINDOW"):
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_orbit(angle=0.5, type="ORBITRIGHT")
        bpy.ops.pose.select_all(action="SELECT")
        bpy.ops.view3d.view_selected()
        bpy.ops.view3d.zoom(delta=1)
        bpy.ops.view3d.zoom(delta=1)
        bpy.ops.pose.select_all(action="DESELECT")
"""
_SHOW_GRAPH = f"""
rig = bpy.context.object
for bone in rig.data.bones:
    bone.select = bone.name == {CONTROL!r}
rig.data.bones.active = rig.data.bones[{CONTROL!r}]
area = max(bpy.context.window_manager.windows[0].screen.areas, key=lambda area: area.width * area.height)
area.type = "GRAPH_EDITOR"
"""
_FRAME_GRAPH = """
for window, area, region in _regions("GRAPH_EDITOR", "WINDOW"):
    with bpy.context.temp_override(window=window, area=area, region=region):
        area.spaces.active.dopesheet.show_only_selected = True
        area.spaces.active.show_region_ui = False
        bpy.ops.anim.channels_expand()
        bpy.ops.graph.select_all(action="SELECT")
        bpy.ops.graph.view_all()
        bpy.ops.graph.select_all(action="DESELECT")
"""
_ADD_HERO = """
import addon_utils
addon_utils.enable("rigify")
person = bpy.context.object
bpy.ops.object.armature_human_metarig_add()
hero = bpy.context.object
hero.name, hero.location.x = "Hero", 1.2
bpy.ops.object.select_all(action="DESELECT")
person.select_set(True)
bpy.context.view_layer.objects.active = person
"""
_PLACES = """
from bpy_extras.view3d_utils import location_3d_to_region_2d

def on_screen(place):
    for window, area, region in _regions("VIEW_3D", "WINDOW"):
        seen = location_3d_to_region_2d(region, area.spaces.active.region_3d, place)
        return [region.x + seen.x, region.y + seen.y]

def head_on_screen(bone):
    rig = bpy.context.object
    return on_screen(rig.matrix_world @ rig.pose.bones[bone].head)
"""


class GuideWalkthrough(Artist):
    """The steps of the guide, in its order."""

    def picture(self, name: str, box: Sequence[float] | None = None) -> None:
        """Save the screen or a part of it; box: left, top, width, height px."""
        time.sleep(min(0.6 * patience(), 8))  # until it is drawn
        self.window.save_screenshot(PICTURES / f"guide_{name}.jpg", box)
        print(f"guide_{name}.jpg", flush=True)

    def sidebar(self, name: str, height: int) -> None:
        """Save the upper part of the sidebar."""
        left, top, width, _ = self.window.screen_region("VIEW_3D", "UI")
        self.picture(name, [left, top - 4, width, height])

    def place(self, code: str) -> tuple[float, float]:
        """Where on the screen something is, by a function of _PLACES."""
        x, y = self.window.evaluate(code)
        return x, self.window.size[1] - y

    def drag_until_asked(self, file: str) -> None:
        """Drop a file into the 3D view, and wait until what Blender then asks is drawn."""
        before = self._middle_of_screen()
        self.drag(file)
        time.sleep(1.5)
        end, last = time.monotonic() + 20 * patience(), ""
        while time.monotonic() < end:
            now = self._middle_of_screen()
            if now == last != before:
                return
            last = now
            time.sleep(0.7)
        raise TimeoutError(f"Blender asks nothing about {file}")

    def _middle_of_screen(self) -> str:
        """A checksum of the part of the screen where dialogs and menus open."""
        return self.window.run("sh", "-c", "import -window root -crop 560x420+200+180 +repage rgb:- | md5sum")

    def install_step(self) -> None:
        """Drop the zip and confirm."""
        self.drag_until_asked("meshrec.zip")
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
        """Install the backend from the bundle, unless the user folder has it."""
        self.open_tab(90)
        self.bind_addon_state()
        self.window.wait_until("state.environment_probe is not None and not state.environment_probe.running", 60)
        if self.window.evaluate("state.environment_probe.backend is not None"):
            return
        self.window.move(300, 500)
        self.sidebar("backend_missing", 500)
        error = self.install_backend("bundle", on_begin=self.preferences)
        assert not error, error
        self.raise_main_window()

    def footage_step(self, clip: str) -> None:
        """Drop a clip into the 3D view."""
        self.drag_until_asked(clip)
        self.picture("drop")
        self.window.press("f")
        self.window.wait_until("bpy.context.scene.meshrec.source", 10)
        self.window.move(300, 500)
        time.sleep(1)
        self.sidebar("footage", 486)

    def views_step(self) -> None:
        """Show the section Several Cameras with the files of two more, and take them out again."""
        views = "bpy.context.scene.meshrec.views"
        for name in VIEWS:
            self.window.evaluate(f"{views}.add().path = '{MATERIAL_FOLDER}/{name}'")
        heading = self.open_section("MESHREC_PT_views", below="meshrec.reconstruct(")
        self.window.move(300, 500)
        self.sidebar("several_cameras", 660)
        self.window.click(*heading)
        self.window.evaluate(f"{views}.clear()")

    def error_step(self) -> None:
        """Provoke an error by a missing body file, and recover."""
        heading = self.open_section("MESHREC_PT_body", below="meshrec.reconstruct(")
        self.window.fill_text_field(".body", "/home/artist/SMPL_NEUTRAL.npz")
        self.window.click_button("meshrec.reconstruct(")
        self.window.wait_until("jobs.current is not None and jobs.current.error is not None", 90)
        self.window.move(300, 600)
        self.window.press("Escape")
        self.sidebar("error", 606)
        self.window.click_button("meshrec.use_open_model")
        time.sleep(1)
        self.window.click(*heading)

    def reconstruct_step(self) -> None:
        """Reconstruct, and take pictures of the progress, the people and the result."""
        window = self.window
        # Delete the default cube, which is where people will be.
        window.evaluate(_PLACES)
        window.click(*self.place("on_screen(bpy.data.objects['Cube'].location)"))
        window.press("x")
        time.sleep(0.4)
        window.press("Return")
        window.click_button("meshrec.reconstruct(")
        window.wait_until("jobs.current.progress is not None and jobs.current.progress.done > 40", 120)
        window.move(300, 500)
        self.picture("progress")
        self.wait_for_result()
        window.press("KP_0")
        time.sleep(1.5)
        window.evaluate("bpy.context.scene.frame_set(60)")
        time.sleep(1.0)
        self.picture("camera")
        window.press("KP_0")
        window.press("KP_Decimal")
        time.sleep(1)
        self.open_alone("MESHREC_PT_result")
        window.move(300, 500)
        self.picture("result")

    def wait_for_result(self) -> None:
        """Wait until a job has ended, and close the message about it."""
        self.window.wait_until(_JOB_ENDS, 300)
        time.sleep(2)
        self.window.click_button("meshrec.dismiss")
        self.window.move(300, 500)

    def correct_step(self) -> None:
        """Look through the camera, and drag a wrist; the sections Contacts and Correct are open."""
        window = self.window
        window.evaluate("bpy.context.scene.frame_set(40)")
        window.move(300, 500)
        window.press("KP_0")
        time.sleep(1.5)
        for section in ("MESHREC_PT_contacts", "MESHREC_PT_corrections"):
            self.open_section(section, below="meshrec_opacity")
        window.click_button("meshrec.drag_joint")
        time.sleep(0.5)
        x, y = self.place("head_on_screen('left_wrist')")
        window.move(x, y)
        window.evaluate("True")
        window.run("xdotool", "mousedown", 1)
        for step in range(1, 6):
            window.evaluate("True")  # Blender takes a button's event to be where the pointer is
            window.move(x + 4 * step, y + 3 * step)
        window.evaluate("True")
        window.run("xdotool", "mouseup", 1)
        time.sleep(1.5)
        self.picture("correct")
        window.press("Return")
        window.click_button("meshrec.solve_again")
        window.wait_until("jobs.is_running()", 60)
        window.wait_until(_JOB_ENDS, 300)
        time.sleep(2)
        self.takes_step()
        window.move(300, 500)
        window.press("KP_0")
        time.sleep(1.0)

    def takes_step(self) -> None:
        """Show the result's numbers and its two takes."""
        self.open_alone("MESHREC_PT_result")
        for section in ("MESHREC_PT_details", "MESHREC_PT_result_takes"):
            self.open_section(section, below="meshrec_opacity")
        self.window.move(300, 500)
        self.sidebar("takes", 728)

    def clean_up_step(self) -> None:
        """Make the clean-up rig, and take pictures of its controls and of one control's curves."""
        window = self.window
        self.open_alone("MESHREC_PT_clean_up_rig")
        window.click_button("meshrec.make_clean_up_rig")
        window.wait_until("'meshrec_person_rig' in bpy.context.object and bpy.context.mode == 'POSE'", 200)
        window.evaluate("bpy.context.scene.frame_set(60)")
        window.move(300, 500)
        window.evaluate(_SHOW_CONTROLS)
        time.sleep(1.5)
        left, top, width, height = window.screen_region("VIEW_3D", "WINDOW")
        self.picture("clean_up_controls", [left, top, width, height])
        window.evaluate(_SHOW_GRAPH)
        time.sleep(1.5)
        window.evaluate(_FRAME_GRAPH)
        time.sleep(1.5)
        left, top, width, height = window.screen_region("GRAPH_EDITOR", "WINDOW")
        channels = window.screen_region("GRAPH_EDITOR", "CHANNELS")[0]
        self.picture("clean_up_graph", [channels, top, width + left - channels, height])
        window.evaluate("setattr(area, 'type', 'VIEW_3D')")
        window.evaluate("[thing.hide_set(False) for thing in hidden]")
        time.sleep(1.0)
        window.click_button("meshrec.remove_clean_up_rig")
        window.wait_until("'meshrec_person_rig' not in bpy.context.object", 60)

    def export_step(self) -> None:
        """Open the export section."""
        self.open_alone("MESHREC_PT_export")
        self.window.move(300, 500)
        self.sidebar("export", 400)

    def retarget_step(self) -> None:
        """Retarget onto a character of Rigify's, which has other bones and another size."""
        window = self.window
        window.evaluate(_ADD_HERO)
        self.open_alone("MESHREC_PT_retarget")
        window.click_button(".target")
        time.sleep(0.6)
        window.type("Hero")
        window.press("Return")
        window.wait_until("bpy.context.scene.meshrec_retarget.target == hero", 10)
        window.click_button("meshrec.retarget()")
        window.wait_until("bpy.context.scene.meshrec_retarget.result", 60)
        self.open_section("MESHREC_PT_mapping", below="meshrec.retarget(")
        window.move(300, 500)
        self.sidebar("retarget", 720)

    def people_step(self) -> None:
        """Reconstruct a clip of two people, and show the list of them."""
        window = self.window
        self.open_alone("MESHREC_PT_main")
        self.drag_until_asked(TWO_PEOPLE)
        window.press("f")
        window.wait_until(f"bpy.context.scene.meshrec.source.endswith({TWO_PEOPLE!r})", 10)
        window.evaluate("setattr(bpy.context.scene.meshrec, 'person', 'ALL')")
        window.click_button("meshrec.reconstruct(")
        self.wait_for_result()
        window.evaluate("bpy.context.scene.frame_set(50)")
        self.sidebar("people", 680)


def require_build(pattern: str) -> Path:
    """The newest build that matches a pattern; exits if there is none."""
    found = newest_build(pattern)
    if found is None:
        sys.exit(f"There is no {pattern} in dist/. Run `python3 build.py package --offline --device cpu` first.")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--home", type=Path, help="a user folder to keep; if it has the backend, that step is left out")
    kept = parser.parse_args().home
    reason = reason_to_skip()
    if reason:
        sys.exit(reason)
    if kept is not None:
        shutil.rmtree(kept / ".cache", ignore_errors=True)  # with detections of the clip there would be no progress to show
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory(dir=ROOT / "dist") as material:
        shutil.copy(require_build(EXTENSION), Path(material) / "meshrec.zip")
        shutil.copytree(require_build(BUNDLE), Path(material) / "bundle", copy_function=os.link)
        shutil.copy(ROOT / "scripts" / CLIP, material)
        for view in VIEWS:
            shutil.copy(ROOT / "scripts" / CLIP, Path(material) / view)
        write_two_people(Path(material) / TWO_PEOPLE)
        with Window(kept or home, material, size=WINDOW_SIZE) as window:
            window.start()
            try:
                follow_the_guide(GuideWalkthrough(window))
            except Exception:
                window.save_screenshot(FAILURE)
                print(f"The screen at the failure is in {FAILURE}.")
                raise
    return 0


def follow_the_guide(walk: GuideWalkthrough) -> None:
    """All steps of the guide, in its order but for the people, who need another clip."""
    walk.close_splash()
    walk.install_step()
    walk.backend_step()
    walk.bind_addon_state()
    walk.footage_step(CLIP)
    walk.views_step()
    walk.error_step()
    walk.reconstruct_step()
    walk.correct_step()
    walk.clean_up_step()
    walk.retarget_step()
    walk.export_step()
    walk.people_step()


if __name__ == "__main__":
    sys.exit(main())
