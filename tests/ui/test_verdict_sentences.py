"""The verdict in the panel: first among the sentences, with frames of the timeline, and marked unless it is good."""

import numpy as np

from blender_meshrec.core.verdict import LIMITS
from blender_meshrec.scene.report_text import quality_sentences
from blender_meshrec.ui.result.result_panel import _is_warning
from tests.support.synthetic_bodies import make_recovery, make_tube_body

REASON = LIMITS[0].reason(2.0)


def sentences(**numbers):
    recovery = make_recovery(make_tube_body(posedirs=False), frames=48, visible=np.ones(48, bool))
    return quality_sentences(recovery, {"reprojection_share_of_box": 0.01, **numbers})


def test_a_verdict_comes_first_with_its_worst_frames_and_reasons():
    for verdict in ("doubtful", "bad"):
        first, second, *others = sentences(verdict=verdict, reasons=[REASON], worst_times=[0.0, 23 / 24])
        assert first == f"Verdict: {verdict}. The worst frames: 1, 24." and second == REASON
        assert _is_warning(first) and _is_warning(second) and not any(map(_is_warning, others[:1]))


def test_a_good_verdict_is_not_marked():
    first, *_others = sentences(verdict="good", reasons=[], worst_times=[0.1])
    assert first == "Verdict: good." and not _is_warning(first)


def test_a_result_without_a_verdict_says_nothing_of_it():
    assert not any("erdict" in sentence for sentence in sentences())
