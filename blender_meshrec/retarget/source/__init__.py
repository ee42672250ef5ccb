"""Performances to retarget, from files and from Motions."""
