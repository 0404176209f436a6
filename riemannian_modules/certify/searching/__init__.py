"""The search for norms: untrusted floating point, whose results are proved elsewhere."""
