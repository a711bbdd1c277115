"""What sampled chains say: how probable each label is, and the label set of the greatest expected F1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from labelchain.agents.decoding import RunningChains, StepModel, action_at, numbers, trimmed

FOR_PROBABILITIES, FOR_SETS = 16, 32
"""How many chains are drawn. Probabilities need fewer: they look at all labels of each step."""


class _Step(NamedTuple):
    """One step of one chain of all rows in which it still runs."""

    chain: int
    step: int
    rows: Tensor
    """``(m,)`` their numbers."""
    probabilities: Tensor
    """``(m, num_labels + 1)``."""
    actions: Tensor
    """``(m,)`` what was drawn."""


@torch.no_grad()
def _steps(model: StepModel, features: Tensor, max_labels: int, num_chains: int) -> Iterator[_Step]:
    """Draw chains, by inverting the cumulative distribution at fixed numbers.

    The numbers are stratified over the chains at each step and the same for every row.
    """
    num_labels, length = model.num_labels, min(max_labels, model.num_labels)
    draws = _stratified(num_chains, length).to(features.device)
    start = model.start(features)
    for chain, places in enumerate(draws):
        running = RunningChains(model, features, start)
        for step, place in enumerate(places):
            probabilities = numbers(running.log_probs()).exp()
            actions = action_at(probabilities, place)
            yield _Step(chain, step, running.rows, probabilities, actions)
            going = actions < num_labels
            running.keep(going)
            if step + 1 == length or len(running.rows) == 0:
                break
            running.emit(actions[going])


def _stratified(num_chains: int, length: int) -> Tensor:
    """Numbers in (0, 1), ``(num_chains, length)``: at each step one from each of ``num_chains`` strata."""
    rng = np.random.default_rng(0)
    strata = rng.permuted(np.tile(np.arange(num_chains), (length, 1)), axis=1).T
    return torch.from_numpy((strata + rng.random((num_chains, length))) / num_chains).float()


def inclusion_probabilities(
    model: StepModel, features: Tensor, max_labels: int, num_chains: int = FOR_PROBABILITIES
) -> Tensor:
    """Estimate the probability that a sampled chain holds each label.

    A label is emitted at most once, so that probability is the expected sum of its probabilities over the
    steps of a chain. The mean of that sum over a few chains has less noise than counting, and tells rare
    labels from impossible ones.

    Args:
        model: Gives the step distributions; put networks in eval mode.
        features: ``(n, num_features)`` float32.
        max_labels: Chain limit.
        num_chains: How many chains are drawn for each row.

    Returns:
        ``(n, num_labels)`` float32; an estimate may lie a little above 1.
    """
    scores = torch.zeros(len(features), model.num_labels, device=features.device)
    for each in _steps(model, features, max_labels, num_chains):
        scores.index_add_(0, each.rows, each.probabilities[:, : model.num_labels].float())
    return scores / num_chains


def sets_of_most_expected_f1(
    model: StepModel, features: Tensor, max_labels: int, num_chains: int = FOR_SETS
) -> Tensor:
    """The label sets of the greatest expected F1 within the limit, if the truth is like sampled chains.

    A set of k labels has an expected F1 of the sum over its labels of the mean of ``2 / (k + s)`` over the
    chains that hold the label, where s is a chain's length (Dembczyński et al., An exact algorithm for
    F-measure maximization, NIPS 2011): for each k the best k labels are taken, and of these sets the best.

    Args:
        model: Gives the step distributions; put networks in eval mode.
        features: ``(n, num_features)`` float32.
        max_labels: Chain limit.
        num_chains: How many chains are drawn for each row.

    Returns:
        ``(n, length)`` int64 labels, those first that add most, padded with -1.
    """
    num_rows, num_labels, device = len(features), model.num_labels, features.device
    length = min(max_labels, num_labels)
    chains = torch.full(
        (num_rows, num_chains, length), num_labels, dtype=torch.int64, device=device
    )  # padded with a column that is cut off
    for each in _steps(model, features, max_labels, num_chains):
        chains[each.rows, each.chain, each.step] = each.actions
    sizes = (chains < num_labels).sum(dim=2)
    expected = (sizes == 0).float().mean(dim=1)  # of the empty set
    best = torch.full((num_rows, length), -1, dtype=torch.int64, device=device)
    for size in range(1, length + 1):
        shares = (2.0 / (size + sizes) / num_chains)[..., None].expand_as(chains)
        gains = torch.zeros(num_rows, num_labels + 1, device=device)
        gains.scatter_add_(1, chains.flatten(1), shares.flatten(1))
        order = gains[:, :num_labels].argsort(dim=1, descending=True, stable=True)[:, :size]
        found = gains.gather(1, order).sum(dim=1)
        better = found > expected
        expected = torch.where(better, found, expected)
        best[better, :size] = order[better]
    return trimmed(best)
