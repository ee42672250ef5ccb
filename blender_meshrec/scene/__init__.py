"""Scenes in Blender: armatures, meshes, keyframes, cameras and exported files. Uses bpy; contains no operators and no torch."""
