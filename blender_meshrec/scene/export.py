"""Writing people and characters to the formats other programs read; each file appears whole or not at all.

| suffix | axes and units | what is in it |
|---|---|---|
| .fbx | unreal: z up; unity and blender: y up; metres with a unit of 100 cm, objects of scale 1 | armature, mesh, one baked take |
| .glb | y up, metres | armature, mesh, one animation |
| .usdc | z up, metres | skeleton, mesh, animation |
| .blend | z up, metres | everything |

.bvh and .npz need no Blender: see core/files/bvh.py and core/files/motion_npz.py.

An artist's character is written as Blender evaluates it, frame by frame, because its constraints, drivers, rotation modes and
scales are its own; of a control rig only the bones that carry skin go into .fbx and .glb, the formats of engines.
"""

import contextlib
import errno
import math
import os
import shutil
from dataclasses import dataclass

import bpy
from mathutils import Matrix

from ..core.errors import InputError
from ..core.files.output_file import atomic_write
from .bundled_addons import enable_addon
from .export_proxy import export_proxies
from .surface import surface_modifiers

PRESETS = ("blender", "unreal", "unity")
_MIN_FREE_BYTES = 4096  # bytes; a disk with less was full when the file was written

# The kinds of data that refer to files; without libraries, whose path cannot be changed and put back without reading them again.
_FILE_BLOCK_KINDS = ("movieclips", "images", "sounds", "fonts", "volumes", "cache_files", "texts")

# The axes a file declares. Unreal's are Blender's own, so that nothing is turned on the way and every node's rotation
# is zero; Unity and the rest of the FBX world have y up.
_FBX_AXES = {"unreal": ("Y", "Z"), "unity": ("-Z", "Y"), "blender": ("-Z", "Y")}


@dataclass(frozen=True)
class CharacterGroup:
    """Artists' characters to write: armatures, the meshes they move, and what these hang from; deform_only: of control rigs."""

    armatures: tuple
    meshes: tuple
    deform_only: bool = False

    @property
    def parent_objects(self):
        """The objects, mostly empties, that the armatures hang from: without them they would lie elsewhere."""
        found = []
        for thing in (rig.parent for rig in self.armatures):
            while thing is not None and thing not in found:
                found.append(thing)
                thing = thing.parent
        return tuple(found)


def export_assembly(path, assembly, preset="blender", home=None):
    """Write an Assembly, or a CharacterGroup, of the current scene to `path`; the suffix names the format.

    The scene's own frame rate and range say what is baked: call `match_scene` before. Only a .blend keeps bones that scale and the
    exact surface; in the others bones are moved instead (see core/format_notes.py), and the mesh is skinned. A .blend is to lie in the
    folder `home` (where `path` lies by default) and finds its files from there.

    Raises:
        InputError: the format or the preset is not known.
        OutputError: the file cannot be written.
    """
    if preset not in PRESETS:
        raise InputError(
            "export-preset-unknown", "There is no preset named {preset}.", "Choose one of: {known}.", preset=preset, known=PRESETS
        )
    try:
        write = WRITERS[path.suffix.lower()]
    except KeyError:
        known = ", ".join(sorted([*WRITERS, ".bvh", ".npz"]))
        raise InputError(
            "export-format-unknown",
            "{name} has no format this software writes.",
            "End the output's name in one of: {known}.",
            name=path.name,
            known=known,
        ) from None
    own = path.suffix.lower() == ".blend"
    followed = contextlib.nullcontext(assembly) if own else export_proxies(assembly)
    # Other formats hold what caches say and not their paths: they are played while a file is written.
    caches = surface_modifiers(bpy.data.objects) if own else ()
    with atomic_write(path) as temporary, _relative_file_paths(home or path.parent, caches), followed as bodies:
        try:
            write(temporary, bodies, preset)
        except RuntimeError as error:  # how Blender reports that an exporter failed
            raise _write_error(temporary, error) from error
        if not temporary.is_file() or shutil.disk_usage(temporary.parent).free < _MIN_FREE_BYTES:
            raise _write_error(temporary, None)


def _write_error(temporary, error):
    full = shutil.disk_usage(temporary.parent).free < _MIN_FREE_BYTES or "No space left" in str(error)
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
def _relative_file_paths(folder, modifiers=()):
    """Name what a file, and modifiers in it, refer to relative to a folder for a while, as Blender itself does when it saves: projects
    can be moved."""
    blocks = [block for kind in _FILE_BLOCK_KINDS for block in getattr(bpy.data, kind, ()) if not getattr(block, "library", None)]
    blocks += modifiers
    changed = [(block, block.filepath) for block in blocks if block.filepath and block.filepath != "<builtin>"]
    try:
        for block, filepath in changed:
            with contextlib.suppress(ValueError):  # another drive of Windows has no relative path
                block.filepath = bpy.path.relpath(os.path.realpath(bpy.path.abspath(filepath)), start=os.path.realpath(folder))
        yield
    finally:
        for block, filepath in changed:
            block.filepath = filepath


def _exported_objects(assembly):
    return (*assembly.armatures, *assembly.meshes, *(assembly.parent_objects if isinstance(assembly, CharacterGroup) else ()))


def _write_fbx(path, assembly, preset):
    enable_addon("io_scene_fbx")
    forward, up = _FBX_AXES[preset]
    foreign = isinstance(assembly, CharacterGroup)
    stance = _y_up_data(assembly) if preset == "unity" and not foreign else contextlib.nullcontext()
    textures = {"path_mode": "COPY", "embed_textures": True} if foreign else {}
    with stance, _only_selected(_exported_objects(assembly)), _name_take_after_action(assembly):
        bpy.ops.export_scene.fbx(
            filepath=str(path),
            use_selection=True,
            object_types={"ARMATURE", "MESH", "EMPTY"},
            use_armature_deform_only=foreign and assembly.deform_only,
            axis_forward=forward,
            axis_up=up,
            # A unit of 100 cm leaves the objects' scale at 1; the other settings put 100 there.
            apply_scale_options="FBX_SCALE_UNITS",
            add_leaf_bones=False,
            mesh_smooth_type="FACE",
            bake_anim_use_nla_strips=False,
            bake_anim_use_all_actions=False,
            bake_anim_simplify_factor=0.0,
            **textures,
        )


@contextlib.contextmanager
def _name_take_after_action(assembly):
    """Call the scene like the first armature's action for a while: the exporter names an .fbx's take after the scene."""
    scene = bpy.context.scene
    before = scene.name
    try:
        scene.name = _take_name(assembly) or before
        yield
    finally:
        scene.name = before


def _take_name(assembly):
    animation = assembly.armatures[0].animation_data
    return animation.action.name if animation and animation.action else ""


@contextlib.contextmanager
def _y_up_data(assembly):
    """Keep the armature's data y up and its object turned upright for a while.

    The exporter turns z up into y up on the object: undone in advance, the file's objects have no rotation at all.
    """
    turn = Matrix.Rotation(math.pi / 2, 4, "X")
    for thing in _exported_objects(assembly):
        _transform_data(thing, turn.inverted())
    for rig in assembly.armatures:
        rig.matrix_world = turn
    bpy.context.view_layer.update()
    try:
        yield
    finally:
        for rig in assembly.armatures:
            rig.matrix_world = Matrix()
        for thing in _exported_objects(assembly):
            _transform_data(thing, turn)
        bpy.context.view_layer.update()


def _transform_data(thing, matrix):
    if thing.type == "MESH":
        thing.data.transform(matrix, shape_keys=True)
    else:
        thing.data.transform(matrix)


def _write_glb(path, assembly, preset):
    enable_addon("io_scene_gltf2")
    foreign = isinstance(assembly, CharacterGroup)
    with _only_selected(_exported_objects(assembly)):
        bpy.ops.export_scene.gltf(
            filepath=str(path),
            export_format="GLB",
            use_selection=True,
            export_animation_mode="ACTIVE_ACTIONS",
            export_nla_strips_merged_animation_name=_take_name(assembly) or "Animation",
            export_frame_range=True,
            export_anim_single_armature=False,  # some versions would add every other action of the file
            # Of our own people the keys themselves at their own times, a variable rate's too; angles are no keys of glTF's.
            export_force_sampling=foreign or _has_euler_bones(assembly),
            export_def_bones=foreign and assembly.deform_only,
            export_optimize_animation_size=False,
            export_morph_normal=False,
            export_morph_animation=False,
        )


def _has_euler_bones(assembly):
    """Whether bones move by Euler angles, as SKEL's do."""
    return any(bone.rotation_mode != "QUATERNION" for rig in assembly.armatures for bone in rig.pose.bones)


def _write_usd(path, assembly, preset):
    if "usd_export" not in dir(bpy.ops.wm):  # as in Debian's
        raise InputError("usd-not-built", "This Blender was built without USD.", "Choose another format, or a Blender from blender.org.")
    with _only_selected(_exported_objects(assembly)):
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
