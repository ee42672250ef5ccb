"""Training of the networks in addon_models/."""
