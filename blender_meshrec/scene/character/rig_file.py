"""Characters from files (.fbx, .glb, .gltf, .vrm and .blend), and the choice among a file's armatures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import bpy

from ...core.errors import InputError
from ...core.messages import Message
from ...retarget.mapping.map_bones import map_bones
from ...retarget.mapping.vrm import read_vrm_humanoid
from ..context import active_scene, active_view_layer, armature_data, armature_modifiers
from .external_files import left_out_note
from .rig_bones import quote_names
from .rig_import import import_character, open_blend
from .rig_reader import read_rig

_MAX_QUOTED_ARMATURES = 8


@dataclass(frozen=True)
class Character:
    """A character in the open file.

    armature: its armature object. meshes: the mesh objects it moves. humanoid: VRM's own map of its bones, if any. notes:
    sentences about what was left out of its file.
    """

    armature: bpy.types.Object
    meshes: tuple[bpy.types.Object, ...]
    humanoid: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Message, ...] = ()

    @property
    def armatures(self) -> tuple[bpy.types.Object, ...]:
        return (self.armature,)


def load_character(path: Path, name: str = "", previous: Character | None = None) -> Character:
    """Load a character into the open file and choose its armature.

    A .blend replaces the open file, and its scripts do not run. The other formats are imported into the open file, at rest,
    without their animation and without pictures outside their folder.

    Args:
        name: of the armature object, needed if the file has several.
        previous: the Character that was loaded from the same file before, to add a second copy of it.

    Raises:
        InputError: the file cannot be read, has no armature, or has several and none was named.
    """
    suffix = path.suffix.lower()
    if suffix == ".blend" and previous is not None:
        return _duplicate_character(previous)
    if suffix == ".blend":
        open_blend(path)
        objects = list(active_scene().objects)
        if not any(obj.type == "ARMATURE" for obj in objects):
            objects = list(bpy.data.objects)
        chosen, meshes = _choose_armature(objects, path.name, name)
        return Character(chosen, meshes, notes=_unmoved_notes(chosen, objects))
    objects, left_out = import_character(path)
    humanoid = {} if suffix == ".fbx" else read_vrm_humanoid(path)
    chosen, meshes = _choose_armature(objects, path.name, name)
    return Character(chosen, meshes, humanoid, (*left_out_note(path.name, left_out), *_unmoved_notes(chosen, objects)))


def unhide_character(character: Character) -> None:
    """Make an armature and its meshes visible and selectable in the current view layer."""
    layer = active_view_layer()
    for obj in (character.armature, *character.meshes):
        if obj.name not in layer.objects:
            active_scene().collection.objects.link(obj)
        if obj == character.armature or not obj.hide_render:
            obj.hide_viewport = obj.hide_select = False
            obj.hide_set(False)
    layer.update()


def meshes_of(armature_object: bpy.types.Object, objects: Iterable[bpy.types.Object]) -> tuple[bpy.types.Object, ...]:
    """The mesh objects of `objects` that an armature moves: by a modifier, or as descendants."""
    return tuple(obj for obj in objects if obj.type == "MESH" and _is_moved_by(obj, armature_object))


def _is_moved_by(mesh_object: bpy.types.Object, armature_object: bpy.types.Object) -> bool:
    if any(modifier.object == armature_object for modifier in armature_modifiers(mesh_object)):
        return True
    parent = mesh_object.parent
    while parent is not None and parent != armature_object:
        parent = parent.parent
    return parent is not None


def _duplicate_character(character: Character) -> Character:
    """A second copy of a character of an open .blend, by Blender's own Duplicate Linked."""
    unhide_character(character)
    bpy.ops.object.select_all(action="DESELECT")
    for obj in (character.armature, *character.meshes):
        obj.select_set(True)
    active_view_layer().objects.active = character.armature
    bpy.ops.object.duplicate(linked=True)
    copies = list(bpy.context.selected_objects)
    (armature_object,) = (obj for obj in copies if obj.type == "ARMATURE")
    active_view_layer().update()
    return Character(armature_object, tuple(obj for obj in copies if obj.type == "MESH"), character.humanoid)


def _choose_armature(objects: Sequence[bpy.types.Object], file: str, name: str) -> tuple[bpy.types.Object, tuple[bpy.types.Object, ...]]:
    """The armature named `name`, or the one that is the character if the name is empty; and its meshes."""
    armatures = [obj for obj in objects if obj.type == "ARMATURE"]
    chosen = _armatures_named(name, armatures, file) if name else _likely_armatures(armatures, objects)
    if not chosen:
        found = "only meshes" if any(obj.type == "MESH" for obj in objects) else "nothing that could be a character"
        raise InputError(
            "character-without-armature",
            "{file} has no armature, {only}.",
            "Give a character that is rigged: a mesh with an armature.",
            file=file,
            only=found,
        )
    if len(chosen) > 1:
        raise InputError(
            "character-armature-ambiguous",
            "{file} has {count} armatures: {what}.",
            "Say which one, as in {file}#{name}.",
            file=file,
            count=len(chosen),
            what=_quote_object_names(chosen),
            name=chosen[0].name,
        )
    return chosen[0], meshes_of(chosen[0], objects)


def _unmoved_notes(chosen: bpy.types.Object, objects: Sequence[bpy.types.Object]) -> tuple[Message, ...]:
    """A note about other armatures with a skin that do not follow the chosen one, such as that of a hat; none if they are people."""
    others = [obj for obj in objects if obj.type == "ARMATURE" and obj != chosen and meshes_of(obj, objects)]
    unmoved = [obj.name for obj in others if not (obj.parent or obj.constraints or _is_humanoid(obj))]
    text = "The armatures {names} of the same file do not move with {name}: parent them to its bones."
    return (Message("other-armatures-unmoved", text, names=quote_names(unmoved), name=chosen.name),) if unmoved else ()


def _armatures_named(name: str, armatures: Sequence[bpy.types.Object], file: str) -> Sequence[bpy.types.Object]:
    chosen = [obj for obj in armatures if obj.name == name]
    if not chosen:
        known = f"its armatures are {_quote_object_names(armatures)}" if armatures else "it has no armature at all"
        raise InputError(
            "character-armature-unknown",
            '{file} has no armature "{name}": {known}.',
            "Name one of the file's armatures after the #.",
            file=file,
            name=name,
            known=known,
        )
    return chosen


def _likely_armatures(armatures: Sequence[bpy.types.Object], objects: Sequence[bpy.types.Object]) -> Sequence[bpy.types.Object]:
    """Of several armatures the only one with a skin, or that Rigify generated, or that is a person's; otherwise all."""
    if len(armatures) < 2:
        return armatures
    skinned = [obj for obj in armatures if meshes_of(obj, objects)]
    generated = [obj for obj in armatures if "rig_id" in armature_data(obj)]
    people = [obj for obj in skinned if _is_humanoid(obj)]
    return next((candidates for candidates in (skinned, generated, people) if len(candidates) == 1), armatures)


def _is_humanoid(armature_object: bpy.types.Object) -> bool:
    try:
        map_bones(read_rig(armature_object))
    except InputError:
        return False
    return True


def _quote_object_names(objects: Sequence[bpy.types.Object]) -> str:
    return quote_names([obj.name for obj in objects], _MAX_QUOTED_ARMATURES)
