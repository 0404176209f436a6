"""Norms of the kind that is asked for, whatever it is."""
