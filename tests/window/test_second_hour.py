"""What an artist does after the first result, by clicks and keys in a real window; a scripted client stands for the backend.

The tests are one session: each continues from the state in which the previous one ended.
"""

import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from blender_meshrec.core.files.motion_npz import write_motion
from scripts.window.artist import Artist
from scripts.window.window import MATERIAL_FOLDER, Window, reason_to_skip
from tests.support.synthetic_bodies import make_recovery

ROOT = Path(__file__).resolve().parents[2]
MOTION = f"{MATERIAL_FOLDER}/walk.npz"
TIMEOUT = 120  # s
CLIENT = f"""
import sys
sys.path.insert(0, {MATERIAL_FOLDER!r})
import blender_meshrec
blender_meshrec.register()
import blender_meshrec.ui.jobs.jobs as jobs
from dataclasses import replace
from blender_meshrec.bridge.messages import Progress, Result
from blender_meshrec.retarget.recovery_files import read_recovery
recovery = replace(read_recovery({MOTION!r}, "open", "auto")[0], footage={MOTION!r})

class Client:
    count, ends, cancelled = 0, False, False

    def poll(self):
        self.count += 1
        return [Result((recovery,), (1,), {{}})] if self.ends else [Progress("Finding people", min(self.count, 999), 1000)]

    def cancel(self):
        self.cancelled = True

client = Client()
jobs.start_client = lambda request, python: client
watch_panels("blender_meshrec")
bpy.context.scene.meshrec.source = {MOTION!r}
"""


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    """A window with the add-on, footage, and a client that works until `client.ends` is set."""
    reason = reason_to_skip()
    if reason:
        pytest.skip(reason)
    from blender_meshrec.core.files.body_template import load_body

    material, home = (tmp_path_factory.mktemp(name) for name in ("material", "home"))
    for name in ("blender_meshrec", "addon_models"):
        shutil.copytree(ROOT / name, material / name, ignore=shutil.ignore_patterns("__pycache__"))
    recovery = make_recovery(load_body("open"), frames=60, fps=30.0)
    write_motion(material / "walk.npz", replace(recovery, betas=np.zeros(10), contacts=np.zeros((60, 4), np.float32)))
    with Window(home, material, python=False) as window:
        window.start()
        artist = Artist(window)
        artist.close_splash()
        window.evaluate(CLIENT, TIMEOUT)
        artist.open_tab(80)
        yield window
    shutil.rmtree(home, ignore_errors=True)


def begin(window):
    window.evaluate("client.__init__(); client.ends = client.cancelled = False")
    window.click_button("meshrec.reconstruct(")
    window.wait_until("jobs.is_running()", TIMEOUT)


def reconstruct(window):
    begin(window)
    window.evaluate("client.ends = True")
    window.wait_until("not jobs.is_running()", TIMEOUT)
    time.sleep(1.0)
    assert window.evaluate("str(jobs.current.error or '')") == "", window.log()


def over_the_tab(window):
    left, top, across, down = window.screen_region("VIEW_3D", "UI")
    window.move(left + across / 2, top + down / 2)


def is_running(window):
    time.sleep(0.6)
    return window.evaluate("jobs.is_running()")


def test_escape_stops_playback_and_not_the_job(window):
    begin(window)
    window.move(300, 500)
    window.press("space")
    playing = "bpy.context.window_manager.windows[0].screen.is_animation_playing"
    window.wait_until(playing, TIMEOUT)
    window.press("Escape")
    window.wait_until(f"not {playing}", TIMEOUT)
    assert is_running(window)
    window.press("Escape")  # over the view, without playback
    assert is_running(window)


def test_progress_is_seen_in_another_workspace_and_nothing_is_left(window):
    draws = "len(bpy.types.STATUSBAR_HT_header._dyn_ui_initialize())"
    during = window.evaluate(draws)
    first = window.evaluate("client.count")
    window.evaluate("setattr(bpy.context.window_manager.windows[0], 'workspace', bpy.data.workspaces['Animation'])")
    window.wait_until(f"client.count > {first} + 5", TIMEOUT)
    assert window.evaluate("jobs.is_running()") and window.evaluate(draws) == during
    window.evaluate("setattr(bpy.context.window_manager.windows[0], 'workspace', bpy.data.workspaces['Layout'])")
    time.sleep(1.0)
    over_the_tab(window)
    window.press("Escape")
    window.wait_until("not jobs.is_running()", TIMEOUT)
    assert window.evaluate("client.cancelled and jobs.current.cancelled")
    time.sleep(0.6)
    assert window.evaluate(draws) == during - 1


def test_a_rig_of_the_artists_survives_the_next_reconstruction(window):
    window.evaluate("scene = bpy.context.scene; scene.frame_start, scene.render.fps = 1001, 24")
    window.click_button("meshrec.dismiss")
    reconstruct(window)
    keys = "[key.co.x for key in fcurve('visible').keyframe_points]"
    window.evaluate("""
def fcurve(name):
    return next(curve for curve in rig.animation_data.action.fcurves if name in curve.data_path)

rig = bpy.context.object
""")
    assert window.evaluate(keys) == list(range(1001, 1001 + 48))  # 2 s at 24 fps
    window.evaluate("""
rig.name = "Hero"
hat = bpy.data.objects.new("hat", None)
bpy.context.scene.collection.objects.link(hat)
hat.parent, hat.parent_type, hat.parent_bone = rig, "BONE", "head"
follower = bpy.data.objects.new("follower", None)
bpy.context.scene.collection.objects.link(follower)
follower.constraints.new("COPY_LOCATION").target = rig
first, key = rig.animation_data.action, fcurve("left_elbow").keyframe_points[7]
key.co.y += 0.1
edited = key.co.y
""")
    window.click_button("meshrec.dismiss")
    reconstruct(window)
    assert window.evaluate("[rig.name, hat.parent.name, hat.parent_bone, follower.constraints[0].target.name]") == [
        "Hero",
        "Hero",
        "head",
        "Hero",
    ]
    assert window.evaluate("[action.name for action in bpy.data.actions]") == ["walk - Hero (take 1)", "walk - person1 (take 1)"]
    assert window.evaluate("rig.animation_data.action.name") == "walk - Hero (take 1)"
    curve = "next(curve for curve in first.fcurves if 'left_elbow' in curve.data_path)"
    assert window.evaluate(f"{curve}.keyframe_points[7].co.y == edited")
    window.move(300, 500)
    window.press("ctrl+z")
    window.wait_until("[action.name for action in bpy.data.actions] == ['walk - person1 (take 1)']", TIMEOUT)  # in one step


def test_a_person_has_their_size_in_centimetres(window):
    window.evaluate("""
bpy.context.scene.unit_settings.scale_length = 0.01
bpy.context.scene.meshrec.rerun = "ADD"
""")
    window.click_button("meshrec.dismiss")
    reconstruct(window)
    height = window.evaluate("""
[(max(heights) - min(heights)) * 0.01 for heights in [[(bpy.context.object.matrix_world @ bone.head_local).z
    for bone in bpy.context.object.data.bones]]][0]""")
    assert 1.4 < height < 1.8  # m, of the joints at rest


def test_a_clean_up_rig_is_made_compared_and_removed_by_clicks(window):
    window.click_button("meshrec.dismiss")
    artist = Artist(window)
    artist.open_alone("MESHREC_PT_clean_up_rig")
    window.evaluate("""
name = bpy.context.object.name

def follows():
    constraints = [c for bone in bpy.data.objects[name].pose.bones for c in bone.constraints if c.name == "MeshRec Clean-Up"]
    return [len(constraints), sum(not c.mute for c in constraints)]
""")
    window.click_button("meshrec.make_clean_up_rig")
    window.wait_until("bpy.context.mode == 'POSE' and bpy.context.object.name == f'{name} controls'", TIMEOUT)
    bones = window.evaluate("len(bpy.data.objects[name].pose.bones)")
    assert window.evaluate("follows()") == [bones, bones]
    for following in (0, bones):
        window.click_button("meshrec.follow_controls")
        window.wait_until(f"follows() == [{bones}, {following}]", TIMEOUT)
    window.click_button("meshrec.remove_clean_up_rig")
    window.wait_until("bpy.context.object.name == name and follows() == [0, 0]", TIMEOUT)
    assert not window.evaluate("[rig.name for rig in bpy.data.objects if rig.name.endswith('controls')]")
    window.move(300, 500)
    window.press("ctrl+z")
    window.wait_until(f"follows() == [{bones}, {bones}]", TIMEOUT)  # in one step
