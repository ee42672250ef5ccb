"""Characters from files: .fbx, .glb, .gltf, .vrm and .blend, and which of a file's armatures is meant."""

import contextlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..core.errors import InputError
from ..retarget.mapping.vrm import read_vrm_humanoid
from .bundled_addons import enable_addon


@dataclass(frozen=True)
class Character:
    """A character in the open file: its armature object, the mesh objects it moves, and VRM's own map of its bones, if any."""

    armature: object
    meshes: tuple
    humanoid: dict

    @property
    def armatures(self):
        return (self.armature,)


def load_character(path, name="", previous=None):
    """Bring a character into the open file and choose its armature.

    A .blend is opened in place of the open file, with its scripts not run. The others are imported into the open file, at rest and
    without the takes that are in them.

    Args:
        path: of the file. name: of the armature object where the file has several. previous: the Character that was loaded from the
            same file before, to stay there while another of it is added.

    Returns:
        A Character.

    Raises:
        InputError: the file cannot be read, or has no armature, or several and none was named.
    """
    suffix = path.suffix.lower()
    if suffix == ".blend" and previous is not None:
        return _duplicate_character(previous)
    if suffix == ".blend":
        with _wrap_import_errors(path):
            bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False, use_scripts=False)
        found = list(bpy.context.scene.objects)
        if not any(thing.type == "ARMATURE" for thing in found):
            found = list(bpy.data.objects)
        return Character(*_choose_armature(found, path.name, name), {})
    before, actions_before = set(bpy.data.objects), set(bpy.data.actions)
    with _wrap_import_errors(path):
        _IMPORTERS[suffix](path)
    found = [thing for thing in bpy.data.objects if thing not in before]
    _remove_animation(found, [action for action in bpy.data.actions if action not in actions_before])
    bpy.context.view_layer.update()
    humanoid = {} if suffix == ".fbx" else read_vrm_humanoid(path)
    return Character(*_choose_armature(found, path.name, name), humanoid)


def _duplicate_character(character):
    """Another copy of a character of an open .blend, as the artist's own Duplicate Objects makes it."""
    unhide_character(character)
    bpy.ops.object.select_all(action="DESELECT")
    for thing in (character.armature, *character.meshes):
        thing.select_set(True)
    bpy.context.view_layer.objects.active = character.armature
    bpy.ops.object.duplicate(linked=True)
    copies = list(bpy.context.selected_objects)
    (armature,) = (thing for thing in copies if thing.type == "ARMATURE")
    bpy.context.view_layer.update()
    return Character(armature, tuple(thing for thing in copies if thing.type == "MESH"), character.humanoid)


def unhide_character(character):
    """Let an armature and its meshes be evaluated and selected, wherever their file keeps them hidden."""
    layer = bpy.context.view_layer
    for thing in (character.armature, *character.meshes):
        if thing.name not in layer.objects:
            bpy.context.scene.collection.objects.link(thing)
        if thing == character.armature or not thing.hide_render:
            thing.hide_viewport = thing.hide_select = False
            thing.hide_set(False)
    layer.update()


def _remove_animation(objects, actions):
    """Remove what importers made of a file's animation, and bring the characters to rest."""
    for thing in objects:
        for owner in (thing, getattr(thing.data, "shape_keys", None)):
            if owner is not None and owner.animation_data is not None:
                owner.animation_data_clear()
        for bone in thing.pose.bones if thing.pose else ():
            bone.matrix_basis.identity()
    for action in actions:
        bpy.data.actions.remove(action)


@contextlib.contextmanager
def _wrap_import_errors(path):
    """Importers fail in as many ways as there are damaged files: each becomes one sentence."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        remedy = "Export it again, or give another file."
        if path.suffix.lower() == ".blend":
            remedy = "If a later Blender has saved it, give that one with --blender."
        raise InputError(
            "character-file-unreadable",
            "{name} cannot be read as a character ({what}).",
            remedy,
            name=path.name,
            what=said[-1].removeprefix("Error: ").rstrip("."),
        ) from error


def _import_fbx(path):
    enable_addon("io_scene_fbx")
    bpy.ops.import_scene.fbx(filepath=str(path), use_anim=False)


def _import_gltf(path):
    enable_addon("io_scene_gltf2")
    settings = {"filepath": str(path)}
    # Bones are drawn by a helper object, which is no part of the character.
    if "disable_bone_shape" in bpy.ops.import_scene.gltf.get_rna_type().properties:
        settings["disable_bone_shape"] = True
    bpy.ops.import_scene.gltf(**settings)


def _import_vrm(path):
    """A .vrm is a .glb by another name, which the importer goes by."""
    with tempfile.TemporaryDirectory(prefix="meshrec-") as folder:
        copy = Path(folder) / f"{path.stem}.glb"
        shutil.copyfile(path, copy)
        _import_gltf(copy)


_IMPORTERS = {".fbx": _import_fbx, ".glb": _import_gltf, ".gltf": _import_gltf, ".vrm": _import_vrm}


def meshes_of(armature, objects):
    """The mesh objects of `objects` that an armature moves: skinned to it, or hanging from it."""

    def moved(thing):
        if any(modifier.type == "ARMATURE" and modifier.object == armature for modifier in thing.modifiers):
            return True
        parent = thing.parent
        while parent is not None and parent != armature:
            parent = parent.parent
        return parent is not None

    return tuple(thing for thing in objects if thing.type == "MESH" and moved(thing))


def _choose_armature(objects, file, name):
    """The armature that is meant, and its meshes."""
    armatures = [thing for thing in objects if thing.type == "ARMATURE"]
    if name:
        chosen = [thing for thing in armatures if thing.name == name]
        if not chosen:
            known = f"its armatures are {_quote_names(armatures)}" if armatures else "it has no armature at all"
            raise InputError(
                "character-armature-unknown",
                '{file} has no armature "{name}": {known}.',
                "Name one of the file's armatures after the #.",
                file=file,
                name=name,
                known=known,
            )
    else:
        chosen = armatures
        if len(armatures) > 1:
            skinned = [thing for thing in armatures if meshes_of(thing, objects)]
            generated = [thing for thing in armatures if "rig_id" in thing.data]  # by Rigify, out of the other
            chosen = next((few for few in (skinned, generated) if len(few) == 1), armatures)
    if not chosen:
        only = "only meshes" if any(thing.type == "MESH" for thing in objects) else "nothing that could be a character"
        raise InputError(
            "character-without-armature",
            "{file} has no armature, {only}.",
            "Give a character that is rigged: a mesh with an armature.",
            file=file,
            only=only,
        )
    if len(chosen) > 1:
        raise InputError(
            "character-armature-ambiguous",
            "{file} has {count} armatures: {what}.",
            "Say which one, as in {file}#{name}.",
            file=file,
            count=len(chosen),
            what=_quote_names(chosen),
            name=chosen[0].name,
        )
    return chosen[0], meshes_of(chosen[0], objects)


def _quote_names(things, most=8):
    names = ", ".join(f'"{thing.name}"' for thing in things[:most])
    return f"{names} and {len(things) - most} more" if len(things) > most else names
