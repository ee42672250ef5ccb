"""Layers and crops that the image methods share (hmr2, hsmr_network, spin, decomr): encoders, transformer decoder, crop, crop's camera."""
