"""Translation: every text of the interface and every message it can show has a German translation, and the tables have no other texts."""

import ast
import re
import string
from pathlib import Path

import bpy
import pytest

import blender_meshrec
from blender_meshrec import ui
from blender_meshrec.bridge.messages import Progress, failure_from_error
from blender_meshrec.core.body_contacts import CONTACT_PARTS
from blender_meshrec.core.errors import InputError, NobodyFoundError
from blender_meshrec.core.messages import Message, label, title_of
from blender_meshrec.core.skeletons import SMPL_JOINTS
from blender_meshrec.retarget.mapping.shown_names import SPINE_PARTS
from blender_meshrec.retarget.rig import SLOTS
from blender_meshrec.ui import translation
from blender_meshrec.ui.jobs import jobs
from blender_meshrec.ui.properties import build_request
from blender_meshrec.ui.retarget import retarget_panel
from blender_meshrec.ui.setup import backend_box, setup_state
from tests.support.message_sites import message_sites
from tests.support.panel_drawing import draw_panel
from tests.ui.conftest import INSTALLED, FinishedProbe

PACKAGE = Path(blender_meshrec.__file__).parent
GERMAN, PANEL = translation.read_table("de"), translation.read_table("panel_en")
LABELS = GERMAN.get("", {})
PARTS = ("core", "retarget", "bridge", "bodies", "methods", "backend", "scene", "ui")
# Names of programs, methods and file formats, which are not translated, and texts that are the same in German.
UNTRANSLATED = {
    "MeshRec", "SMPL", "SKEL", "MediaPipe", "NVIDIA", "Apple", "Unreal Engine", "Unity", "FBX", "glTF", "USD", "BVH", "NPZ", "FK", "OK",
    "SKELify", "BlazePose 3D", "PC-HMR", "HKMR", "HSMR", "DecoMR", "Python", "CPU", "IK",
    "Person", "Name", "Format", "Standard", "Export", "{seconds} s", "{minutes} min", "{hours} h {minutes} min", "",
    "{stage}: {done} {unit}",
}  # fmt: skip
# Messages that stay English: those of the command line alone, and those of damage that never occurs in practice.
COMMAND_LINE_FILES = {
    "scene_process.py",
    "backend_session.py",
    "user_models.py",
    "torch_checkpoint.py",
    "released_models.py",
    "uv_template.py",
    "rig_file.py",
    "rig_import.py",
    "character_path.py",
    "rtmlib_detector.py",
    "registry.py",
    "make_job.py",
    "open_views.py",
}
RARE_MESSAGES = {
    "device-unknown.problem", "person-choice-unknown.problem", "person-choice-unknown.remedy", "network-file-of-another-version.problem",
    "skel-names-wrong.problem", "skel-bones-misconnected.problem", "pc-hmr-weights-of-another-body.problem",
    "export-preset-unknown.problem", "export-format-unknown.problem", "export-format-unknown.remedy",
}  # fmt: skip
# Placeholders that some German texts do not use.
OMITTED_PLACEHOLDERS = {"when", "first", "end", "frames"}
SKEL_REFINERS = ("skelify",)  # those of backend/refiners/skel_conversion.py, which needs torch
PANELS = [kind for part in ui._PARTS for kind in part.CLASSES if issubclass(kind, bpy.types.Panel) and getattr(kind, "bl_category", "")]


def parse_folders(*folders):
    """The syntax trees of the package's files in these folders."""
    return [ast.parse(file.read_text(encoding="utf-8")) for folder in folders for file in (PACKAGE / folder).rglob("*.py")]


def calls(trees):
    """(function name, call) of each call."""
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Call):
            yield getattr(node.func, "id", getattr(node.func, "attr", "")), node


def literals(node):
    """The texts that an expression may evaluate to."""
    if isinstance(node, ast.IfExp):
        return literals(node.body) + literals(node.orelse)
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def drawn_texts():
    """The texts that the code translates or lets Blender translate."""
    found = [
        *retarget_panel._FOUND_BY_LABELS.values(),
        *backend_box._DEVICE_PHRASES.values(),
        *map(title_of, SLOTS),
        *SPINE_PARTS,
        *map(title_of, CONTACT_PARTS),
    ]
    found += [name.replace("_", " ") for name in SMPL_JOINTS]
    found += [name.capitalize() for name in SKEL_REFINERS]  # each is a stage
    for name, call in calls(parse_folders("ui")):
        if name == "translate":
            found += literals(call.args[0])
        if name in ("Button", "_set_enum_button"):
            found += literals(call.args[1 if name == "Button" else 2])
        if name in ("label", "operator", "prop"):
            found += [text for keyword in call.keywords if keyword.arg == "text" for text in literals(keyword.value)]
    for name, call in calls(parse_folders("backend")):
        if name == "stages":
            found += [text[:1].upper() + text[1:] for text in literals(call.args[0])]
        if name == "Progress":
            found += literals(call.args[0])
    return found


def registered_texts():
    """The names and tooltips of the registered classes and their properties."""
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
            # A property without a name is not shown; Blender translates `name` and those of files itself.
            if not prop.is_hidden and prop.name != prop.identifier and prop.identifier not in ("name", "filepath", "directory", "files"):
                found += [prop.name, prop.description]
                found += [text for item in getattr(prop, "enum_items", ()) for text in (item.name, item.description)]
    return found


def test_every_interface_text_is_in_german(addon):
    missing = sorted({*drawn_texts(), *registered_texts()} - {*LABELS, *UNTRANSLATED})
    assert not missing, "add to ui/locale/de.po and run `python -m scripts.translations`:\n" + "\n".join(map(repr, missing))


def panel_template(site):
    """The English template with which the panel shows the message of a site."""
    return PANEL.get(site.name, {}).get(site.text) or PANEL.get("", {}).get(site.text) or site.text


def fields(template):
    return {(name, spec) for _, name, spec, _ in string.Formatter().parse(template) if name is not None}


def messages():
    return [site for site in message_sites(*PARTS) if site.text is not None]


def test_message_name_identifies_one_text():
    texts = {}
    for site in (site for site in message_sites(".") if site.text is not None):
        assert texts.setdefault(site.name, site.text) == site.text, (site.name, site.file)
        assert site.name == site.text or re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*(\.problem|\.remedy)?", site.name), site.name


def test_messages_have_values_for_their_placeholders():
    for site in (site for site in message_sites(".") if site.text is not None and site.values is not None):
        assert {name for name, _ in fields(site.text)} <= site.values, (site.name, site.file)


def test_translations_keep_placeholders_and_final_punctuation():
    for table in (GERMAN, PANEL):
        for msgid, text in (pair for texts in table.values() for pair in texts.items()):
            assert fields(text) <= fields(msgid), msgid
            assert {name for name, _ in fields(msgid) - fields(text)} <= OMITTED_PLACEHOLDERS, msgid
            assert text[-1:] == msgid[-1:] or not {text[-1], msgid[-1]} & {*".,: "}, msgid


def test_tables_have_no_unused_texts():
    templates = {(site.name, site.text) for site in messages()} | {("", site.text) for site in messages()}
    missing = [(name, text) for name, texts in PANEL.items() for text in texts if (name, text) not in templates]
    drawn = {(site.name, panel_template(site)) for site in messages()}
    missing += [(name, text) for name, texts in GERMAN.items() if name for text in texts if (name, text) not in drawn]
    # A text without a name is a label or tooltip, or is shared by several messages.
    shared = {text for _name, text in drawn}
    constants = {
        node.value for tree in parse_folders("ui", "backend", "core", "bridge") for node in ast.walk(tree) if isinstance(node, ast.Constant)
    }
    labels = (
        {*map(title_of, SLOTS), *map(title_of, CONTACT_PARTS), *SPINE_PARTS}
        | {name.replace("_", " ") for name in SMPL_JOINTS}
        | {"Skelify"}
    )
    constants |= {text[:1].upper() + text[1:] for text in constants if isinstance(text, str)}
    missing += [("", text) for text in LABELS if text not in shared | constants | labels]
    assert not missing, "take out of ui/locale/*.po:\n" + "\n".join(map(repr, missing))


def test_every_message_in_the_panel_is_in_german():
    """Except for messages that only the command line or developers see."""
    missing = []
    for site in (site for site in messages() if site.file.name not in COMMAND_LINE_FILES and site.name not in RARE_MESSAGES):
        text = panel_template(site)
        if text not in GERMAN.get(site.name, {}) and text not in LABELS:
            missing.append((site.name, text))
    assert not missing, "add to ui/locale/de.po and run `python -m scripts.translations`:\n" + "\n".join(map(repr, missing))


def test_panel_messages_do_not_mention_the_command_line():
    """Except for messages that only the command line shows."""
    for site in messages():
        if site.file.name not in COMMAND_LINE_FILES:
            mention = re.search(r"`|meshrec \w|build\.py|--(?!keypoint_scale|write_json|offline-mode)\w", panel_template(site))
            assert not mention, (site.name, site.file.name)


@pytest.fixture
def pseudo(monkeypatch):
    """A language that marks every word that was translated."""
    translatable = {text for texts in GERMAN.values() for text in texts}
    monkeypatch.setattr(translation, "look_up", lambda msgid, name="": f"{msgid}§".replace(" ", "§ ") if msgid in translatable else msgid)


def untranslated_texts(drawn):
    """The drawn texts with words that were not translated."""
    texts = [
        (entry[0], entry[-1] if entry[0] == "progress" else entry[1]) for entry in drawn if entry[0] in ("label", "progress") and entry[1:]
    ]
    names = r"/\S+|clip\S*( person\d)?|person\d|[A-Z]+|[\d.,:%()-]+|[|█▓░·.]+|x|tests?|boom"
    return [
        text
        for kind, text in texts
        if isinstance(text, str) and "§" not in text and text not in LABELS and not re.fullmatch(rf"({names}| )*", text)
    ]


def test_every_panel_is_translated_in_every_state(addon, backend, result, tubes, pseudo):
    def draw_all():
        for panel in PANELS:
            assert untranslated_texts(draw_panel(panel) or []) == [], panel.bl_idname

    draw_all()
    addon.source, addon.person, addon.skeleton = "/clip.mp4", "ONE", "skel"
    for probe in (FinishedProbe(), FinishedProbe(is_partial=True), FinishedProbe(**INSTALLED)):
        setup_state.environment_probe = probe
        draw_all()
    backend([Progress("Finding people", 3, 30)], [result])
    jobs.start(build_request(addon)).update()
    draw_all()
    jobs.stop()
    addon.skeleton = "smpl"
    backend([result])
    bpy.ops.meshrec.reconstruct()
    jobs.dismiss()
    draw_all()
    problem = "{name} was read, but no person was found in its {frames} frames."
    backend([failure_from_error(NobodyFoundError("nobody-in-footage", problem, "Check the path.", name="clip.mp4", frames=9))])
    with pytest.raises(RuntimeError, match="no§ person§"):
        bpy.ops.meshrec.reconstruct()
    draw_all()


def test_messages_use_the_panels_wording():
    remedy = Message("backend-did-not-start.remedy", "Run `meshrec doctor`, which says what is missing.")
    assert translation.translate_message(remedy).startswith("Click Check Installation")
    problem = "{name} has {frames} frames, and the range begins at frame {first}."
    error = InputError("frame-range-past-end", problem, "Choose frames below {frames}.", name="clip.mp4", frames=30, first=40)
    assert str(error) == "clip.mp4 has 30 frames, and the range begins at frame 40. Choose frames below 30."
    expected = "clip.mp4 has 30 frames, and Part of the Clip begins after them. Choose an earlier In under Part of the Clip."
    assert translation.translate_error(error) == expected
    assert translation.translate_message("Nobody {knows} this.") == "Nobody {knows} this."
    assert translation.translate_message(Message("not-in-the-tables", "Nobody knows {what}.", what="{this}")) == "Nobody knows {this}."


def test_labels_in_values_are_translated_but_names_are_not(monkeypatch):
    monkeypatch.setattr(translation, "look_up", lambda msgid, name="": GERMAN.get(name, {}).get(msgid) or LABELS.get(msgid, msgid))
    names = [label("left wrist"), label("head")]
    unsure = Message("least-sure-of-some", "Least sure of: {names} and {count} more.", names=names, count=3)
    assert unsure == "Least sure of: left wrist, head and 3 more."
    assert translation.translate_message(unsure) == "Am wenigsten sicher: Handgelenk links, Kopf und 3 weitere."
    empty = Message("footage-empty.problem", "{name} is empty (0 bytes).", name="head")
    assert translation.translate_message(empty) == "head ist leer (0 Byte)."
    assert jobs.Job(None, None).text == "Beginn"
    assert translation.translate("{time} left", time="{x}") == "noch {x}"


def test_blender_tables_have_messages_by_name_and_labels_everywhere():
    german = translation.blender_tables()["de"]
    assert german["footage-empty.problem", "{name} is empty (0 bytes)."] == "{name} ist leer (0 Byte)."
    assert german["*", "Choose footage first"] == german["Operator", "Choose footage first"] == "Zuerst eine Aufnahme wählen"
    assert "panel_en" not in translation.blender_tables()
