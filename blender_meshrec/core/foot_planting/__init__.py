"""Feet that hold still where they touch the ground: the kernel shared by reconstruction and retargeting."""
