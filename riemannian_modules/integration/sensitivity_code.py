"""The variational equations as one function of Python floats, product by product.

On a few dozen numbers Python's floats are faster than NumPy's matrices; what is zero is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from riemannian_modules.arrays import Numbers
from riemannian_modules.integration.linearised import EntryPlaces

MOST_PRODUCTS = 400  # beyond which matrices are faster

# From dx with the entries of [A, F] behind it, S^T flat (k n), D's entries, to dx with S'^T behind.
CompiledProduct = Callable[[Sequence[float], Sequence[float], Sequence[float]], Numbers]


def count_products(n: int, k: int, places: EntryPlaces, moved: EntryPlaces) -> int:
    """How many multiplications ``A S + F D`` takes."""
    inner = sum(1 for _, j in places if j < n) * k
    return inner + sum(1 for _, j in places for q, _ in moved if j == n + q)


@lru_cache(maxsize=128)
def product_code(n: int, k: int, places: EntryPlaces, moved: EntryPlaces) -> CompiledProduct:
    """Compile ``S' = A S + F D``.

    Args:
        n: States.
        k: Directions.
        places: Where the entries of [A, F] (n, n + q) stand that are not zero, in order.
        moved: Where those of D (q, k) do, in order.
    """
    names = [f"a{i}" for i in range(len(places))]
    terms: dict[tuple[int, int], list[str]] = {}
    for (i, j), name in zip(places, names, strict=True):
        if j < n:
            for c in range(k):
                terms.setdefault((c, i), []).append(f"{name}*s{c}_{j}")
    for (i, j), name in zip(places, names, strict=True):
        for e, (q, c) in enumerate(moved):
            if j == n + q:
                terms.setdefault((c, i), []).append(f"{name}*d{e}")
    sums = [" + ".join(terms.get((c, i), ["0.0"])) for c in range(k) for i in range(n)]
    heads = ["".join(f"x{i}, " for i in range(n)) + "".join(f"{name}, " for name in names) + "= a"]
    heads.append("".join(f"s{c}_{j}, " for c in range(k) for j in range(n)) + "= s")
    if moved:
        heads.append("".join(f"d{e}, " for e in range(len(moved))) + "= d")
    result = ", ".join([*(f"x{i}" for i in range(n)), *sums])
    source = "\n    ".join(["def product(a, s, d):", *heads, f"return ({result},)"])
    namespace: dict[str, CompiledProduct] = {}
    exec(compile(source, "<variational equations>", "exec"), {}, namespace)
    return namespace["product"]
