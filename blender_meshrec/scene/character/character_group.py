"""What exporters write: an Assembly of people, or a CharacterGroup of artists' characters."""

from dataclasses import dataclass
from typing import TypeAlias

import bpy

from ..assemble import Assembly
from ..context import assigned_action


@dataclass(frozen=True)
class CharacterGroup:
    """Artists' characters: armatures and the meshes they move. deform_only: leave out the controls of control rigs. camera: one to be
    written too, or None.
    """

    armatures: tuple[bpy.types.Object, ...]
    meshes: tuple[bpy.types.Object, ...]
    deform_only: bool = False
    camera: bpy.types.Object | None = None

    @property
    def is_camera_exported(self) -> bool:
        """Whether files get a camera."""
        return self.camera is not None

    @property
    def parent_objects(self) -> tuple[bpy.types.Object, ...]:
        """The objects, mostly empties, that the armatures are parented to: without them the armatures would move."""
        found: list[bpy.types.Object] = []
        for parent in (armature_object.parent for armature_object in self.armatures):
            while parent is not None and parent not in found:
                found.append(parent)
                parent = parent.parent
        return tuple(found)


Exportable: TypeAlias = Assembly | CharacterGroup


def exported_objects(bodies: Exportable) -> tuple[bpy.types.Object, ...]:
    """The objects to write, the armatures first."""
    parents = bodies.parent_objects if isinstance(bodies, CharacterGroup) else ()
    cameras = (bodies.camera,) if bodies.is_camera_exported and bodies.camera is not None else ()
    return (*bodies.armatures, *bodies.meshes, *parents, *cameras)


def take_name(bodies: Exportable) -> str:
    """The name of the first armature's action; "" if it has none."""
    action = assigned_action(bodies.armatures[0])
    return action.name if action else ""
