"""Certification of contraction: search, proof, refutation, certificates and their verification."""

from __future__ import annotations

from riemannian_modules.bound import LipschitzBound, LogNormBound
from riemannian_modules.certify.answer import Answer, Estimated, Proved, Refuted
from riemannian_modules.certify.certificate import Certificate, load_certificate
from riemannian_modules.certify.certify import certify, contraction_rate
from riemannian_modules.certify.compose import NetworkBound, dag_gain, network_bound
from riemannian_modules.certify.network import certify_network, network_rate
from riemannian_modules.certify.network_table import TableRow, network_table
from riemannian_modules.certify.norms import coordinates, l1, l2, learned_l2, linf
from riemannian_modules.certify.subdivide import Budget
from riemannian_modules.certify.verify import verify

__all__ = [
    "Answer",
    "Budget",
    "Certificate",
    "Estimated",
    "LipschitzBound",
    "LogNormBound",
    "NetworkBound",
    "Proved",
    "Refuted",
    "TableRow",
    "certify",
    "certify_network",
    "contraction_rate",
    "coordinates",
    "dag_gain",
    "l1",
    "l2",
    "learned_l2",
    "linf",
    "load_certificate",
    "network_bound",
    "network_rate",
    "network_table",
    "verify",
]
