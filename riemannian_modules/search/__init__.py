"""How evidence is found; no proof rests on it."""
