"""Lifting: 2D keypoints to 3D joints and meshes."""
