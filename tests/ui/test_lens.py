"""The lens in the panel: the section Camera, its request, and the sentence of a result."""

import numpy as np
import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.core.focal_length import given_focal_length
from blender_meshrec.scene.report_text import quality_sentences
from blender_meshrec.ui import settings_panels, translation
from blender_meshrec.ui.properties import build_request
from blender_meshrec.ui.result.result_panel import _is_warning
from tests.support.panel_drawing import draw_panel
from tests.support.synthetic_bodies import make_recovery, make_tube_body


def test_the_fields_of_the_camera_are_the_request(addon):
    addon.source = "/clip.mp4"
    drawn = [call[2] for call in draw_panel(settings_panels.CameraPanel) if call[0] == "prop"]
    assert drawn == ["focal", "sensor"]
    assert (build_request(addon).focal, build_request(addon).sensor) == (None, None)
    addon.focal, addon.sensor = "18mm", 23.5
    assert (build_request(addon).focal, build_request(addon).sensor) == ("18mm", 23.5)


@pytest.mark.parametrize(
    "source, sentence",
    [
        ("given", "Lens: 28.0 mm in 35 mm equivalents, as given."),
        ("metadata", "Lens: 28.0 mm in 35 mm equivalents, by what the footage's file says."),
        ("edges", "Lens: 28 mm in 35 mm equivalents, by edges of the room or the houses behind."),
        ("solved", "Lens: 28 mm in 35 mm equivalents, found by the solve; give the Focal Length if you know it."),
    ],
)
def test_a_result_says_which_lens_it_was_made_with(source, sentence):
    recovery = make_recovery(make_tube_body(posedirs=False), frames=3, visible=np.ones(3, bool))
    *_others, last = quality_sentences(recovery, {}, {"focal_35mm": 28.01, "focal_px": 1425.3, "source": source, "sigma": 0.1})
    assert last == sentence and not _is_warning(last)
    assert not any("Lens" in other for other in quality_sentences(recovery, {}))


@pytest.mark.parametrize("focal, sensor", [("28cm", None), ("2mm", None), ("28mm", 0.5), ("10px", None)])
def test_a_wrong_focal_length_is_explained_in_german(monkeypatch, focal, sensor):
    german = translation.read_table("de")
    monkeypatch.setattr(translation, "look_up", lambda text, name="": german.get(name, {}).get(text) or german[""].get(text, text))
    with pytest.raises(InputError) as caught:
        given_focal_length(focal, sensor, (1920, 1080))
    text = translation.translate_error(caught.value)
    assert "angeben" in text or "prüfen" in text
    assert caught.value.problem not in text
