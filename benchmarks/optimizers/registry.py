"""All tasks, by name."""

from collections.abc import Callable, Mapping
from functools import partial

from benchmarks.optimizers import physics, sequences, structures, tables
from benchmarks.optimizers.task import Task

TASKS: Mapping[str, Callable[[], Task]] = {
    "digits_256": partial(tables.classifier, "digits MLP 256", 256),
    "digits_1024": partial(tables.classifier, "digits MLP 1024", 1024),
    "digits_cnn": tables.convolutional,
    "diabetes": tables.diabetes,
    "heat": partial(physics.heat, 1e-2, 1000),
    "heat_fine": partial(physics.heat, 1e-3, 400),
    "autoencoder": tables.autoencoder,
    "characters": sequences.characters,
    "breast_cancer": tables.breast_cancer,
    "wine": tables.wine,
    "mnist1d": sequences.signals,
    "poisson": physics.poisson,
    "burgers": physics.burgers,
    "vae": tables.variational,
    "karate": structures.karate,
    "cartpole": structures.pole,
    "topics": sequences.topics,
    "memory": sequences.memory,
    "implicit": structures.equilibrium,
}
