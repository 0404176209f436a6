"""Kinds of modules, one a file."""
