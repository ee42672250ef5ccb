"""The inference process: footage in, recoveries out. Uses torch, never bpy."""
