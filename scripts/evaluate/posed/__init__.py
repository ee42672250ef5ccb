"""Motions on the open body with known contacts: posed by hand or captured, settled on their supports, filmed and measured."""
