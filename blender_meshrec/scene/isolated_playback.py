"""Playing some objects of a scene by themselves: what the rest of it would cost every frame, meshes above all, is left out."""

import contextlib

import bpy

_TIME_SETTINGS = ("fps", "fps_base", "frame_map_old", "frame_map_new")


@contextlib.contextmanager
def isolated_scene(*objects):
    """Objects in a scene of their own for a while, with the current scene's time; what they follow or aim at plays along.

    Gives a function that evaluates a frame, and gives the depsgraph it is evaluated in. The current scene does not move.
    """
    shown = bpy.context.scene
    alone = bpy.data.scenes.new("MeshRec plays")
    try:
        for setting in _TIME_SETTINGS:
            setattr(alone.render, setting, getattr(shown.render, setting))
        for thing in objects:
            alone.collection.objects.link(thing)

        def evaluate_frame(frame):
            alone.frame_set(frame)
            return alone.view_layers[0].depsgraph

        yield evaluate_frame
    finally:
        bpy.data.scenes.remove(alone)
