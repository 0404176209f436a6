"""A torch network controls gene expression, and is trained through the loop in the loop's metric.

The network sees the wanted and the measured protein and sets the drive of the gene. We ask that
every reference be an equilibrium of the closed loop, and descend in the metric that the loop's own
Jacobian gives the network's weights (C. Pehle and J.-J. Slotine, arXiv:2603.03610).
"""

import numpy as np
import torch

import riemannian_modules as rm
from riemannian_modules.engine.propagation import propagate
from riemannian_torch import TorchModule


class Controller(torch.nn.Module):
    """An ordinary torch model: two arguments, one result, a batch axis in front of each."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)
        )

    def forward(self, reference, measured):
        """The drive, (batch,), from two amounts in uM, each (batch,)."""
        features = torch.stack([reference, reference - measured], dim=-1)
        return self.layers(features)[..., 0]


class Expression(rm.Flow):
    """Messenger and protein; the drive acts through a sigmoid. Rates in 1/h, amounts in uM."""

    state = rm.space(messenger="uM", protein="uM")
    inputs = rm.space(drive="")
    outputs = rm.space(level="uM")

    def equations(self, x, u, p):
        """Rates of change, and what is measured."""
        transcription = 2.0 / (1.0 + np.exp(-u.drive))
        return {
            "messenger": transcription - 1.0 * x.messenger,
            "protein": 1.5 * x.messenger - 0.5 * x.protein,
        }, {"level": x.protein}


def main():
    torch.manual_seed(0)
    model = Controller().double()

    # 1. Wrap the model: one port for each argument. Its parameters stay those of the live model.
    inputs = rm.space(reference="uM", measured="uM")
    controller = TorchModule(model, inputs, outputs=rm.space(drive=""))

    # 2. Wire it as any other module; the loop closes through the pathway's state.
    loop = (
        rm.Wiring(controller=controller, pathway=Expression())
        .input("reference", "controller.reference")
        .connect("controller.drive", "pathway.drive")
        .connect("pathway.level", "controller.measured")
        .output("level", "pathway.level")
        .build()
    )

    # 3. At each reference r the state (r / 3, r) should stand still: dx = 0.
    references = np.linspace(0.5, 3.0, 16)[:, None]
    states = np.concatenate([references / 3.0, references], axis=-1)
    for step in range(12):
        at = loop.point(states, references)  # reads the live model's parameters
        dx, _ = loop.forward(at.x, at.u, at.theta)
        print(f"step {step:2d}   largest |dx| {np.abs(dx).max():.2e} uM/h")
        p_dx, p_y = dx[..., None], np.zeros((1, 1))
        gradient = loop.differential(at.x, at.u, at.theta).pull_parameters(p_dx, p_y)
        # The squared error of dx has the Euclidean metric on dx; carried back to the weights.
        metric = propagate(loop, at, 1e-4, np.zeros((1, 1)), np.eye(2))
        theta = at.theta - metric.solve(gradient[..., 0].mean(axis=0))
        # 4. Write the step into the live model; `loop` and `model` both see it.
        controller.write_parameters(theta)

    with torch.no_grad():
        drive = model(torch.tensor([2.0]).double(), torch.tensor([2.0]).double())
    print(f"the model itself, asked in torch: drive {drive.item():.4f} at 2 uM")
    at = loop.point([2.0 / 3.0, 2.0], [2.0])
    A = loop.jacobian(at.x, at.u, at.theta).A
    print("eigenvalues of the closed loop there (1/h):", np.round(np.linalg.eigvals(A), 3))


if __name__ == "__main__":
    main()
