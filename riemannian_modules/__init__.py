"""Riemannian modules: differentiable modules that compose, learn and are certified in metrics."""
