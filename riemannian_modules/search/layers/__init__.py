"""Layers of neurons: multipliers for slopes."""
