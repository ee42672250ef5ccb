"""Performances to retarget: read from files, or made from motions."""
