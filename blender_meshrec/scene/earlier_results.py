"""Results that a new one takes the place of: marked when they are made, set aside meanwhile, then removed or brought back.

Only what was made with a result goes; an artist's own objects that lie in its collections are kept.
"""

import bpy

_SIDELINED_PREFIX = "earlier "


def mark_result(assembly, footage, people, report):
    """Note what an Assembly was made from: the footage, (number, what they are called) of its people and the text block of its report."""
    assembly.collection["meshrec_footage"] = footage
    assembly.collection["meshrec_report"] = report
    for rig, (number, called) in zip(assembly.armatures, people):
        rig.users_collection[0]["meshrec_person"] = number
        rig.users_collection[0]["meshrec_called"] = called
    for thing in assembly.collection.all_objects:
        thing["meshrec_made"] = True


def find_earlier_results(footage, numbers):
    """The collections of earlier results of the same footage: of these people, and of whole clips with no other people."""
    found = []
    for clip in bpy.data.collections:
        if clip.get("meshrec_footage") != footage or clip.library:
            continue
        people = [person for person in clip.children if "meshrec_person" in person]
        gone = [person for person in people if person["meshrec_person"] in numbers]
        found += [clip, *gone] if len(gone) == len(people) else gone
    return found


def person_name(footage, number):
    """What a person of some footage is called in the scene; "" where there is no result of theirs."""
    return next((person["meshrec_called"] for person in _results_of(footage, number)), "")


def rename_person(footage, number, name):
    """Give a person's results in the scene another name: collections, objects and what they consist of."""
    for person in _results_of(footage, number):
        old = person["meshrec_called"]
        made = [thing for thing in person.objects if "meshrec_made" in thing]
        rig = next((thing for thing in made if thing.type == "ARMATURE"), None)
        if name == old or rig is None:
            continue
        prefix, found, _ = rig.name.rpartition(old)  # "clip person1", and perhaps ".001"; the artist may have named it otherwise
        for block in (person, *made, *dict.fromkeys(block for thing in made for block in _data_blocks_of(thing))) if found else ():
            if block.name.startswith(prefix + old):
                block.name = prefix + name + block.name[len(prefix + old) :]
        person["meshrec_called"] = name


def _results_of(footage, number):
    clips = [clip for clip in bpy.data.collections if footage and clip.get("meshrec_footage") == footage and not clip.library]
    return [person for clip in clips for person in clip.children if person.get("meshrec_person") == number]


class SidelinedResults:
    """Collections out of the way of a new result that is to have their names.

    `remove` when that is made, `bring_back` when it could not be. armatures: those of the collections.
    """

    def __init__(self, collections):
        self._collections = list(collections)
        objects = {thing: None for collection in collections for thing in collection.objects if "meshrec_made" in thing}
        self._objects = list(objects)
        self.armatures = [thing for thing in self._objects if thing.type == "ARMATURE"]
        self._texts = [text for collection in collections if (text := collection.get("meshrec_report")) is not None]
        self._blocks = list(dict.fromkeys(block for thing in self._objects for block in _data_blocks_of(thing)))
        # The prefix comes first: names are cut at their end.
        self._names = {block: block.name for block in (*self._collections, *self._objects, *self._texts, *self._blocks)}
        for block, name in self._names.items():
            block.name = _SIDELINED_PREFIX + name

    def restore(self):
        """Everything as it was."""
        for block, name in self._names.items():
            block.name = name

    def remove(self):
        """Remove the result and whatever of it nothing else uses."""
        root = bpy.context.scene.collection
        for collection in self._collections:
            for foreign in [*(thing for thing in collection.objects if thing not in self._objects)]:
                if foreign.users_collection == (collection,):
                    root.objects.link(foreign)
            for inner in [child for child in collection.children if child not in self._collections]:
                root.children.link(inner)
        # Text blocks and objects are in use by their collections, and go with them.
        bpy.data.batch_remove([*self._objects, *self._collections, *self._texts])
        for _ in range(2):  # a mesh lets go of its material, an armature of its action
            unused = [block for block in self._blocks if block.users == 0]
            self._blocks = [block for block in self._blocks if block not in unused]
            bpy.data.batch_remove(unused)


def _data_blocks_of(thing):
    """What came with an object: its data, shape keys' actions, actions, materials and footage."""
    yield from _action_of(thing)
    if thing.data is None:
        return
    yield thing.data
    yield from _action_of(thing.data)
    for material in getattr(thing.data, "materials", ()):
        if material is not None:
            yield material
    if thing.type == "CAMERA":
        for background in thing.data.background_images:
            yield from (block for block in (background.clip, background.image) if block is not None)


def _action_of(owner):
    if owner.animation_data and owner.animation_data.action:
        yield owner.animation_data.action
