"""Lifted joints to a body in the world."""
