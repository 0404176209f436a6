"""A gene that represses itself: wired from rate laws, certified to contract, simulated.

Negative autoregulation, Rosenfeld, Elowitz and Alon (2002), J. Mol. Biol. 323, 785-793: the protein
represses its own promoter, through mRNA. Time in minutes, amounts in copies per cell. The Hill law
and the gene are built-in modules; the loop closes through the gene's two states.
"""

import numpy as np

import riemannian_modules as rm
from riemannian_modules.certify import Proved, certify, verify
from riemannian_modules.engine import equilibrium, linearize, simulate


def circuit() -> rm.ModuleGraph:
    """``promoter -> gene -> promoter``, with the protein as the output."""
    promoter = rm.HillRepression(maximum=2.0, half=200.0, exponent=2.0, basal=0.05, time_unit="min")
    gene = rm.GeneExpression(translation=4.0, mrna_loss=0.35, protein_loss=0.05, time_unit="min")
    return (
        rm.Wiring(promoter=promoter, gene=gene)
        .connect("gene.protein", "promoter.repressor")
        .connect("promoter.rate", "gene.transcription")
        .output("protein", "gene.protein")
        .build()
    )


def main() -> None:
    loop = circuit()
    rest = equilibrium(loop, guess={"gene.mrna": 1.0, "gene.protein": 100.0})
    mrna, protein = rest.x
    print(f"It rests at {mrna:.3f} mRNAs and {protein:.1f} proteins.")
    print("poles there:", np.round(linearize(loop, rest.x).poles, 4), "per minute\n")

    # The poles speak of a neighbourhood. The proof speaks of every amount up to these:
    region = rm.box({"gene.mrna": (0.0, 10.0), "gene.protein": (0.0, 1000.0)})
    answer = certify(loop, region)
    print(answer, "\n")
    assert isinstance(answer, Proved)
    assert isinstance(verify(answer.certificate), Proved)

    run = simulate(loop, np.linspace(0.0, 120.0, 121), {"gene.mrna": 0.0, "gene.protein": 0.0})
    half = run.times[np.argmax(run["protein"] > protein / 2)]
    print(f"From nothing, half of the proteins are there after {half:.0f} min;")
    print(f"without repression it would take {np.log(2) / 0.05:.0f} min and more.")
    assert abs(run["protein"][-1] - protein) < 1.0


if __name__ == "__main__":
    main()
