"""The command line: one program for `meshrec ...` and `blender --command meshrec ...`."""

from .program import main as main
