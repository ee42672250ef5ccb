"""Context managers that change the open file for a while and restore it afterwards."""

import contextlib
from collections.abc import Generator, Iterable, Sequence

import bpy

from .context import active_view_layer


@contextlib.contextmanager
def changed_attributes(owner: object, **values: object) -> Generator[None, None, None]:
    """Set attributes of a Blender struct, in the order given."""
    before = {name: getattr(owner, name) for name in values}
    try:
        for name, value in values.items():
            setattr(owner, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(owner, name, value)


@contextlib.contextmanager
def released_names(blocks: Iterable[bpy.types.ID]) -> Generator[list[str], None, None]:
    """Rename data blocks so that others can have their names; yields these names."""
    blocks = list(blocks)
    names = [block.name for block in blocks]
    for block, name in zip(blocks, names):
        block.name = f"~{name}"
    try:
        yield names
    finally:
        for block, name in zip(blocks, names):
            block.name = name


@contextlib.contextmanager
def only_selected(objects: Sequence[bpy.types.Object]) -> Generator[None, None, None]:
    """Select these objects alone, the first one active: exporters write the selection."""
    layer = active_view_layer()
    selected, active = list(bpy.context.selected_objects), layer.objects.active
    try:
        for obj in selected:
            obj.select_set(False)
        for obj in objects:
            obj.select_set(True)
        layer.objects.active = objects[0]
        yield
    finally:
        for obj in objects:
            obj.select_set(False)
        for obj in selected:
            obj.select_set(True)
        layer.objects.active = active
