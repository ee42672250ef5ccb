"""Training data: motion capture, bodies, camera views and silhouettes."""
