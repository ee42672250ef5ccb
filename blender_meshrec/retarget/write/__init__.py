"""Solved bones as the channels that Blender keys."""
