"""The actor's look on the mesh: the UV map of the body painted from the footage, after the solve."""
