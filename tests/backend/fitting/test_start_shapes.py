"""A person's shape starts from that of a woman or of a man: what bones do not tell stays theirs."""

import numpy as np

from blender_meshrec.backend.fitting.betas_fit import MEASURED_BONES, bone_lengths_and_jacobian, fit_betas
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.open_body_details import load_body_of_start, load_open_body_details


def test_without_lengths_a_person_has_the_start():
    for name, betas in load_open_body_details().starts.items():
        assert np.allclose(fit_betas(load_body_of_start("open", name), {}), betas, atol=1e-6)
    assert np.allclose(fit_betas(load_body_of_start("open", "average"), {}), 0)


def test_lengths_decide_what_they_tell_whatever_the_start():
    body = load_body("open")
    truth = np.zeros(10)
    truth[0] = 0.8
    measured = dict(zip((bone.name for bone in MEASURED_BONES), bone_lengths_and_jacobian(body, truth)[0], strict=True))
    fitted = {name: fit_betas(load_body_of_start("open", name), measured) for name in ("average", "female", "male")}
    shins = {name: bone_lengths_and_jacobian(body, betas)[0][0] for name, betas in fitted.items()}
    assert np.ptp(list(shins.values())) < 0.005
    assert np.linalg.norm(fitted["female"] - fitted["male"]) > 0.3  # girth and chest stay those of the start
