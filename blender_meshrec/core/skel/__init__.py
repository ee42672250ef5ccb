"""SKEL in numpy: its joints and angles, their limits, kinematics, files and metrics."""
