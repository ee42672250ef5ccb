"""Reading videos and images as upright frames with square pixels and true times."""
