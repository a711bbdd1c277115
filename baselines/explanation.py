"""The chain of one input as a person can read it: what each step decided, and what else it might have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelchain.agents.runs import RunError
from labelchain.baselines.prediction import steps_of
from labelchain.envs import DatasetError, MultilabelDataset
from labelchain.envs.evaluation import Predictor

STOP = "STOP"
LARGEST_FEATURES = 12
"""How many features of an input with names are told."""


@dataclass(frozen=True)
class Candidate:
    """One action at one step.

    Attributes:
        name: Of the label; ``"STOP"`` if it is none.
        probability: In [0, 1].
        is_stop: Whether it ends the chain.
        is_true: Whether it is a true label of the input; of STOP, whether no true label is missing.
    """

    name: str
    probability: float
    is_stop: bool
    is_true: bool


@dataclass(frozen=True)
class Explanation:
    """The chain of one input.

    Attributes:
        title: What is explained.
        steps: The most probable actions of each step, best first; the first one was taken. The last step
            takes STOP, unless the chain's limit came first.
        missed: True labels that the chain has not.
        true_labels: All of them.
        picture: ``(height, width)`` if the input is a picture.
        features: The largest features of a bag of words with their values, if they have names.
    """

    title: str
    steps: tuple[tuple[Candidate, ...], ...]
    missed: tuple[str, ...]
    true_labels: tuple[str, ...]
    picture: NDArray[np.float32] | None
    features: tuple[tuple[str, float], ...]

    @property
    def chain(self) -> tuple[Candidate, ...]:
        """The labels in the order decided."""
        return tuple(step[0] for step in self.steps if not step[0].is_stop)


def explain(
    predictor: Predictor, dataset: MultilabelDataset, split: str, index: int, most: int, learner: str
) -> Explanation:
    """Explain the chain of one input.

    Args:
        predictor: A model that decides by chains.
        dataset: The data.
        split: Name of a split.
        index: Row of the split, from 0.
        most: How many actions of each step are told.
        learner: The name of what learned the model.

    Raises:
        DatasetError: If there is no such split or row.
        RunError: If the model has no chains.
    """
    rows = dataset.rows(split)
    if not 0 <= index < len(rows):
        raise DatasetError(f"row {index} is not in the {split} split: it has rows 0 to {len(rows) - 1}")
    row = rows[[index]]
    features = dataset.dense_features(row)
    steps = steps_of(predictor, features, most)
    if steps is None:
        raise RunError(f"{learner} has no chains to explain: take a learner that has a network")
    true = np.flatnonzero(dataset.dense_labels(row)[0]).tolist()
    names, stop = dataset.label_names, dataset.num_labels
    actions = [action for action in steps.actions[0].tolist() if action >= 0]

    def candidates(step: int) -> tuple[Candidate, ...]:
        missing = set(true) - set(actions[:step])
        return tuple(
            Candidate(
                STOP if action == stop else names[action],
                share,
                action == stop,
                not missing if action == stop else action in true,
            )
            for action, share in zip(
                steps.candidates[0, step].tolist(),
                steps.candidate_probabilities[0, step].tolist(),
                strict=True,
            )
            if share > 0  # a label that is out has none
        )

    return Explanation(
        f"{learner} on {dataset.name}, {split} row {index}",
        tuple(candidates(step) for step in range(len(actions))),
        tuple(names[label] for label in true if label not in actions),
        tuple(names[label] for label in true),
        None if dataset.image_shape is None else features[0].reshape(dataset.image_shape),
        _largest(features[0], dataset.feature_names) if dataset.feature_names and dataset.is_sparse else (),
    )


def _largest(features: NDArray[np.float32], names: Sequence[str]) -> tuple[tuple[str, float], ...]:
    order = np.argsort(-np.abs(features), kind="stable")[:LARGEST_FEATURES]
    return tuple((names[column], float(features[column])) for column in order if features[column])


def verdict(explanation: Explanation) -> str:
    """One sentence: how many of the labels are right, wrong and missed."""
    chain = explanation.chain
    right = sum(candidate.is_true for candidate in chain)
    return f"{right} right, {len(chain) - right} wrong, {len(explanation.missed)} missed"
