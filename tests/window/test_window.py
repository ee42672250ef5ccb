"""From the zip and a fresh user folder to a character in a file, in a real window, by drags, clicks and keys alone.

The tests are one session of one artist, in this order: each goes on where the one before has stopped.
"""

import time

import pytest

from scripts.window.artist import ADDON, PREFERENCES
from tests.window.conftest import CLIP

GAP = 0.2  # s; the 99th percentile of what a timer may wait for its turn
SHARE = 0.8  # of the idle window's redraws that a job must leave
PATIENCE = 400  # s; a backend starts in 3, on a computer that has nothing else to do
JOB = "jobs.current"
PROCESS = "backend/launch.py"


def backends(window):
    return [command for _, _, command in window.processes() if PROCESS in command]


def scratch(window):
    """Temporary files, but for the screen's and Blender's own."""
    return [path for path in window.files("/tmp") if not path.startswith(("/tmp/.X", "/tmp/.dragged", "/tmp/blender_"))]


def begin_job(window):
    window.push("meshrec.reconstruct(")
    window.wait_until(f"{JOB} is not None and {JOB}.running", 30, every=0.02)
    assert len(backends(window)) == 1


def hold(window, signal):
    """Stop the backend where it is, let it go on, or end it."""
    pid = next(pid for pid, _, command in window.processes() if PROCESS in command)
    window.run("sh", "-c", f"kill -{signal} {pid}")


def gone(window, seconds):
    """Whether the backend has ended within so many seconds."""
    end = time.monotonic() + seconds
    while backends(window):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_the_extension_is_installed_by_dropping_its_zip(artist):
    artist.install("meshrec.zip")
    artist.state()
    assert artist.window.ask("hasattr(bpy.context.scene, 'meshrec')")


def test_enabling_is_quick_and_loads_nothing_heavy(artist):
    window = artist.window
    window.ask("import addon_utils")
    window.ask(f"""
seconds = []
for _ in range(3):
    addon_utils.disable({ADDON!r})
    for name in [name for name in sys.modules if name.startswith({ADDON!r})]:
        del sys.modules[name]
    begun = time.perf_counter()
    addon_utils.enable({ADDON!r})
    seconds.append(time.perf_counter() - begun)
""")
    assert min(window.ask("seconds")) < 0.2
    assert not window.ask("sorted({'torch', 'cv2', 'mediapipe', 'av', 'scipy'} & set(sys.modules))")
    artist.state()  # the modules are new


def test_a_closed_tab_costs_no_call_and_an_open_one_hardly_any_time(artist):
    window = artist.window
    window.ask(f"""
spent = []

def timed(work):
    def draw(self, context):  # Blender looks at how many arguments it takes
        begun = time.perf_counter()
        work(self, context)
        spent.append(time.perf_counter() - begun)
    return draw

for kind in bpy.types.Panel.__subclasses__():
    if kind.__module__.startswith({ADDON!r}) and hasattr(kind, "bl_category"):
        kind.draw = timed(kind.draw)
""")

    def cost():
        """Panels drawn, and seconds spent in them, a redraw."""
        window.ask("spent.clear()")
        for _ in range(10):
            window.ask("[region.tag_redraw() for kind in ('UI', 'WINDOW') for *_, region in _regions('VIEW_3D', kind)]")
            time.sleep(0.3)
        return [each / 10 for each in window.ask("[len(spent), sum(spent)]")]

    assert cost() == [0, 0]
    artist.open_tab(80)
    calls, seconds = cost()
    print(f"an open tab: {calls} panels and {1000 * seconds:.2f} ms a redraw")
    assert calls >= 1 and seconds < 0.005  # what is closed is not drawn
    assert not window.ask("[each for name in ('frame_change_post', 'depsgraph_update_post') for each in getattr(bpy.app.handlers, name)]")


def test_footage_is_dropped_into_the_view(artist):
    artist.drop_footage(CLIP)
    assert artist.window.ask("[*map(str, (bpy.context.scene.meshrec.footage.kind, bpy.context.scene.meshrec.footage.frames))]") == [
        "VIDEO",
        "130",
    ]


def test_a_backend_that_is_missing_is_offered_with_blenders_own_switch(artist):
    artist.window.find("meshrec.allow_online")
    artist.window.find("meshrec.install_backend")


def test_the_backend_is_installed_by_clicks_and_without_a_network(artist):
    assert artist.set_up("bundle") == ""
    artist.back_to_blender()
    assert artist.window.ask(f"{PREFERENCES}.bundle")
    assert scratch(artist.window) == []


def test_a_job_leaves_the_window_free(artist):
    """The idle window's rate is that of a job held still, turn by turn: what else this computer does weighs on both alike."""
    window = artist.window

    def measure(redrawing, seconds):
        window.ask(f"measure = Measure({redrawing})")
        time.sleep(seconds)
        return window.ask("measure.end()")

    begin_job(window)
    window.wait_until(f"{JOB}.progress is not None", PATIENCE)
    idle, busy, gaps = [], [], []
    for _ in range(3):
        hold(window, "STOP")
        idle.append(measure(True, 2.0)["rate"])
        hold(window, "CONT")
        busy.append(measure(True, 2.0)["rate"])
        gaps.append(measure(False, 1.0)["p99"])
        assert window.ask(f"{JOB}.running"), window.ask(f"str({JOB}.error)")
    window.move(300, 500)
    window.press("Escape")
    assert gone(window, 0.5)
    print(f"redraws a second: idle {idle}, with a job {busy}; 99th percentile of gaps {gaps} s")
    assert sum(busy) >= SHARE * sum(idle)
    assert sorted(gaps)[-2] <= GAP  # one turn may meet something else that this computer does


@pytest.mark.parametrize("how", ["button", "Esc"])
def test_cancel_leaves_nothing_behind(artist, how):
    window = artist.window
    before, files = window.ask("blocks()"), scratch(window)
    begin_job(window)
    window.wait_until(f"{JOB}.progress is not None", PATIENCE)
    if how == "button":
        place = window.find("meshrec.cancel(")
        window.click(*place)
    else:
        window.move(300, 500)
        window.press("Escape")
    assert gone(window, 0.5)
    assert not window.ask(f"{JOB}.running") and window.ask(f"{JOB}.error is None")
    assert window.ask("blocks()") == before and scratch(window) == files


def test_a_killed_backend_is_told_and_can_be_tried_again(artist):
    window = artist.window
    begin_job(window)
    window.wait_until(f"{JOB}.progress is not None", PATIENCE)
    hold(window, "KILL")
    window.wait_until(f"not {JOB}.running", 30)
    assert "ended by the system" in window.ask(f"{JOB}.error.problem")
    window.press("Escape")
    place = window.find("meshrec.reconstruct(", columns=(0.3,))
    retry = max((window.find("meshrec.copy_details")[1], place[1]))
    window.click(place[0], retry - 28)
    window.wait_until(f"{JOB}.running", 30)
    window.move(300, 500)
    window.press("Escape")
    assert gone(window, 0.5)


def test_an_error_shows_the_button_that_mends_it(artist):
    window = artist.window
    artist.open_subsection(2)  # Body
    window.fill(".body", "/mnt/material/gone.npz")
    window.push("meshrec.reconstruct(")
    window.wait_until(f"{JOB} is not None and {JOB}.error is not None", PATIENCE)
    window.move(300, 500)
    window.find("meshrec.choose_model")
    window.push("meshrec.use_open_model")
    assert window.ask("bpy.context.scene.meshrec.body") == "" and window.ask(f"{JOB} is None")
    artist.open_subsection(2)


def test_one_click_brings_the_people_and_one_undo_takes_them_away(artist):
    window = artist.window
    before = window.ask("blocks()")
    for again in (False, True):
        begin_job(window)
        window.wait_until(f"not {JOB}.running", PATIENCE)
        time.sleep(1.0)
        assert window.ask(f"str({JOB}.error or '')") == ""
        rigs = window.ask("[rig.name for rig in bpy.data.objects if rig.type == 'ARMATURE']")
        assert rigs == ["demo_clip person1"]
        if not again:
            window.move(300, 500)
            window.press("ctrl+z")
            window.wait_until("not bpy.data.armatures", 60)
            assert {kind: count for kind, count in window.ask("blocks()").items() if kind != "texts"} == {
                kind: count for kind, count in before.items() if kind != "texts"
            }
    assert window.ask("bpy.context.object['quality']").startswith("Match with the picture")


def test_the_result_is_exported_by_a_click(artist):
    window = artist.window
    window.push("meshrec.dismiss")
    artist.open_section(0)  # closes MeshRec
    artist.open_section(1)  # closes Result
    artist.open_section(3)  # opens Export
    for suffix in (".npz", ".fbx"):
        window.push(f"file_format='{suffix}'")
        artist.save_file()
        window.wait_until("not region_box('FILE_BROWSER', 'EXECUTE')", 60)
        path = f"/home/artist/demo_clip_person1{suffix}"
        assert path in window.files("/home/artist"), window.log()
    artist.open_section(3)


def test_the_movement_is_retargeted_onto_another_character(artist):
    """The character is a second person, brought in by dropping the motion file."""
    window = artist.window
    window.run("cp", "/home/artist/demo_clip_person1.npz", "/mnt/material/hero.npz")
    artist.drag("hero.npz")
    window.wait_until("len(bpy.data.armatures) == 2", 60)
    hero = window.ask("bpy.context.object.name")
    assert hero.startswith("hero")
    artist.open_section(2)  # opens Retarget
    window.push(".target")
    time.sleep(0.6)
    window.type("hero")
    window.press("Return")
    window.wait_until("bpy.context.scene.meshrec_retarget.target", 60)
    window.push("meshrec.retarget()")
    window.wait_until("bpy.context.scene.meshrec_retarget.result", 60)
    assert window.ask("'demo_clip person1' in bpy.context.scene.meshrec_retarget.target.animation_data.action.name"), window.log()
    artist.open_section(2)


@pytest.mark.parametrize("how", ["closed", "killed"])
def test_a_blender_that_ends_takes_the_backend_with_it(artist, how):
    window = artist.window
    if how == "killed":
        window.start()
        artist.greet()
        artist.open_tab(80)
        artist.drop_footage(CLIP)
        artist.state()
    else:
        artist.open_section(0)  # opens MeshRec
    begin_job(window)
    window.wait_until(f"{JOB}.progress is not None", PATIENCE)
    if how == "closed":
        window.move(300, 500)
        window.press("ctrl+q")
        time.sleep(1)
        window.press("d")  # Don't Save
        assert window.wait_for_end(20) is not None
    else:
        window.kill()
    assert gone(window, 2)
    assert [command for _, _, command in window.processes() if "blender" in command and "wish" not in command] == []
