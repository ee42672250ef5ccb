"""The inference process: footage in, recoveries out. Torch, no bpy."""
