"""Convert a motion to SKEL's anatomical angles, and print the range of each knee and elbow in degrees.

python examples/03_motion_to_skel.py dance.npz dance_skel.npz
"""

import sys

import numpy as np

from blender_meshrec.cli import main
from blender_meshrec.core.skel.vocabulary import DOF_NAMES

ANGLES = ("knee_angle_r", "knee_angle_l", "elbow_flexion_r", "elbow_flexion_l")


def motion_to_skel(motion: str, skel_motion: str) -> int:
    """Write the motion with SKEL's 46 angles as key `q`; returns the exit code of `meshrec`."""
    if code := main(["convert", motion, "-o", skel_motion, "--skeleton", "skel"]):
        return code
    degrees = np.degrees(np.load(skel_motion)["q"])  # (F,46)
    for name in ANGLES:
        values = degrees[:, DOF_NAMES.index(name)]
        print(f"{name}: {values.min():.0f} to {values.max():.0f} degrees")
    return 0


if __name__ == "__main__":
    sys.exit(motion_to_skel(*sys.argv[1:3]))
