"""Composites: bounds of parts and gains between them."""
