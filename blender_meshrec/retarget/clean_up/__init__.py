"""A captured motion as the few keys of an animator's controls."""
