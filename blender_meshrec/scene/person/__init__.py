"""A person in the scene: armature, mesh, materials, and the exact surface."""
