"""The suffixes of motion files, which a file dialog shows before anything is read."""

PICKLE_SUFFIXES = (".pkl", ".pickle", ".pt", ".pth", ".joblib", ".npy")
MOTION_SUFFIXES = (".npz", ".bvh", *PICKLE_SUFFIXES)
