"""Published systems, one a file; none imports another."""
