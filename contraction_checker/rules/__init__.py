"""The rules by which a claim is proved: from the word in the evidence to the function."""

from collections.abc import Callable

from contraction_checker.claim import Case
from contraction_checker.rules.layer_sums import prove_by_layer_sums
from contraction_checker.rules.monolithic import prove_monolithic
from contraction_checker.rules.network import prove_network
from contraction_checker.rules.slope_multipliers import prove_by_multipliers
from contraction_checker.rules.sum_of_squares import prove_by_squares

RULES: dict[str, Callable[[Case], None]] = {
    "monolithic": prove_monolithic,
    "network": prove_network,
    "sos": prove_by_squares,
    "slopes": prove_by_multipliers,
    "sums": prove_by_layer_sums,
}
