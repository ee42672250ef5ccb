"""Videos and images, read upright, with square pixels and true times."""
