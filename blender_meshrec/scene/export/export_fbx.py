"""Export to .fbx for Blender, Unreal and Unity."""

import contextlib
import importlib
import math
from collections.abc import Generator
from pathlib import Path
from typing import Any, Literal, TypeAlias

import bpy
from mathutils import Matrix

from ...core.files.fbx_units import write_centimetres
from ..bundled_addons import enable_addon
from ..character.character_group import CharacterGroup, Exportable, exported_objects, take_name
from ..context import active_scene, active_view_layer, armature_data, mesh_data
from ..person.texture import texture_nodes
from ..temporary_state import changed_attributes, only_selected

_Axis: TypeAlias = Literal["X", "Y", "Z", "-X", "-Y", "-Z"]
# The (forward, up) axes that a file declares. Unreal's are Blender's own, so that the exporter rotates nothing and every
# node's rotation is zero; Unity and other programs have y up.
FBX_AXES: dict[str, tuple[_Axis, _Axis]] = {"unreal": ("Y", "Z"), "unity": ("-Z", "Y"), "blender": ("-Z", "Y")}


def write_fbx(path: Path, bodies: Exportable, preset: str) -> None:
    enable_addon("io_scene_fbx")
    forward, up = FBX_AXES[preset]
    is_artists = isinstance(bodies, CharacterGroup)
    has_pictures = is_artists or bool(texture_nodes(bodies.meshes))
    orientation = _y_up_data(bodies) if preset == "unity" and not is_artists else contextlib.nullcontext()
    # The exporter names the take after the scene.
    scene = active_scene()
    named_scene = changed_attributes(scene, name=take_name(bodies) or scene.name)
    with orientation, only_selected(exported_objects(bodies)), named_scene, _first_key_at_zero():
        bpy.ops.export_scene.fbx(
            filepath=str(path),
            use_selection=True,
            object_types={"ARMATURE", "MESH", "EMPTY", "CAMERA"},
            use_armature_deform_only=isinstance(bodies, CharacterGroup) and bodies.deform_only,
            axis_forward=forward,
            axis_up=up,
            # A unit of 100 cm leaves the objects' scale at 1; the other settings write a scale of 100. Unreal, whose importer may
            # ignore the unit, gets centimetres afterwards.
            apply_scale_options="FBX_SCALE_UNITS",
            add_leaf_bones=False,
            mesh_smooth_type="FACE",
            bake_anim_use_nla_strips=False,
            bake_anim_use_all_actions=False,
            bake_anim_simplify_factor=0.0,
            path_mode="COPY" if has_pictures else "AUTO",
            embed_textures=has_pictures,
        )
    if preset == "unreal":
        write_centimetres(path)


@contextlib.contextmanager
def _first_key_at_zero() -> Generator[None, None, None]:
    """Let the exporter write the first frame of the scene's range as time 0, so that importers begin where their programs begin.

    The exporter's function has an argument for it, which the operator does not offer. The poses are those of the same frames. With a
    Blender whose exporter has no such function, times remain those of the scene.
    """
    exporter: Any = importlib.import_module("io_scene_fbx.export_fbx_bin")
    bake = getattr(exporter, "fbx_animations_do", None)
    if bake is None:
        yield
        return

    def bake_from_zero(scene: object, owner: object, first: float, last: float, _from_zero: bool, **settings: object) -> object:
        return bake(scene, owner, first, last, True, **settings)

    with changed_attributes(exporter, fbx_animations_do=bake_from_zero):
        yield


@contextlib.contextmanager
def _y_up_data(bodies: Exportable) -> Generator[None, None, None]:
    """Make the objects' data y up and rotate the armature objects upright.

    The exporter rotates objects from z up to y up. Undone in advance, the file's objects have no rotation.
    """
    rotation = Matrix.Rotation(math.pi / 2, 4, "X")
    for obj in (*bodies.armatures, *bodies.meshes):
        _transform_data(obj, rotation.inverted())
    for armature_object in bodies.armatures:
        armature_object.matrix_world = rotation
    active_view_layer().update()
    try:
        yield
    finally:
        for armature_object in bodies.armatures:
            armature_object.matrix_world = Matrix()
        for obj in (*bodies.armatures, *bodies.meshes):
            _transform_data(obj, rotation)
        active_view_layer().update()


def _transform_data(obj: bpy.types.Object, matrix: Matrix) -> None:
    if obj.type == "MESH":
        mesh_data(obj).transform(matrix, shape_keys=True)
    else:
        armature_data(obj).transform(matrix)
