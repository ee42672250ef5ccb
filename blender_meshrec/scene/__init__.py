"""What is made in Blender: bpy, no torch, no operators."""
