"""Exact matrices in atoms, and how far atoms range on boxes: cancellations happen here."""
