"""Keys and curves: written in bulk, and read back as motion with an artist's changes."""
