"""A quadrotor of ten states with a neural controller contracts in a neural metric.

Dynamics: positions r, velocities v, thrust per mass, roll, pitch and yaw, as in Singh, Landry,
Majumdar, Slotine and Pavone, *Robust feedback motion planning via contraction theory* (2019), and
Sun, Jha and Fan, *Learning certified control using contraction metric* (2020), whose metrics hold
at samples. The inputs are the rates of thrust and angles. Controller and metric were trained
together by `train_quadrotor`.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import contraction_checker as checker
import riemannian_modules as rm
from riemannian_modules.certify import Proved, Refuted, certify, coordinates, verify

FILE = Path(__file__).with_name("quadrotor.json")
WEIGHTS = {name: np.array(rows) for name, rows in json.loads(FILE.read_text()).items()}
GRAVITY = 9.81
REGION = rm.box(
    r=(-0.4, 0.4), v=(-0.4, 0.4), thrust=(-0.8, 0.8),
    roll=(-0.14, 0.14), pitch=(-0.14, 0.14), yaw=(-0.2, 0.2),
)  # fmt: skip


class Quadrotor(rm.Flow):
    """A quadrotor held in hover by ``W2 tanh(W1 s) - K s``; s has ten coordinates."""

    state = rm.space(
        r=(3, "m"), v=(3, "m/s"), thrust="N/kg", roll="rad", pitch="rad", yaw="rad"
    )  # the thrust above hover

    def __init__(self, W1, W2, K):
        self.W1, self.W2, self.K = (np.asarray(a, dtype=float) for a in (W1, W2, K))

    def equations(self, x, u, p):
        s = np.stack([*x.r, *x.v, x.thrust, x.roll, x.pitch, x.yaw])
        rates = self.W2 @ np.tanh(self.W1 @ s) - self.K @ s
        thrust = GRAVITY + x.thrust
        pull = np.stack([
            -thrust * np.sin(x.pitch),
            thrust * np.cos(x.pitch) * np.sin(x.roll),
            GRAVITY - thrust * np.cos(x.pitch) * np.cos(x.roll),
        ])  # fmt: skip
        names = ("thrust", "roll", "pitch", "yaw")
        return {"r": x.v, "v": pull, **dict(zip(names, rates, strict=True))}


def theta(x, u, p):
    """Coordinates ``T0 + sum_k tanh(V (v, thrust, roll, pitch))_k T_k``."""
    units = np.tanh(WEIGHTS["V"] @ np.stack([*x.v, x.thrust, x.roll, x.pitch]))
    first, *others = WEIGHTS["Theta"]
    return first + sum(t * T for t, T in zip(units, others, strict=True))


QUADROTOR = Quadrotor(*(WEIGHTS[name] for name in ("W1", "W2", "K")))


@pytest.mark.slow
def test_it_contracts_in_the_neural_metric():
    answer = certify(QUADROTOR, REGION, norm=coordinates(theta), rate=0.3)
    assert isinstance(answer, Proved), answer


@pytest.mark.slow
def test_its_certificate_is_verified_and_checked(tmp_path):
    answer = certify(QUADROTOR, REGION, norm=coordinates(theta), rate=0.3)
    assert isinstance(answer, Proved), answer
    file = answer.certificate.save(tmp_path / "quadrotor.json.gz")
    again = verify(file)
    assert isinstance(again, Proved), again
    assert again.rate == 0.3
    assert checker.check(checker.load(file))


@pytest.mark.slow
def test_it_does_not_contract_faster_than_it_does_at_a_point():
    answer = certify(QUADROTOR, REGION, norm=coordinates(theta), rate=0.75)
    assert isinstance(answer, Refuted), answer
