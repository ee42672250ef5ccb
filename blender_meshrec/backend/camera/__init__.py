"""The camera of a clip from its background: matches in the footage pass, then one adjustment of all rotations and the lens."""
