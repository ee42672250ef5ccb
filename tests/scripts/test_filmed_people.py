"""The clips of two people: where an actor stops, hands that meet, and the table that is written into its page."""

import numpy as np
import pytest

from scripts.evaluate import filmed_people
from scripts.evaluate.people_clips.acts import JOINT, Act, Actor, Part, _moments, touch


def test_an_actor_who_holds_stands_still_and_gets_to_the_end():
    moments = _moments(Actor("", (10, 50), 0, (0, 0), 1.7, holds=(0.3, 0.7)), 101)
    assert moments[0] == 10 and moments[-1] == pytest.approx(50) and (np.diff(moments) >= 0).all()
    assert np.ptp(moments[40:61]) < 1e-9


def test_hands_meet(template):
    """Two T-poses side by side: the inner hands are brought to one place, and nothing else moves."""
    rest = template.rest_joints(np.zeros(10))[template.smpl_joint_indices].astype(float)
    still = np.tile(np.eye(3), (5, 24, 1, 1))
    parts = tuple(Part(np.zeros(10), still, np.tile([x, 0.9, 0.0], (5, 1)), rest) for x in (-0.35, 0.35))
    act = Act("", 5, (Actor("", (0, 1), 0, (0, 0), 1.7),) * 2, "hands")
    (one, _), (other, _) = (part.joints() for part in touch(act, parts, None))
    apart = np.linalg.norm(one[:, JOINT["left_wrist"]] - other[:, JOINT["right_wrist"]], axis=-1)
    assert apart == pytest.approx(0.06, abs=0.01)  # m
    np.testing.assert_allclose(one[:, JOINT["right_wrist"]], parts[0].joints()[0][:, JOINT["right_wrist"]], atol=1e-9)


def test_the_table_is_replaced(tmp_path, monkeypatch):
    page = tmp_path / "people.md"
    page.write_text(
        f"# P\n\n| other |\n\n{filmed_people.HEADING}\n\nText.\n\n| old |\n|---|\n| 1 |\n\nMore.\n\n## Next\n\n| kept |\n", "utf-8"
    )
    monkeypatch.setattr(filmed_people, "PAGE", page)
    filmed_people.write_section(["| new |", "|---|"])
    text = page.read_text("utf-8")
    assert text == f"# P\n\n| other |\n\n{filmed_people.HEADING}\n\nText.\n\n| new |\n|---|\n\nMore.\n\n## Next\n\n| kept |\n"
