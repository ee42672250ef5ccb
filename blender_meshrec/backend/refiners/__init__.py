"""Refiners: what improves an estimate, a body or a SKEL motion."""
