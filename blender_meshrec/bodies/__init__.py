"""Parametric bodies in torch."""
