"""Pictures for the README and the guide."""
