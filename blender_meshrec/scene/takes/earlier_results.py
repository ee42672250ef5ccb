"""Earlier results of the same footage: marked when they are made, and found again, whatever an artist has renamed or moved meanwhile."""

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import bpy

from ..cameras.camera import is_view_untouched
from ..context import active_scene, assigned_action
from .takes import CLIP_PROPERTY, takes_of

if TYPE_CHECKING:
    from ..assembly import Assembly

# Custom properties. Of armature objects and of the clip's collection: the path of the footage.
FOOTAGE_PROPERTY = "meshrec_footage"
# Of armature objects and of the person's collection: the person's number, and the name under which the objects were made.
NUMBER_PROPERTY, _CALLED_PROPERTY = "meshrec_person", "meshrec_called"
_HIDDEN_PROPERTY = "meshrec_hidden"  # of the person's collection: it is hidden because the list of people has them no more
CAMERA_PROPERTY = "meshrec_camera"  # of the clip's collection: its camera object
_Block = TypeVar("_Block", bound=bpy.types.ID)


class EarlierClip(NamedTuple):
    """What a scene has of some footage: the clip's collection and its camera, None where there is none.

    camera: None also if an artist has changed its view, which is then theirs.
    """

    collection: bpy.types.Collection | None
    camera: bpy.types.Object | None


def mark_result(assembly: "Assembly", footage: str, people: Sequence[tuple[int, str]], report: bpy.types.Text) -> None:
    """Store what an Assembly was made from.

    Args:
        footage: its path. people: (number, name) of each person. report: the text block of its report.
    """
    clip = assembly.collection
    clip[FOOTAGE_PROPERTY], clip["meshrec_report"], clip[CAMERA_PROPERTY] = footage, report, assembly.camera
    for armature_object, (number, name) in zip(assembly.armatures, people):
        armature_object[FOOTAGE_PROPERTY] = footage
        own = [collection for collection in armature_object.users_collection if collection in clip.children.values()]
        for block in (armature_object, *own):
            block[NUMBER_PROPERTY], block[_CALLED_PROPERTY] = number, name
    for obj in (*assembly.armatures, *assembly.meshes, assembly.camera):
        obj["meshrec_made"] = True


def is_result(obj: bpy.types.Object) -> bool:
    """Whether an object is the armature of a person that was reconstructed: it has the sentences on its quality."""
    return obj.type == "ARMATURE" and "quality" in obj


def find_clip(scene: bpy.types.Scene, footage: str) -> EarlierClip:
    """What a scene has of some footage."""
    clips = [clip for clip in scene.collection.children_recursive if clip.get(FOOTAGE_PROPERTY) == footage and not clip.library]
    if not footage or not clips:
        return EarlierClip(None, None)
    camera = _camera_of(clips[0])
    is_ours = camera is not None and scene.objects.get(camera.name) == camera and is_view_untouched(camera)
    return EarlierClip(clips[0], camera if is_ours else None)


def clip_collection(armature_object: bpy.types.Object) -> bpy.types.Collection | None:
    """The collection of the clip that a person was made from; None for one that an artist has moved elsewhere."""
    own = set(armature_object.users_collection)
    return next((clip for clip in bpy.data.collections if own & set(clip.children)), None)


def find_clip_camera(armature_object: bpy.types.Object) -> bpy.types.Object | None:
    """The camera of the clip that a person was made from; the scene's camera if there is none."""
    clip = clip_collection(armature_object)
    camera = None if clip is None else _camera_of(clip)
    return active_scene().camera if camera is None else camera


def _camera_of(clip: bpy.types.Collection) -> bpy.types.Object | None:
    """The camera of a clip's collection: the marked one, as there are several once an artist has changed the first; else any."""
    return clip.get(CAMERA_PROPERTY) or next((obj for obj in clip.objects if obj.type == "CAMERA"), None)


def find_rigs(scene: bpy.types.Scene, footage: str, number: int, active: bpy.types.Object | None = None) -> list[bpy.types.Object]:
    """The armature objects of a person of some footage in a scene; the active object first, if it is one of them."""
    rigs = [obj for obj in _rigs_of(footage, number) if scene.objects.get(obj.name) == obj]
    return sorted(rigs, key=lambda rig: rig != active)


def person_name(footage: str, number: int) -> str:
    """The name in the file of a person of some footage; "" if the file has no result of them."""
    return next((rig[_CALLED_PROPERTY] for rig in _rigs_of(footage, number)), "")


def rename_person(footage: str, number: int, name: str) -> None:
    """Rename the collections, objects, takes and data blocks of a person's results; what an artist has renamed keeps that name."""
    for rig in _rigs_of(footage, number):
        old = rig[_CALLED_PROPERTY]
        if name == old:
            continue
        prefix, found, _ = rig.name.rpartition(old)  # "clip person1", perhaps with a number; the artist may have renamed it
        if found:
            for block in _blocks_of(rig):
                if block.name.startswith(prefix + old):
                    block.name = prefix + name + block.name[len(prefix + old) :]
        start = f"{rig.get(CLIP_PROPERTY, '')} - "
        for take in takes_of(rig):
            if take.name.startswith(f"{start}{old} (take "):
                take.name = f"{start}{name}{take.name[len(start + old) :]}"
        for block in (rig, *_own_collections(rig)):
            block[_CALLED_PROPERTY] = name


def hide_people(footage: str, kept: Container[int]) -> list[str]:
    """Hide the people of some footage whose numbers are not among those kept, and show the others; returns the names newly hidden."""
    hidden: list[str] = []
    for rig in bpy.data.objects:
        if rig.type != "ARMATURE" or rig.library or rig.get(FOOTAGE_PROPERTY) != footage or NUMBER_PROPERTY not in rig:
            continue
        is_gone = rig[NUMBER_PROPERTY] not in kept
        for collection in _own_collections(rig):
            if is_gone and not collection.hide_viewport:
                hidden.append(rig.name)
            if is_gone or _HIDDEN_PROPERTY in collection:  # what an artist has hidden stays so
                collection.hide_viewport = collection.hide_render = is_gone
            if is_gone:
                collection[_HIDDEN_PROPERTY] = True
            elif _HIDDEN_PROPERTY in collection:
                del collection[_HIDDEN_PROPERTY]
    return hidden


def _rigs_of(footage: str, number: int) -> Iterator[bpy.types.Object]:
    """The armature objects in the file of a person of some footage, those of earlier versions included."""
    if not footage:
        return
    for rig in bpy.data.objects:
        if rig.type != "ARMATURE" or rig.library:
            continue
        if NUMBER_PROPERTY in rig:
            if rig.get(FOOTAGE_PROPERTY) == footage and rig[NUMBER_PROPERTY] == number:
                yield rig
        elif any(_is_made_from(collection, footage, number) for collection in _own_collections(rig)):  # of an earlier version
            rig[FOOTAGE_PROPERTY], rig[NUMBER_PROPERTY] = footage, number
            rig[_CALLED_PROPERTY] = _own_collections(rig)[0][_CALLED_PROPERTY]
            yield rig


def _is_made_from(collection: bpy.types.Collection, footage: str, number: int) -> bool:
    clips = [clip for clip in bpy.data.collections if collection in clip.children.values()]
    return collection[NUMBER_PROPERTY] == number and any(clip.get(FOOTAGE_PROPERTY) == footage for clip in clips)


def _own_collections(rig: bpy.types.Object) -> list[bpy.types.Collection]:
    """The collections that were made for a person."""
    return [collection for collection in rig.users_collection if NUMBER_PROPERTY in collection]


def _blocks_of(rig: bpy.types.Object) -> list[bpy.types.ID]:
    """What was made with a person: its collections, objects, and their data blocks."""
    made = [rig, *(child for child in rig.children if "meshrec_made" in child)]
    return _unique([*_own_collections(rig), *made, *(block for obj in made for block in _data_blocks_of(obj))])


def _data_blocks_of(obj: bpy.types.Object) -> Iterator[bpy.types.ID]:
    """The data blocks made with an object: its data, actions and materials."""
    data = obj.data
    yield from (action for owner in (obj, data) if owner is not None and (action := assigned_action(owner)) is not None)
    if data is not None:
        yield data
        yield from (material for material in getattr(data, "materials", ()) if material is not None)


def _unique(blocks: Iterable[_Block]) -> list[_Block]:
    return list(dict.fromkeys(blocks))
