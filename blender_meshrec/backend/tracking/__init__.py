"""Tracking: joining the detections of single frames into people."""
