"""What the scripts that draw bodies share."""
