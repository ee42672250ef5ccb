"""Files that both processes read and write, each format through one checked reader."""
