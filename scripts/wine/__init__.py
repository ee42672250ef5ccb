"""Python and Blender for Windows, run by Wine in a Debian of their own."""
