"""Detections of single frames joined into people over time."""
