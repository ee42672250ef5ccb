"""Writing an assembly to the formats other programs read; each file appears whole or not at all.

| suffix | axes and units | what is in it |
|---|---|---|
| .fbx | unreal: z up; unity and blender: y up; metres with a unit of 100 cm, objects of scale 1 | armature, mesh, one baked take |
| .glb | y up, metres | armature, mesh, one animation |
| .usdc | z up, metres | skeleton, mesh, animation |
| .blend | z up, metres | everything |

.bvh and .npz need no Blender: see core/bvh.py and core/motion_file.py.
"""

import contextlib
import errno
import math
import os
import shutil

import addon_utils
import bpy
from mathutils import Matrix

from ..core.errors import InputError
from ..core.output_file import whole_file

PRESETS = ("blender", "unreal", "unity")
_LEAST_FREE = 4096  # bytes; a disk with less was full when the file was written

# The axes a file declares. Unreal's are Blender's own, so that nothing is turned on the way and every node's rotation
# is zero; Unity and the rest of the FBX world have y up.
_FBX_AXES = {"unreal": ("Y", "Z"), "unity": ("-Z", "Y"), "blender": ("-Z", "Y")}


def export_assembly(path, assembly, preset="blender", home=None):
    """Write an Assembly of the current scene to `path`; the suffix names the format.

    The scene's own frame rate and range say what is baked: call `match_scene` before. A .blend is to lie in the folder
    `home` (where `path` lies by default) and finds its footage from there.

    Raises:
        InputError: the format or the preset is not known.
        OutputError: the file cannot be written.
    """
    if preset not in PRESETS:
        raise InputError(f"There is no preset named {preset}.", f"Choose one of: {', '.join(PRESETS)}.")
    try:
        write = WRITERS[path.suffix.lower()]
    except KeyError:
        known = ", ".join(sorted([*WRITERS, ".bvh", ".npz"]))
        raise InputError(f"{path.name} has no format this software writes.", f"End the output's name in one of: {known}.") from None
    with whole_file(path) as temporary, _footage_seen_from(home or path.parent):
        try:
            write(temporary, assembly, preset)
        except RuntimeError as error:  # how Blender reports that an exporter failed
            raise _write_error(temporary, error) from error
        if not temporary.is_file() or shutil.disk_usage(temporary.parent).free < _LEAST_FREE:
            raise _write_error(temporary, None)


def _write_error(temporary, error):
    full = shutil.disk_usage(temporary.parent).free < _LEAST_FREE or "No space left" in str(error)
    return OSError(errno.ENOSPC if full else errno.EIO, "Blender could not write it" if error is None else str(error).strip())


@contextlib.contextmanager
def _only_selected(objects):
    """Select these and nothing else, and bring the selection back: exporters write what is selected."""
    layer = bpy.context.view_layer
    selected, active = list(bpy.context.selected_objects), layer.objects.active
    try:
        for thing in selected:
            thing.select_set(False)
        for thing in objects:
            thing.select_set(True)
        layer.objects.active = objects[0]
        yield
    finally:
        for thing in objects:
            thing.select_set(False)
        for thing in selected:
            thing.select_set(True)
        layer.objects.active = active


@contextlib.contextmanager
def _footage_seen_from(folder):
    """Name the footage relative to a folder for a while, as Blender itself does when it saves: projects can be moved."""
    changed = [(block, block.filepath) for block in (*bpy.data.movieclips, *bpy.data.images) if block.filepath]
    try:
        for block, filepath in changed:
            block.filepath = bpy.path.relpath(os.path.realpath(bpy.path.abspath(filepath)), start=os.path.realpath(folder))
        yield
    finally:
        for block, filepath in changed:
            block.filepath = filepath


def _bodies(assembly):
    return (*assembly.armatures, *assembly.meshes)


def _write_fbx(path, assembly, preset):
    _enable("io_scene_fbx")
    forward, up = _FBX_AXES[preset]
    stance = _y_up(assembly) if preset == "unity" else contextlib.nullcontext()
    with stance, _only_selected(_bodies(assembly)):
        bpy.ops.export_scene.fbx(
            filepath=str(path),
            use_selection=True,
            object_types={"ARMATURE", "MESH"},
            axis_forward=forward,
            axis_up=up,
            # A unit of 100 cm leaves the objects' scale at 1; the other settings put 100 there.
            apply_scale_options="FBX_SCALE_UNITS",
            add_leaf_bones=False,
            mesh_smooth_type="FACE",
            bake_anim_use_nla_strips=False,
            bake_anim_use_all_actions=False,
            bake_anim_simplify_factor=0.0,
        )


@contextlib.contextmanager
def _y_up(assembly):
    """Keep the armature's data y up and its object turned upright for a while.

    The exporter turns z up into y up on the object: undone in advance, the file's objects have no rotation at all.
    """
    turn = Matrix.Rotation(math.pi / 2, 4, "X")
    for thing in _bodies(assembly):
        _transform_data(thing, turn.inverted())
    for rig in assembly.armatures:
        rig.matrix_world = turn
    bpy.context.view_layer.update()
    try:
        yield
    finally:
        for rig in assembly.armatures:
            rig.matrix_world = Matrix()
        for thing in _bodies(assembly):
            _transform_data(thing, turn)
        bpy.context.view_layer.update()


def _transform_data(thing, matrix):
    if thing.type == "MESH":
        thing.data.transform(matrix, shape_keys=True)
    else:
        thing.data.transform(matrix)


def _enable(addon):
    """Have an exporter that comes with Blender at hand, also where the user's preferences switched it off."""
    if addon not in bpy.context.preferences.addons:
        addon_utils.enable(addon)


def _write_glb(path, assembly, preset):
    _enable("io_scene_gltf2")
    with _only_selected(_bodies(assembly)):
        bpy.ops.export_scene.gltf(
            filepath=str(path),
            export_format="GLB",
            use_selection=True,
            export_animation_mode="ACTIVE_ACTIONS",
            export_frame_range=True,
            export_force_sampling=False,  # the keys themselves at their own times, a variable rate's too
            export_optimize_animation_size=False,
            export_morph_normal=False,
            export_morph_animation=False,
        )


def _write_usd(path, assembly, preset):
    if "usd_export" not in dir(bpy.ops.wm):  # as in Debian's
        raise InputError("This Blender was built without USD.", "Choose another format, or a Blender from blender.org.")
    with _only_selected(_bodies(assembly)):
        bpy.ops.wm.usd_export(
            filepath=str(path),
            selected_objects_only=True,
            export_animation=True,
            convert_world_material=False,
            export_custom_properties=False,
        )


def _write_blend(path, assembly, preset):
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, compress=True, relative_remap=False)


WRITERS = {".fbx": _write_fbx, ".glb": _write_glb, ".usdc": _write_usd, ".blend": _write_blend}
