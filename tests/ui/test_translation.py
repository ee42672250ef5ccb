"""The interface in another language: nothing that is drawn is without a translation, and none is put together before it."""

import ast
import re
import string
from pathlib import Path

import bpy
import pytest

import blender_meshrec
from blender_meshrec import ui
from blender_meshrec.bridge.messages import Failure, Progress
from blender_meshrec.core.errors import MeshRecError
from blender_meshrec.core.skeletons import SMPL_JOINTS
from blender_meshrec.retarget.rig import SLOTS
from blender_meshrec.ui import backend_box, jobs, panels, retarget_panel, setup_state, translation
from blender_meshrec.ui.german import GERMAN
from blender_meshrec.ui.german_errors import GERMAN_ERRORS
from blender_meshrec.ui.properties import request_from
from blender_meshrec.ui.retarget_settings import label
from blender_meshrec.ui.sentences import GERMAN_SENTENCES, PANEL_WORDS
from tests.support.panel_drawing import drawn
from tests.ui.conftest import INSTALLED, SettledLook

PACKAGE = Path(blender_meshrec.__file__).parent
# Names of programs, methods and file formats, which are their own in every language, and what is the same in German.
OWN_NAMES = {
    "MeshRec", "SMPL", "SKEL", "MediaPipe", "NVIDIA", "Apple", "Unreal Engine", "Unity", "FBX", "glTF", "USD", "BVH", "NPZ", "FK", "OK",
    "SKELify", "BlazePose 3D", "PC-HMR", "Python", "CPU", "IK",
    "Person", "Name", "Format", "Standard", "Export", "{seconds} s", "{minutes} min", "{hours} h {minutes} min", "",
    "{stage}: {done} {unit}",
}  # fmt: skip
# Errors that stay English: settings that the panel does not give, and damage that nobody has met.
SELDOM = {
    # These are translated with what is filled in.
    "There is no person {}: {} found.", "{} was read, but no person was found {}.", "{} holds {}.", "{} is {}.",
    'The mapping does not fit "{}"; {} would be missing{}.',
    "{} is no person.", "Choose largest, all, or a number from 1.",
    "{} does not connect SKEL's bones as they should be.", "{} does not hold SKEL's {} {} in their order.",
    "The model file {} is of another body.", "The model file {} is not {} of this version.",
    "{} is not a character file that can be read.", "Give a character as one of: {}.", "Check the path of the character.",
    "There is no preset named {}.", "{} has no format this software writes.", "End the output's name in one of: {}.",
}  # fmt: skip
SKEL_REFINERS = ("skelify",)  # of backend/refiners/skel_conversion.py, which needs torch
PANELS = [kind for part in ui._PARTS for kind in part.CLASSES if issubclass(kind, bpy.types.Panel) and getattr(kind, "bl_category", "")]


def code(*folders):
    return [ast.parse(file.read_text(encoding="utf-8")) for folder in folders for file in (PACKAGE / folder).rglob("*.py")]


def calls(trees):
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Call):
            yield getattr(node.func, "id", getattr(node.func, "attr", "")), node


def literals(node):
    """The texts that an expression may come to."""
    if isinstance(node, ast.IfExp):
        return literals(node.body) + literals(node.orelse)
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def put_together(node):
    """A text with {} for what is filled in, of a text or an f-string; None for anything else."""
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return next(iter(literals(node)), None)


def asked_for():
    """Every text whose translation the code asks for, and every one that it gives Blender to translate."""
    found = [*retarget_panel._FOUND_BY.values(), *backend_box._DEVICES.values(), *map(label, SLOTS)]
    found += [name.replace("_", " ") for name in SMPL_JOINTS]
    found += [name.capitalize() for name in SKEL_REFINERS]  # each is a stage
    for name, call in calls(code("ui")):
        if name == "say":
            found += literals(call.args[0])
        if name in ("Button", "_set"):
            found += literals(call.args[1 if name == "Button" else 2])
        if name in ("label", "operator", "prop"):
            found += [text for keyword in call.keywords if keyword.arg == "text" for text in literals(keyword.value)]
    for name, call in calls(code("backend")):
        if name == "stages":
            found += [text[:1].upper() + text[1:] for text in literals(call.args[0])]
        if name == "Progress":
            found += literals(call.args[0])
    return found


def named():
    """Every name and tooltip that Blender has of the add-on's classes."""
    found = []
    for kind in (kind for part in ui._PARTS for kind in part.CLASSES):
        rna = kind.bl_rna
        found.append(getattr(kind, "bl_label", ""))
        if issubclass(kind, bpy.types.Operator):
            found.append(kind.__doc__)
            rna = getattr(bpy.ops.meshrec, kind.bl_idname.partition(".")[2]).get_rna_type()
        if issubclass(kind, bpy.types.Panel):
            continue
        for prop in (rna.properties[name] for name in set(getattr(kind, "__annotations__", ())) & set(rna.properties.keys())):
            # What has no name is not shown; `name` itself, and files, are Blender's own.
            if not prop.is_hidden and prop.name != prop.identifier and prop.identifier not in ("name", "filepath", "directory", "files"):
                found += [prop.name, prop.description]
                found += [text for item in getattr(prop, "enum_items", ()) for text in (item.name, item.description)]
    return found


def test_everything_is_in_german(addon):
    missing = sorted({*asked_for(), *named()} - {*GERMAN, *OWN_NAMES})
    assert not missing, "add to ui/german.py:\n" + "\n".join(map(repr, missing))


def test_translations_have_the_placeholders_of_what_they_translate():
    for table in (GERMAN, GERMAN_SENTENCES, GERMAN_ERRORS, PANEL_WORDS):
        for msgid, text in table.items():
            wanted, has = ({name for _, name, _, _ in string.Formatter().parse(each) if name} for each in (msgid, text))
            assert has <= wanted, msgid
            assert has == wanted or wanted - has <= {"when", "first", "end", "frames"}, msgid
            assert text[-1:] == msgid[-1:] or not {text[-1], msgid[-1]} & {*".,: "}, msgid


def test_every_sentence_of_the_tables_is_said_somewhere():
    said = {put_together(node) for tree in code(".") for node in ast.walk(tree) if isinstance(node, ast.Constant | ast.JoinedStr)}
    said |= set(PANEL_WORDS.values())
    said |= {"{} was read, but no person was found in it.", "{} was read, but no person was found in its {} frames."}
    loose = [re.sub(r"\\\{\\\}", ".*", re.escape(text)) for text in said if text and text.count("{}") and text.count(" ") > 1]
    for template in (*PANEL_WORDS, *GERMAN_SENTENCES, *GERMAN_ERRORS):
        plain = re.sub(r"\{\w+\}", "{}", template)
        assert plain in said or template in said or any(re.fullmatch(pattern, plain) for pattern in loose), template


def test_what_the_panel_can_be_told_is_in_german():
    """Every error of the parts it uses, but for what only the command line and developers meet."""
    elsewhere = {
        "maker_process.py",
        "user_models.py",
        "rig_file.py",
        "outputs.py",
        "registry.py",
        "devices.py",
        "rtmlib_detector.py",
        "pickle_stubs.py",
    }
    errors = re.compile(r"^(Input|NobodyFound|Model|NotSetUp|Output)Error$")
    missing = []
    parts = ("core", "retarget", "bodies", "methods", "backend", "scene")
    for file in (file for part in parts for file in (PACKAGE / part).rglob("*.py")):
        for name, call in calls([ast.parse(file.read_text(encoding="utf-8"))]) if file.name not in elsewhere else ():
            for argument in call.args if errors.match(name) else ():
                for text in filter(None, literals(argument) or [put_together(argument)]):
                    said = text.replace("{}", "X")
                    if text not in SELDOM and not any(pattern.fullmatch(said) for _, pattern in translation._patterns()):
                        missing.append((file.name, text))
    assert not missing, "add to ui/german_errors.py:\n" + "\n".join(map(repr, missing))


def test_no_sentence_for_the_panel_speaks_of_the_command_line():
    """But for those of what only the command line does."""
    elsewhere = {"maker_process.py", "user_models.py", "rig_file.py", "outputs.py"}
    errors = re.compile(r"^[A-Z]\w*Error$")
    for file in (
        file
        for part in ("core", "retarget", "bridge", "bodies", "methods", "backend", "scene", "ui")
        for file in (PACKAGE / part).rglob("*.py")
    ):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        told = [argument for name, call in calls([tree]) if errors.match(name) for argument in call.args]
        told += [node.value for node in ast.walk(tree) if isinstance(node, ast.Assign) and "REMEDY" in ast.unparse(node.targets[0]).upper()]
        for text in filter(None, map(put_together, told)):
            if file.name not in elsewhere and re.search(r"`|meshrec \w|build\.py|--(?!keypoint_scale|write_json|offline-mode)\w", text):
                assert text in PANEL_WORDS, (file.name, text)


@pytest.fixture
def pseudo(monkeypatch):
    """A language that marks every word it has translated."""
    monkeypatch.setattr(
        translation,
        "look_up",
        lambda msgid: f"{msgid}§".replace(" ", "§ ") if msgid in {**GERMAN, **GERMAN_SENTENCES, **GERMAN_ERRORS} else msgid,
    )


def unmarked(seen):
    """Texts that were drawn as they are and have words that nobody translated."""
    texts = [
        (entry[0], entry[-1] if entry[0] == "progress" else entry[1]) for entry in seen if entry[0] in ("label", "progress") and entry[1:]
    ]
    names = r"/\S+|clip\S*( person\d)?|person\d|[A-Z]+|[\d.,:%()-]+|x|tests?|boom"
    return [
        text
        for kind, text in texts
        if isinstance(text, str) and "§" not in text and text not in GERMAN and not re.fullmatch(rf"({names}| )*", text)
    ]


def test_every_panel_speaks_the_language_in_every_state(addon, backend, result, tubes, pseudo):
    def draw_all():
        for panel in PANELS:
            assert unmarked(drawn(panel) or []) == [], panel.bl_idname

    draw_all()
    addon.source, addon.person, addon.skeleton = "/clip.mp4", "ONE", "skel"
    for look in (SettledLook(), SettledLook(half_made=True), SettledLook(**INSTALLED)):
        setup_state.look = look
        draw_all()
    backend([Progress("Finding people", 3, 30)], [result])
    jobs.start(request_from(addon)).advance()
    draw_all()
    jobs.stop()
    addon.skeleton = "smpl"
    backend([result])
    bpy.ops.meshrec.reconstruct()
    jobs.dismiss()
    draw_all()
    backend([Failure(3, "clip.mp4 was read, but no person was found in its 9 frames.", "Check the path.")])
    with pytest.raises(RuntimeError, match="no§ person§"):
        bpy.ops.meshrec.reconstruct()
    draw_all()


def test_sentences_of_other_parts_come_in_the_panels_words():
    assert translation.translated("Run `meshrec doctor`, which says what is missing.").startswith("Click Check Installation")
    told = translation.told(MeshRecError("clip.mp4 has 30 frames, and the range begins at frame 40.", "Choose frames below 30."))
    assert told == "clip.mp4 has 30 frames, and Part of the Clip begins after them. Choose an earlier In under Part of the Clip."
    assert translation.translated("Nobody {knows} this.") == "Nobody {knows} this."


def test_lists_of_words_are_translated_word_by_word_and_names_are_not(monkeypatch):
    monkeypatch.setattr(translation, "look_up", lambda msgid: {**GERMAN, **GERMAN_SENTENCES}.get(msgid, msgid))
    assert (
        translation.translated("Least sure of: left wrist, head and 3 more.")
        == "Am wenigsten sicher: Handgelenk links, Kopf und 3 weitere."
    )
    assert translation.translated("head is empty (0 bytes).") == "head ist leer (0 Byte)."
    assert jobs.Job(None, None).text == "Beginn"
    assert panels.say("{rate}, {time} left", rate="9", time="{x}") == "9, noch {x}"
