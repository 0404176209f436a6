"""Check a contraction certificate again, from its numbers alone and with Python's integers alone.

It imports nothing but Python's standard library, shares no code with the library that makes
certificates, and is written to be read. In this order each file uses only what stands before it:

Numbers and exact terms
``refusals``                 the three ways in which a certificate can fail
``limits``                   what a file may ask for at most
``ranges``                   intervals of whole multiples of 2^-192, rounded outwards
``points``                   elementary functions at a point, by series with their remainder
``functions``                elementary functions of ranges
``terms``                    exact sums of products, in which what cancels is gone
``term_powers``              quotients and roots of terms
``term_functions``           functions of terms, with their derivatives

The file and its expressions
``json_parts``               parts of the file, asked for what they have to be
``certificate_file``         the file
``expressions``              what the file writes of a map
``values``                   evaluation of expressions
``range_values``             their ranges over a box
``term_values``              their terms, and derivatives

Matrices
``matrices``                 sparse matrices of terms
``definiteness``             positive definiteness of interval matrices, by elimination
``forms``                    matrices that are affine in each of their atoms
``corners``                  when they are positive for all values of the atoms
``matrix_parts``             matrices of the file

The region, and what is proved on it
``region``                   the box, linear constraints and balls that a claim speaks of
``leaves``                   cuts of the box
``mean_value``               ranges from slopes
``proof``                    what is proved on the leaves
``atoms``                    slopes and ranges of atoms, proved

The claim and the system
``claim``                    the claim, in words that are derived from its numbers
``system``                   the map and its Jacobian
``block_norm``               norms of blocks
``ball_norms``               norms in which balls are proved to be invariant
``invariant_ball``           balls that no trajectory leaves, with their equilibrium
``moving_metric``            the metric, and how it changes along the system

One file a rule
``rules.constant_metric``    matrix inequalities of constant metrics
``rules.weighted_sums``      weighted sums of magnitudes
``rules.point_metric``       matrix inequalities of metrics of the point
``rules.monolithic``         rule ``monolithic``: one inequality for the whole system
``rules.network``            rule ``network``: bounds of blocks, and gains between them
``rules.sum_of_squares``     rule ``sos``: identities of squares
``rules.slope_system``       layers of activations of bounded slope
``rules.slope_multipliers``  rule ``slopes``: one inequality with a multiplier for each
``rules.layer_sums``         rule ``sums``: weighted sums at the corners of the slopes
``rules``                    the table of them

``certificate``              the check of a whole certificate
``program``                  the command
"""

from contraction_checker.certificate import check
from contraction_checker.certificate_file import load
from contraction_checker.program import main
from contraction_checker.refusals import MalformedError, NotProvedError, OutsideError
from contraction_checker.rules import RULES

__all__ = [
    "RULES",
    "MalformedError",
    "NotProvedError",
    "OutsideError",
    "check",
    "load",
    "main",
]
