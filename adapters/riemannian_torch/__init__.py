"""PyTorch models as Riemannian modules, for the same graphs as every other module."""

try:
    import torch as _torch  # noqa: F401  # pyright: ignore[reportUnusedImport]
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "riemannian_torch needs PyTorch, which is not installed. Install the extra: "
        "pip install 'riemannian-modules[torch]'.",
        name="torch",
    ) from error

from riemannian_torch.diagnosis.diagnose import DiagnosisLog, diagnose
from riemannian_torch.diagnosis.diagnosis import Diagnosis, LayerDiagnosis
from riemannian_torch.diagnosis.picture import diagnosis_figure
from riemannian_torch.gauss_newton.metric_choice import (
    JointMetric,
    LayerMetric,
    ResidualMetric,
)
from riemannian_torch.gauss_newton.optimizer import GaussNewton
from riemannian_torch.graph_from_torch import from_torch
from riemannian_torch.laplace_posterior.laplace import laplace
from riemannian_torch.laplace_posterior.posterior import LaplacePrediction, Posterior
from riemannian_torch.origin import TorchOrigin
from riemannian_torch.torch_composite import TorchComposite, to_torch
from riemannian_torch.torch_module import TorchModule

__all__ = [
    "Diagnosis",
    "DiagnosisLog",
    "GaussNewton",
    "JointMetric",
    "LaplacePrediction",
    "LayerDiagnosis",
    "LayerMetric",
    "Posterior",
    "ResidualMetric",
    "TorchComposite",
    "TorchModule",
    "TorchOrigin",
    "diagnose",
    "diagnosis_figure",
    "from_torch",
    "laplace",
    "to_torch",
]
