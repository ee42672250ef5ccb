"""The passes of pipeline.py: each reads what a Clip holds and fills in one more part of its people, or of its world."""
