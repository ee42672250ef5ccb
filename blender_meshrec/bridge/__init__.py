"""How Blender and the backend process talk. Numpy and the standard library only."""
