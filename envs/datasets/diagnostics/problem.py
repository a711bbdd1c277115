"""A synthetic problem as an explicit distribution, its known answers, and data sets drawn from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelchain.envs.datasets.dataset import MultilabelDataset


@dataclass(frozen=True)
class KnownAnswers:
    """The best expected subset accuracy (share of exactly right label sets) of kinds of model, in [0, 1].

    Every kind knows the distribution exactly; what differs is how it turns it into a label set. Ties are
    broken in the model's favour.

    Attributes:
        independent: Every label whose own probability given the input is above 1/2.
        random_order: The chain of all orders at once (``always-random``, exactly fitted), decoded greedily:
            the next label is likely in proportion to how often it comes next in a random order of the
            true labels, given that the labels so far came first.
        fixed_order: The best of all L! fixed orders. A chain in a fixed order emits the labels of the set
            sorted by that order, then STOP; it is decoded greedily, by the exact distribution of the next
            emitted label (or STOP) given the input and the labels emitted before.
        dynamic: A chain that may emit any label next, whatever the input: the best label set of each input,
            which is the mode of its distribution. Nothing scores higher.
    """

    independent: float
    random_order: float
    fixed_order: float
    dynamic: float

    def way(self, subset_accuracy: float) -> float:
        """How far a score is on the way from the best fixed order (0) to the dynamic optimum (1)."""
        return (subset_accuracy - self.fixed_order) / (self.dynamic - self.fixed_order)


@dataclass(frozen=True, eq=False)
class Problem:
    """A discrete distribution p(x) p(Y | x), listed outcome by outcome.

    Attributes:
        name: As a data set.
        features: ``(num_inputs, num_features)`` float32, the distinct inputs x.
        inputs: ``(num_outcomes,)`` int64, the input of each outcome.
        label_sets: ``(num_outcomes, num_labels)`` int8, its label set.
        probabilities: ``(num_outcomes,)`` float64, its probability p(x) p(Y | x); the sum is 1.
        label_names: One per label.
        feature_names: One per feature.
        known: The best scores.
    """

    name: str
    features: NDArray[np.float32]
    inputs: NDArray[np.int64]
    label_sets: NDArray[np.int8]
    probabilities: NDArray[np.float64]
    label_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    known: KnownAnswers

    def draw(self, num_rows: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw outcomes in proportion to their probabilities, in random order, ``(num_rows,)``.

        The number of rows with an outcome is ``num_rows`` times its probability, rounded up or down at
        random where that is no whole number. So the score of a fixed function of the input differs from its
        expectation by less than ``num_outcomes / num_rows``, and not at all where nothing is rounded.
        """
        expected = num_rows * self.probabilities
        counts = np.floor(expected + 1e-9).astype(np.int64)
        missing = num_rows - int(counts.sum())
        if missing:
            part = np.clip(expected - counts, 0.0, None)
            counts[rng.choice(len(counts), missing, replace=False, p=part / part.sum())] += 1
        return rng.permutation(np.repeat(np.arange(len(counts)), counts))

    def dataset(self, num_rows: int, seed: int) -> DiagnosticDataset:
        """A data set with ``num_rows`` rows in each split, see :meth:`draw`.

        Raises:
            ValueError: If ``num_rows`` is below 1.
        """
        if num_rows < 1:
            raise ValueError(f"num_rows must be at least 1, got {num_rows}")
        rng = np.random.default_rng(seed)
        outcomes = np.concatenate([self.draw(num_rows, rng) for _ in range(3)])
        train, validation, test = np.arange(3 * num_rows).reshape(3, num_rows)
        drawn = DiagnosticDataset.from_arrays(
            self.name,
            self.features[self.inputs[outcomes]],
            self.label_sets[outcomes],
            train_rows=train,
            validation_rows=validation,
            test_rows=test,
            label_names=self.label_names,
            feature_names=self.feature_names,
        )
        own = {field.name: getattr(drawn, field.name) for field in dataclasses.fields(MultilabelDataset)}
        return DiagnosticDataset(**own, problem=self)


@dataclass(frozen=True, eq=False)
class DiagnosticDataset(MultilabelDataset):
    """A synthetic data set that knows the distribution it was drawn from.

    Attributes:
        problem: That distribution.
    """

    problem: Problem | None = None


def known_answers(source: MultilabelDataset | Problem) -> KnownAnswers | None:
    """The known answers of a diagnostic problem or data set; ``None`` for any other data set."""
    problem = source.problem if isinstance(source, DiagnosticDataset) else source
    return problem.known if isinstance(problem, Problem) else None


def signature_or_trap(
    name: str,
    features: Sequence[Sequence[float]],
    signatures: Sequence[Sequence[int]],
    traps: Sequence[Sequence[Sequence[int]]],
    noise: float,
    *,
    label_names: Sequence[str],
    feature_names: Sequence[str],
    known: KnownAnswers,
) -> Problem:
    """The form of all families: a set of probability ``1 - noise``, or one of many equally likely others.

    Args:
        name: As a data set.
        features: The inputs, all equally likely.
        signatures: For each input, the label set of probability ``1 - noise``, as label numbers.
        traps: For each input, the label sets that share ``noise`` evenly.
        noise: In (0, 1).
        label_names: One per label.
        feature_names: One per feature.
        known: The best scores.
    """
    inputs, label_sets, probabilities = [], [], []
    for number, (signature, others) in enumerate(zip(signatures, traps, strict=True)):
        for chosen, probability in [
            (signature, 1 - noise),
            *((trap, noise / len(others)) for trap in others),
        ]:
            inputs.append(number)
            label_sets.append(np.isin(np.arange(len(label_names)), chosen))
            probabilities.append(probability / len(features))
    return Problem(
        name=name,
        features=np.array(features, dtype=np.float32),
        inputs=np.array(inputs),
        label_sets=np.array(label_sets, dtype=np.int8),
        probabilities=np.array(probabilities),
        label_names=tuple(label_names),
        feature_names=tuple(feature_names),
        known=known,
    )
