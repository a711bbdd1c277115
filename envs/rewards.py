"""Rewards: increments of a score of the chain so far, so that the undiscounted return is the final score.

A reward sees a chain only through counts: how many labels are out, how many of them are right, how many are
true. That makes one vectorised formula serve a single step, a batch of environments, the reward of every
action at once, and whole chains in training.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Score = Callable[[Ints, Ints, Ints], Floats]
Gain = Callable[[Ints, Ints], Floats]


@dataclass(frozen=True)
class Reward:
    """A named score of a chain, and how it is paid out.

    All count arguments are int arrays of one shape (they broadcast): ``hits`` right labels among the
    ``emitted`` distinct labels so far, ``true`` labels of the input.

    Attributes:
        name: Its name, as ``gym.make(..., reward=name)`` takes it.
        score: ``score(hits, emitted, true)`` of a set, for scores that do not depend on the order.
        rank_gain: ``rank_gain(emitted, true)``: what a right label adds at rank ``emitted + 1``, for scores
            of a ranking. Exactly one of ``score`` and ``rank_gain`` is given.
        at_end: Pay the whole ``score`` on the last step instead of its increments.
        ranks: How many ranks count, for scores of a ranking; such a score does not care when a chain stops.
    """

    name: str
    score: Score | None = None
    rank_gain: Gain | None = None
    at_end: bool = False
    ranks: int | None = None

    def __post_init__(self) -> None:
        """Raise ValueError unless it is one kind of score."""
        if (self.score is None) == (self.rank_gain is None):
            raise ValueError(f"reward {self.name!r} must have either a score or a rank_gain")
        if self.at_end and self.score is None:
            raise ValueError(f"reward {self.name!r} has a rank_gain, paid at once: at_end goes with a score")

    @property
    def running(self) -> Score | None:
        """The score whose increments are paid step by step; ``None`` if it is another kind of reward."""
        return None if self.at_end else self.score

    def increment(self, hit: NDArray[np.bool_], hits: Ints, emitted: Ints, true: Ints) -> Floats:
        """What emitting one new label pays; ``hit`` says whether the label is right."""
        if self.rank_gain is not None:
            return np.where(hit, self.rank_gain(emitted, true), 0.0)
        if self.at_end or self.score is None:
            return np.zeros(np.broadcast(hit, hits, emitted, true).shape)
        return self.score(hits + hit, emitted + 1, true) - self.score(hits, emitted, true)

    def final(self, hits: Ints, emitted: Ints, true: Ints) -> Floats:
        """What the end pays on top: the score of the empty chain, or the whole score if ``at_end``."""
        if self.score is None:
            return np.zeros(np.broadcast(hits, emitted, true).shape)
        if self.at_end:
            return self.score(hits, emitted, true)
        nothing = np.zeros_like(true)
        return self.score(nothing, nothing, true) + np.zeros(np.broadcast(hits, emitted, true).shape)


def counts_where(
    possible: NDArray[np.bool_], hit: NDArray[np.bool_], hits: Ints, emitted: Ints, true: Ints
) -> tuple[Ints, Ints, Ints]:
    """The counts before a new label; where there can be no such label, those of a chain that can have it.

    A score need not be defined for counts that no chain has, such as more right labels than there are.

    Args:
        possible: Bool, whether a label is left that is right (if ``hit``), or wrong.
        hit: Bool, whether the new label is right.
        hits: As :class:`Reward` takes it, and so are the others; all arguments broadcast to ``possible``.
        emitted: See there.
        true: See there.
    """
    first = np.where(possible, hits, 0), np.where(possible, emitted, 0)
    return *first, np.where(possible, true, hit)  # the first label, right if it is the only true one


def _ratio(numerator: NDArray[np.int64], denominator: NDArray[np.int64]) -> Floats:
    """Elementwise ratio; nothing over nothing is 1: predicting no label where there is none is right."""
    empty = denominator == 0  # and so is the numerator
    ratio: Floats = (numerator + empty) / (denominator + empty)
    return ratio


def _accuracy(hits: Ints, emitted: Ints, true: Ints) -> Floats:
    return _ratio(hits, emitted + true - hits)


def _f1(hits: Ints, emitted: Ints, true: Ints) -> Floats:
    return _ratio(2 * hits, emitted + true)


def _exact(hits: Ints, emitted: Ints, true: Ints) -> Floats:
    exact: Floats = ((hits == emitted) & (hits == true)).astype(np.float64)
    return exact


def discounts(k: int) -> Floats:
    """``1 / log2(rank + 1)`` for ranks 1 to k, ``(k,)``."""
    result: Floats = 1.0 / np.log2(np.arange(2, k + 2))
    return result


def _ndcg(k: int, num_labels: int) -> Gain:
    k = min(k, num_labels)  # further ranks stay empty
    discount = np.append(discounts(k), 0.0)
    ideal = np.append(1.0, np.cumsum(discounts(k)))  # an input without labels has no hit to divide

    def gain(emitted: Ints, true: Ints) -> Floats:
        result: Floats = discount[np.minimum(emitted, k)] / ideal[np.minimum(true, k)]
        return result

    return gain


def _precision(k: int, num_labels: int) -> Gain:
    del num_labels

    def gain(emitted: Ints, true: Ints) -> Floats:
        del true  # the divisor of P@k is k, however many labels are true
        return (emitted < k) / k

    return gain


def _hamming(num_labels: int) -> Score:
    def score(hits: Ints, emitted: Ints, true: Ints) -> Floats:
        return 1.0 - (emitted + true - 2 * hits) / num_labels

    return score


_FACTORIES: dict[str, Callable[[int], Reward]] = {
    "accuracy": lambda _: Reward("accuracy", score=_accuracy),
    "f1": lambda _: Reward("f1", score=_f1),
    "subset": lambda _: Reward("subset", score=_exact, at_end=True),
    "hamming": lambda num_labels: Reward("hamming", score=_hamming(num_labels)),
}
_RANKED: dict[str, Callable[[int, int], Gain]] = {"ndcg": _ndcg, "precision": _precision}


def reward_names() -> list[str]:
    """The names that :func:`make_reward` knows; ``k`` stands for a positive integer."""
    return [*_FACTORIES, *(f"{name}@k" for name in _RANKED)]


def register_reward(name: str, factory: Callable[[int], Reward]) -> None:
    """Add a reward that ``factory(num_labels)`` makes.

    Raises:
        ValueError: If the name is taken or has an ``@``.
    """
    if "@" in name or name in _FACTORIES:
        raise ValueError(f"reward name {name!r} is taken or contains '@'")
    _FACTORIES[name] = factory


def make_reward(name: str, num_labels: int) -> Reward:
    """The reward of that name for a problem with ``num_labels`` labels.

    - ``accuracy``: Jaccard, |Y & P| / |Y | P|, the multi-label "accuracy".
    - ``f1``: example F1, 2 |Y & P| / (|Y| + |P|).
    - ``ndcg@k``: ideal is that of min(|Y|, k) labels (k = 5 is the reward of Nam et al. 2019).
    - ``precision@k``: right labels among the first k, over k.
    - ``subset``: 1 at the end for an exact match.
    - ``hamming``: 1 - |Y xor P| / L.

    Y is the set of true labels, P the set of emitted ones. A label emitted again counts once.

    Raises:
        ValueError: If the name is not known.
        TypeError: If a factory of one's own returns something else.
    """
    ranked = re.fullmatch(r"([a-z]+)@([1-9][0-9]*)", name) if isinstance(name, str) else None
    if ranked and ranked[1] in _RANKED:
        k = int(ranked[2])
        return Reward(name, rank_gain=_RANKED[ranked[1]](k, num_labels), ranks=k)
    if name in _FACTORIES:
        reward = _FACTORIES[name](num_labels)
        if not isinstance(reward, Reward):
            raise TypeError(f"the factory of {name!r} must return a Reward, got {reward!r}")
        return reward
    known = ", ".join(reward_names())
    raise ValueError(f"unknown reward {name!r}: expected one of {known} (k is a number, as in ndcg@5)")
