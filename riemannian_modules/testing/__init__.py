"""The contract test for modules, for those who write modules inside and outside this library."""

from riemannian_modules.testing.contract import check_module

__all__ = ["check_module"]
