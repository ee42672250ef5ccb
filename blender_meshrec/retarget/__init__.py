"""Retarget a performance to a rig: numpy only, vectorised over frames; the rig itself is never changed."""
