"""Symmetric matrices by their lower triangle: traces of products with each basis matrix.

The basis matrix of entry (i, j) is ``E = e_i e_j^T + e_j e_i^T``, or ``e_i e_i^T`` on the diagonal.
With ``tr(e_i e_j^T G e_k e_l^T K) = G_jk K_li`` no basis matrix is ever formed.

Source: none; algebra.
"""

from __future__ import annotations

from typing import final

import numpy as np

from riemannian_modules.spaces import Array


@final
class Packing:
    """Lower triangles of symmetric (n, n) matrices as vectors of ``count`` numbers."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.rows, self.columns = np.tril_indices(n)
        self.count = len(self.rows)
        self._halves = np.where(self.rows == self.columns, 0.5, 1.0)

    def packed(self, matrix: Array) -> Array:
        """The entries (count,) of a symmetric matrix."""
        return matrix[self.rows, self.columns]

    def matrix(self, entries: Array) -> Array:
        """The symmetric matrix (n, n) of entries (count,)."""
        M = np.zeros((self.n, self.n))
        M[self.rows, self.columns] = M[self.columns, self.rows] = entries
        return M

    def traces(self, G: Array) -> Array:
        """``tr(E_k G)`` for each k, shape (count,)."""
        return self._halves * (G[self.rows, self.columns] + G[self.columns, self.rows])

    def pair_traces(self, G: Array, K: Array) -> Array:
        """``tr(E_k G E_l K)`` for all k and l, shape (count, count)."""
        i, j, turned = self.rows, self.columns, K.T
        left = G[j][:, :, None] * turned[i][:, None, :] + G[i][:, :, None] * turned[j][:, None, :]
        flat = left.reshape(self.count, -1)
        both = flat.take(i * self.n + j, axis=1) + flat.take(j * self.n + i, axis=1)
        return self._halves[:, None] * both * self._halves

    def column_traces(self, a: Array, b: Array) -> Array:
        """``a_l^T E_k b_l`` for each k and each pair of columns l, shape (count, columns)."""
        both = a[self.rows] * b[self.columns] + a[self.columns] * b[self.rows]
        return self._halves[:, None] * both
