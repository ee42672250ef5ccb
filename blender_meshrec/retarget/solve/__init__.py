"""How a rig moves as the performer moved: rotations, root path, feet and hands."""
