"""The steps that make the open SKEL body."""
