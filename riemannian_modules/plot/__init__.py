"""Pictures: of composites, linear models and metrics, and of what is proved.

Trajectories and fits draw themselves: their method `plot`.
"""

from riemannian_modules.plot.bound_over_time import bound_curve
from riemannian_modules.plot.branch import branch_figure
from riemannian_modules.plot.composite import draw_graph, graph_figure
from riemannian_modules.plot.conditioning import rate_against_conditioning
from riemannian_modules.plot.figure_file import save_figure
from riemannian_modules.plot.frequency import bode_figure, loop_figure
from riemannian_modules.plot.linear_model import frequency_response, linear_model_figure
from riemannian_modules.plot.links import Link, links_of, type_name
from riemannian_modules.plot.mermaid import graph_to_mermaid
from riemannian_modules.plot.metric import metric_figure
from riemannian_modules.plot.network import network_graph
from riemannian_modules.plot.nyquist import nyquist_figure
from riemannian_modules.plot.proved_envelope import draw_envelope, envelope
from riemannian_modules.plot.rate_slice import RateSlice, proved_slice, slice_in_norm
from riemannian_modules.plot.rates import rate_slices
from riemannian_modules.plot.root_locus import root_locus_figure
from riemannian_modules.plot.step_response import step_response_figure
from riemannian_modules.plot.undecided import undecided_boxes

__all__ = [
    "Link",
    "RateSlice",
    "bode_figure",
    "bound_curve",
    "branch_figure",
    "draw_envelope",
    "draw_graph",
    "envelope",
    "frequency_response",
    "graph_figure",
    "graph_to_mermaid",
    "linear_model_figure",
    "links_of",
    "loop_figure",
    "metric_figure",
    "network_graph",
    "nyquist_figure",
    "proved_slice",
    "rate_against_conditioning",
    "rate_slices",
    "root_locus_figure",
    "save_figure",
    "slice_in_norm",
    "step_response_figure",
    "type_name",
    "undecided_boxes",
]
