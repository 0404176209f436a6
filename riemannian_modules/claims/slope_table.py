"""The slopes of named activations: bounds that hold at every argument, rounded outward to doubles.

``w = phi(v)`` has slopes in ``[alpha, beta]`` if ``alpha <= (phi(a) - phi(b)) / (a - b) <= beta``
for all ``a != b``. Where phi has a derivative almost everywhere and is absolutely continuous, that
is the range of the derivative. *gelu*: the derivative ``Phi(v) + v Phi'(v)`` has its extremes where
``(2 - v^2) Phi'(v) = 0``, at ``v = +-sqrt(2)``, and those add up to 1. *silu*: with the logistic s,
the derivative ``s(v) (1 + v s(-v))`` has its extremes where ``v tanh(v / 2) = 2``, and they add up
to 1 too. *erf*: ``2 / sqrt(pi)`` at zero.

Source: Fazlyab, Robey, Hassani, Morari and Pappas (2019), arXiv:1906.04893, section 2 (slope
    restriction); Hendrycks and Gimpel (2016), arXiv:1606.08415; Elfwing, Uchibe and Doya (2018).
"""

from __future__ import annotations

SLOPES: dict[str, tuple[float, float]] = {
    "abs": (-1.0, 1.0),
    "arctan": (0.0, 1.0),
    "cos": (-1.0, 1.0),
    "erf": (0.0, 1.1283791670955128),  # 2 / sqrt(pi) = 1.12837916709551257...
    "gelu": (-0.1289041451851548, 1.128904145185155),
    "relu": (0.0, 1.0),
    "saturation": (0.0, 1.0),
    "sigmoid": (0.0, 0.25),
    "silu": (-0.09983932012886693, 1.099839320128867),
    "sin": (-1.0, 1.0),
    "softplus": (0.0, 1.0),
    "softsign": (0.0, 1.0),
    "tanh": (0.0, 1.0),
}
