"""Gauss-Newton for torch models along every sample's own residual."""
