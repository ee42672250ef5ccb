"""What the training of methods/hkmr.py is made of: frames, hidden chains, and model fitting in the loop."""
