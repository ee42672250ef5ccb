"""People who lean where the lifter has them lean are turned upright before the solve; those who are balanced stay."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.fitting.body_params import transform_body
from blender_meshrec.backend.passes.balance import straightened
from blender_meshrec.core.rotations import rotmat_from_rotvec
from tests.support.made_up_clips import squat

TIMES = np.arange(60) / 30


def leaning(clip, person, degrees):
    """The person's evidence as of a lifter that tips everybody towards the camera."""
    root = clip.template.rest_joints(person.body.betas)[0]
    pelvis = person.body.transl + root
    turn = rotmat_from_rotvec([np.radians(degrees), 0, 0])
    body = transform_body(person.body, root, np.tile(turn, (len(TIMES), 1, 1)), pelvis - pelvis @ turn.T)
    return replace(person, body=body, lifted=person.lifted @ turn.T)


def trunk_angles(clip, person):
    """By how much the line from hip to thorax is off the true one, (F,) degrees."""
    true = clip.evidence(clip.truth).lifted
    cosines = (
        (person.lifted[:, 8] * true[:, 8]).sum(-1) / np.linalg.norm(person.lifted[:, 8], axis=-1) / np.linalg.norm(true[:, 8], axis=-1)
    )
    return np.degrees(np.arccos(np.clip(cosines, -1, 1)))


@pytest.mark.parametrize("degrees", [-8.0, 0.0, 8.0])
def test_who_leans_is_turned_upright(degrees, template):
    clip = squat(template, TIMES)
    person = leaning(clip, clip.evidence(clip.truth), degrees)
    upright = straightened(template, person, clip.shared())
    assert trunk_angles(clip, upright).max() < 4.5  # this clip's own balance is off by 2
    assert trunk_angles(clip, person).max() > abs(degrees) - 0.1
    np.testing.assert_allclose(upright.body.transl + template.rest_joints(upright.body.betas)[0],
                               person.body.transl + template.rest_joints(person.body.betas)[0], atol=1e-5)  # fmt: skip


def test_nobody_who_does_not_stand_is_turned(template):
    clip = squat(template, TIMES)
    person = replace(leaning(clip, clip.evidence(clip.truth), 8.0), contacts=np.zeros((len(TIMES), 4)))
    np.testing.assert_allclose(straightened(template, person, clip.shared()).lifted, person.lifted, atol=1e-9)
