"""BVH files in the spellings of many programs: keywords, channels, names, frame times; what no program reads is named."""

import numpy as np
import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.retarget.source.bvh import performance_from_bvh
from blender_meshrec.retarget.source.bvh_file import read_bvh

ROTATIONS, NUM_FRAMES = "Zrotation Xrotation Yrotation", 4


def bvh_text(frame_time="0.0333333", name="Chest"):
    """A skeleton of two joints, NUM_FRAMES frames."""
    head = (
        "HIERARCHY\nROOT Hips\n{\n\tOFFSET 0.0 0.0 0.0\n\tCHANNELS 6 Xposition Yposition Zposition " + ROTATIONS + "\n"
        f"\tJOINT {name}\n\t{{\n\t\tOFFSET 0.0 10.5 0.0\n\t\tCHANNELS 3 {ROTATIONS}\n"
        "\t\tEnd Site\n\t\t{\n\t\t\tOFFSET 0.0 5.25 0.0\n\t\t}\n\t}\n}\n"
    )
    rows = [" ".join(f"{value:.3f}" for value in np.arange(9) + 10 * frame - 4.5) for frame in range(NUM_FRAMES)]
    return head + f"MOTION\nFrames: {NUM_FRAMES}\nFrame Time: {frame_time}\n" + "\n".join(rows) + "\n"


@pytest.fixture
def read(tmp_path):
    def written(text):
        (tmp_path / "a.bvh").write_text(text)
        return read_bvh(tmp_path / "a.bvh")

    return written


@pytest.mark.parametrize(
    ("frame_time", "fps"),
    [
        ("0.0333", 30), ("0.033", 30), ("0.033333", 30), ("0.03333333", 30), ("3.3333e-02", 30), ("0.008333", 120), ("0.0083", 120),
        ("0.00833333", 120), ("0.016667", 60), ("0.0167", 60), ("0.016666", 60), ("0.0166", 60), ("0.041667", 24), ("0.0417", 24),
        ("0.011111", 90), ("0.0041667", 240), ("0.04", 25), ("0.02", 50), ("0.01", 100), ("0.005", 200), ("0.0125", 80),
        ("0.033367", 30000 / 1001), ("0.041708", 24000 / 1001), ("0.016683", 60000 / 1001), ("0.07", 1 / 0.07), ("0.0300", 1 / 0.03),
    ],
)  # fmt: skip
def test_rounded_frame_times_mean_a_rate(read, frame_time, fps):
    bvh = read(bvh_text(frame_time))
    assert bvh.fps == pytest.approx(fps, rel=1e-12) and bvh.frame_time == pytest.approx(1 / fps, rel=1e-12)


@pytest.mark.parametrize("fps", [23.0, 25.0, 29.97, 31.0, 37.5, 61.0, 119.0, 125.0, 1000.0])
def test_exact_frame_times_keep_their_rate(read, fps):
    assert read(bvh_text(repr(1 / fps))).fps == pytest.approx(fps, rel=1e-4 if fps == 29.97 else 1e-9)


KEYWORDS = ("HIERARCHY", "ROOT", "JOINT", "OFFSET", "CHANNELS", "MOTION")
SPELLINGS = {
    "lower-case channels": lambda text: _lower(text, lambda word: word.endswith(("position", "rotation"))),
    "upper-case channels": lambda text: text.replace(ROTATIONS, ROTATIONS.upper()),
    "title-case keywords": lambda text: "".join(word.title() if word.strip() in KEYWORDS else word for word in _words(text)),
    "lower-case keywords": lambda text: _lower(text, lambda word: word in (*KEYWORDS, "End", "Frames:", "Frame", "Time:")),
    "upper-case end site": lambda text: text.replace("End Site", "END SITE"),
    "carriage returns": lambda text: text.replace("\n", "\r\n"),
    "braces on the line": lambda text: text.replace("\n{", "{").replace("\n\t{", " {"),
    "spaces before colons": lambda text: text.replace("Frames:", "Frames :").replace("Frame Time:", "Frame Time :"),
}  # fmt: skip


def _lower(text, is_chosen):
    return "".join(word.lower() if is_chosen(word.strip()) else word for word in _words(text))


def _words(text):
    """The words of a text, each with the white space after it."""
    words, start = [], 0
    for position in range(1, len(text) + 1):
        if position == len(text) or (text[position - 1].isspace() and not text[position].isspace()):
            words.append(text[start:position])
            start = position
    return words


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spellings_are_the_same_file(read, spelling):
    expected, text = read(bvh_text()), SPELLINGS[spelling](bvh_text())
    assert text != bvh_text()
    found = read(text)
    assert found.skeleton.joint_names == expected.skeleton.joint_names and found.skeleton.channels == expected.skeleton.channels
    assert np.array_equal(found.values, expected.values) and np.array_equal(found.skeleton.offsets, expected.skeleton.offsets)


@pytest.mark.parametrize("name", ["MOTION_root", "Motion", "MOTION", "End", "Joint1", "HIERARCHY", "Offset", "Left Arm", "CHANNELS 2"])
def test_joint_names_may_hold_keywords(read, name):
    assert read(bvh_text(name=name)).skeleton.joint_names == ("Hips", name)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("-4.500 -3.500", "-4.500-3.500", r"run together: -4.500-3.500"),
        ("10.5 0.0", "10.50.0", r"run together: 10.50.0"),
        ("-4.500 -3.500", "-4,500 -3,500", r"decimal comma: -4,500"),
        ("0.0 10.5", "0,0 10,5", r"decimal comma: 0,0"),
        ("Frame Time: 0.0333333", "Frame Time: 0,0333333", r"decimal comma: 0,0333333"),
        ("-4.500", "x", "damaged"),
    ],
)
def test_numbers_that_no_program_reads_are_named(read, old, new, words):
    with pytest.raises(InputError, match=words):
        read(bvh_text().replace(old, new))


@pytest.mark.parametrize("number", ["nan", "inf", "-1e30", "1e200"])
def test_numbers_that_no_skeleton_and_no_motion_has_are_refused(read, number):
    for old, new in (("OFFSET 0.0 10.5", f"OFFSET {number} 10.5"), ("OFFSET 0.0 5.25", f"OFFSET 0.0 {number}"), ("-4.500", number)):
        with pytest.raises(InputError, match=r"damaged|no motion"):
            read(bvh_text().replace(old, new, 1))
    assert len(read(bvh_text().replace("-4.500", "123456.5", 1)).values) == NUM_FRAMES


def test_a_file_that_breaks_off_is_read_and_said(read):
    bvh = read(bvh_text()[:-70])
    assert len(bvh.values) == NUM_FRAMES - 2 and "2 of 4 frames" in bvh.notes[0]
    assert read(bvh_text()).notes == ()


def test_field_files(shared_cases):
    plain, lower = (performance_from_bvh(shared_cases / name) for name in ("03_walk_without_contacts.bvh", "17_lowercase_channels.bvh"))
    assert plain.fps == lower.fps == 30 and len(lower) == 60
    np.testing.assert_array_equal(plain.heads, lower.heads)
    np.testing.assert_allclose(np.diff(plain.timestamps), 1 / 30, rtol=1e-9)


@pytest.mark.parametrize("fps", [10, 12, 12.5, 15, 20, 24, 25, 30, 40, 48, 50, 60, 72, 75, 80, 90, 100, 120, 144, 150, 180, 200, 240, 250])
@pytest.mark.parametrize("ratio", [1.0, 1000 / 1001])
def test_usual_rates_are_meant_by_frame_times_of_six_digits(read, fps, ratio):
    if ratio == 1 or fps in (24, 30, 60, 120):
        assert read(bvh_text(f"{1 / (fps * ratio):.6f}")).fps == pytest.approx(fps * ratio, rel=1e-9)
