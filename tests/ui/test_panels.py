"""The panels in every state: progress, errors with their buttons, people, and the quality of the result."""

import collections
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest

from blender_meshrec.bridge.messages import Failure, Progress, ReconstructRequest
from blender_meshrec.core.errors import InputError, MeshRecError, ModelError, NobodyFoundError, NotSetUpError
from blender_meshrec.core.messages import Message
from blender_meshrec.ui import _PARTS, menus, panels, presets, redraw, settings_panels
from blender_meshrec.ui.jobs import jobs
from blender_meshrec.ui.jobs.progress_rate import ProgressRate, format_duration
from blender_meshrec.ui.people import people_panel
from blender_meshrec.ui.people.people_panel import PeoplePanel
from blender_meshrec.ui.properties import build_request
from blender_meshrec.ui.remedies import buttons_for
from blender_meshrec.ui.setup import setup_state
from tests.support.panel_drawing import NoLayout, draw_panel, drawing_context, operators_drawn, visible_text
from tests.ui.conftest import FinishedProbe

PANELS = [
    kind for part in _PARTS for kind in part.CLASSES if issubclass(kind, bpy.types.Panel) and getattr(kind, "bl_category", "") == "MeshRec"
]


def draw_all():
    return {panel.bl_idname: draw_panel(panel) for panel in PANELS}


def test_all_panels_draw_in_every_state(addon, backend, result, tubes):
    assert len(PANELS) >= 11
    draw_all()
    addon.source, addon.person, addon.skeleton = "/clip.mp4", "ONE", "skel"
    draw_all()
    backend([Progress("Looking", 3, 30)], [result])
    jobs.start(build_request(addon)).update()
    draw_all()
    jobs.stop()
    addon.skeleton = "smpl"
    backend([result])
    bpy.ops.meshrec.reconstruct()
    drawn = draw_all()
    assert drawn["MESHREC_PT_people"] and drawn["MESHREC_PT_result"]
    for error in (
        NotSetUpError("test-error", "a.", "b."),
        ModelError("test-error", "a.", "b."),
        InputError("test-error", "a.", "b."),
        MeshRecError("test-error", "a.", "b."),
    ):
        jobs.current.fail(error)
        assert visible_text(draw_panel(panels.MainPanel)).endswith("a. b.")


def test_menus_offer_the_operators_and_can_be_removed(addon):
    operators = operators_drawn(draw_panel(menus.MeshRecMenu))
    assert {"meshrec.open_footage", "meshrec.reconstruct", "meshrec.retarget", "meshrec.export", "meshrec.import_motion"} <= set(operators)
    for menu, draw in menus._MENU_ENTRIES:
        assert draw in getattr(bpy.types, menu)._dyn_ui_initialize()
    menus.remove_menu_entries()
    assert not any(draw in getattr(bpy.types, menu)._dyn_ui_initialize() for menu, draw in menus._MENU_ENTRIES)
    menus.add_menu_entries()


def test_a_method_that_regresses_skel_gives_its_skeleton_whatever_is_chosen(addon):
    assert not addon.method_gives_skel
    addon.method = "hsmr"
    assert addon.method_gives_skel
    assert any(call[0] == "prop" and call[2] == "skel_body" for call in draw_panel(settings_panels.BodyPanel))
    addon.body = "/SMPL.pkl"  # its skin is not the open SKEL body's
    assert not addon.method_gives_skel


def test_preset_menu_works_without_presets(addon, monkeypatch):
    monkeypatch.setattr(bpy.utils, "preset_paths", lambda folder: [])
    drawn = draw_panel(presets.MESHREC_PT_presets)
    assert "No presets yet" in visible_text(drawn) and "meshrec.add_preset" in operators_drawn(drawn)


def test_every_operator_and_setting_has_a_tooltip(addon):
    for part in _PARTS:
        for kind in part.CLASSES:
            if issubclass(kind, bpy.types.Operator):
                assert kind.__doc__ or kind.bl_description, kind
    for name, prop in addon.bl_rna.properties.items():
        if prop.name != name and name != "rna_type":
            assert prop.description, name


def test_missing_backend_is_offered_in_the_sidebar(addon, monkeypatch):
    addon.source = "/clip.mp4"
    setup_state.environment_probe = FinishedProbe()
    drawn = draw_panel(panels.MainPanel)
    assert "meshrec.install_backend" in operators_drawn(drawn)
    assert ("meshrec.allow_online" in operators_drawn(drawn)) != bpy.app.online_access
    monkeypatch.setattr(setup_state, "installation", SimpleNamespace(running=True, fraction=0.25, text="Loading torch: 1 of 4 MB"))
    drawn = draw_panel(panels.MainPanel)
    assert ("progress", "Loading torch: 1 of 4 MB", 0.25) in drawn and "meshrec.cancel_install" in operators_drawn(drawn)
    assert not bpy.ops.meshrec.reconstruct.poll()
    setup_state.installation = None


def test_backend_that_cannot_start_is_shown_in_the_panel(addon, monkeypatch):
    addon.source = "/clip.mp4"

    def start(request, python):
        raise NotSetUpError("test-error", "The environment was not found.", "Click Install Backend.")

    monkeypatch.setattr(jobs, "start_client", start)
    with pytest.raises(RuntimeError, match="was not found"):
        bpy.ops.meshrec.reconstruct()
    drawn = draw_panel(panels.MainPanel)
    assert "The environment was not found. Click Install Backend." in visible_text(drawn)
    assert "meshrec.install_backend" in operators_drawn(drawn)
    bpy.ops.meshrec.dismiss()
    assert jobs.current is None and "was not found" not in visible_text(draw_panel(panels.MainPanel))


def failed_job(error, started=True, **request):
    return SimpleNamespace(error=error, request=ReconstructRequest("/clip.mp4", **request), was_started=started)


@pytest.mark.parametrize(
    "job, online, labels",
    [
        (failed_job(NotSetUpError("test-error", "", "")), False, ["Allow Online Access", "Install Backend", "Open Preferences"]),
        (failed_job(NotSetUpError("test-error", "", "")), True, ["Install Backend", "Open Preferences"]),
        (failed_job(ModelError("test-error", "", "")), True, ["Repair Backend", "Open Preferences"]),
        (failed_job(ModelError("best-model-missing", "", ""), quality="best"), True, ["Choose Quality Standard", "Retry"]),
        (failed_job(ModelError("test-error", "", ""), body="/SMPL.pkl"), True, ["Choose Body File", "Use the Open Body"]),
        (
            failed_job(ModelError("test-error", "", ""), skeleton="skel", skel_body="/skel.pkl"),
            True,
            ["Choose SKEL File", "Use the Open Skeleton"],
        ),
        (failed_job(NobodyFoundError("test-error", "", "")), True, ["Open Footage", "Retry"]),
        (failed_job(InputError("test-error", "", "")), True, ["Open Footage", "Retry"]),
        (failed_job(InputError("test-error", "", ""), device="cuda"), True, ["Open Footage", "Choose the Device Automatically", "Retry"]),
        (
            failed_job(InputError("test-error", "", ""), refine=("auto", "skelify")),
            True,
            ["Open Footage", "Use the SKEL Skeleton", "Retry"],
        ),
        (
            failed_job(InputError("test-error", "", ""), skeleton="skel", body="/SMPL.pkl"),
            True,
            ["Open Footage", "Use the Open Body", "Retry"],
        ),
        (
            failed_job(InputError("test-error", "", ""), skeleton="skel", skel_body="/skel.pkl"),
            True,
            ["Open Footage", "Use the Open Skeleton", "Retry"],
        ),
        (failed_job(InputError("test-error", "", ""), started=False), True, ["Open Preferences", "Retry"]),
        (failed_job(MeshRecError("test-error", "", "")), True, ["Retry"]),
    ],
)
def test_errors_have_buttons_that_remedy_them(job, online, labels):
    assert [button.text for button in buttons_for(job, online)] == labels


def test_remedy_button_sets_the_device(addon):
    addon.device = "cuda"
    (button,) = [button for button in buttons_for(failed_job(InputError("test-error", "", ""), device="cuda"), True) if button.properties]
    area, name = button.operator.split(".")
    getattr(getattr(bpy.ops, area), name)(**button.properties)
    assert addon.device == "auto"


def test_best_without_its_model_is_said_in_the_panel_and_remedied(addon, backend):
    addon.source, addon.quality = "/clip.mp4", "BEST"
    assert build_request(addon).quality == "best"
    problem, remedy = "Quality Best needs the larger landmark model {name}, which this installation does not have.", "Choose Standard."
    backend([Failure(4, Message("best-model-missing.problem", problem, name="a.task"), Message("best-model-missing.remedy", remedy))])
    with pytest.raises(RuntimeError, match="larger landmark model"):
        bpy.ops.meshrec.reconstruct()
    assert "larger landmark model a.task" in visible_text(draw_panel(panels.MainPanel))
    button = buttons_for(jobs.current, True)[0]
    bpy.ops.wm.context_set_enum(**button.properties)
    assert addon.quality == "STANDARD" and build_request(addon).quality == "standard"


def test_missing_body_file_can_be_replaced_or_cleared(addon, backend):
    addon.source, addon.body = "/clip.mp4", "/gone.pkl"
    for press in (
        lambda: bpy.ops.meshrec.choose_model(filepath="/here.pkl", which="body"),
        lambda: bpy.ops.meshrec.use_open_model(which="body"),
    ):
        backend([Failure(4, Message("test-error.problem", "There is no body file."), Message("test-error.remedy", "Choose one."))])
        with pytest.raises(RuntimeError, match="no body file"):
            bpy.ops.meshrec.reconstruct()
        assert "meshrec.choose_model" in operators_drawn(draw_panel(panels.MainPanel))
        press()
        assert jobs.current is None
    assert addon.body == ""


def test_killed_backend_can_be_retried(addon, backend, result, tubes):
    addon.source = "/clip.mp4"
    backend(
        [Progress("Finding people", 3, 9)],
        [
            Failure(
                1,
                Message("test-error.problem", "The backend was ended from outside."),
                Message("test-error.remedy", "Run it again."),
                "log",
            )
        ],
    )
    with pytest.raises(RuntimeError, match="ended from outside"):
        bpy.ops.meshrec.reconstruct()
    drawn = draw_panel(panels.MainPanel)
    assert ("operator", "meshrec.reconstruct", "Retry") in drawn
    backend([result])
    assert bpy.ops.meshrec.reconstruct() == {"FINISHED"}


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_rate_is_of_the_current_stage_and_recent_window():
    clock = Clock()
    progress_rate = ProgressRate(clock)
    assert progress_rate.rate_text() == ""
    for done in range(0, 101):  # 10 a second
        progress_rate.update(Progress("Finding people", done, 300))
        clock.now += 0.1
    assert progress_rate.rate == pytest.approx(10.0, rel=0.02)
    assert progress_rate.seconds_left == pytest.approx(20.0, rel=0.02)
    assert progress_rate.rate_text() == "9.9 frames a second"
    for done in range(100, 121):  # slower, 2 a second, for longer than the window
        progress_rate.update(Progress("Finding people", done, 300))
        clock.now += 0.5
    assert progress_rate.rate == pytest.approx(2.0, rel=0.1)
    clock.now += 30  # it hangs
    assert progress_rate.rate < 0.6
    progress_rate.update(Progress("Fit body", 0, 0))
    assert progress_rate.rate is None and progress_rate.seconds_left is None and progress_rate.rate_text() == ""
    clock.now += 5
    assert progress_rate.rate_text() == "Running for 5 s"


def test_cached_frames_do_not_count_for_the_rate():
    clock = Clock()
    progress_rate = ProgressRate(clock)
    progress_rate.update(Progress("Finding people", 200, 300))
    clock.now += 2
    progress_rate.update(Progress("Finding people", 204, 300))
    assert progress_rate.rate == pytest.approx(2.0) and progress_rate.seconds_left == pytest.approx(48.0)


@pytest.mark.parametrize("seconds, text", [(0.2, "1 s"), (40.4, "40 s"), (120, "2 min"), (5400, "1 h 30 min"), (9000, "2 h 30 min")])
def test_durations_use_suitable_units(seconds, text):
    assert format_duration(seconds) == text


def calls_to_draw_panels():
    """How many functions all panels, opened, call to draw once; at 0.8 microseconds a call, 2,500 take 2 ms."""
    context, layout, calls = drawing_context(), NoLayout(), collections.Counter()
    sys.setprofile(lambda frame, event, argument: calls.update([event]))
    for panel in PANELS:
        draw_panel(panel, layout, context)
    sys.setprofile(None)
    return calls["call"] + calls["c_call"]


def test_idle_panels_draw_quickly_without_a_timer(addon, backend, result, tubes):
    addon.source = "/clip.mp4"
    backend([result])
    bpy.ops.meshrec.reconstruct()
    calls_to_draw_panels()  # Blender loads the font that has the strip's blocks once, and texts are wrapped once
    assert calls_to_draw_panels() < 2500
    assert not bpy.app.timers.is_registered(redraw.redraw)


def test_found_people_are_listed_with_saved_portraits(addon, backend, result, tubes, tmp_path, monkeypatch):
    addon.source = "/clip.mp4"
    backend([result])
    bpy.ops.meshrec.reconstruct()
    assert [(person.number, person.frames, person.total) for person in addon.people] == [(1, 30, 30), (2, 30, 30), (3, 30, 30)]
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    first, second, third = bpy.context.scene.meshrec.people
    assert first.portrait_key and third.portrait_key != first.portrait_key and not second.portrait_key
    red, green, blue, alpha = np.array(first["portrait"], np.int32).view(np.uint8).reshape(64, 64, 4)[10, 20]
    assert (red, green, blue, alpha) == (200, 100, 50, 255)
    # Without a window there are no icons, so the test provides them.
    monkeypatch.setattr(people_panel, "portrait_icon", lambda person: 7 if person.portrait_key else 0)
    kinds = [entry[0] for entry in draw_panel(PeoplePanel)]
    assert kinds.count("template_icon") == 2


def test_named_person_is_renamed_and_keeps_the_name(addon, backend, result, tubes, tmp_path):
    addon.source, addon.person = result.recoveries[0].footage or str(tmp_path / "clip.mp4"), "ALL"
    own = replace(result, recoveries=tuple(replace(each, footage=addon.path) for each in result.recoveries))
    backend([own])
    bpy.ops.meshrec.reconstruct()
    clip = Path(addon.source).stem
    addon.people[1].name = "Anna"
    rig = bpy.data.objects[f"{clip} Anna"]
    assert rig.users_collection[0].name == rig.data.name == f"{clip} Anna"
    assert rig.animation_data.action.name == f"{clip} - Anna (take 1)"
    assert f"{clip} Anna body" in bpy.data.objects and f"{clip} person1" in bpy.data.objects
    assert not any("person2" in thing.name for thing in (*bpy.data.objects, *bpy.data.collections, *bpy.data.actions))
    backend([own])
    bpy.ops.meshrec.reconstruct()
    assert [person.name for person in addon.people] == ["person1", "Anna", "person3"]
    assert [rig.name for rig in bpy.data.objects if rig.type == "ARMATURE"] == [f"{clip} Anna", f"{clip} person1"]
    addon.source = "/other.mp4"  # clears the list, not the scene
    addon.source = own.recoveries[0].footage
    addon.set_people(own.report)
    assert addon.people[1].name == "Anna"
    addon.people[1].name = ""
    assert f"{clip} person2" in bpy.data.objects
    assert bpy.data.objects[f"{clip} person2"].animation_data.action.name == f"{clip} - person2 (take 2)"
