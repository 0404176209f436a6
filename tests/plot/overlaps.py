"""Whether what is drawn lies over each other: rectangles (left, bottom, right, top) and points."""

import numpy as np


def is_inside(points, rectangle, margin=0.5):
    left, bottom, right, top = rectangle
    x, y = np.asarray(points).T
    return ((left + margin < x) & (x < right - margin)
            & (bottom + margin < y) & (y < top - margin)).any()  # fmt: skip


def overlap(a, b, margin=0.25):
    return (min(a[2], b[2]) - max(a[0], b[0]) > margin) and (
        min(a[3], b[3]) - max(a[1], b[1]) > margin
    )
