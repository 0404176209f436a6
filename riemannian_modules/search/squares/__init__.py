"""Sums of squares."""
