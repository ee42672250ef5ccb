import sys
from pathlib import Path

# The people these tests use are shared with the tests that run inside Blender.
sys.path.append(str(Path(__file__).resolve().parents[1]))
