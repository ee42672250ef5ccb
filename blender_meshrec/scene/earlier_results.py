"""Earlier results of the same footage: marked when they are made, renamed while a new result is made, then removed or restored.

Only objects that were made with a result are removed; an artist's own objects in its collections stay in the scene.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import bpy

from .context import active_scene, assigned_action

if TYPE_CHECKING:
    from .assemble import Assembly

_SIDELINED_PREFIX = "earlier "
_Block = TypeVar("_Block", bound=bpy.types.ID)


def mark_result(assembly: "Assembly", footage: str, people: Sequence[tuple[int, str]], report: bpy.types.Text) -> None:
    """Store what an Assembly was made from.

    Args:
        footage: its path. people: (number, name) of each person. report: the text block of its report.
    """
    assembly.collection["meshrec_footage"] = footage
    assembly.collection["meshrec_report"] = report
    for armature_object, (number, name) in zip(assembly.armatures, people):
        armature_object.users_collection[0]["meshrec_person"] = number
        armature_object.users_collection[0]["meshrec_called"] = name
    for obj in assembly.collection.all_objects:
        obj["meshrec_made"] = True


def find_earlier_results(footage: str, numbers: Container[int]) -> list[bpy.types.Collection]:
    """The collections of earlier results of the same footage: of these people, and of whole clips without other people."""
    found: list[bpy.types.Collection] = []
    for clip in _clips_of(footage):
        people = [person for person in clip.children if "meshrec_person" in person]
        replaced = [person for person in people if person["meshrec_person"] in numbers]
        found += [clip, *replaced] if len(replaced) == len(people) else replaced
    return found


def person_name(footage: str, number: int) -> str:
    """The name in the scene of a person of some footage; "" if the scene has no result of them."""
    return next((person["meshrec_called"] for person in _results_of_person(footage, number)), "")


def rename_person(footage: str, number: int, name: str) -> None:
    """Rename the collections, objects and data blocks of a person's results in the scene."""
    for person in _results_of_person(footage, number):
        old = person["meshrec_called"]
        made = [obj for obj in person.objects if "meshrec_made" in obj]
        armature_object = next((obj for obj in made if obj.type == "ARMATURE"), None)
        if name == old or armature_object is None:
            continue
        prefix, found, _ = armature_object.name.rpartition(old)  # "clip person1", perhaps with ".001"; the artist may have renamed it
        if found:
            for block in (person, *made, *_unique(block for obj in made for block in _data_blocks_of(obj))):
                if block.name.startswith(prefix + old):
                    block.name = prefix + name + block.name[len(prefix + old) :]
        person["meshrec_called"] = name


def _clips_of(footage: str) -> list[bpy.types.Collection]:
    return [clip for clip in bpy.data.collections if clip.get("meshrec_footage") == footage and not clip.library]


def _results_of_person(footage: str, number: int) -> list[bpy.types.Collection]:
    clips = _clips_of(footage) if footage else []
    return [person for clip in clips for person in clip.children if person.get("meshrec_person") == number]


class SidelinedResults:
    """Collections whose names are free for a new result: call `remove` once that is made, or `restore` if it failed.

    armatures: the armature objects of the collections.
    """

    def __init__(self, collections: Iterable[bpy.types.Collection]) -> None:
        self._collections = list(collections)
        self._objects = _unique(obj for collection in self._collections for obj in collection.objects if "meshrec_made" in obj)
        self.armatures = [obj for obj in self._objects if obj.type == "ARMATURE"]
        self._texts: list[bpy.types.Text] = [
            text for collection in self._collections if (text := collection.get("meshrec_report")) is not None
        ]
        self._blocks = _unique(block for obj in self._objects for block in _data_blocks_of(obj))
        blocks: list[bpy.types.ID] = [*self._collections, *self._objects, *self._texts, *self._blocks]
        self._names = {block: block.name for block in blocks}
        for block, name in self._names.items():
            block.name = _SIDELINED_PREFIX + name  # at the start, because Blender cuts long names at their end

    def restore(self) -> None:
        """Give everything its name again."""
        for block, name in self._names.items():
            block.name = name

    def remove(self) -> None:
        """Remove the results, and their data blocks that nothing else uses."""
        root = active_scene().collection
        for collection in self._collections:
            for foreign in [obj for obj in collection.objects if obj not in self._objects]:
                if foreign.users_collection == (collection,):
                    root.objects.link(foreign)
            for inner in [child for child in collection.children if child not in self._collections]:
                root.children.link(inner)
        # Text blocks and objects have the collections as users, so they are removed together.
        bpy.data.batch_remove([*self._objects, *self._collections, *self._texts])
        for _ in range(2):  # removing a mesh frees its material, removing an armature its action
            unused = [block for block in self._blocks if block.users == 0]
            self._blocks = [block for block in self._blocks if block not in unused]
            bpy.data.batch_remove(unused)


def _data_blocks_of(obj: bpy.types.Object) -> Iterator[bpy.types.ID]:
    """The data blocks made with an object: its data, actions, materials and footage."""
    yield from _action_of(obj)
    data = obj.data
    if data is None:
        return
    yield data
    yield from _action_of(data)
    yield from (material for material in getattr(data, "materials", ()) if material is not None)
    if isinstance(data, bpy.types.Camera):
        for background in data.background_images:
            yield from (block for block in (background.clip, background.image) if block is not None)


def _action_of(owner: bpy.types.ID) -> Iterator[bpy.types.Action]:
    action = assigned_action(owner)
    if action is not None:
        yield action


def _unique(blocks: Iterable[_Block]) -> list[_Block]:
    return list(dict.fromkeys(blocks))
