"""Parts of the lifting network of skeleton2mesh.py that are ours: its input, its times, and ground contacts."""
