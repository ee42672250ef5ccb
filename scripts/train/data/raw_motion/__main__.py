"""Convert raw CMU motion capture into cmu_smpl24_C.npz, which scripts.train.data.recordings reads.

    python -m scripts.train.data.raw_motion MOCAP/raw OUT_FOLDER [--blender-python PYTHON]

MOCAP/raw holds SOURCES.tsv and AMC, BVH and FBX files. Clips of the test performers, and those that MOCAP's cmu_smpl24_A.npz and
cmu_smpl24_B.npz hold already, are left out. FBX files need a Python that has bpy. Grades: A, exact skeleton; B1, the skeleton of another
performer, scaled; B2, retargeted to another skeleton by who published it.
"""

import argparse
from pathlib import Path

from scripts.train.data.raw_motion.conversion import convert_folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("raw", type=Path, help="folder of SOURCES.tsv")
    parser.add_argument("out", type=Path, help="folder for cmu_smpl24_C.npz")
    parser.add_argument("--blender-python", type=Path, metavar="PYTHON", help="a Python that has bpy, for FBX files")
    settings = parser.parse_args()
    convert_folder(settings.raw, settings.out, settings.blender_python)


if __name__ == "__main__":
    main()
