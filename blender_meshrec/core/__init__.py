"""The vocabulary both processes share: records, conventions, geometry. Numpy and the standard library only."""
