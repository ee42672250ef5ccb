"""What both processes share: records, conventions, geometry and file formats. Numpy and the standard library only."""
