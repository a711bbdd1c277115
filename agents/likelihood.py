"""Maximum likelihood on chains of true labels: the batch, the order, the loss."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from labelchain.agents.action_sums import given_sums, log_likelihood, one_right
from labelchain.agents.chain_network import ChainNetwork
from labelchain.agents.steps import Steps
from labelchain.agents.whole_batch import rows_of_all, uniform
from labelchain.envs.datasets import MultilabelDataset

Logs = dict[str, float]
"""Figures of one batch; of processes that share it, they add up. ``env_steps`` is always there: the steps of
all chains (STOP is one) that the loss looked at, whether they were given or sampled."""


@dataclass(frozen=True)
class Batch:
    """Some training inputs.

    Attributes:
        features: ``(n, num_features)`` float32.
        labels: ``(n, most)`` int64, the true labels of each input in index order, padded with -1.
    """

    features: Tensor
    labels: Tensor

    @classmethod
    def of(
        cls,
        dataset: MultilabelDataset,
        rows: NDArray[np.int64],
        device: torch.device | str = "cpu",
        part: slice = slice(None),
    ) -> Batch:
        """The inputs of some rows ``(n,)`` of a data set; of them a part, with labels as wide as for all."""
        features = torch.from_numpy(dataset.dense_features(rows[part]))
        labels = label_lists(dataset, torch.from_numpy(rows))[part]
        return cls(features.to(device), labels.to(device))


class Objective(Protocol):
    """What a network is trained for."""

    def loss(self, network: ChainNetwork, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Logs]:
        """The loss of a batch, a scalar with gradient, and figures for the log.

        Where processes share the batch, it is divided by what the whole batch counts, see
        :mod:`labelchain.agents.whole_batch`, and all random numbers come from there.
        """


class Order(Protocol):
    """Gives each true label a key; a chain lists the labels by ascending key."""

    def keys(self, network: ChainNetwork, batch: Batch, generator: torch.Generator) -> Tensor:
        """Keys of ``batch.labels``, ``(n, most)`` float; those of padding are ignored."""


class RandomOrder:
    """A fresh permutation each time an input is seen (``always-random``)."""

    def keys(self, network: ChainNetwork, batch: Batch, generator: torch.Generator) -> Tensor:
        """Uniform random numbers, ``(n, most)``."""
        del network
        return uniform(batch.labels.shape, generator, batch.labels.device)


class LikelihoodObjective:
    """Cross-entropy of the true labels in an order, then STOP; summed over steps, mean over inputs.

    Args:
        order: Of the true labels.
        most_steps: The loss looks at so many steps of each chain, at most, drawn at random; by default at
            all of them.
    """

    def __init__(self, order: Order, most_steps: int | None = None) -> None:
        self.order = order
        self.most_steps = most_steps

    def loss(self, network: ChainNetwork, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Logs]:
        """The negative log-likelihood of one chain per input."""
        steps, targets = self.steps(network, batch, generator)
        logits, _ = network.at_steps(batch.features, *steps)
        stop = network.num_labels
        sums = given_sums(logits, one_right(targets, stop))
        loss = -log_likelihood(sums, targets, stop).sum() / rows_of_all(len(steps.chains))
        return loss, {"likelihood_loss": loss.item(), "env_steps": len(logits)}

    def steps(self, network: ChainNetwork, batch: Batch, generator: torch.Generator) -> tuple[Steps, Tensor]:
        """The steps to look at of a chain of true labels per input, and their targets ``(num_kept,)``."""
        chains = sort_by_keys(batch.labels, self.order.keys(network, batch, generator))
        targets = chain_targets(chains, network.num_labels)
        kept = targets >= 0
        if self.most_steps is not None:
            keys = uniform(kept.shape, generator, kept.device) + ~kept
            kept = kept & (keys.argsort(dim=1).argsort(dim=1) < self.most_steps)
        return Steps(chains, kept), targets[kept]


def count_steps(chains: Tensor, most: int | None = None) -> int:
    """Environment steps of given chains ``(n, length)``, padded with -1: their labels, and a STOP each.

    Args:
        chains: Of true labels.
        most: So many steps of each chain are counted, at most.
    """
    lengths = (chains >= 0).sum(dim=1) + 1
    return int((lengths if most is None else lengths.clamp(max=most)).sum())


def shuffled_batches(rows: NDArray[np.int64], batch_size: int, seed: int) -> list[NDArray[np.int64]]:
    """The rows in random order, in batches of nearly equal size: one epoch."""
    shuffled = np.random.default_rng(seed).permutation(rows)
    return np.array_split(shuffled, max(1, math.ceil(len(rows) / batch_size)))


def label_lists(dataset: MultilabelDataset, rows: Tensor) -> Tensor:
    """The true labels of some rows, ``(n, most)`` int64, padded with -1; ``most`` is at least 1."""
    counts, labels = map(torch.from_numpy, dataset.label_entries(rows.numpy()))
    most = max(1, int(counts.max()))
    lists = torch.full((len(rows), most), -1, dtype=torch.int64)
    lists[torch.arange(most) < counts[:, None]] = labels.long()
    return lists


def sort_by_keys(labels: Tensor, keys: Tensor) -> Tensor:
    """Sort label lists ``(n, most)`` by ascending keys ``(n, most)``, padding last."""
    order = torch.where(labels < 0, torch.inf, keys).argsort(dim=1)
    return labels.gather(1, order)


def chain_targets(chains: Tensor, stop: int) -> Tensor:
    """What each step of given chains emits: the labels ``(n, length)``, then STOP, then -1 as padding.

    Returns:
        ``(n, length + 1)`` int64.
    """
    lengths = (chains >= 0).sum(dim=1, keepdim=True)
    return nn.functional.pad(chains, (0, 1), value=-1).scatter(1, lengths, stop)
