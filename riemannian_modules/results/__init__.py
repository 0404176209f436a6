"""Results of every kind: kept in files, read back, and drawn, or refused by name."""

from riemannian_modules.results.draw import draw_result
from riemannian_modules.results.files import holds_result, load_result, save_result

__all__ = ["draw_result", "holds_result", "load_result", "save_result"]
