"""Maximum likelihood on chains of true labels: the batch, the order, the loss."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from labelchain.agents.networks import ChainNetwork
from labelchain.envs.datasets import MultilabelDataset

Logs = dict[str, float]
"""Figures of one batch. ``env_steps`` is always there: the steps of all chains (STOP is one) that the loss
looked at, whether they were given or sampled."""


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
        cls, dataset: MultilabelDataset, rows: NDArray[np.int64], device: torch.device | str = "cpu"
    ) -> Batch:
        """The inputs of some rows ``(n,)`` of a data set."""
        features = torch.from_numpy(dataset.dense_features(rows))
        return cls(features.to(device), label_lists(dataset, torch.from_numpy(rows)).to(device))


class Objective(Protocol):
    """What a network is trained for."""

    def loss(self, network: ChainNetwork, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Logs]:
        """The loss of a batch, a scalar with gradient, and figures for the log."""


class Order(Protocol):
    """Gives each true label a key; a chain lists the labels by ascending key."""

    def keys(self, network: ChainNetwork, batch: Batch, generator: torch.Generator) -> Tensor:
        """Keys of ``batch.labels``, ``(n, most)`` float; those of padding are ignored."""


class RandomOrder:
    """A fresh permutation each time an input is seen (``always-random``)."""

    def keys(self, network: ChainNetwork, batch: Batch, generator: torch.Generator) -> Tensor:
        """Uniform random numbers, ``(n, most)``."""
        del network
        return torch.rand(batch.labels.shape, generator=generator, device=batch.labels.device)


class LikelihoodObjective:
    """Cross-entropy of the true labels in an order, then STOP; summed over steps, mean over inputs."""

    def __init__(self, order: Order) -> None:
        self.order = order

    def loss(self, network: ChainNetwork, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Logs]:
        """The negative log-likelihood of one chain per input."""
        chains = sort_by_keys(batch.labels, self.order.keys(network, batch, generator))
        logits, _ = network(batch.features, chains)
        loss = chain_cross_entropy(logits, chains)
        return loss, {"likelihood_loss": loss.item(), "env_steps": chain_steps(chains)}


def chain_steps(chains: Tensor) -> int:
    """Environment steps of given chains ``(n, length)``, padded with -1: their labels, and a STOP each."""
    return int((chains >= 0).sum()) + len(chains)


def shuffled_batches(rows: NDArray[np.int64], batch_size: int, seed: int) -> list[NDArray[np.int64]]:
    """The rows in random order, in batches of nearly equal size: one epoch."""
    shuffled = np.random.default_rng(seed).permutation(rows)
    return np.array_split(shuffled, max(1, math.ceil(len(rows) / batch_size)))


def label_lists(dataset: MultilabelDataset, rows: Tensor) -> Tensor:
    """The true labels of some rows, ``(n, most)`` int64, padded with -1; ``most`` is at least 1."""
    labels = dataset.labels[rows.numpy()]
    counts = torch.from_numpy(labels.indptr[1:] - labels.indptr[:-1]).long()
    most = max(1, int(counts.max()))
    lists = torch.full((len(rows), most), -1, dtype=torch.int64)
    lists[torch.arange(most) < counts[:, None]] = torch.from_numpy(labels.indices).long()
    return lists


def sort_by_keys(labels: Tensor, keys: Tensor) -> Tensor:
    """Sort label lists ``(n, most)`` by ascending keys ``(n, most)``, padding last."""
    order = torch.where(labels < 0, torch.inf, keys).argsort(dim=1)
    return labels.gather(1, order)


def chain_cross_entropy(logits: Tensor, chains: Tensor) -> Tensor:
    """Cross-entropy of chains and their STOP: logits ``(n, length + 1, L + 1)``, chains ``(n, length)``."""
    stop = logits.shape[-1] - 1
    targets = nn.functional.pad(chains, (0, 1), value=-1)
    lengths = (chains >= 0).sum(dim=1, keepdim=True)
    targets = targets.scatter(1, lengths, stop)
    total = nn.functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=-1, reduction="sum"
    )
    return total / len(chains)
