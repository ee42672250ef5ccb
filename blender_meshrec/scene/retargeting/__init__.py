"""A motion on an artist's character: mapping, keys, files."""
