"""The Retarget section."""
