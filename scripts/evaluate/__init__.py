"""Accuracy tables of docs/."""
