"""The choice of footage and of its cameras."""
