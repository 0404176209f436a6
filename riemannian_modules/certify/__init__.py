"""Certification of contraction: search, proof, refutation, certificates and their verification."""

from __future__ import annotations

from riemannian_modules.certify.answer import (
    Answer,
    Estimated,
    LipschitzBound,
    LogNormBound,
    Proved,
    Refuted,
)
from riemannian_modules.certify.certificate import Certificate, load_certificate
from riemannian_modules.certify.certify import certify, contraction_rate
from riemannian_modules.certify.norms import l1, l2, linf
from riemannian_modules.certify.subdivide import Budget
from riemannian_modules.certify.verify import verify

__all__ = [
    "Answer",
    "Budget",
    "Certificate",
    "Estimated",
    "LipschitzBound",
    "LogNormBound",
    "Proved",
    "Refuted",
    "certify",
    "contraction_rate",
    "l1",
    "l2",
    "linf",
    "load_certificate",
    "verify",
]
