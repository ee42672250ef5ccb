"""A real Blender window on a hidden screen, driven by tests and by the guide's pictures."""
