"""Boxes: the region is cut until a bound is proved on each box."""
