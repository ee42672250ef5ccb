"""Find which bones of a rig are which part of a human."""
