"""The rules by which a claim is proved: from the word in the evidence to the function."""

from collections.abc import Callable

from contraction_checker.claim import Case
from contraction_checker.rules.layer_sums import layer_sums
from contraction_checker.rules.monolithic import monolithic
from contraction_checker.rules.network import network
from contraction_checker.rules.slope_multipliers import slope_multipliers
from contraction_checker.rules.sum_of_squares import sum_of_squares

RULES: dict[str, Callable[[Case], None]] = {
    "monolithic": monolithic,
    "network": network,
    "sos": sum_of_squares,
    "slopes": slope_multipliers,
    "sums": layer_sums,
}
