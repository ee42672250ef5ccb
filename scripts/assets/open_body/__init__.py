"""The steps that make the open body."""
