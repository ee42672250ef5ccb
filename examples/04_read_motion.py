"""Read a motion .npz with numpy only: length, path, contacts, and one joint in the camera's pixels.

python examples/04_read_motion.py dance.npz
"""

import sys

import numpy as np

LEFT_HEEL, LEFT_TOE, RIGHT_HEEL, RIGHT_TOE = range(4)  # columns of `contacts`
PELVIS, HEAD = 0, 15  # SMPL joints


def read_motion(path: str) -> None:
    """Print what a motion file holds."""
    motion = np.load(path)
    joints, times = motion["joints"], motion["timestamps"]  # (F,24,3) m, z up, floor at z = 0; (F,) s
    print(f"{len(joints)} frames at {float(motion['mocap_framerate']):g} fps, {times[-1] - times[0]:.2f} s")
    print(f"the person is seen in {motion['visible'].mean():.0%} of them")

    steps = np.linalg.norm(np.diff(joints[:, PELVIS, :2], axis=0), axis=1)
    print(f"the pelvis travels {steps.sum():.2f} m; the head is at most {joints[:, HEAD, 2].max():.2f} m above the floor")

    for name, column in (("left", LEFT_TOE), ("right", RIGHT_TOE)):
        touches = motion["contacts"][:, column] > 0.5
        print(f"the {name} toe touches the floor in {touches.mean():.0%} of the frames")

    homogeneous = np.append(joints[0, HEAD], 1)
    in_camera = motion["camera_from_world"][0] @ homogeneous  # OpenCV axes: x right, y down, z forward
    pixel = motion["camera_intrinsics"] @ in_camera[:3]
    print(f"in the first frame the head is at pixel {np.round(pixel[:2] / pixel[2]).astype(int).tolist()}")


if __name__ == "__main__":
    read_motion(sys.argv[1])
