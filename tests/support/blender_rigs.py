"""Character files and generated characters in Blender, for tests of retargeting."""

import bpy
import pytest


def import_rig(path):
    """Open a character file in an empty scene; returns its one armature object. Skips the test if the file's compression is unknown."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    suffix = path.suffix.lower()
    if suffix == ".glb":
        try:
            bpy.ops.import_scene.gltf(filepath=str(path))
        except RuntimeError as error:
            if "draco" in str(error):
                pytest.skip("this bpy module has no Draco decoder")
            raise
    elif suffix == ".fbx":
        bpy.ops.import_scene.fbx(filepath=str(path))
    else:
        bpy.ops.wm.open_mainfile(filepath=str(path))
    (armature,) = (item for item in bpy.data.objects if item.type == "ARMATURE")
    return armature


def generate_rigify(basic=True):
    """Generate Rigify's control rig from its human metarig; returns the metarig and the rig."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module="rigify")
    (bpy.ops.object.armature_basic_human_metarig_add if basic else bpy.ops.object.armature_human_metarig_add)()
    metarig = bpy.context.object
    bpy.ops.pose.rigify_generate()
    (rig,) = (item for item in bpy.data.objects if item.type == "ARMATURE" and item is not metarig)
    return metarig, rig
