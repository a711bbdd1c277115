"""The fixed orders of Nam et al. (ICML 2019): by training frequency, and one random permutation."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from labelchain.agents.chain_network import ChainNetwork
from labelchain.agents.likelihood import Batch
from labelchain.envs.datasets import MultilabelDataset


class FixedOrder:
    """One order of all labels, the same for every input.

    Args:
        order: ``(num_labels,)`` a permutation, the label that comes first at the front.
    """

    def __init__(self, order: np.ndarray) -> None:
        position = np.empty(len(order), dtype=np.int64)
        position[order] = np.arange(len(order))
        self._position = torch.from_numpy(position)

    def keys(self, network: ChainNetwork, batch: Batch, generator: torch.Generator) -> Tensor:
        """The position of each true label in the order, ``(n, most)``."""
        del network, generator
        self._position = self._position.to(batch.labels.device)
        return self._position[batch.labels.clamp(min=0)].float()


def frequent_first(dataset: MultilabelDataset) -> np.ndarray:
    """Labels by descending training frequency (``freq2rare``), ties by index, ``(num_labels,)``."""
    return np.argsort(-dataset.label_frequencies("train"), kind="stable")


def rare_first(dataset: MultilabelDataset) -> np.ndarray:
    """Labels by ascending training frequency (``rare2freq``), ``(num_labels,)``."""
    return frequent_first(dataset)[::-1].copy()


def shuffled(dataset: MultilabelDataset, seed: int) -> np.ndarray:
    """One random permutation of the labels (``fixed-random``), ``(num_labels,)``."""
    return np.random.default_rng(seed).permutation(dataset.num_labels)
