"""A running job: one bar and one time for the whole, the status bar of every workspace, Esc, and what is said at the end."""

from itertools import pairwise
from types import SimpleNamespace

import bpy
import pytest

from blender_meshrec.bridge.messages import Progress
from blender_meshrec.ui import panels
from blender_meshrec.ui.jobs import jobs, status_bar
from blender_meshrec.ui.jobs.job_operator import stops_job
from blender_meshrec.ui.jobs.overall_progress import STAGE_SHARES, OverallProgress
from blender_meshrec.ui.properties import build_request
from blender_meshrec.ui.setup import backend_box, setup_box, setup_state
from tests.support.panel_drawing import RecordingLayout, draw_panel, operators_drawn, visible_text
from tests.ui.conftest import FinishedProbe


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def play(overall, clock, seconds, cached=0, frames=300):
    """Run all stages in a time (s) that is shared as STAGE_SHARES says; yields after each message."""
    for stage, share in STAGE_SHARES.items():
        overall.update(Progress(stage, 0, 0))
        yield
        steps = frames if stage in ("Finding people", "Solve") else 0
        for done in range(cached if stage == "Finding people" else 0, steps):
            clock.now += share * seconds / steps
            overall.update(Progress(stage, done + 1, steps))
            yield
        if not steps:
            for _ in range(5):
                clock.now += share * seconds / 5
                yield


@pytest.mark.parametrize("seconds, cached", [(200, 0), (20, 0), (3000, 0), (200, 200)])
def test_the_bar_and_the_time_left_never_go_back(seconds, cached):
    clock = Clock()
    overall = OverallProgress(clock)
    fractions, lefts = [], []
    for _ in play(overall, clock, seconds, cached):
        fractions.append(overall.fraction)
        lefts.append(overall.seconds_left)
    assert all(after >= before for before, after in pairwise(fractions)) and fractions[0] == 0 and 0.9 < fractions[-1] < 1
    known = [left for left in lefts if left is not None]
    assert all(after <= before for before, after in pairwise(known))
    real = seconds * (1 - STAGE_SHARES["Finding people"] * cached / 300)
    assert known[0] == pytest.approx(real, rel=0.15)  # the whole is known from the first stage on
    assert len(set(fractions)) > 300  # it moves all the time


def test_a_slower_stage_than_expected_stops_the_time_but_does_not_raise_it():
    clock = Clock()
    overall = OverallProgress(clock)
    for done in range(101):
        overall.update(Progress("Finding people", done, 100))
        clock.now += 0.1
    before = overall.seconds_left
    clock.now += 60  # it hangs
    assert overall.seconds_left <= before


def test_cancelled_is_said_until_it_was_read(addon, backend):
    addon.source = "/clip.mp4"
    backend()
    jobs.start(build_request(addon))
    assert bpy.ops.meshrec.cancel() == {"FINISHED"}
    assert "Cancelled" in visible_text(draw_panel(panels.MainPanel))
    bpy.ops.meshrec.dismiss()
    assert "Cancelled" not in visible_text(draw_panel(panels.MainPanel))


def test_the_status_bar_shows_the_job_and_is_left_as_it_was(addon, backend):
    before = list(bpy.types.STATUSBAR_HT_header._dyn_ui_initialize())
    status_bar.show()
    status_bar.show()  # a second time adds nothing
    (draw,) = [draw for draw in bpy.types.STATUSBAR_HT_header._dyn_ui_initialize() if draw not in before]
    calls = []
    header = SimpleNamespace(layout=RecordingLayout(calls))
    draw(header, bpy.context)
    assert calls == []
    addon.source = "/clip.mp4"
    backend([Progress("Finding people", 3, 30)])
    jobs.start(build_request(addon)).update()
    draw(header, bpy.context)
    assert ("progress", "MeshRec: Finding people: 3 of 30 frames", pytest.approx(0.038)) in calls
    assert "meshrec.cancel" in operators_drawn(calls)
    status_bar.hide()
    assert list(bpy.types.STATUSBAR_HT_header._dyn_ui_initialize()) == before


def region(kind, x, category=None):
    return SimpleNamespace(type=kind, x=x, y=0, width=200, height=600, active_panel_category=category)


@pytest.mark.parametrize(
    "x, playing, category, stops",
    [(1100, False, "MeshRec", True), (500, False, "MeshRec", False), (1100, True, "MeshRec", False), (1100, False, "Item", False)],
)
def test_escape_stops_the_job_only_over_its_tab_and_without_playback(x, playing, category, stops):
    area = SimpleNamespace(type="VIEW_3D", regions=[region("WINDOW", 400), region("UI", 1000, category)])
    window = SimpleNamespace(screen=SimpleNamespace(areas=[area], is_animation_playing=playing))
    context = SimpleNamespace(window=window, window_manager=SimpleNamespace(windows=[window]))
    assert stops_job(context, SimpleNamespace(mouse_x=x, mouse_y=300)) == stops


@pytest.mark.parametrize(
    "bundle, words", [("", "540 MB are downloaded: about 2 min at 50 Mbit/s. It takes 1.9 GB"), ("/bundle", "1 min and 1.9 GB")]
)
def test_sizes_and_minutes_are_said_before_the_installation(bundle, words):
    assert words in backend_box.describe_size(FinishedProbe().device, bundle)


def test_the_sidebar_says_the_size(addon):
    setup_state.environment_probe = FinishedProbe()
    assert "MB are downloaded" in visible_text(draw_panel(panels.MainPanel))
    assert setup_box.describe_size(None, "") == ""
