"""Laplace's posterior of a trained torch model, from the exact metric at its parameters."""
