"""Which results have SKEL's skeleton."""

from types import SimpleNamespace

import pytest

from blender_meshrec.core.skeleton_choice import wants_skel


@pytest.mark.parametrize(
    ("skeleton", "method", "body", "skel_body", "expected"),
    [
        ("smpl", "auto", "open", "open", False),
        ("skel", "auto", "open", "open", True),
        ("smpl", "hsmr", "open", "open", True),
        ("smpl", "hsmr", "mine.npz", "skel_male.pkl", True),
        ("smpl", "hsmr", "open", "skel_male.pkl", False),  # the two skins differ
        ("smpl", "hsmr", "mine.npz", "open", False),
        ("skel", "hsmr", "open", "skel_male.pkl", True),  # chosen: the conversion says what is wrong
    ],
)
def test_a_method_that_regresses_skel_gives_it_where_the_skins_agree(skeleton, method, body, skel_body, expected):
    options = SimpleNamespace(skeleton=skeleton, method=method, body=body, skel_body=skel_body)
    assert wants_skel(options) == expected


def test_options_without_a_method_have_the_skeleton_that_was_chosen():
    assert not wants_skel(SimpleNamespace(skeleton="smpl", body="open", skel_body="open"))
