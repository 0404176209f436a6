"""How fast does a culture grow? Fit a growth law to optical densities, and a flow to the same.

First the closed form (logistic growth), then the differential equation itself, by which the state
an hour later is predicted from the state now. The readings are made here, with a noise of 2 %.
"""

import numpy as np

import riemannian_modules as rm
from riemannian_modules.engine import NoProgress, fit, paired_dataset, simulate


class LogisticCurve(rm.StaticMap):
    """``K / (1 + (K / y0 - 1) exp(-r t))``: Verhulst (1838)."""

    inputs = rm.space(t="h")
    outputs = rm.space("density")
    parameters = {"K": 1.0, "r": 1.0, "y0": 0.1}

    def map(self, u, p):
        return {"density": p.K / (1.0 + (p.K / p.y0 - 1.0) * np.exp(-p.r * u.t))}


class LogisticGrowth(rm.Flow):
    """``y' = r y (1 - y / K)``."""

    state = rm.space("density")
    parameters = {"K": 1.0, "r": 1.0}

    def equations(self, x, u, p):
        return {"density": p.r * x.density * (1.0 - x.density / p.K)}


TRUTH = {"K": 1.6, "r": 0.75}


def main() -> None:
    rng = np.random.default_rng(1)
    hours = np.linspace(0.0, 14.0, 29)
    exact = simulate(LogisticGrowth(**TRUTH), hours, {"density": 0.02})["density"]
    density = exact * (1.0 + 0.02 * rng.standard_normal(len(hours)))

    curve = fit(LogisticCurve(), {"t": hours, "density": density}, progress=NoProgress())
    print("The curve:\n", curve.table(), "\n", sep="")
    doubling, error = np.log(2) / curve.theta[1], curve.deviations[1] / curve.theta[1]
    print(f"Doubling time {doubling:.3f} h +- {error * doubling:.3f} h.\n")

    # A flow map carries sensitivities of the trajectory exactly, so a flow is fitted as any map.
    # Readings two steps apart make pairs (now, an hour later).
    hour_later = rm.FlowMap(LogisticGrowth(), hours[2] - hours[0])
    pairs = paired_dataset(hour_later, density[:-2, None], density[2:, None])
    flow = fit(hour_later, pairs, bounds={"r": (0.0, None)}, progress=NoProgress())
    print("The flow, from one reading to the next but one:\n", flow.table(), sep="")

    for found, place in ((curve, 1), (flow, 1)):
        # Five standard deviations are passed by chance once in a million; noise in the readings
        # "now" biases the second fit by less than that here.
        assert found.outcome.is_settled
        assert abs(found.theta[place] - TRUTH["r"]) < 5.0 * found.deviations[place]


if __name__ == "__main__":
    main()
