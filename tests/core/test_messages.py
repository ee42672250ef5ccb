"""Messages: English sentences that keep their template and values."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.core.messages import (
    Message,
    describe_exception,
    label,
    message_from_json,
    message_to_json,
    messages_from_text,
    messages_to_text,
)

MESSAGES = (
    Message("plain", "Nothing is filled in."),
    Message("numbers", "{count} of {share:.1f} %, {number}", count=3, share=2.04, number=1.5),
    Message("nested", "It is {what}: {names}.", what=Message("inner", "a {kind}", kind="motion"), names=(label("left wrist"), "b", 3)),
    label("braces {stay}"),
)
ENGLISH = ("Nothing is filled in.", "3 of 2.0 %, 1.5", "It is a motion: left wrist, b, 3.", "braces {stay}")


@pytest.mark.parametrize("message, english", list(zip(MESSAGES, ENGLISH)))
def test_a_message_is_its_english_sentence(message, english):
    assert str(message) == message == english and json.dumps([message]) == json.dumps([english])


@pytest.mark.parametrize("message", MESSAGES)
def test_messages_keep_their_identity_through_json_and_copies(message):
    (kept,) = messages_from_text(messages_to_text([message]))
    for again in (message_from_json(json.loads(json.dumps(message_to_json(message)))), copy.deepcopy(message), kept):
        assert again == message and (again.name, again.text, again.values) == (message.name, message.text, message.values)


def test_values_are_converted_for_json():
    values = {"path": Path("a/b"), "number": np.float32(0.5), "error": OSError("gone"), "names": ["a", "b"], "missing": None}
    message = Message("values", "{path} {number} {error} {names} {missing}", **values)
    assert message == f"{Path('a/b')} 0.5 gone a, b None"
    assert message_from_json(json.loads(json.dumps(message_to_json(message)))).values == message.values


def test_plain_sentences_of_earlier_files_stay_plain():
    assert messages_from_text("One.\nTwo.") == ["One.", "Two."] and messages_from_text("") == []
    assert message_from_json("Plain.") == "Plain."


def test_an_error_names_its_problem_and_its_remedy():
    error = InputError("too-high", "There is no person {name}.", "Choose one below {name}.", name=7)
    assert str(error) == "There is no person 7. Choose one below 7."
    assert (error.name, error.problem.name, error.remedy.name) == ("too-high", "too-high.problem", "too-high.remedy")
    again = InputError("wrapped", error.problem, "Do {what}.", what="this")
    assert again.problem.name == "too-high.problem" and again.remedy == "Do this."


@pytest.mark.parametrize(
    "text, expected",
    [
        (
            "Error: Cannot read 'a.blend': No such file\nLocation: /usr/share/blender/modules/bpy/ops.py:109\n",
            "Cannot read 'a.blend': No such file",
        ),
        (
            'Error: Python: Traceback (most recent call last):\n  File "/addons/io_scene_fbx/__init__.py", line 12, in execute\n'
            "ValueError: unknown chunk\n\nLocation: /bpy/ops.py:109\n",
            "ValueError: unknown chunk",
        ),
        ("Expecting value: line 1 column 1 (char 0)", "Expecting value: line 1 column 1 (char 0)"),
        ("two\n  lines", "two lines"),
        ("", ""),
    ],
)
def test_an_exception_in_a_sentence_is_one_line_without_source_locations(text, expected):
    error = RuntimeError(text)
    assert describe_exception(error) == expected
    assert InputError("name", "It failed: {reason}.", "Do.", reason=error).problem == f"It failed: {expected}."
