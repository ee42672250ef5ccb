"""What the lifter is trained on: motion capture, bodies and views made of it, and what a detector would see."""
