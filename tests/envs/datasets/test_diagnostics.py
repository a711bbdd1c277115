"""The synthetic diagnostics: every known answer again, by brute force over orders, inputs and label sets."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest

from labelchain.envs.datasets import MultilabelDataset
from labelchain.envs.datasets.diagnostics import (
    DIAGNOSTICS,
    Problem,
    context_first,
    hidden_dependence,
    joint_mode,
    long_chain,
)

Labels = frozenset[int]
Distribution = dict[Labels, float]
"""p(Y | x): the probability of every label set of one input."""
TIE = 1e-9

SMALL: list[tuple[Callable[..., MultilabelDataset], int, float]] = [
    (joint_mode, 3, 0.62),
    (joint_mode, 3, 0.74),
    (joint_mode, 4, 0.58),
    (joint_mode, 4, 0.64),
    (context_first, 2, 0.51),
    (context_first, 2, 0.66),
    (hidden_dependence, 2, 0.67),
    (hidden_dependence, 2, 0.79),
    (long_chain, 1, 0.55),
    (long_chain, 1, 0.65),
    (long_chain, 2, 0.51),
    (long_chain, 2, 0.66),
]
DEFAULTS = [(family, None, None) for family in DIAGNOSTICS.values()]
LARGE: list[tuple[Callable[..., MultilabelDataset], int | None, float | None]] = [
    *DEFAULTS,
    (joint_mode, 6, 0.8),
    (context_first, 5, 0.75),
    (hidden_dependence, 4, 0.9),
    (long_chain, 5, 0.52),
]


def problem_of(family: Callable[..., Any], size: int | None = None, noise: float | None = None) -> Problem:
    dataset = family() if size is None else family(size=size, noise=noise)
    assert isinstance(dataset.problem, Problem)
    return dataset.problem


def distributions(problem: Problem) -> list[tuple[float, Distribution]]:
    """Each input's probability and its p(Y | x)."""
    joint: list[Distribution] = [{} for _ in problem.features]
    for x, indicators, p in zip(problem.inputs, problem.label_sets, problem.probabilities, strict=True):
        labels = frozenset(np.flatnonzero(indicators).tolist())
        assert labels not in joint[x]
        joint[x][labels] = float(p)
    weights = [sum(sets.values()) for sets in joint]
    return [(w, {y: p / w for y, p in sets.items()}) for w, sets in zip(weights, joint, strict=True)]


def expected(problem: Problem, decode: Callable[[Distribution], Iterable[Labels]]) -> float:
    """The expected subset accuracy of the best of the label sets that ties leave open, per input."""
    return sum(
        weight * max(sets.get(labels, 0.0) for labels in decode(sets))
        for weight, sets in distributions(problem)
    )


def best(mass: dict[int, float]) -> list[int]:
    """The most likely actions, all of them if they tie."""
    return [action for action, p in mass.items() if p > max(mass.values()) - TIE]


STOP = -1


def fixed_order(order: tuple[int, ...]) -> Callable[[Distribution], Iterator[Labels]]:
    """Greedy decoding of the exact chain in one order: sorted labels, then STOP."""

    def decode(sets: Distribution) -> Iterator[Labels]:
        chains = {(*sorted(y, key=order.index), STOP): p for y, p in sets.items()}
        prefixes: list[tuple[int, ...]] = [()]
        while prefixes:
            prefix = prefixes.pop()
            mass: dict[int, float] = {}
            for chain, p in chains.items():
                if chain[: len(prefix)] == prefix:
                    mass[chain[len(prefix)]] = mass.get(chain[len(prefix)], 0.0) + p
            for action in best(mass):
                if action == STOP:
                    yield frozenset(prefix)
                else:
                    prefixes.append((*prefix, action))

    return decode


def random_order(sets: Distribution) -> Iterator[Labels]:
    """Greedy decoding of the exact chain of uniformly random orders."""
    prefixes: list[Labels] = [frozenset()]
    while prefixes:
        prefix = prefixes.pop()
        mass: dict[int, float] = {}
        for y, p in sets.items():
            if prefix <= y:
                left = len(y) - len(prefix)
                reached = p * math.factorial(left) / math.factorial(len(y))  # y, in an order that begins so
                for action in y - prefix or {STOP}:
                    mass[action] = mass.get(action, 0.0) + reached / max(left, 1)
        for action in best(mass):
            if action == STOP:
                yield prefix
            else:
                prefixes.append(prefix | {action})


def independent(sets: Distribution) -> Iterator[Labels]:
    labels = frozenset[int]().union(*sets)
    yield frozenset(c for c in labels if sum(p for y, p in sets.items() if c in y) > 0.5)


def mode(sets: Distribution) -> Iterator[Labels]:
    yield from (y for y, p in sets.items() if p == max(sets.values()))


def groups_of(problem: Problem) -> str:
    """Each label's group, of labels that play the same part: the letter of its name."""
    return "".join(name[0] for name in problem.label_names)


def orders_of_groups(groups: str) -> Iterator[tuple[int, ...]]:
    """One order for each way to arrange the groups of ``groups``, labels of a group in index order."""
    labels = {group: [i for i, g in enumerate(groups) if g == group] for group in set(groups)}
    counts = {group: len(members) for group, members in labels.items()}

    def arrange(prefix: tuple[int, ...], left: dict[str, int]) -> Iterator[tuple[int, ...]]:
        if not any(left.values()):
            yield prefix
        for group, count in left.items():
            if count:
                label = labels[group][len(labels[group]) - count]
                yield from arrange((*prefix, label), left | {group: count - 1})

    yield from arrange((), counts)


@pytest.mark.parametrize(("family", "size", "noise"), SMALL)
def test_known_answers_by_brute_force_over_all_orders(family: Any, size: int, noise: float) -> None:
    problem = problem_of(family, size, noise)
    orders = itertools.permutations(range(len(problem.label_names)))
    scores = [expected(problem, fixed_order(order)) for order in orders]
    assert max(scores) == pytest.approx(problem.known.fixed_order)


@pytest.mark.parametrize(("family", "size", "noise"), SMALL + LARGE)
def test_known_answers_of_the_other_models(family: Any, size: int | None, noise: float | None) -> None:
    problem = problem_of(family, size, noise)
    assert expected(problem, independent) == pytest.approx(problem.known.independent)
    assert expected(problem, random_order) == pytest.approx(problem.known.random_order)
    assert expected(problem, mode) == pytest.approx(problem.known.dynamic)
    assert problem.known.dynamic > problem.known.fixed_order
    assert problem.known.fixed_order >= problem.known.random_order >= problem.known.independent


@pytest.mark.parametrize(("family", "size", "noise"), LARGE)
def test_large_problems_over_sampled_orders(family: Any, size: int | None, noise: float | None) -> None:
    problem = problem_of(family, size, noise)
    rng = np.random.default_rng(0)
    num_labels = len(problem.label_names)
    orders = [tuple(rng.permutation(num_labels).tolist()) for _ in range(100)]
    scores = [expected(problem, fixed_order(order)) for order in orders]
    assert max(scores) == pytest.approx(problem.known.fixed_order)


@pytest.mark.parametrize("family", [context_first, long_chain])
def test_default_problems_over_all_orders_of_exchangeable_labels(family: Any) -> None:
    # Labels of one group can be exchanged without changing the distribution, so that these are all orders but
    # for the places of the signature, whose labels stay last here (any place is tried in the tests above).
    problem = problem_of(family)
    groups = groups_of(problem)
    conditional = distributions(problem)
    for first, second in itertools.pairwise(range(len(groups))):
        if groups[first] == groups[second]:
            swap = {first: second, second: first}
            for _, sets in conditional:
                swapped = {frozenset(swap.get(c, c) for c in y): p for y, p in sets.items()}
                assert swapped == pytest.approx(sets)
    places = groups.index("s")
    scores = [
        expected(problem, fixed_order((*order, *range(places, len(groups)))))
        for order in orders_of_groups(groups[:places])
    ]
    assert len(scores) == math.comb(places, places // 2)
    assert max(scores) == pytest.approx(problem.known.fixed_order)


@pytest.mark.parametrize(
    ("family", "size", "noise", "some_order_is_right"),
    [
        (joint_mode, 4, 0.64, False),
        (context_first, 2, 0.6, True),
        (hidden_dependence, 2, 0.72, False),
        (long_chain, 2, 0.6, True),
    ],
)
def test_whether_some_order_of_each_input_reaches_its_mode(
    family: Any, size: int, noise: float, some_order_is_right: bool
) -> None:
    problem = problem_of(family, size, noise)
    for _, sets in distributions(problem):
        (signature,) = mode(sets)
        reached = any(
            signature in fixed_order(order)(sets)
            for order in itertools.permutations(range(len(problem.label_names)))
        )
        assert reached == some_order_is_right


@pytest.mark.parametrize("family", DIAGNOSTICS.values())
def test_the_mode_is_not_the_best_set_under_f1(family: Any) -> None:
    problem = problem_of(family)
    for _, sets in distributions(problem):
        (signature,) = mode(sets)
        f1 = {
            y: sum(p * 2 * len(y & z) / max(len(y) + len(z), 1) for z, p in sets.items())
            for y in [*sets, *independent(sets)]
        }
        assert max(f1.values()) > f1[signature] + 0.01


@pytest.mark.parametrize("family", DIAGNOSTICS.values())
def test_known_answers_by_monte_carlo(family: Any) -> None:
    problem = problem_of(family)
    rng = np.random.default_rng(1)
    num_draws = 40_000
    drawn = rng.choice(len(problem.inputs), num_draws, p=problem.probabilities)
    answer = {x: next(mode(sets)) for x, (_, sets) in enumerate(distributions(problem))}
    right = {
        outcome: answer[int(problem.inputs[outcome])]
        == frozenset(np.flatnonzero(problem.label_sets[outcome]))
        for outcome in range(len(problem.inputs))
    }
    share = np.mean([right[outcome] for outcome in drawn.tolist()])
    assert share == pytest.approx(problem.known.dynamic, abs=4 * 0.5 / math.sqrt(num_draws))
