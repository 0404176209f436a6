"""Laplace's posterior: against dense matrices, exact Bayesian regression and another library."""

import importlib
import math
import pickle

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal, Normal, Poisson
from torch.func import functional_call, jacrev
from torch.utils.data import DataLoader, TensorDataset

from riemannian_modules.errors import DomainError, SignatureError, UnsupportedError
from riemannian_torch import JointMetric, LayerMetric, laplace
from tests.adapters.networks import perceptron
from tests.adapters.test_exact_metrics import dense_metric

DELTA = 0.7


def net_and_inputs(outputs=3):
    torch.manual_seed(0)
    return perceptron(2, 5, outputs).double(), torch.randn(11, 2).double()


def in_batches(x, y, size=4):
    return DataLoader(TensorDataset(x, y), size)


def flat(values, count=0):
    return torch.cat([v.reshape(count, -1) if count else v.flatten() for v in values.values()], -1)


def likelihoods():
    """A criterion, targets, options, the same as a sum, its factor, and log p(y | f)."""
    torch.manual_seed(1)
    real = torch.randn(11, 3).double()
    labels, ones, counts = torch.arange(11) % 3, (real > 0).double(), real.abs().round()
    rows = torch.arange(11)
    return {
        "squares": (
            nn.MSELoss(), real, {"noise": 0.3}, nn.MSELoss(reduction="sum"), 0.5 / 0.3**2,
            lambda f: Normal(f, 0.3).log_prob(real).sum(),
        ),
        "labels": (
            nn.CrossEntropyLoss(), labels, {}, nn.CrossEntropyLoss(reduction="sum"), 1.0,
            lambda f: torch.log_softmax(f, 1)[rows, labels].sum(),
        ),
        "bernoulli": (
            nn.BCEWithLogitsLoss(), ones, {}, nn.BCEWithLogitsLoss(reduction="sum"), 1.0,
            lambda f: nn.functional.logsigmoid(torch.where(ones > 0, f, -f)).sum(),
        ),
        "poisson": (
            nn.PoissonNLLLoss(), counts, {}, nn.PoissonNLLLoss(reduction="sum"), 1.0,
            lambda f: Poisson(f.exp()).log_prob(counts).sum(),
        ),
    }  # fmt: skip


@pytest.fixture(params=likelihoods())
def likelihood(request):
    return likelihoods()[request.param]


def dense_posterior(net, summing, factor, x, y, delta=DELTA):
    theta = flat(dict(net.named_parameters())).detach()
    _, H = dense_metric(net, summing, x, y)
    return theta, factor * H + delta * torch.eye(len(theta)).double()


def test_covariance_evidence_and_predictions_are_those_of_dense_matrices(likelihood):
    criterion, y, options, summing, factor, log_p = likelihood
    net, x = net_and_inputs()
    found = laplace(net, criterion, in_batches(x, y), prior_precision=DELTA, **options)
    theta, P = dense_posterior(net, summing, factor, x, y)
    covariance = torch.linalg.inv(P)
    torch.testing.assert_close(flat(found.mean), theta)
    torch.testing.assert_close(flat(found.variance), covariance.diagonal())
    f = net(x).detach()
    wanted = log_p(f) - 0.5 * DELTA * theta @ theta
    wanted -= 0.5 * (torch.logdet(P) - len(theta) * math.log(DELTA))
    assert found.log_evidence == pytest.approx(float(wanted), rel=1e-10)

    new = torch.randn(4, 2).double()
    J = jacrev(lambda t: functional_call(net, t, (new,)))(dict(net.named_parameters()))
    J = torch.cat([j.reshape(4, 3, -1) for j in J.values()], -1).detach()
    told = found.predict(new)
    torch.testing.assert_close(told.outputs, net(new).detach())
    torch.testing.assert_close(told.covariance, J @ covariance @ J.mT)
    noise = options.get("noise", 0.0)
    torch.testing.assert_close(told.deviation, (told.variance + noise**2).sqrt())


def test_one_draw_for_each_coordinate_makes_the_covariance():
    net, x = net_and_inputs()
    y = torch.arange(11) % 3
    found = laplace(net, nn.CrossEntropyLoss(), [(x, y)], prior_precision=DELTA)
    _, P = dense_posterior(net, nn.CrossEntropyLoss(reduction="sum"), 1.0, x, y)
    (block,) = found.blocks
    root = block.drawn(torch.eye(len(P)).double(), DELTA) - block.mean
    torch.testing.assert_close(root.T @ root, torch.linalg.inv(P))
    drawn = found.samples(5, torch.Generator().manual_seed(3))
    again = found.samples(5, torch.Generator().manual_seed(3))
    for name, p in net.named_parameters():
        assert drawn[name].shape == (5, *p.shape)
        assert torch.equal(drawn[name], again[name])


def test_a_linear_regression_has_the_exact_evidence_and_predictions():
    torch.manual_seed(0)
    x, sigma = torch.randn(9, 3).double(), 0.4
    y = x @ torch.randn(3, 1).double() + sigma * torch.randn(9, 1).double()
    net = nn.Linear(3, 1, bias=False).double()
    P = x.T @ x / sigma**2 + DELTA * torch.eye(3).double()
    net.weight.data = torch.linalg.solve(P, x.T @ y / sigma**2).T
    found = laplace(net, nn.MSELoss(), in_batches(x, y), prior_precision=DELTA, noise=sigma)
    of_data = MultivariateNormal(
        torch.zeros(9).double(), sigma**2 * torch.eye(9).double() + x @ x.T / DELTA
    )
    assert found.log_evidence == pytest.approx(float(of_data.log_prob(y[:, 0])), rel=1e-12)
    new = torch.randn(2, 3).double()
    variance = (new @ torch.linalg.inv(P) * new).sum(1, keepdim=True)
    torch.testing.assert_close(found.predict(new).deviation, (variance + sigma**2).sqrt())


@pytest.mark.parametrize("size", [1, 3, 11])
def test_batches_of_any_size_give_one_posterior(likelihood, size):
    criterion, y, options, *_ = likelihood
    net, x = net_and_inputs()
    x, y = x.repeat(6, 1), y.repeat(6, *[1] * (y.ndim - 1))  # more columns than parameters
    whole = laplace(net, criterion, [(x, y)], **options)
    parts = laplace(net, criterion, in_batches(x, y, size), **options)
    assert parts.log_evidence == pytest.approx(whole.log_evidence, rel=1e-10)
    torch.testing.assert_close(flat(parts.variance), flat(whole.variance))
    assert parts.samples_seen == whole.samples_seen == 66


def test_layers_and_a_last_layer_are_blocks_of_the_whole():
    net, x = net_and_inputs()
    y, criterion = torch.arange(11) % 3, nn.CrossEntropyLoss()
    _, P = dense_posterior(net, nn.CrossEntropyLoss(reduction="sum"), 1.0, x, y)
    cut = sum(p.numel() for p in net[0].parameters())
    blocks = [torch.linalg.inv(P[:cut, :cut]), torch.linalg.inv(P[cut:, cut:])]
    layers = laplace(net, criterion, [(x, y)], metric=LayerMetric(), prior_precision=DELTA)
    torch.testing.assert_close(flat(layers.variance), torch.cat([b.diagonal() for b in blocks]))
    last = laplace(net, criterion, [(x, y)], parameters=net[2].parameters(), prior_precision=DELTA)
    torch.testing.assert_close(flat(last.variance), blocks[1].diagonal())
    new = torch.randn(4, 2).double()
    h = torch.cat([torch.tanh(net[0](new)), torch.ones(4, 1).double()], 1).detach()
    J = torch.cat([torch.kron(torch.eye(3).double(), h[:, None, :5].flatten(1)[b]).reshape(1, 3, 15)
                   for b in range(4)])  # fmt: skip
    J = torch.cat([J, torch.eye(3).double().expand(4, 3, 3)], 2)
    torch.testing.assert_close(last.predict(new).covariance, J @ blocks[1] @ J.mT)
    assert "2 independent layers" in repr(layers)


def test_a_temperature_divides_the_log_likelihood():
    net, x = net_and_inputs()
    y = torch.arange(11) % 3
    warm = laplace(net, nn.CrossEntropyLoss(), [(x, y)], temperature=4.0)
    plain = laplace(net, nn.CrossEntropyLoss(), [(x, y)])
    assert warm.log_likelihood == pytest.approx(plain.log_likelihood / 4.0, rel=1e-12)
    torch.testing.assert_close(warm.blocks[0].values, plain.blocks[0].values / 4.0)


def test_the_tuned_prior_has_the_largest_evidence(likelihood):
    criterion, y, options, *_ = likelihood
    net, x = net_and_inputs()
    found = laplace(net, criterion, [(x, y)], **options).tuned()
    for factor in (0.1, 0.9, 1.1, 10.0):
        other = found.with_prior_precision(factor * found.prior_precision)
        assert other.log_evidence < found.log_evidence
    assert 0.0 < found.effective_parameters < 33.0


def test_uncertain_classes_are_less_probable():
    net, x = net_and_inputs()
    y, criterion = torch.arange(11) % 3, nn.CrossEntropyLoss()
    sure = laplace(net, criterion, [(x, y)], prior_precision=1e8)
    torch.testing.assert_close(
        sure.probabilities(x), torch.softmax(net(x), 1).detach(), rtol=1e-4, atol=0
    )
    unsure = laplace(net, criterion, [(x, y)], prior_precision=1e-4)
    assert float(unsure.probabilities(x).max(1)[0].mean()) < float(
        sure.probabilities(x).max(1)[0].mean()
    )
    ones = laplace(net, nn.BCEWithLogitsLoss(), [(x, torch.ones(11, 3).double())])
    var = ones.predict(x).variance
    torch.testing.assert_close(
        ones.probabilities(x), torch.sigmoid(net(x).detach() / (1 + math.pi / 8 * var).sqrt())
    )


def test_the_model_is_copied_and_left_alone():
    net, x = net_and_inputs()
    y, criterion = torch.arange(11) % 3, nn.CrossEntropyLoss()
    found = laplace(net, criterion, [(x, y)], parameters=net[2].parameters())
    before = found.predict(x)
    assert all(p.requires_grad for p in net.parameters())
    assert not net._forward_hooks
    assert not criterion._forward_hooks
    net[0].weight.data.zero_()
    torch.testing.assert_close(found.predict(x).covariance, before.covariance)


def test_a_pickled_posterior_says_the_same():
    net, x = net_and_inputs()
    found = laplace(net, nn.CrossEntropyLoss(), [(x, torch.arange(11) % 3)])
    twin = pickle.loads(pickle.dumps(found))
    assert repr(twin) == repr(found)
    assert torch.equal(twin.probabilities(x), found.probabilities(x))


@pytest.mark.parametrize("kind", ["regression", "classification"])
def test_another_library_finds_the_same(kind):
    library = pytest.importorskip("laplace")
    net, x = net_and_inputs()
    y = torch.randn(11, 3).double() if kind == "regression" else torch.arange(11) % 3
    noise = {"noise": 0.3} if kind == "regression" else {}
    criterion = nn.MSELoss() if noise else nn.CrossEntropyLoss()
    own = laplace(net, criterion, in_batches(x, y), prior_precision=DELTA, **noise)
    theirs = library.Laplace(
        net, kind, subset_of_weights="all", hessian_structure="full", prior_precision=DELTA,
        **({"sigma_noise": 0.3} if noise else {}),
    )  # fmt: skip
    theirs.fit(in_batches(x, y))
    # It sums in float32 in part.
    assert own.log_evidence == pytest.approx(float(theirs.log_marginal_likelihood()), rel=1e-5)
    if noise:
        f, covariance = theirs(x)
        told = own.predict(x)
        torch.testing.assert_close(told.outputs, f.double(), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(told.covariance, covariance.double(), rtol=1e-3, atol=1e-5)
    else:
        found = theirs(x, link_approx="probit").double()
        torch.testing.assert_close(own.probabilities(x), found, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"criterion": nn.HuberLoss()}, UnsupportedError, "log-likelihood"),
        ({"criterion": nn.CrossEntropyLoss(label_smoothing=0.1)}, UnsupportedError, "smoothing"),
        ({"criterion": nn.CrossEntropyLoss(torch.ones(3))}, UnsupportedError, "without weight"),
        ({"noise": 0.1}, SignatureError, "MSELoss"),
        ({"criterion": nn.MSELoss(), "noise": 0.0}, DomainError, "noise"),
        ({"temperature": -1.0}, DomainError, "temperature"),
        ({"prior_precision": math.nan}, DomainError, "prior precision"),
        ({"loader": []}, SignatureError, "samples"),
        ({"parameters": nn.Linear(1, 1).parameters()}, SignatureError, "of the model"),
        ({"parameters": []}, SignatureError, "none"),
        ({"metric": JointMetric(columns=2)}, SignatureError, "all columns"),
    ],
)
def test_bad_options_are_refused_by_name(options, error, match):
    net, x = net_and_inputs()
    given = {"criterion": nn.CrossEntropyLoss(), "loader": [(x, torch.arange(11) % 3)]} | options
    with pytest.raises(error, match=match):
        laplace(net, given.pop("criterion"), given.pop("loader"), **given)


@pytest.mark.slow
def test_blocks_that_memory_cannot_hold_are_refused_with_a_way_out():
    net = nn.Linear(20_000, 1)
    loader = [(torch.zeros(8_000, 20_000), torch.zeros(8_000, 1))]
    with pytest.raises(UnsupportedError, match="last layer"):
        laplace(net, nn.MSELoss(), loader, metric=JointMetric())


def test_blocks_above_a_lower_limit_are_refused_in_the_same_words(monkeypatch):
    limits = importlib.import_module("riemannian_torch.laplace_posterior.laplace")
    monkeypatch.setattr(limits, "_MOST", 2**8)
    net = nn.Linear(20, 1)  # of 14 samples at once: 21 * 14 numbers
    loader = [(torch.zeros(14, 20), torch.zeros(14, 1))]
    with pytest.raises(UnsupportedError, match="last layer"):
        laplace(net, nn.MSELoss(), loader, metric=JointMetric())
    monkeypatch.setattr(limits, "_MOST", 21 * 14)
    laplace(net, nn.MSELoss(), loader, metric=JointMetric())


def test_counts_have_no_classes():
    net, x = net_and_inputs()
    found = laplace(net, nn.PoissonNLLLoss(), [(x, torch.ones(11, 3).double())])
    with pytest.raises(UnsupportedError, match="Use predict"):
        found.probabilities(x)


def pairs_of(*parts):
    return DataLoader(TensorDataset(*parts), 4)


@pytest.mark.parametrize(
    ("loader", "options", "error", "match"),
    [
        (lambda x, y: pairs_of(x, x, y), {}, SignatureError, "got 3 parts"),
        (lambda x, y: pairs_of(x), {}, SignatureError, "got 1 parts"),
        (lambda x, y: [x], {}, SignatureError, "got Tensor"),
        (TensorDataset, {}, SignatureError, "DataLoader"),
        (lambda x, y: pairs_of(x * math.nan, y), {}, DomainError, "finite outputs"),
        (lambda x, y: pairs_of(x, y * math.inf), {}, DomainError, "finite targets"),
        (lambda x, y: pairs_of(x, y[:, :1]), {}, SignatureError, r"shape \(4, 3\).*\(4, 1\)"),
        (pairs_of, {"metric": "joint"}, SignatureError, "JointMetric"),
        (pairs_of, {"parameters": ["0.weight"]}, SignatureError, "others than tensors"),
        (pairs_of, {"prior_precision": "1"}, DomainError, "prior precision"),
        (pairs_of, {"noise": "small"}, DomainError, "noise"),
    ],
)
def test_data_and_options_of_another_kind_are_refused_by_name(loader, options, error, match):
    net, x = net_and_inputs()
    y = torch.randn(11, 3).double()
    with pytest.raises(error, match=match):
        laplace(net, nn.MSELoss(), loader(x, y), **options)
    with pytest.raises(SignatureError, match="count"):
        laplace(net, nn.MSELoss(), pairs_of(x, y)).samples(-1)


@pytest.mark.parametrize("columns", [1, 2.5, "2"])
def test_columns_that_are_no_count_are_refused(columns):
    with pytest.raises(DomainError, match="at least 2"):
        JointMetric(columns=columns)
