"""Focal lengths as users give them: words, units, and what is refused in a sentence."""

import math
from argparse import ArgumentTypeError

import pytest

from blender_meshrec.core.cameras import default_intrinsics, intrinsics_of_focal_length
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.focal_length import (
    equivalent_from_pixels,
    given_focal_length,
    is_plausible_equivalent,
    is_plausible_in_pixels,
    pixels_from_equivalent,
    read_focal_length,
)
from blender_meshrec.core.option_parsers import parse_focal_length, parse_sensor

SIZE = (1920, 1080)
DIAGONAL = math.hypot(*SIZE)


@pytest.mark.parametrize(
    "text, value",
    [
        ("28", (28, "mm")),
        ("28mm", (28, "mm")),
        (" 28.5 MM ", (28.5, "mm")),
        ("1674px", (1674, "px")),
        (".5 px", (0.5, "px")),
        ("5.", (5, "mm")),
    ],
)
def test_words_of_a_focal_length(text, value):
    assert read_focal_length(text) == value
    assert parse_focal_length(text) == text


@pytest.mark.parametrize("text", ["", "mm", "0", "0px", "-28mm", "nan", "inf", "28cm", "28 28", "1e2", "28,5mm", "²8", "٢٨", "9" * 400])
def test_other_words_are_refused(text):
    with pytest.raises(ValueError, match="no focal length"):
        read_focal_length(text)
    with pytest.raises(ArgumentTypeError, match="such as 28mm or 1674px"):
        parse_focal_length(text)
    with pytest.raises(InputError, match="Give millimetres such as 28mm, or pixels such as 1674px"):
        given_focal_length(text, None, SIZE)


def test_words_of_a_sensor():
    assert [parse_sensor(word) for word in ("36", "36mm", " 23.5 MM", "1", "300")] == [36, 36, 23.5, 1, 300]
    for word in ("0", "0.9", "301", "-36", "nan", "inf", "wide", ""):
        with pytest.raises(ArgumentTypeError, match="no width of a sensor, 1 to 300 mm"):
            parse_sensor(word)


def test_equivalents_compare_diagonals():
    """A picture in film's own shape has the film's field of view; in other shapes the diagonal's is the same."""
    assert pixels_from_equivalent(36, (3600, 2400)) == pytest.approx(3600)
    for size in (SIZE, SIZE[::-1], (1000, 1000)):
        angle = 2 * math.atan(math.hypot(*size) / 2 / given_focal_length("28mm", None, size))
        assert math.degrees(angle) == pytest.approx(75.38, abs=0.01)  # what makers state for 28 mm
        assert equivalent_from_pixels(pixels_from_equivalent(28, size), size) == pytest.approx(28)
    assert equivalent_from_pixels(default_intrinsics(SIZE)[0, 0], SIZE) == pytest.approx(43.27, abs=0.01)


def test_a_true_focal_length_needs_the_sensor():
    """The sensor's longer side is the picture's, however the camera is held."""
    assert given_focal_length("18mm", 24.0, SIZE) == pytest.approx(18 / 24 * 1920)
    assert given_focal_length("18mm", 24.0, SIZE[::-1]) == pytest.approx(18 / 24 * 1920)
    assert given_focal_length("4.25", 5.6, (4032, 3024)) == pytest.approx(3060)
    assert given_focal_length("1674px", 24.0, SIZE) == 1674


@pytest.mark.parametrize(
    "text, sensor, name",
    [
        ("4.9mm", None, "focal-length-implausible"),
        ("3001mm", None, "focal-length-implausible"),
        ("1mm", 36.0, "focal-length-implausible"),
        ("600mm", 1.0, "focal-length-implausible"),
        ("28mm", 0.5, "sensor-implausible"),
        ("28mm", math.nan, "sensor-implausible"),
        ("28mm", 301.0, "sensor-implausible"),
        (f"{0.199 * DIAGONAL}px", None, "focal-length-pixels-implausible"),
        (f"{40.1 * DIAGONAL}px", None, "focal-length-pixels-implausible"),
    ],
)
def test_focal_lengths_of_no_lens_are_refused_with_what_is_possible(text, sensor, name):
    with pytest.raises(InputError) as caught:
        given_focal_length(text, sensor, SIZE)
    assert caught.value.name == name and " to " in caught.value.problem


def test_the_limits_are_lenses():
    assert given_focal_length("5mm", None, SIZE) == pytest.approx(pixels_from_equivalent(5, SIZE))
    assert given_focal_length("3000mm", None, SIZE) == pytest.approx(pixels_from_equivalent(3000, SIZE))
    assert given_focal_length(f"{0.2001 * DIAGONAL}px", None, SIZE) == pytest.approx(0.2001 * DIAGONAL)
    assert given_focal_length(f"{39.9 * DIAGONAL}px", None, SIZE) == pytest.approx(39.9 * DIAGONAL)
    assert not is_plausible_equivalent(math.nan) and not is_plausible_in_pixels(math.nan, SIZE)


@pytest.mark.parametrize("focal, is_plausible", [(0.99, False), (1.0, True), (200.0, True), (200.1, False)])
def test_lenses_have_a_fifth_of_to_forty_diagonals(focal, is_plausible):
    assert is_plausible_in_pixels(focal, (3, 4)) == is_plausible


def test_the_principal_point_is_in_the_middle():
    assert intrinsics_of_focal_length(1674, SIZE).tolist() == [[1674, 0, 960], [0, 1674, 540], [0, 0, 1]]
