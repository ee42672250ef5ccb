"""SKEL in numpy: joints and angles with their limits, kinematics, template files and metrics."""
