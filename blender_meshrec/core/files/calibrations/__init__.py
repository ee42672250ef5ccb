"""Calibrations of several cameras: one reader a format."""
