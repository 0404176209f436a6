"""Metrics and weights in which a system contracts."""
