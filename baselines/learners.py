"""Every learner by name: how it is trained, how it is loaded."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from labelchain.agents.action_values import train_chain_q
from labelchain.agents.averaging import Mean
from labelchain.agents.chain_pg import train_chain_pg
from labelchain.agents.checkpoints import check_fits, load_chain_model
from labelchain.agents.devices import CPU
from labelchain.agents.final_summaries import log_final
from labelchain.agents.runs import Progress, Run, alone_in
from labelchain.agents.sb3 import load_sb3, train_sb3
from labelchain.baselines.classifier_chains import (
    ClassifierChains,
    train_classifier_chain,
    train_ensemble_of_chains,
)
from labelchain.baselines.composite import combine_outputs, train_joint
from labelchain.baselines.order_training import train_in_order, train_order_free
from labelchain.baselines.prediction_columns import Columns
from labelchain.baselines.predictions import decoded, save_predictions
from labelchain.baselines.scores import LinearScores, train_binary_relevance, train_popularity
from labelchain.baselines.tuned_scores import TunedScores, train_tuned_binary_relevance
from labelchain.envs import MultilabelDataset
from labelchain.envs.evaluation import Evaluation, Predictor
from labelchain.envs.metrics import summarise

FOUR_ORDERS = ("freq2rare", "rare2freq", "fixed-random", "always-random")
COMPOSITE = "composite"
ORDER_PAIR = "two-always-random"
CONTROLS = dict.fromkeys(("ten-composite", "ten-chain-pg", "ten-chain-q"), "ten-always-random")
"""As many networks of ``always-random`` as an ensemble has; :data:`ORDER_PAIR` for all learners else."""
SEED_SHIFT = 1000
"""How far the seeds of networks of one ensemble are apart; more seeds than anybody runs."""

Scores = TypeVar("Scores", LinearScores, TunedScores, ClassifierChains)
Train = Callable[[Run, MultilabelDataset, Progress], int]
"""Trains into a run's directory; returns the number of inputs seen."""


class UnknownLearnerError(ValueError):
    """There is no learner of that name."""


class Part(NamedTuple):
    """A run that a learner combines."""

    learner: str
    seed_shift: int = 0
    """Added to the seed of the whole."""


@dataclass(frozen=True)
class Learner:
    """How a learner is trained and loaded.

    Attributes:
        summary: One line for ``--help`` and tables.
        train: Trains it, unless it is made of ``parts`` alone.
        load: The trained predictor of a run.
        parts: The finished runs that it combines.
        mean: Which mean of their step distributions it takes.
    """

    summary: str
    train: Train | None
    load: Callable[[Run, MultilabelDataset], Predictor]
    parts: tuple[Part, ...] = ()
    mean: Mean = "arithmetic"

    @property
    def has_network(self) -> bool:
        """Whether it is a chain network, or made of some: all others compute on the processor."""
        return self.load is _load_chain


def _load_chain(run: Run, dataset: MultilabelDataset) -> Predictor:
    return load_chain_model(run.directory / "model.pt", dataset, run.device)


def load_scores(kind: type[Scores], run: Run, dataset: MultilabelDataset) -> Scores:
    """The model of a finished run of a classical learner.

    Raises:
        RunError: If it is missing, damaged, or does not fit the data.
    """
    path = run.directory / "scores.npz"
    model = kind.load(path)
    num_features, num_labels = model.weights.shape[-2:]
    check_fits(path, num_features, num_labels, dataset)
    return model


_load_linear = partial(load_scores, LinearScores)
_load_classifier_chains = partial(load_scores, ClassifierChains)


def _ordered(name: str, summary: str) -> Learner:
    return Learner(summary, partial(train_in_order, name), _load_chain)


def _several(numbers: dict[str, int], summary: str, mean: Mean = "arithmetic") -> Learner:
    """Networks of some learners, so many of each, from as many seeds."""
    parts = (Part(name, place * SEED_SHIFT) for name, number in numbers.items() for place in range(number))
    return Learner(summary, None, _load_chain, tuple(parts), mean)


def _of_values(number: int, summary: str) -> Learner:
    """Networks of ``chain-q``: their logits are the log-odds of values, and the mean is of those."""
    return _several({"chain-q": number}, summary, mean="geometric")


LEARNERS: dict[str, Learner] = {
    "popularity": Learner("the most frequent labels, whatever the input", train_popularity, _load_linear),
    "binary-relevance": Learner(
        "one logistic regression per label (scikit-learn)", train_binary_relevance, _load_linear
    ),
    "tuned-binary-relevance": Learner(
        "the same, its regularisation and threshold chosen on validation rows",
        train_tuned_binary_relevance,
        partial(load_scores, TunedScores),
    ),
    "classifier-chain": Learner(
        "logistic regressions that see the labels before their own, in one random order (scikit-learn)",
        train_classifier_chain,
        _load_classifier_chains,
    ),
    "ensemble-of-chains": Learner(
        "ten classifier chains in random orders, probabilities averaged",
        train_ensemble_of_chains,
        _load_classifier_chains,
    ),
    "freq2rare": _ordered("freq2rare", "chain in the order of training frequency, frequent labels first"),
    "rare2freq": _ordered("rare2freq", "chain in the order of training frequency, rare labels first"),
    "fixed-random": _ordered("fixed-random", "chain in one random order"),
    "always-random": _ordered("always-random", "chain in a new random order each time an input is seen"),
    "target-reordering": _ordered("target-reordering", "chain in the order that the network itself samples"),
    "order-free": Learner(
        "chain whose target is any true label still missing (optimal completion)",
        train_order_free,
        _load_chain,
    ),
    "chain-pg": Learner("chain trained by policy gradient on sampled chains", train_chain_pg, _load_chain),
    "chain-q": Learner(
        "chain that learns, on sampled chains, how probably each action is right", train_chain_q, _load_chain
    ),
    "composite-joint": Learner("one network on the losses of both at once", train_joint, _load_chain),
    COMPOSITE: _several(
        {"target-reordering": 1, "chain-pg": 1}, "target-reordering and chain-pg, averaged while decoding"
    ),
    "composite-q": _several(
        {"target-reordering": 1, "chain-q": 1}, "target-reordering and chain-q, averaged while decoding"
    ),
    ORDER_PAIR: _several(
        {"always-random": 2}, "always-random from two seeds, averaged while decoding: as large as composite"
    ),
    "three-chain-q": _of_values(3, "chain-q from three seeds, log-odds averaged while decoding"),
    "ten-always-random": _several(
        {"always-random": 10}, "always-random from ten seeds, averaged while decoding"
    ),
    "ten-composite": _several(
        {"target-reordering": 3, "chain-pg": 7},
        "target-reordering from three seeds and chain-pg from seven, averaged while decoding",
    ),
    "ten-chain-pg": _several({"chain-pg": 10}, "chain-pg from ten seeds, averaged while decoding"),
    "ten-chain-q": _of_values(10, "chain-q from ten seeds, log-odds averaged while decoding"),
    "ppo": Learner("Stable-Baselines3's PPO", train_sb3, load_sb3),
    "a2c": Learner("Stable-Baselines3's A2C", train_sb3, load_sb3),
    "dqn": Learner("Stable-Baselines3's DQN", train_sb3, load_sb3),
    "qr-dqn": Learner("sb3-contrib's DQN with quantile regression", train_sb3, load_sb3),
    "recurrent-ppo": Learner("sb3-contrib's PPO with an LSTM", train_sb3, load_sb3),
    "maskable-ppo": Learner("sb3-contrib's PPO with action masks", train_sb3, load_sb3),
}
"""By name, in the order of tables."""


def learner_named(name: str) -> Learner:
    """The learner of that name.

    Raises:
        UnknownLearnerError: If there is none.
    """
    if name not in LEARNERS:
        raise UnknownLearnerError(f"unknown learner {name!r}: expected one of {', '.join(LEARNERS)}")
    return LEARNERS[name]


def run_directory(folder: Path, learner: str, seed: int) -> Path:
    """Where a run lies in a folder of several."""
    return folder / learner / f"seed-{seed}"


def fit(
    run: Run, dataset: MultilabelDataset, progress: Progress, part_folder: Path | None = None
) -> dict[str, float]:
    """Train a run to its end, evaluate it on the test split, and return the test metrics.

    A finished run is not trained again; one that was stopped is continued.

    Args:
        run: What to train, and where.
        dataset: The data.
        progress: Told how far it is.
        part_folder: Where the runs of its parts lie (trained if need be); by default ``parts`` in its own.

    Raises:
        RunError: If the directory holds another run, another process trains in it, or training fails.
        UnknownLearnerError: If there is no such learner.
    """
    learner = learner_named(run.learner)
    if not learner.has_network:
        run.device = CPU
    run.create(dataset)
    if run.result is not None:
        return run.result
    with alone_in(run.directory):
        return _trained(learner, run, dataset, progress, part_folder)


def _trained(
    learner: Learner, run: Run, dataset: MultilabelDataset, progress: Progress, part_folder: Path | None
) -> dict[str, float]:
    """Train and evaluate a run, whose directory is ours; its test metrics."""
    begun = time.perf_counter()
    if learner.train is not None:
        seen = learner.train(run, dataset, progress)
        earlier = run.earlier_seconds
    else:
        earlier = 0.0
        folder = run.directory / "parts" if part_folder is None else part_folder
        directories = []
        for number, part in enumerate(learner.parts):
            seed = run.seed + part.seed_shift
            directory = run_directory(folder, part.learner, seed)
            share = _scaled(progress, number, len(learner.parts), part.learner)
            part_run = Run(directory, part.learner, run.dataset, seed, run.settings, run.device)
            fit(part_run, dataset, share)
            earlier += part_run.seconds() if part_folder is None else 0.0  # elsewhere they are others' runs
            directories.append(directory)
        begun = time.perf_counter()  # parts count with all their stretches, and no matter when
        seen = combine_outputs(run, dataset, directories, learner.mean)
    predictor = learner.load(run, dataset)
    predictions = decoded(predictor, dataset, run.settings.beam_width)
    labels = dataset.labels[dataset.rows("test")]
    metrics = summarise(labels, predictions["chain"])
    save_predictions(run.directory, predictions)
    Columns.of(dataset).save(run.directory)
    seconds = earlier + time.perf_counter() - begun
    log_final(run, dataset, predictor, Evaluation(labels, predictions["chain"], metrics), seen)
    run.finish(metrics, seconds)
    return metrics


def _scaled(progress: Progress, number: int, total: int, name: str) -> Progress:
    """Progress of one part as progress of the whole."""
    return lambda share, note: progress((number + share) / total, f"{name}: {note}")
