"""File formats that both processes read and write, each through one reader that checks its input."""
