"""A clean-up rig: FK and IK controls that a person follows, keyed as an animator would."""
