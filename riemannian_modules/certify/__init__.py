"""Certification of contraction: search, proof, refutation, certificates and their verification."""

from __future__ import annotations

from riemannian_modules.bound import LipschitzBound, LogNormBound
from riemannian_modules.certify.certify import certify, contraction_rate
from riemannian_modules.certify.conditioning import Curve, rate_against_condition
from riemannian_modules.certify.trajectories import enclose_equilibrium, prove_trajectories
from riemannian_modules.claims.answer import Answer, Estimated, Proved, Refuted, Tried
from riemannian_modules.claims.certificate import Certificate, load_certificate
from riemannian_modules.claims.horizontal import Horizontal
from riemannian_modules.claims.slopes_system import SlopesForm
from riemannian_modules.claims.wanted_norms import coordinates, l1, l2, learned_l2, linf
from riemannian_modules.evidence.evidence import TableRow
from riemannian_modules.evidence.tables import network_table, proof_table
from riemannian_modules.evidence.trajectories import Trajectories
from riemannian_modules.evidence.verify import verify
from riemannian_modules.search.boxes.budget import Budget, Progress
from riemannian_modules.search.boxes.search_state import SearchState, load_search
from riemannian_modules.search.layers.implicit_layer import implicit_layer
from riemannian_modules.search.layers.slopes import certify_slopes
from riemannian_modules.search.networks.compose import NetworkBound, dag_gain, network_bound
from riemannian_modules.search.networks.network import certify_network, network_rate
from riemannian_modules.search.symmetry.conservation import (
    ConservationLaw,
    Symmetry,
    conservation_laws,
    symmetries,
)
from riemannian_modules.search.symmetry.quotient import across_laws, across_symmetries, quotient

__all__ = [
    "Answer",
    "Budget",
    "Certificate",
    "ConservationLaw",
    "Curve",
    "Estimated",
    "Horizontal",
    "LipschitzBound",
    "LogNormBound",
    "NetworkBound",
    "Progress",
    "Proved",
    "Refuted",
    "SearchState",
    "SlopesForm",
    "Symmetry",
    "TableRow",
    "Trajectories",
    "Tried",
    "across_laws",
    "across_symmetries",
    "certify",
    "certify_network",
    "certify_slopes",
    "conservation_laws",
    "contraction_rate",
    "coordinates",
    "dag_gain",
    "enclose_equilibrium",
    "implicit_layer",
    "l1",
    "l2",
    "learned_l2",
    "linf",
    "load_certificate",
    "load_search",
    "network_bound",
    "network_rate",
    "network_table",
    "proof_table",
    "prove_trajectories",
    "quotient",
    "rate_against_condition",
    "symmetries",
    "verify",
]
