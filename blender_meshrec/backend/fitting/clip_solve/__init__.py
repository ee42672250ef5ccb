"""The whole-clip solve: one least-squares problem over all frames and people of a clip."""
