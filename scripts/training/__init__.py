"""What all trainings here do alike: go on from where they were interrupted, and ship."""
