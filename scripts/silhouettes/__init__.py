"""Silhouettes to train and test the refinement on: poses, cameras, what goes wrong with a segmentation mask."""
