"""Scripts that make the files that ship: the open bodies, the demo clip and the detector's bundle."""
