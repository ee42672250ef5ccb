"""Characters of scenes whose unit is not a metre, for formats whose unit is one."""

import contextlib
from collections.abc import Generator

from mathutils import Matrix

from ..character.character_group import CharacterGroup, Exportable, exported_objects
from ..context import active_scene, active_view_layer
from ..temporary_state import changed_attributes
from ..unit_scale import metres_per_unit

_CHANNELS = ("location", "rotation_euler", "rotation_quaternion", "rotation_axis_angle", "scale")


@contextlib.contextmanager
def scaled_to_metres(bodies: Exportable) -> Generator[None, None, None]:
    """Scale an artist's characters of the current scene, and the scene's unit, to metres.

    Objects whose own location is animated keep it in units of the scene.
    """
    exported = exported_objects(bodies)
    tops = [obj for obj in exported if obj.parent not in exported and metres_per_unit(obj) != 1.0]
    if not tops or not isinstance(bodies, CharacterGroup):
        yield
        return
    before = [(obj, {name: tuple(getattr(obj, name)) for name in _CHANNELS}) for obj in tops]
    try:
        for obj in tops:
            obj.matrix_world = Matrix.Scale(metres_per_unit(obj), 4) @ obj.matrix_world
        active_view_layer().update()
        with changed_attributes(active_scene().unit_settings, scale_length=1.0):
            yield
    finally:
        for obj, channels in before:
            for name, value in channels.items():
                setattr(obj, name, value)
        active_view_layer().update()
