"""Layers of torch models as modules of this library: structured maps with exact weights."""
