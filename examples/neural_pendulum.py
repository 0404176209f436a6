"""A pendulum held by a small neural network: compose the loop, certify it, verify the certificate.

The network sees angle and speed and sets a torque. Nothing is trained here: the proof speaks of the
weights as they are, for every angle and speed of the region at once, rounding included.
``python examples/neural_pendulum.py [FOLDER]`` keeps the certificate in the folder, if given.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import riemannian_modules as rm
from riemannian_modules.certify import Proved, certify, verify
from riemannian_modules.engine import simulate


class Pendulum(rm.Flow):
    """An upright pendulum: gravity pushes it away from q = 0."""

    state = rm.space(q="rad", v="rad/s")
    inputs = rm.space(torque=(1, "N m"))
    outputs = rm.space(seen=2)
    parameters = {"g": 1.0, "damping": 0.5}

    def equations(self, x, u, p):
        push = p.g * np.sin(x.q) - p.damping * x.v
        return {"q": x.v, "v": push + u.torque[0]}, {"seen": x.vector}


def closed_loop() -> rm.ModuleGraph:
    """``q'' = sin q - q' / 2 - network(q, q')``, with a skip connection beside the network."""
    network = rm.Affine([[0.6, 0.2], [-0.3, 0.4]]) >> rm.Tanh(2) >> rm.Affine([[-0.8, -0.5]])
    return (
        rm.Wiring(
            pendulum=Pendulum(),
            network=network,
            skip=rm.MatrixGain([[-4.0, -3.0]]),
            torque=rm.Sum("++", (1, "N m")),
        )
        .connect("pendulum.seen", "network.u")
        .connect("pendulum.seen", "skip.u")
        .connect("network.y", "torque.u1")
        .connect("skip.y", "torque.u2")
        .connect("torque.y", "pendulum.torque")
        .output("seen", "pendulum.seen")
        .build()
    )


def main(folder: Path) -> None:
    loop = closed_loop()
    region = rm.box({"pendulum.q": (-np.pi, np.pi), "pendulum.v": (-10.0, 10.0)})
    answer = certify(loop, region)
    print(answer, "\n")
    assert isinstance(answer, Proved)

    path = answer.certificate.save(folder / "neural_pendulum.json")
    again = verify(path)  # from the file alone: the loop above is not needed
    assert isinstance(again, Proved)
    print(
        f"The certificate has {path.stat().st_size} bytes and proves the rate {again.rate:.4f}/s."
    )

    # What it means: in the metric of the proof, any two trajectories approach at that rate.
    P = np.linalg.cholesky(np.array(answer.certificate.data["claim"]["norm"]["metric"])).T
    times = np.linspace(0.0, 6.0, 61)
    one, two = (simulate(loop, times, start).states for start in ([1.5, 0.0], [-1.0, 2.0]))
    distance = np.linalg.norm((one - two) @ P.T, axis=1)
    bound = distance[0] * np.exp(-answer.rate * times)
    assert (distance <= bound * (1 + 1e-6)).all()
    print(f"After 6 s two trajectories are {distance[-1] / distance[0]:.1e} times as far apart")
    print(f"as at the start; the proof allows {np.exp(-6.0 * answer.rate):.1e}.")

    without = certify(rm.Wiring(pendulum=Pendulum()).input("t", "pendulum.torque").build(), region)
    print("\nWithout a controller:", without)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            main(Path(scratch))
